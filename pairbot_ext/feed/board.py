"""What has been heard, with its age: written by the feed's thread alone, read by everybody.

No lock: every value is immutable and replaced whole, every list is bounded. What nobody takes in time is
dropped, the oldest first, and said; whoever was to be woken reads the venue then.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pairbot_ext.model.heard import (
    BestPrices,
    Heard,
    Hint,
    MarginCall,
    MarkPrice,
    OrderUpdate,
    PositionUpdate,
    StopReached,
    Topic,
)
from pairbot_ext.support.clock import Clock

STALE_MS = {Topic.BOOKS: 2_000, Topic.MARKS: 5_000, Topic.ACCOUNT: 60_000}
"""A connection that has said nothing for so long, heartbeats of one a second included, says nothing at all.
Mark prices come once a second; the account's stream only hints at what is read every 30 s too."""
MOST_HINTS = 512
MOST_ORDERS = 512


@dataclass
class LineStatus:
    """One connection as the others see it. Written by its line alone.

    :ivar is_live: connected, and the hole of before is closed.
    :ivar heard_ms: when the last frame arrived.
    :ivar late_ms: how far its prices are behind the quickest one it has delivered.
    :ivar down_since_ms: since when it has not been live; None while it is.
    :ivar down_ms: how long it was down altogether, before that.
    """

    name: str
    topic: Topic
    symbols: tuple[str, ...]
    down_since_ms: int | None
    is_live: bool = False
    heard_ms: int = 0
    late_ms: int = 0
    connects: int = 0
    down_ms: int = 0
    error: str = ""

    def is_fresh(self, now_ms: int) -> bool:
        """Whether what it has said may be taken for the present."""
        bound_ms = STALE_MS[self.topic]
        return self.is_live and self.age_ms(now_ms) <= bound_ms and self.late_ms <= bound_ms

    def age_ms(self, now_ms: int) -> int:
        """Since the last frame. A clock that was set back makes nothing fresher than it is."""
        return abs(now_ms - self.heard_ms)


@dataclass
class Board:
    """See the module.

    :ivar on_price: told of each fresh best price, in the feed's thread. Must be quick, and must not raise.
    :ivar bell: rung with each hint.
    """

    clock: Clock
    on_price: Callable[[str], None] | None = None
    bell: threading.Event = field(default_factory=threading.Event)
    dropped: int = 0

    def __post_init__(self) -> None:
        self._best: dict[str, BestPrices] = {}
        self._marks: dict[str, MarkPrice] = {}
        self._orders: dict[str, OrderUpdate] = {}
        self._hints: deque[Hint] = deque(maxlen=MOST_HINTS)
        self._line_of: dict[tuple[Topic, str], LineStatus] = {}
        self.lines: tuple[LineStatus, ...] = ()

    # -- reading -----------------------------------------------------------------------------------

    def best(self, symbol: str) -> BestPrices | None:
        """The best prices now; None where the stream says nothing one could rely on."""
        line = self._line_of.get((Topic.BOOKS, symbol))
        if line is None or not line.is_fresh(self.clock.now_ms()):
            return None
        return self._best.get(symbol)

    def mark(self, symbol: str) -> MarkPrice | None:
        """The mark price now; None as for `best`."""
        line = self._line_of.get((Topic.MARKS, symbol))
        return self._marks.get(symbol) if line is not None and line.is_fresh(self.clock.now_ms()) else None

    def order(self, client_id: str) -> OrderUpdate | None:
        """The last thing heard of an order: once it was final it stays so."""
        return self._orders.get(client_id)

    def is_fresh(self, topic: Topic) -> bool:
        """Whether every connection of a topic is."""
        lines = [line for line in self.lines if line.topic is topic]
        return bool(lines) and all(line.is_fresh(self.clock.now_ms()) for line in lines)

    def take_hints(self) -> list[Hint]:
        """What has been heard since the last call, the oldest first. For one reader."""
        hints = []
        while self._hints:
            hints.append(self._hints.popleft())
        return hints

    # -- writing: the feed's thread ----------------------------------------------------------------

    def hear(self, heard: Heard) -> bool:
        """Take what a connection says. Returns whether it is news."""
        match heard:
            case BestPrices():
                return self._hear_best(heard)
            case MarkPrice():
                before = self._marks.get(heard.symbol)
                if not heard.price > 0 or (before is not None and heard.event_ms < before.event_ms):
                    return False
                self._marks[heard.symbol] = heard
                return True
            case OrderUpdate():
                return self._hear_order(heard)
            case PositionUpdate() | MarginCall():
                self.hint(heard)
                return True

    def _hear_best(self, heard: BestPrices) -> bool:
        before = self._best.get(heard.symbol)
        if not heard.is_sound or (before is not None and not heard.follows(before)):
            return False
        self._best[heard.symbol] = heard
        if self.on_price is not None:
            self.on_price(heard.symbol)
        return True

    def _hear_order(self, heard: OrderUpdate) -> bool:
        before = self._orders.get(heard.client_id)
        if before is not None and before.is_final:
            # Doubled, late or out of order.
            return False
        while len(self._orders) >= MOST_ORDERS:
            self._orders.pop(next(iter(self._orders)))
        self._orders[heard.client_id] = heard
        self.hint(heard)
        return True

    def hint(self, hint: Hint) -> None:
        """Wake the trading thread for this."""
        if len(self._hints) == MOST_HINTS:
            self.dropped += 1
        self._hints.append(hint)
        self.bell.set()

    def add_line(self, line: LineStatus) -> None:
        """A connection is being made."""
        self.lines = (*self.lines, line)

    def drop_line(self, line: LineStatus) -> None:
        """A connection is not wanted any more."""
        self.lines = tuple(each for each in self.lines if each is not line)
        self.forget(line)
        for key in [key for key, each in self._line_of.items() if each is line]:
            del self._line_of[key]

    def go_live(self, line: LineStatus) -> None:
        """The hole is closed: what this connection says is believed from now on."""
        line.is_live = True
        for symbol in line.symbols:
            self._line_of[line.topic, symbol] = line

    def forget(self, line: LineStatus) -> None:
        """A connection is lost: what it has said is the past."""
        kept: dict[str, BestPrices] | dict[str, MarkPrice]
        kept = self._best if line.topic is Topic.BOOKS else self._marks
        for symbol in self._own(line):
            kept.pop(symbol, None)

    def _own(self, line: LineStatus) -> Iterable[str]:
        return (symbol for symbol in line.symbols if self._line_of.get((line.topic, symbol), line) is line)

    def stop_reached(self, rule: str, pair_trade_id: str | None, first_ms: int) -> None:
        """Live prices are beyond a limit."""
        self.hint(StopReached(rule, pair_trade_id, first_ms))
