"""Streams without sockets: for ccxt.pro in the same process, and for tests that read the messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from typing import Any

import aiohttp

from pairbot_ext.sim.stream.connection import Connection, Frame, FrameKind
from pairbot_ext.sim.stream.sockets import Streams


class StreamTap:
    """One subscriber under the venue's own clock: the messages ccxt would get, as JSON objects.

    :param path: such as "/public/ws/adausdt@bookTicker". :param query: such as "listenKey=...".
    :raises UpgradeRefusedError: as the venue refuses it.
    """

    def __init__(self, streams: Streams, path: str, query: str = "") -> None:
        self._streams = streams
        self.connection: Connection = streams.open_stream(path, query)

    @property
    def end(self) -> str:
        """Why the connection is over, "" while it is not."""
        return self.connection.end

    def send(self, payload: object) -> None:
        """Send one request, such as {"method": "SUBSCRIBE", ...}; a text goes out as it is."""
        self._streams.receive(self.connection, payload if isinstance(payload, str) else json.dumps(payload))

    def messages(self) -> list[Any]:
        """What has arrived since the last call, half a round trip after it was sent. Pings are answered."""
        found = []
        arrived_ms = self._streams.now_ms() - self._streams.round_trip_ms / 2
        while (frame := self.connection.take(arrived_ms)) is not None:
            if frame.kind is FrameKind.TEXT:
                found.append(json.loads(frame.text))
            elif frame.kind is FrameKind.PING:
                self._streams.pong(self.connection)
        return found

    def close(self) -> None:
        """Hang up."""
        self._streams.leave(self.connection)


class InProcessSocket:
    """The part of `aiohttp.ClientWebSocketResponse` that ccxt uses. Frames arrive at once."""

    _conn = None  # ccxt looks into aiohttp's buffer; there is none

    def __init__(self, streams: Streams, connection: Connection) -> None:
        self._streams = streams
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._own: deque[aiohttp.WSMessage] = deque()
        self.closed = False
        connection.on_frames = self._wake

    def _wake(self) -> None:
        # The venue may be another thread's; a loop that has ended has nobody left to wake.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ready.set)

    async def receive(self) -> aiohttp.WSMessage:
        """See aiohttp."""
        while not self.closed:
            self._ready.clear()
            if self._own:
                return self._own.popleft()
            frame = self._connection.take()
            if frame is not None:
                return self._message(frame)
            await self._ready.wait()
        return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)

    def _message(self, frame: Frame) -> aiohttp.WSMessage:
        if frame.kind is FrameKind.TEXT:
            return aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, frame.text, None)
        if frame.kind is FrameKind.PING:
            return aiohttp.WSMessage(aiohttp.WSMsgType.PING, frame.text.encode(), None)
        if frame.kind is FrameKind.CLOSE:
            return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSE, frame.number, frame.text)
        self.closed = True
        return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)

    async def send_str(self, text: str) -> None:
        """See aiohttp."""
        self._streams.receive(self._connection, text)

    async def ping(self, data: bytes = b"") -> None:
        """See aiohttp."""
        if self._streams.ping(self._connection):
            self._own.append(aiohttp.WSMessage(aiohttp.WSMsgType.PONG, data, None))
            self._ready.set()

    async def pong(self, data: bytes = b"") -> None:  # noqa: ARG002 (aiohttp's signature)
        """See aiohttp."""
        self._streams.pong(self._connection)

    async def close(self, **_: object) -> None:
        """See aiohttp."""
        self.closed = True
        self._ready.set()
        self._streams.leave(self._connection)
