"""The desk's feed under a virtual clock: no thread and no socket, the venue's own frames, ccxt's own parsing.

It stands where `feed.Feed` stands. Frames arrive while time passes, also within a request, half a round trip
after the venue sent them; reconnections, snapshots and new listen keys happen between requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import requests

from pairbot_ext.feed.board import Board, LineStatus
from pairbot_ext.feed.line import Line
from pairbot_ext.model.heard import Topic
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import SyncSession
from pairbot_ext.sim.overlay import ccxt_settings
from pairbot_ext.sim.rest.calls import BEST_PRICES
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.stream.hub import UpgradeRefusedError
from pairbot_ext.sim.stream.within import StreamTap
from pairbot_ext.sim.symbols import binance_id
from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.streams import LostError, Streams

PING_EVERY_MS = 1_000
KEY_ALIVE_EVERY_MS = 1_800_000
RETRY_MS = 1_000
STREAM_ADDRESSES = ccxt_settings(1)["urls"]
"""Of the streams, for the check that they belong to the exchange. Nothing is connected to them."""
_STREAM = {Topic.BOOKS: "bookTicker", Topic.MARKS: "markPrice@1s"}


class VirtualFeed:
    """Takes the place of `feed.Feed`; see the module."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        time: VirtualTime,
        session: SyncSession,
        streams: Streams,
        board: Board,
        clock: Clock,
        rng: np.random.Generator,
        tick: Callable[[], None],
        *,
        has_account: bool,
    ) -> None:
        self._exchange = exchange
        self._time = time
        self._made = lambda status: _VirtualLine(
            exchange, session, Line(status, streams.connect, board, clock, rng), streams, board, clock
        )
        self._board = board
        self._tick = tick
        self._has_account = has_account
        self._wanted: frozenset[str] = frozenset()
        self._lines: list[_VirtualLine] = []
        self._is_busy = False

    def start(self) -> None:
        """See Feed."""
        if self._has_account:
            self._add(Topic.ACCOUNT, ())
        self._time.listeners.append(self.let_pass)
        self.let_pass(between_requests=True)

    def follow(self, symbols: Iterable[str]) -> None:
        """See Feed."""
        wanted = frozenset(symbols)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        for line in [line for line in self._lines if line.status.topic is not Topic.ACCOUNT]:
            line.close()
            self._board.drop_line(line.status)
            self._lines.remove(line)
        for topic in (Topic.BOOKS, Topic.MARKS):
            self._add(topic, tuple(sorted(wanted)))
        self.let_pass(between_requests=True)

    def stop(self) -> bool:
        """See Feed."""
        if self.let_pass in self._time.listeners:
            self._time.listeners.remove(self.let_pass)
        for line in self._lines:
            line.close()
        self._lines.clear()
        return True

    def _add(self, topic: Topic, symbols: tuple[str, ...]) -> None:
        status = LineStatus(f"{topic} {len(self._lines)}", topic, symbols, None)
        self._board.add_line(status)
        self._lines.append(self._made(status))

    def let_pass(self, *, between_requests: bool) -> None:
        """Time has passed: what has arrived is heard."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            self._exchange.tick()
            for line in self._lines:
                if between_requests:
                    line.keep_up()
                line.listen()
            self._tick()
        finally:
            self._is_busy = False


class _VirtualLine:
    """One connection, and the next one after it."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        session: SyncSession,
        line: Line,
        streams: Streams,
        board: Board,
        clock: Clock,
    ) -> None:
        self.status = line.status
        self._exchange = exchange
        self._session = session
        self._line = line
        self._board = board
        self._clock = clock
        # Frames are counted here: the client has no socket that would.
        self._parser: Any = streams.connect(self.status.topic, self.status.symbols, line.hear, clock)
        self._tap: StreamTap | None = None
        self._tried_ms = self._pinged_ms = self._kept_ms = 0

    def keep_up(self) -> None:
        """Connect where there is no connection."""
        now_ms = self._clock.now_ms()
        if self._tap is not None and self._tap.end:
            self._lose(self._tap.end)
        if self.status.is_live:
            try:
                self._line.look(self._parser)
            except LostError as error:
                self._lose(str(error))
        if self._tap is None and abs(now_ms - self._tried_ms) >= RETRY_MS:
            self._tried_ms = now_ms
            try:
                self._tap = StreamTap(self._exchange, *self._address())
                self._go_live()
            except (UpgradeRefusedError, requests.ConnectionError) as error:
                # As without a network: neither a connection nor the answer that closes the hole.
                self.close()
                self.status.error = str(error)
                return
        if self.status.topic is Topic.ACCOUNT and now_ms - self._kept_ms >= KEY_ALIVE_EVERY_MS:
            self._key()

    def _address(self) -> tuple[str, str]:
        if self.status.topic is Topic.ACCOUNT:
            return "/private/ws", f"listenKey={self._key()}"
        ids = [binance_id(symbol).lower() for symbol in self.status.symbols]
        root = "public" if self.status.topic is Topic.BOOKS else "market"
        return f"/{root}/stream", "streams=" + "/".join(
            f"{each}@{_STREAM[self.status.topic]}" for each in ids
        )

    def _key(self) -> str:
        self._kept_ms = self._clock.now_ms()
        gateway: Gateway = self._exchange.gateway
        return gateway.locked(lambda: gateway.venue.listen_keys.open(self._kept_ms + 3_600_000))

    def _go_live(self) -> None:
        self._line.begins()
        if self.status.topic is Topic.BOOKS:
            rows = self._session.request("GET", f"https://127.0.0.1{BEST_PRICES}").json()
            for prices in self._parser.prices_of(rows):
                if prices.symbol in self.status.symbols:
                    self._board.hear(prices)
        self._pinged_ms = self._clock.now_ms()
        self._line.goes_live()

    def _lose(self, why: str) -> None:
        self.close()
        self._line.has_ended()
        self.status.error = why

    def listen(self) -> None:
        """Hear what has arrived."""
        if self._tap is None:
            return
        for message in self._tap.messages():
            self._parser.take(None, message)
            if message.get("e") == "listenKeyExpired":
                self._lose("the listen key has expired")
                return
        now_ms = self._clock.now_ms()
        if abs(now_ms - self._pinged_ms) >= PING_EVERY_MS and not self._tap.end:
            self._pinged_ms = now_ms
            if self._exchange.ping(self._tap.connection):
                self.status.heard_ms = now_ms

    def close(self) -> None:
        """Hang up."""
        if self._tap is not None:
            self._tap.close()
            self._tap = None
