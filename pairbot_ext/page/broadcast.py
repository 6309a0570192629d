"""Sends the sheet to everybody who looks, as server-sent events; looks only while somebody does.

One task of the API server's loop looks, in a thread, however many look on. A viewer who has fallen behind is
given the whole sheet instead of what it has missed: nothing is queued.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from pairbot_ext.page.sheet import Look

logger = logging.getLogger(__name__)

LOOK_EVERY_SECS = 0.35
HEARTBEAT_SECS = 10.0
"""A viewer that is gone is found when something is sent to it."""
STREAM_SECS = 600.0
"""Then the browser asks again, with a login that holds now."""
MOST_VIEWERS = 20


class Broadcast:
    """See the module.

    :param look: what there is to show; None where the strategy is not running. Called in a thread.
    :param now_ms: the bot's clock: a browser's own may be wrong.
    """

    def __init__(self, look: Callable[[], Look | None], now_ms: Callable[[], int]) -> None:
        self._look = look
        self._now_ms = now_ms
        self._viewers: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._whole: bytes | Callable[[], dict[str, Any]] | None = None
        self._change = b""
        self._is_closed = False

    @property
    def viewers(self) -> int:
        """How many look now."""
        return len(self._viewers)

    @property
    def is_full(self) -> bool:
        """Whether nobody else may look."""
        return len(self._viewers) >= MOST_VIEWERS

    def close(self) -> None:
        """From any thread: every stream ends, and with it what the server waits for at its own end."""
        self._is_closed = True
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                logger.debug("The API server has ended before its streams")

    async def follow(self) -> AsyncIterator[bytes]:
        """The frames for one viewer: the whole sheet, then what changes."""
        bell = asyncio.Event()
        self._viewers.add(bell)
        self._loop = asyncio.get_running_loop()
        if self._task is None:
            self._whole = None
            self._task = self._loop.create_task(self._work())
        seen, end = -1, time.monotonic() + STREAM_SECS
        try:
            if self._whole is not None:
                bell.set()
            yield _frame("now", {"at_ms": self._now_ms()})
            while not self._is_closed and time.monotonic() < end:
                try:
                    await asyncio.wait_for(bell.wait(), HEARTBEAT_SECS)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                bell.clear()
                if self._whole is None or self._number == seen:
                    continue
                is_next = self._number == seen + 1
                seen = self._number
                yield self._change if is_next else self._all()
        finally:
            self._viewers.discard(bell)

    def _all(self) -> bytes:
        """Encoded when somebody wants it, once."""
        if callable(self._whole):
            self._whole = _frame("whole", self._whole())
        assert self._whole is not None
        return self._whole

    async def _work(self) -> None:
        try:
            while self._viewers and not self._is_closed:
                try:
                    found = await asyncio.to_thread(self._look)
                except Exception:
                    # Whoever looks sees that nothing moves; the next look may succeed.
                    logger.exception("What the page shows could not be gathered")
                    found = None
                if found is not None:
                    self._take(found)
                await asyncio.sleep(LOOK_EVERY_SECS)
        finally:
            self._task = None
            self._whole = None

    def _take(self, found: Look) -> None:
        is_first = self._whole is None
        if found.change is None and not is_first:
            return
        self._number += 1
        self._whole = found.whole
        self._change = _frame("change", found.change) if found.change is not None else self._all()
        self._wake()

    def _wake(self) -> None:
        for bell in self._viewers:
            bell.set()


def _frame(event: str, document: dict[str, Any]) -> bytes:
    return f"event: {event}\ndata: {json.dumps(document, separators=(',', ':'))}\n\n".encode()
