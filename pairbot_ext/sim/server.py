"""The HTTPS and WSS server on 127.0.0.1: one thread, one event loop, no state of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from pairbot_ext.sim.rest.messages import Answer, Delivery, Request
from pairbot_ext.sim.stream.sockets import Streams, serve
from pairbot_ext.sim.tls import LOOPBACK, server_context
from pairbot_ext.support.errors import PairbotError

logger = logging.getLogger(__name__)

_START_TIMEOUT_SECS = 10.0
# Longer than any client here waits; the connection is dropped after it so that no task lives for ever.
_HANG_SECS = 120.0
_TICK_SECS = 0.05


class Handler(Streams, Protocol):
    """What the server serves: pure request in, answer out; and streams."""

    def handle(self, request: Request) -> Answer:
        """Execute one request at the venue's current time."""
        ...

    def tick(self) -> int | None:
        """Let time pass at the venue: late fills, funding, liquidation, updates of streams.

        :returns: when it next has to, epoch ms of the venue; None where a regular look is enough.
        """
        ...


class LoopbackServer:
    """Serves `handler` over HTTPS on 127.0.0.1 from a background thread; a context manager.

    :param port: 0 takes a free port; `port` holds the real one after the start.
    :raises PairbotError: the port is taken.
    """

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._wanted_port = port
        self.port = 0
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="pairbot-loopback-exchange", daemon=True)

    def __enter__(self) -> LoopbackServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> int:
        """Start serving; returns the port once connections are accepted."""
        self._thread.start()
        if not self._started.wait(_START_TIMEOUT_SECS):
            raise PairbotError(
                f"The loopback exchange did not start within {_START_TIMEOUT_SECS:.0f} s",
                remedy="Is the machine overloaded? Try again",
            )
        if self._error is not None:
            raise PairbotError(
                "The loopback exchange could not listen on 127.0.0.1",
                value=f"port {self._wanted_port}: {self._error}",
                remedy="Choose another --port, or leave it out for a free one",
            )
        return self.port

    def stop(self) -> None:
        """Stop serving and wait for the thread. Safe to call twice."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_START_TIMEOUT_SECS)

    def call(self, function: Callable[[], object]) -> object:
        """Run `function` in the server's thread, between two requests, and return what it returns."""
        assert self._loop is not None, "the server is not running"

        async def run() -> object:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_START_TIMEOUT_SECS)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, LOOPBACK, self._wanted_port, ssl_context=server_context())
            await site.start()
            self.port = runner.addresses[0][1]
        except OSError as error:
            self._error = error
            await runner.cleanup()
            return
        finally:
            self._started.set()
        ticker = asyncio.create_task(self._tick())
        try:
            await self._stop.wait()
        finally:
            ticker.cancel()
            await runner.cleanup()

    async def _tick(self) -> None:
        wait_secs = _TICK_SECS
        while True:
            await asyncio.sleep(wait_secs)
            try:
                due_ms = self._handler.tick()
                wait_secs = _TICK_SECS
                if due_ms is not None:
                    wait_secs = min(wait_secs, max(0.001, (due_ms - self._handler.now_ms()) / 1000))
            except Exception:
                # The venue's time must go on; the next request will meet the same problem and answer 500.
                logger.exception("The simulated venue failed while time passed")

    async def _answer(self, raw: web.BaseRequest) -> web.StreamResponse:
        path, _, query = raw.raw_path.partition("?")
        body = await raw.text()
        half_secs = self._handler.round_trip_ms / 2000
        if half_secs:
            await asyncio.sleep(half_secs)
        if raw.headers.get("Upgrade", "").lower() == "websocket":
            return await serve(self._handler, raw, path, query)
        answer = self._handler.handle(
            Request(
                method=raw.method,
                path=path,
                query=query,
                body=body,
                headers={name.lower(): value for name, value in raw.headers.items()},
            )
        )
        wait_secs = half_secs + answer.delay_ms / 1000
        if answer.delivery is Delivery.HANG:
            wait_secs = _HANG_SECS
        if wait_secs:
            await asyncio.sleep(wait_secs)
        if answer.delivery is not Delivery.SEND:
            if raw.transport is not None:
                raw.transport.abort()
            # aiohttp needs a response object although nothing can be sent any more.
            return web.Response(status=500)
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers={**answer.headers, "Content-Type": answer.content_type},
        )
