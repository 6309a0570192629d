"""The JSON requests of a stream connection: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, properties.

https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Live-Subscribing-Unsubscribing-to-streams
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from pairbot_ext.sim.stream.connection import Connection

_UNKNOWN_PROPERTY, _WRONG_TYPE, _INVALID_REQUEST, _INVALID_JSON = 0, 1, 2, 3


class RequestError(Exception):
    """A refusal, with Binance's code."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


class Subscriptions(Protocol):
    """What the requests act on."""

    def refuses_subscription(self, connection: Connection) -> bool:
        """Whether a fault refuses it."""
        ...

    def subscribe(self, connection: Connection, texts: list[str]) -> None:
        """Add streams; raises RequestError."""
        ...

    def unsubscribe(self, connection: Connection, texts: list[str]) -> None:
        """Remove streams."""
        ...


def answer(hub: Subscriptions, connection: Connection, text: str) -> dict[str, Any]:
    """Carry out one request; its answer."""
    number = None
    try:
        request = _object(text)
        number = request.get("id")
        return {"result": _carry_out(hub, connection, request), "id": number}
    except RequestError as error:
        return {"error": {"code": error.code, "msg": str(error)}, "id": number}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RequestError(_INVALID_JSON, f"Invalid JSON: {error}") from None
    if not isinstance(found, dict):
        raise RequestError(_INVALID_REQUEST, "Invalid request: request must be an object")
    number = found.get("id")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int | str)):
        raise RequestError(_INVALID_REQUEST, "Invalid request: request ID must be an unsigned integer")
    return found


def _carry_out(hub: Subscriptions, connection: Connection, request: dict[str, Any]) -> Any:
    method = request.get("method")
    if method == "LIST_SUBSCRIPTIONS":
        return list(connection.streams)
    if method == "SUBSCRIBE":
        texts = _texts(request)
        if hub.refuses_subscription(connection):
            raise RequestError(_INVALID_REQUEST, "Invalid request: refused by a fault rule")
        hub.subscribe(connection, texts)
    elif method == "UNSUBSCRIBE":
        hub.unsubscribe(connection, _texts(request))
    elif method in ("SET_PROPERTY", "GET_PROPERTY"):
        return _property(connection, request)
    elif method is None:
        raise RequestError(_INVALID_REQUEST, "Invalid request: missing field `method`")
    else:
        raise RequestError(_INVALID_REQUEST, f"Invalid request: unknown variant {method!r}")
    return None


def _texts(request: dict[str, Any]) -> list[str]:
    found = request.get("params")
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise RequestError(_INVALID_REQUEST, "Invalid request: params must be a list of stream names")
    return found


def _property(connection: Connection, request: dict[str, Any]) -> Any:
    params = request.get("params")
    if not isinstance(params, list) or not params or params[0] != "combined":
        raise RequestError(_UNKNOWN_PROPERTY, "Unknown property")
    if request["method"] == "GET_PROPERTY":
        return connection.combined
    if len(params) != 2 or not isinstance(params[1], bool):
        raise RequestError(_WRONG_TYPE, "Invalid value type: expected Boolean")
    connection.combined = params[1]
    return None
