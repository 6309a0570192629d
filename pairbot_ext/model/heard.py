"""What a venue's streams have said, as frozen values: each with the venue's time, its arrival and its source.

None of it decides: a stream tells earlier what a successful read of the venue would tell (I3).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Topic(StrEnum):
    """What one connection is asked for."""

    BOOKS = "books"
    MARKS = "mark prices"
    ACCOUNT = "account"


class Source(StrEnum):
    """Who has said it."""

    STREAM = "stream"
    REST = "REST"


@dataclass(frozen=True, slots=True)
class BestPrices:
    """The best level of both sides of a book, quote currency; amounts in base currency.

    :param number: of the venue's update, growing; 0 where it names none.
    :param event_ms, arrived_ms: the venue's clock, ours.
    """

    symbol: str
    bid: float
    bid_amount: float
    ask: float
    ask_amount: float
    number: int
    event_ms: int
    arrived_ms: int
    source: Source

    @property
    def is_sound(self) -> bool:
        """Whether it has two sides that do not cross."""
        return 0 < self.bid <= self.ask < float("inf")

    def follows(self, before: BestPrices) -> bool:
        """Whether it is not older than `before`: doubled and late updates say nothing."""
        if self.number and before.number:
            return self.number > before.number
        return self.event_ms >= before.event_ms


@dataclass(frozen=True, slots=True)
class MarkPrice:
    """The venue's own valuation of a symbol, quote currency."""

    symbol: str
    price: float
    event_ms: int
    arrived_ms: int
    source: Source


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """An order has changed.

    :param order: ccxt's order structure.
    """

    client_id: str
    symbol: str
    order: dict[str, Any]
    event_ms: int
    arrived_ms: int

    @property
    def is_final(self) -> bool:
        """Whether the venue is done with it."""
        return self.order.get("status") not in (None, "open")


@dataclass(frozen=True, slots=True)
class PositionUpdate:
    """A position has changed. :param amount: signed, base currency."""

    symbol: str
    amount: Decimal
    event_ms: int
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class MarginCall:
    """The venue warns that positions are near their liquidation."""

    symbols: tuple[str, ...]
    event_ms: int
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A connection is up (again): what was said meanwhile was missed, the venue has to be read."""

    topic: Topic


@dataclass(frozen=True, slots=True)
class StopReached:
    """Live prices have been beyond a limit for long enough. :param pair_trade_id: None for the account."""

    rule: str
    pair_trade_id: str | None
    first_ms: int


Heard = BestPrices | MarkPrice | OrderUpdate | PositionUpdate | MarginCall
"""What comes out of a connection."""
Hint = OrderUpdate | PositionUpdate | MarginCall | Resumed | StopReached
"""What the trading thread is woken for."""
