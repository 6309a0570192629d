"""Unmodified ccxt talks to the venue without sockets: sessions for its sync and async clients.

ccxt takes an HTTP session in its configuration (`session`); these two hand each request to the venue in the
same thread and raise what `requests` and `aiohttp` would. With a virtual clock a round trip, a delay and a
read timeout pass in no real time. ccxt.pro's websockets are carried alike, to its own event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import requests
from multidict import CIMultiDict, CIMultiDictProxy
from requests.structures import CaseInsensitiveDict
from yarl import URL

from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.rest.messages import Answer, Delivery, Request
from pairbot_ext.sim.server import Handler
from pairbot_ext.sim.stream.hub import UpgradeRefusedError
from pairbot_ext.sim.stream.within import InProcessSocket

# The port in the URLs of an in-process exchange; nothing listens there.
NO_PORT = 1


class ReadTimeoutError(Exception):
    """The client waited longer than it wanted to."""


class ConnectionDroppedError(Exception):
    """The connection ended without an answer. `reached` tells whether the request got through."""

    def __init__(self, *, reached: bool) -> None:
        self.reached = reached
        super().__init__("dropped after the request" if reached else "refused")


class Watcher(Protocol):
    """Stands between client and venue, and may raise: as a process that ends there would hear no more."""

    def before(self, request: Request) -> None:
        """The request is about to arrive."""
        ...

    def after(self, request: Request) -> None:
        """The venue has dealt with it, and nothing of that has come back yet."""
        ...


class InProcessTransport:
    """Carries requests to a handler, and lets time pass for them.

    :param handler: the exchange.
    :param advance: moves the clock by so many ms; called for round trips, delays and timeouts. The default
        lets them pass unnoticed, for a handler on the real clock.
    """

    def __init__(self, handler: Handler, advance: Callable[[int], object] | None = None) -> None:
        self._handler = handler
        self._advance: Callable[[int], object] = advance or (lambda _ms: None)
        self.reachable = True
        self.watcher: Watcher | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> InProcessTransport:
        return self  # Freqtrade copies its configuration; there is still only one exchange

    def send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_ms: int
    ) -> Answer:
        """One request and its answer.

        :raises ReadTimeoutError: the answer would take `timeout_ms` or longer, or never comes.
        :raises ConnectionDroppedError: the exchange is not reachable, or drops the connection.
        """
        if not self.reachable:
            raise ConnectionDroppedError(reached=False)
        parts = urlsplit(url)
        half_ms = self._handler.round_trip_ms // 2
        self._advance(half_ms)
        request = Request(
            method=method,
            path=parts.path,
            query=parts.query,
            body=body.decode() if body else "",
            headers={name.lower(): value for name, value in headers.items()},
        )
        if self.watcher is not None:
            self.watcher.before(request)
        answer = self._handler.handle(request)
        if self.watcher is not None:
            self.watcher.after(request)
        back_ms = self._handler.round_trip_ms - half_ms + answer.delay_ms
        if answer.delivery is Delivery.HANG or half_ms + back_ms >= timeout_ms:
            self._advance(max(timeout_ms - half_ms, 0))
            raise ReadTimeoutError
        self._advance(back_ms)
        if answer.delivery is Delivery.RESET:
            raise ConnectionDroppedError(reached=True)
        return answer

    def connect(self, url: str) -> InProcessSocket:
        """One websocket, to be called within the event loop that will read it.

        :raises aiohttp.ClientError: as aiohttp does where the exchange is not reachable or refuses.
        """
        if not self.reachable:
            raise aiohttp.ClientConnectionError("Connection refused")
        parts = urlsplit(url)
        try:
            return InProcessSocket(self._handler, self._handler.open_stream(parts.path, parts.query))
        except UpgradeRefusedError as refused:
            request = aiohttp.RequestInfo(URL(url), "GET", CIMultiDictProxy(CIMultiDict()), URL(url))
            raise aiohttp.WSServerHandshakeError(
                request, (), status=refused.status, message="Invalid response status", headers=CIMultiDict()
            ) from None

    def overlay(self) -> dict[str, Any]:
        """Freqtrade configuration whose sync and async clients use this transport.

        ccxt's own rate limiter is off: it sleeps in real time until a clock has moved, and a virtual one has
        not. Nor is there a connection whose end it would wait a quarter of a second for when it is closed.
        """
        config = overlay(NO_PORT)
        exchange = config["exchange"]
        for block, session in (("sync", SyncSession(self)), ("async", AsyncSession(self))):
            name = f"ccxt_{block}_config"
            exchange[name] = {**exchange[name], "enableRateLimit": False, "session": session}
        exchange["ccxt_async_config"]["timeout_on_exit"] = 0
        return config


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


class SyncSession:
    """The part of `requests.Session` that ccxt uses."""

    def __init__(self, transport: InProcessTransport) -> None:
        self._transport = transport
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}
        self.trust_env = False

    def __deepcopy__(self, memo: dict[int, Any]) -> SyncSession:
        return self

    def request(
        self,
        method: str,
        url: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        **_: object,
    ) -> requests.Response:
        """One request; `timeout` in seconds.

        :raises requests.exceptions.ReadTimeout: and ConnectionError, as `requests` does.
        """
        try:
            answer = self._transport.send(method, url, data, headers or {}, round(timeout * 1000))
        except ReadTimeoutError:
            raise requests.exceptions.ReadTimeout(f"Read timed out. (read timeout={timeout})") from None
        except ConnectionDroppedError as dropped:
            text = "Connection aborted." if dropped.reached else "Connection refused"
            raise requests.exceptions.ConnectionError(text) from None
        response = requests.Response()
        response.status_code = answer.status
        response.reason = _reason(answer.status)
        response.url = url
        response.headers = CaseInsensitiveDict({**answer.headers, "Content-Type": answer.content_type})
        response._content = answer.body  # requests offers no public way to fill a response
        return response

    def close(self) -> None:
        """Nothing to close."""


class _AsyncResponse:
    """The part of `aiohttp.ClientResponse` that ccxt uses."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.reason = _reason(answer.status)
        self.headers = {**answer.headers, "Content-Type": answer.content_type}
        self.content = answer.body

    async def text(self, errors: str = "strict") -> str:
        return self.content.decode(errors=errors)


class _AsyncRequest:
    """What `async with session.get(...)` enters."""

    def __init__(self, send: Callable[[], Answer]) -> None:
        self._send = send

    async def __aenter__(self) -> _AsyncResponse:
        try:
            answer = self._send()
        except ReadTimeoutError:
            raise TimeoutError from None
        except ConnectionDroppedError as dropped:
            if dropped.reached:
                raise aiohttp.ServerDisconnectedError from None
            raise aiohttp.ClientConnectionError("Connection refused") from None
        return _AsyncResponse(answer)

    async def __aexit__(self, *_: object) -> None:
        return None


class _AsyncSocket:
    """What `async with session.ws_connect(...)` enters."""

    def __init__(self, connect: Callable[[], InProcessSocket]) -> None:
        self._connect = connect

    async def __aenter__(self) -> InProcessSocket:
        return self._connect()

    async def __aexit__(self, *_: object) -> None:
        return None


class AsyncSession:
    """The part of `aiohttp.ClientSession` that ccxt uses."""

    def __init__(self, transport: InProcessTransport) -> None:
        self._transport = transport
        self.headers: dict[str, str] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> AsyncSession:
        return self

    def _request(
        self,
        method: str,
        url: Any,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | float | None = None,
        **_: object,
    ) -> _AsyncRequest:
        # aiohttp takes both: ccxt 4.5.70 gives seconds, 4.5.76 a ClientTimeout.
        secs = timeout.total if isinstance(timeout, aiohttp.ClientTimeout) else timeout
        total_secs = secs or 10.0
        return _AsyncRequest(
            lambda: self._transport.send(method, str(url), data, headers or {}, round(total_secs * 1000))
        )

    def get(self, url: Any, **options: Any) -> _AsyncRequest:
        """See `aiohttp.ClientSession.get`."""
        return self._request("GET", url, **options)

    def post(self, url: Any, **options: Any) -> _AsyncRequest:
        """See `aiohttp.ClientSession.post`."""
        return self._request("POST", url, **options)

    def put(self, url: Any, **options: Any) -> _AsyncRequest:
        """See `aiohttp.ClientSession.put`."""
        return self._request("PUT", url, **options)

    def delete(self, url: Any, **options: Any) -> _AsyncRequest:
        """See `aiohttp.ClientSession.delete`."""
        return self._request("DELETE", url, **options)

    def ws_connect(self, url: Any, **_: object) -> _AsyncSocket:
        """See `aiohttp.ClientSession.ws_connect`."""
        return _AsyncSocket(lambda: self._transport.connect(str(url)))

    async def close(self) -> None:
        """Nothing to close."""
