"""Best prices of the books that are read anyway, and what they say of an open pair.

Freqtrade reads the book of every open leg once per loop, to know at what price it could exit: the live stop
takes its prices from there and costs no request of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from pairbot_ext.model.plan import EntryPlan


@dataclass(frozen=True)
class Quote:
    """Best prices of one book, quote currency.

    :param number: counts the books read, so that a reading is never taken for two.
    """

    bid: float
    ask: float
    number: int

    @property
    def mid(self) -> float:
        """Middle of the two."""
        return (self.bid + self.ask) / 2


class Quotes:
    """The last readable book of each symbol."""

    def __init__(self) -> None:
        self._quotes: dict[str, Quote] = {}
        self._number = 0

    def take(self, symbol: str, book: Mapping[str, Any]) -> None:
        """Note a book just read (ccxt's form). One without both sides, or crossed, says nothing."""
        bids, asks = book.get("bids") or [], book.get("asks") or []
        if bids and asks:
            bid, ask = float(bids[0][0]), float(asks[0][0])
            if 0 < bid <= ask:
                self._number += 1
                self._quotes[symbol] = Quote(bid, ask, self._number)

    def number(self, symbol: str) -> int:
        """Of the last readable book; 0 before the first."""
        quote = self._quotes.get(symbol)
        return 0 if quote is None else quote.number

    def get(self, symbol: str) -> Quote | None:
        """The last readable book, however old."""
        return self._quotes.get(symbol)


def adverse_z(plan: EntryPlan, leg_a: Quote, leg_b: Quote) -> float:
    """z of the live books in the direction that hurts, at the kindest of their best prices.

    Kindest: leg A and leg B each at the side of its book that gives the smaller value, so that a wide or
    one-sided book never stops a pair. Negative where the spread has crossed its mean.
    """
    hurts = -plan.direction
    price_a = leg_a.bid if hurts > 0 else leg_a.ask
    price_b = leg_b.ask if hurts > 0 else leg_b.bid
    return hurts * float(plan.model.z(log(price_a), log(price_b)))


def exit_price(side: int, quote: Quote) -> float:
    """What a taker gets who closes a leg. :param side: 1 long, -1 short."""
    return quote.bid if side > 0 else quote.ask


def kindest_price(side: int, quote: Quote) -> float:
    """The best price a leg can be valued at: a far-away order on the other side of its book says nothing of
    what it is worth. :param side: 1 long, -1 short."""
    return quote.ask if side > 0 else quote.bid


class Streaks:
    """How many readings in a row said the same: one bad quote must not close a pair."""

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._counts: dict[tuple[str, str], int] = {}

    def count(self, rule: str, subject: str, *, is_breach: bool) -> bool:
        """Note one reading. Returns whether enough in a row were breaches."""
        key = (rule, subject)
        if not is_breach:
            self._counts.pop(key, None)
            return False
        self._counts[key] = self._counts.get(key, 0) + 1
        return self._counts[key] >= self._needed

    def forget(self, keep: set[str]) -> None:
        """Drop the subjects that are no more."""
        self._counts = {key: count for key, count in self._counts.items() if key[1] in keep}
