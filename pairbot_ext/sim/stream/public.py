"""Public streams: what each has to tell at an instant, built once however many listen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pairbot_ext.sim.market.base import Book
from pairbot_ext.sim.rest.market_routes import best_texts, level_texts, premium
from pairbot_ext.sim.stream.names import Feed, StreamName
from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.sim.venue.venue import Venue

# A book that does not change is told again after this long. Binance's change many times a second: a client
# may take a longer silence for a dead stream.
REPEAT_MS = 1000

Levels = dict[Decimal, Decimal]


@dataclass(frozen=True)
class Event:
    """One message of a public stream. `text` is its JSON."""

    type: str
    symbol: str
    text: str


def as_text(payload: object) -> str:
    """Compact JSON as Binance sends it."""
    return json.dumps(payload, separators=(",", ":"))


class PublicStream:
    """One stream while somebody listens to it."""

    def __init__(self, venue: Venue, name: StreamName) -> None:
        self.name = name
        self._venue = venue
        self._due_ms = 0
        self._feeds = [_FEEDS[name.feed](venue, symbol, name) for symbol in self._symbols()]

    def _symbols(self) -> Iterable[str]:
        listed = self._venue.market.symbols
        if self.name.symbol is None:
            return listed
        # Binance accepts a symbol it does not know, and stays silent.
        return (self.name.symbol,) if self.name.symbol in listed else ()

    def events(self, now_ms: int) -> Iterator[Event]:
        """What there is to tell now; nothing before it is due."""
        if now_ms < self._due_ms:
            return
        every_ms = self.name.every_ms or self._venue.engine.stream_terms.book_every_ms
        # From when it was due, not from now: looks come late, and the lateness must not add up.
        on_time = self._due_ms + every_ms > now_ms
        self._due_ms = (self._due_ms if on_time else now_ms) + every_ms
        payloads = [payload for feed in self._feeds if (payload := feed.payload(now_ms)) is not None]
        if self.name.feed is Feed.MARK_PRICE and self.name.symbol is None:
            yield Event("markPriceUpdate", "", as_text(payloads))
            return
        for payload in payloads:
            yield Event(payload["e"], payload["s"], as_text(payload))

    def touch(self, symbol: str, book: Book) -> None:
        """A whole book was shown elsewhere; see `_Depth`."""
        for feed in self._feeds:
            if isinstance(feed, _Depth) and feed.symbol == symbol:
                feed.touch(book)


@dataclass
class _Feed:
    """One symbol of a stream."""

    venue: Venue
    symbol: str
    name: StreamName
    spec: SymbolSpec = field(init=False)
    told_ms: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        self.spec = self.venue.engine.spec(self.symbol)

    def payload(self, now_ms: int) -> dict[str, Any] | None:
        """The event's JSON object, None where nothing has changed."""
        raise NotImplementedError

    def _repeats(self, now_ms: int) -> bool:
        return now_ms >= self.told_ms + REPEAT_MS

    def _next_number(self, now_ms: int) -> int:
        """Update ids are the venue's milliseconds, as in the REST book, and never the same twice."""
        self.number, self.told_ms = max(now_ms, self.number + 1), now_ms
        return self.number


@dataclass
class _BookTicker(_Feed):
    last: tuple[str, str, str, str] | None = None

    def payload(self, now_ms: int) -> dict[str, Any] | None:
        texts = best_texts(self.venue, self.symbol)
        if texts == self.last and not self._repeats(now_ms):
            return None
        self.last = texts
        number = self._next_number(now_ms)
        bid, bid_amount, ask, ask_amount = texts
        return {
            "e": "bookTicker",
            "u": number,
            "s": self.symbol,
            "b": bid,
            "B": bid_amount,
            "a": ask,
            "A": ask_amount,
            "T": now_ms,
            "E": now_ms,
        }


@dataclass
class _MarkPrice(_Feed):
    def payload(self, now_ms: int) -> dict[str, Any]:
        row = premium(self.venue, self.symbol, now_ms)
        return {
            "e": "markPriceUpdate",
            "E": now_ms,
            "s": self.symbol,
            "p": row["markPrice"],
            "i": row["indexPrice"],
            "P": row["estimatedSettlePrice"],
            "r": row["lastFundingRate"],
            "T": row["nextFundingTime"],
        }


def _depth_update(symbol: str, now_ms: int, first: int, last: int, before: int) -> dict[str, Any]:
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": now_ms,
        "s": symbol,
        "U": first,
        "u": last,
        "pu": before,
    }


@dataclass
class _PartialDepth(_Feed):
    """The best levels, whole each time."""

    last: Book | None = None

    def payload(self, now_ms: int) -> dict[str, Any] | None:
        book, levels = self.venue.engine.book(self.symbol), self.name.levels
        top = Book(book.bids[:levels], book.asks[:levels])
        if top == self.last and not self._repeats(now_ms):
            return None
        self.last, before = top, self.number
        number = self._next_number(now_ms)
        return _depth_update(self.symbol, now_ms, before + 1, number, before) | {
            "b": level_texts(self.spec, top.bids),
            "a": level_texts(self.spec, top.asks),
        }


@dataclass
class _Depth(_Feed):
    """What changed since the last update.

    An update must lead to the present book from every book a client may have: the last one told, and any
    shown over REST since. Levels of those are told again, gone ones with amount 0.
    """

    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)
    touched_bids: set[Decimal] = field(default_factory=set)
    touched_asks: set[Decimal] = field(default_factory=set)
    started: bool = False

    def touch(self, book: Book) -> None:
        """Lead on from this book too."""
        self.touched_bids.update(price for price, _ in book.bids)
        self.touched_asks.update(price for price, _ in book.asks)

    def payload(self, now_ms: int) -> dict[str, Any] | None:
        book = self.venue.engine.book(self.symbol)
        bids, asks = dict(book.bids), dict(book.asks)
        changed_bids = _changes(self.bids, bids, self.touched_bids)
        changed_asks = _changes(self.asks, asks, self.touched_asks)
        if not (changed_bids or changed_asks or self._repeats(now_ms)):
            return None
        first = self.number + 1 if self.started else now_ms
        before = self.number if self.started else now_ms - 1
        number = self._next_number(now_ms)
        self.bids, self.asks, self.started = bids, asks, True
        self.touched_bids.clear()
        self.touched_asks.clear()
        return _depth_update(self.symbol, now_ms, first, number, before) | {
            "b": level_texts(self.spec, sorted(changed_bids.items(), reverse=True)),
            "a": level_texts(self.spec, sorted(changed_asks.items())),
        }


def _changes(before: Levels, now: Levels, touched: set[Decimal]) -> Levels:
    changed = {price: amount for price, amount in now.items() if before.get(price) != amount}
    for price in touched | before.keys():
        if price not in now:
            changed[price] = Decimal(0)
        elif price in touched:
            changed[price] = now[price]
    return changed


_FEEDS: dict[Feed, type[_Feed]] = {
    Feed.BOOK_TICKER: _BookTicker,
    Feed.DEPTH: _Depth,
    Feed.PARTIAL_DEPTH: _PartialDepth,
    Feed.MARK_PRICE: _MarkPrice,
}
