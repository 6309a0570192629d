"""One request as the venue received it and one answer as the transport has to deliver it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

JSON_TYPE = "application/json;charset=UTF-8"
HTML_TYPE = "text/html"


@dataclass(frozen=True)
class Request:
    """One HTTP request, undecoded: signatures are over the exact text that was sent.

    :param query: the raw query string without "?"; `body`: the raw form body. Both still percent-encoded.
    :param headers: names in lower case.
    """

    method: str
    path: str
    query: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def call(self) -> str:
        """Method and path, the key of routes, weights and fault rules: "POST /fapi/v1/order"."""
        return f"{self.method} {self.path}"

    @property
    def client_id(self) -> str:
        """The client order id of a new order, "" for everything else."""
        return self.params().get("newClientOrderId", "") if self.method == "POST" else ""

    def params(self) -> dict[str, str]:
        """Decoded parameters; where both carry one, the query string wins, as Binance documents."""
        merged = dict(parse_qsl(self.body, keep_blank_values=True)) if self.body else {}
        if self.query:
            merged.update(parse_qsl(self.query, keep_blank_values=True))
        return merged


class Delivery(StrEnum):
    """What the transport does with an answer."""

    SEND = "send"
    RESET = "reset"  # the connection is dropped without a byte
    HANG = "hang"  # nothing is ever sent; the client's read timeout has to end it


@dataclass(frozen=True)
class Answer:
    """What goes back. `delay_ms` is waited before it, on top of the network's own round trip."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE
    delivery: Delivery = Delivery.SEND
    delay_ms: int = 0


def json_bytes(payload: Any) -> bytes:
    """Compact JSON as Binance sends it."""
    return json.dumps(payload, separators=(",", ":")).encode()
