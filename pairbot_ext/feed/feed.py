"""The feed: one thread with one event loop that keeps every connection up, from a bot's start to its end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable

import numpy as np

from pairbot_ext.feed.board import Board, LineStatus
from pairbot_ext.feed.line import Line
from pairbot_ext.model.heard import Topic
from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.streams import Streams

logger = logging.getLogger(__name__)

STOP_SECS = 2.0
LOOK_SECS = 0.05
"""Between two looks at whether new connections are live."""
REPLACE_SECS = 20.0
"""An old connection goes when the new one is live, or after so long."""


class Feed:
    """See the module.

    :param tick: called again and again in the feed's thread; answers how soon it wants to be, seconds.
    :param has_account: whether there is an account to hear: not in a dry run.
    """

    def __init__(
        self,
        streams: Streams,
        board: Board,
        clock: Clock,
        rng: np.random.Generator,
        tick: Callable[[], float],
        *,
        has_account: bool,
    ) -> None:
        self._streams = streams
        self._board = board
        self._clock = clock
        self._rng = rng
        self._tick = tick
        self._has_account = has_account
        self._wanted: frozenset[str] = frozenset()
        self._numbers = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pairbot-feed", daemon=True)

    def start(self) -> None:
        """Once."""
        self._thread.start()
        self._begun.wait()

    def follow(self, symbols: Iterable[str]) -> None:
        """Hear the prices of these symbols and of no others."""
        wanted = frozenset(symbols)
        if wanted != self._wanted:
            self._wanted = wanted
            self._call(self._changed.set)

    def stop(self) -> bool:
        """Close everything. Returns whether the thread is gone, within STOP_SECS."""
        main = self._main
        if main is not None:
            self._call(main.cancel)
        if self._thread.is_alive():
            self._thread.join(STOP_SECS)
        if self._thread.is_alive():
            logger.error(f"The streams could not be closed within {STOP_SECS:g} s")
        return not self._thread.is_alive()

    def _call(self, work: Callable[[], object]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            logger.debug("The feed has ended already")

    # -- the feed's own thread ---------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._keep_up())
        except asyncio.CancelledError:
            pass
        except Exception:
            logger.exception("The streams have ended, the venue is asked instead")
        finally:
            self._begun.set()

    async def _keep_up(self) -> None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        self._loop.set_exception_handler(_note_fault)
        if self._wanted:
            self._changed.set()
        self._begun.set()
        tasks: dict[asyncio.Task[None], LineStatus] = {}
        ticking = asyncio.ensure_future(self._keep_ticking())
        try:
            if self._has_account:
                self._open(Topic.ACCOUNT, (), tasks)
            prices: dict[asyncio.Task[None], LineStatus] = {}
            while True:
                await self._changed.wait()
                self._changed.clear()
                old, prices = prices, {}
                for group in self._groups():
                    for topic in (Topic.BOOKS, Topic.MARKS):
                        self._open(topic, group, prices)
                tasks |= prices
                await self._until_live(list(prices.values()) if old else [])
                await self._close(old)
                tasks = {task: status for task, status in tasks.items() if task not in old}
        finally:
            ticking.cancel()
            await self._close(tasks)

    async def _keep_ticking(self) -> None:
        secs = 0.0
        while True:
            await asyncio.sleep(secs)
            try:
                secs = self._tick()
            except Exception:
                logger.exception("A consumer of the streams has failed")
                secs = LOOK_SECS

    def _groups(self) -> list[tuple[str, ...]]:
        symbols, most = sorted(self._wanted), self._streams.most_symbols
        return [tuple(symbols[at : at + most]) for at in range(0, len(symbols), most)]

    def _open(
        self, topic: Topic, symbols: tuple[str, ...], tasks: dict[asyncio.Task[None], LineStatus]
    ) -> None:
        self._numbers += 1
        status = LineStatus(f"{topic} {self._numbers}", topic, symbols, self._clock.now_ms())
        self._board.add_line(status)
        line = Line(status, self._streams.connect, self._board, self._clock, self._rng)
        tasks[asyncio.ensure_future(line.run())] = status

    async def _until_live(self, lines: list[LineStatus]) -> None:
        deadline = asyncio.get_running_loop().time() + REPLACE_SECS
        while not all(each.is_live for each in lines) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_SECS)

    async def _close(self, tasks: dict[asyncio.Task[None], LineStatus]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for status in tasks.values():
            self._board.drop_line(status)


def _note_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What nobody waits for: half a message, a socket that went away. The line it concerns falls silent and
    is made anew."""
    logger.debug(f"In the streams: {context.get('message')} ({context.get('exception')})")
