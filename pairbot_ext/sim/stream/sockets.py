"""Websockets over aiohttp: carries a connection's frames, and knows nothing of what they say."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from aiohttp import WSMsgType, web

from pairbot_ext.sim.stream.connection import Connection, Frame, FrameKind
from pairbot_ext.sim.stream.hub import UpgradeRefusedError

_CLOSE_WITHIN_SECS = 2.0
_MOST_BYTES = 1 << 20


class Streams(Protocol):
    """The streams a server serves; each call is one instant of the venue."""

    @property
    def round_trip_ms(self) -> int:
        """Network round trip; a frame takes half of it."""
        ...

    def now_ms(self) -> int:
        """The venue's time."""
        ...

    def open_stream(self, path: str, query: str) -> Connection:
        """A new connection; raises UpgradeRefusedError."""
        ...

    def receive(self, connection: Connection, text: str) -> None:
        """A text message."""
        ...

    def ping(self, connection: Connection) -> bool:
        """A ping; whether to answer it."""
        ...

    def pong(self, connection: Connection) -> None:
        """A pong."""
        ...

    def leave(self, connection: Connection) -> None:
        """The socket is gone."""
        ...


async def serve(streams: Streams, raw: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
    """One websocket from its upgrade to its end."""
    try:
        connection = streams.open_stream(path, query)
    except UpgradeRefusedError as refused:
        return web.Response(status=refused.status, text=str(refused))
    # Without compression: it would cost the server more than everything else together.
    socket = web.WebSocketResponse(
        autoping=False, compress=False, max_msg_size=_MOST_BYTES, timeout=_CLOSE_WITHIN_SECS
    )
    try:
        await socket.prepare(raw)
        writing = asyncio.create_task(_write(streams, connection, socket, raw))
        try:
            await _read(streams, connection, socket)
            if connection.end:  # our own doing: let the last frame out
                await asyncio.wait({writing}, timeout=_CLOSE_WITHIN_SECS)
        finally:
            writing.cancel()
    finally:
        streams.leave(connection)
    return socket


async def _read(streams: Streams, connection: Connection, socket: web.WebSocketResponse) -> None:
    while True:
        message = await socket.receive()
        if message.type is WSMsgType.TEXT:
            streams.receive(connection, message.data)
        elif message.type is WSMsgType.PING:
            if streams.ping(connection):
                await socket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            streams.pong(connection)
        elif message.type is not WSMsgType.BINARY:
            return


async def _write(
    streams: Streams, connection: Connection, socket: web.WebSocketResponse, raw: web.BaseRequest
) -> None:
    ready, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_frames() -> None:
        ready.set()
        if connection.end and raw.transport is not None:
            # A client that reads nothing would keep the last frame, and the connection, for ever.
            loop.call_later(_CLOSE_WITHIN_SECS, raw.transport.abort)

    connection.on_frames = on_frames
    # A socket that breaks while it is written to ends the reading side, which cleans up.
    with contextlib.suppress(ConnectionError):
        while True:
            ready.clear()
            while (frame := connection.take()) is not None:
                wait_ms = frame.sent_ms + streams.round_trip_ms / 2 - streams.now_ms()
                if wait_ms > 0:
                    await asyncio.sleep(wait_ms / 1000)
                await _send(frame, socket, raw)
                if frame.kind in (FrameKind.CLOSE, FrameKind.CUT):
                    return
            await ready.wait()


async def _send(frame: Frame, socket: web.WebSocketResponse, raw: web.BaseRequest) -> None:
    if frame.kind is FrameKind.TEXT:
        await socket.send_str(frame.text)
    elif frame.kind is FrameKind.PING:
        await socket.ping(frame.text.encode())
    elif frame.kind is FrameKind.CLOSE:
        await socket.close(code=frame.number, message=frame.text.encode())
    elif raw.transport is not None:
        raw.transport.write(text_frame(frame.text)[: frame.number])
        raw.transport.close()


def text_frame(text: str) -> bytes:
    """The bytes of an unmasked text frame (RFC 6455, 5.2)."""
    data = text.encode()
    if len(data) < 126:
        return bytes((0x81, len(data))) + data
    if len(data) < 1 << 16:
        return bytes((0x81, 126)) + len(data).to_bytes(2, "big") + data
    return bytes((0x81, 127)) + len(data).to_bytes(8, "big") + data
