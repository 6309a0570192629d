"""One connection that is kept up: connect, close the hole, live, lost, and again.

Nothing is believed before the hole since the last connection is closed: best prices by one REST answer,
merged with what was heard meanwhile; the account by the trading thread, which is woken to read it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np

from pairbot_ext.feed.board import STALE_MS, Board, LineStatus
from pairbot_ext.model.heard import BestPrices, Heard, MarkPrice, Resumed, Topic
from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.streams import Connection, Hear, LostError

logger = logging.getLogger(__name__)

LOOK_SECS = 0.1
CONNECT_MS = 15_000
"""A venue that has not confirmed by then is tried again."""
DATA_MS = {Topic.BOOKS: 60_000, Topic.MARKS: 20_000}
"""Heartbeats without any data for so long: subscribed to nothing, as an outdated address is. Mark prices come
every second, a book is only said where it changes."""
FIRST_PAUSE_SECS, LONGEST_PAUSE_SECS = 0.5, 30.0
STEADY_MS = 60_000
"""A connection that has lived so long is tried again at once."""


def pause_secs(failures: int, rng: np.random.Generator) -> float:
    """Before the next attempt: doubled with each failure in a row, and blurred, so that many bots do not come
    back in the same instant."""
    longest = min(LONGEST_PAUSE_SECS, FIRST_PAUSE_SECS * 2.0 ** min(failures, 10))
    return float(longest * rng.uniform(0.5, 1.0))


async def _close(connection: Connection, listening: asyncio.Future[None]) -> None:
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await connection.close()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """A feed that is stopped while a lost connection is being closed would leave its socket behind."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


class Line:
    """See the module. All of it runs in the feed's event loop."""

    def __init__(
        self,
        status: LineStatus,
        connect: Callable[[Topic, tuple[str, ...], Hear, Clock], Connection],
        board: Board,
        clock: Clock,
        rng: np.random.Generator,
    ) -> None:
        self.status = status
        self._connect = connect
        self._board = board
        self._clock = clock
        self._rng = rng
        self._frames = 0
        self._least_lag_ms: int | None = None
        self._data_ms = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        failures = 0
        while True:
            began_ms = self._clock.now_ms()
            try:
                await self._live_through()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt follows
                self._note_loss(error)
            is_steady = self.status.connects and self._clock.now_ms() - began_ms >= STEADY_MS
            failures = 0 if is_steady else failures + 1
            await asyncio.sleep(pause_secs(failures - 1 if failures else 0, self._rng))

    async def _live_through(self) -> None:
        """One connection, from its beginning to its end. Raises what ended it."""
        status, began_ms = self.status, self._clock.now_ms()
        self.begins()
        connection = self._connect(status.topic, status.symbols, self.hear, self._clock)
        listening = asyncio.ensure_future(connection.listen())
        try:
            while True:
                await asyncio.wait({listening}, timeout=LOOK_SECS)
                if listening.done():
                    listening.result()
                self.look(connection)
                if status.is_live:
                    continue
                if connection.is_listening:
                    await self._close_hole(connection)
                elif self._clock.now_ms() - began_ms > CONNECT_MS:
                    raise LostError(f"the venue has not confirmed within {CONNECT_MS / 1000:.0f} s")
        finally:
            self.has_ended()
            await _to_its_end(_close(connection, listening))

    def look(self, connection: Connection) -> None:
        """What has come since the last look. Raises LostError where nothing comes any more."""
        now_ms, frames = self._clock.now_ms(), connection.frames
        if frames != self._frames:
            self._frames, self.status.heard_ms = frames, now_ms
        bound_ms = 2 * STALE_MS[self.status.topic]
        if self.status.is_live and self.status.age_ms(now_ms) > bound_ms:
            raise LostError(f"nothing was heard for {self.status.age_ms(now_ms) / 1000:.1f} s")
        longest_ms = DATA_MS.get(self.status.topic)
        if self.status.is_live and longest_ms is not None and now_ms - self._data_ms > longest_ms:
            raise LostError(f"heartbeats without a price for {(now_ms - self._data_ms) / 1000:.0f} s")

    async def _close_hole(self, connection: Connection) -> None:
        status = self.status
        if status.topic is Topic.BOOKS:
            wanted = frozenset(status.symbols)
            for prices in await asyncio.wait_for(connection.snapshot(), CONNECT_MS / 1000):
                if prices.symbol in wanted:
                    self._board.hear(prices)
        self.goes_live()

    def goes_live(self) -> None:
        """The hole is closed: from now on what is heard is the newest there is."""
        status, now_ms = self.status, self._clock.now_ms()
        if status.down_since_ms is not None:
            status.down_ms += now_ms - status.down_since_ms if status.connects else 0
        status.down_since_ms, status.error = None, ""
        status.connects += 1
        self._data_ms = now_ms
        self._board.go_live(status)
        if status.topic is Topic.ACCOUNT:
            self._board.hint(Resumed(status.topic))

    def has_ended(self) -> None:
        """Nothing is heard any more: what was heard is not believed either."""
        if self.status.is_live:
            self.status.is_live, self.status.down_since_ms = False, self._clock.now_ms()
        self._board.forget(self.status)

    def begins(self) -> None:
        """A connection is being opened."""
        self._least_lag_ms, self.status.late_ms, self._frames = None, 0, 0
        self.status.heard_ms = self._data_ms = self._clock.now_ms()

    def hear(self, heard: Heard) -> None:
        """What a connection passes on."""
        self.status.heard_ms = self._data_ms = heard.arrived_ms
        is_news = self._board.hear(heard)
        if is_news and isinstance(heard, BestPrices | MarkPrice):
            # Both clocks may differ by any amount: what grows is what waits in a queue.
            lag_ms = heard.arrived_ms - heard.event_ms
            self._least_lag_ms = lag_ms if self._least_lag_ms is None else min(self._least_lag_ms, lag_ms)
            self.status.late_ms = lag_ms - self._least_lag_ms

    def _note_loss(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self.status.error:
            logger.info(f"Stream {self.status.name}: {text}")
        self.status.error = text
