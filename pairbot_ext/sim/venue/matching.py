"""Matching one order against a book: pure functions, and the memory of what our account took out of it."""

from __future__ import annotations

from collections import defaultdict, deque
from decimal import Decimal

from pairbot_ext.sim.market.base import Book
from pairbot_ext.sim.venue.orders import ZERO, Side

Level = tuple[Decimal, Decimal]


def counter_levels(book: Book, side: Side) -> tuple[Level, ...]:
    """The levels an order of `side` trades against, best first."""
    return book.asks if side is Side.BUY else book.bids


def within(price: Decimal, limit: Decimal | None, side: Side) -> bool:
    """Whether an order of `side` with this limit may trade at `price`."""
    if limit is None:
        return True
    return price <= limit if side is Side.BUY else price >= limit


def take(levels: tuple[Level, ...], side: Side, amount: Decimal, limit: Decimal | None) -> list[Level]:
    """The (price, amount) executions of an order that takes from `levels`, best first.

    :param limit: worst price it accepts; None for none.
    """
    executions: list[Level] = []
    for price, available in levels:
        if amount <= 0 or not within(price, limit, side):
            break
        part = min(amount, available)
        executions.append((price, part))
        amount -= part
    return executions


class Consumption:
    """What our own orders took from the market's book and has not been refilled yet.

    A market's books do not know of our trades. Without this an account could hit the same level twice within
    a millisecond and find it full.

    :param refill_ms: how long a taken amount stays missing.
    """

    def __init__(self, refill_ms: int) -> None:
        self._refill_ms = refill_ms
        self._taken: defaultdict[tuple[str, Side], deque[tuple[int, Decimal, Decimal]]] = defaultdict(deque)

    def record(self, symbol: str, side: Side, executions: list[Level], now_ms: int) -> None:
        """Remember what an order of `side` took."""
        self._taken[symbol, side].extend((now_ms, price, amount) for price, amount in executions)

    def has_taken(self, symbol: str) -> bool:
        """Whether anything of the symbol may still be missing."""
        return bool(self._taken.get((symbol, Side.BUY)) or self._taken.get((symbol, Side.SELL)))

    def remaining(self, symbol: str, side: Side, levels: tuple[Level, ...], now_ms: int) -> tuple[Level, ...]:
        """The levels less what orders of `side` took within the refill time."""
        taken = self._taken.get((symbol, side))
        if not taken:
            return levels
        while taken and taken[0][0] + self._refill_ms <= now_ms:
            taken.popleft()
        if not taken:
            return levels
        missing: defaultdict[Decimal, Decimal] = defaultdict(lambda: ZERO)
        for _, price, amount in taken:
            missing[price] += amount
        left = ((price, amount - missing[price]) for price, amount in levels)
        return tuple((price, amount) for price, amount in left if amount > 0)
