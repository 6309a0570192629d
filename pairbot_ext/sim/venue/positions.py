"""Positions and their margin: the arithmetic of isolated and crossed margin in one-way mode. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from pairbot_ext.sim.symbols import Bracket
from pairbot_ext.sim.venue.orders import ZERO, Side


class MarginType(StrEnum):
    """As `POST /fapi/v1/marginType` writes them."""

    ISOLATED = "ISOLATED"
    CROSSED = "CROSSED"


@dataclass(slots=True)
class Position:
    """One symbol's position and settings; `amount` in base, negative when short, 0 when flat.

    :param isolated_wallet: quote set aside for an isolated position, unrealized profit not included.
    :param realized: profit of all its closes so far, before fees.
    :param updated_ms: last change of the position itself; 0 before the first.
    """

    symbol: str
    leverage: int
    margin_type: MarginType = MarginType.CROSSED
    amount: Decimal = ZERO
    entry_price: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    realized: Decimal = ZERO
    updated_ms: int = 0

    @property
    def isolated(self) -> bool:
        """Whether its losses end at its own margin."""
        return self.margin_type is MarginType.ISOLATED

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit at the mark price, in quote."""
        return self.amount * (mark - self.entry_price)

    def notional(self, mark: Decimal) -> Decimal:
        """Signed value at the mark price, in quote."""
        return self.amount * mark

    def closing_part(self, side: Side, amount: Decimal) -> Decimal:
        """How much of an order of `amount` would reduce this position, in base."""
        if self.amount * side.sign >= 0:
            return ZERO
        return min(amount, abs(self.amount))


def bracket_of(brackets: Sequence[Bracket], notional: Decimal) -> Bracket:
    """The leverage bracket of an absolute notional; the last one beyond the table."""
    for bracket in brackets:
        if notional < bracket.notional_cap:
            return bracket
    return brackets[-1]


def notional_cap(brackets: Sequence[Bracket], leverage: int) -> Decimal:
    """The largest notional allowed at a leverage, in quote; 0 where no bracket allows the leverage."""
    caps = [bracket.notional_cap for bracket in brackets if bracket.initial_leverage >= leverage]
    return max(caps, default=ZERO)


def maintenance_margin(brackets: Sequence[Bracket], notional: Decimal) -> Decimal:
    """Margin below which a position of this absolute notional is liquidated, in quote."""
    bracket = bracket_of(brackets, notional)
    return max(ZERO, notional * bracket.maint_margin_ratio - bracket.cum)


def liquidation_price(
    position: Position, brackets: Sequence[Bracket], mark: Decimal, margin: Decimal
) -> Decimal:
    """The mark price at which `margin` plus profit equals the maintenance margin; 0 where none is positive.

    https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93, for one position in one-way mode,
    with the bracket of the notional at `mark`.

    :param margin: what stands behind the position: its isolated wallet, or the free wallet of a crossed one.
    """
    size = abs(position.amount)
    if not size:
        return ZERO
    bracket = bracket_of(brackets, size * mark)
    sign = 1 if position.amount > 0 else -1
    price = (margin + bracket.cum - sign * size * position.entry_price) / (
        size * (bracket.maint_margin_ratio - sign)
    )
    return max(price, ZERO)
