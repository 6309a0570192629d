"""Pair trades as numbers, whoever made them: what a backtest and a replay are compared by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class LegResult:
    """One leg of a finished (or valued) pair trade. Money in the stake currency.

    :param sign: 1 long, -1 short. :param amount: base coins that were entered, and left again.
    :param entry_price, exit_price: means over the fills.
    :param fees: paid, positive. :param funding: received, negative where paid.
    """

    symbol: str
    sign: int
    amount: float
    entry_price: float
    exit_price: float
    fees: float
    funding: float

    @property
    def pnl(self) -> float:
        """Fees and funding included."""
        return self.sign * self.amount * (self.exit_price - self.entry_price) - self.fees + self.funding

    @property
    def notional(self) -> float:
        """At entry."""
        return self.amount * self.entry_price


@dataclass(frozen=True)
class Legging:
    """What it cost that two orders are not one. Costs in basis points of both legs' notional at entry.

    :param alone_secs: one leg was held without the other.
    :param entry_bp, exit_bp: the price of the leg that came later moved while the other one was there (or
        gone) already; negative where it moved in our favour.
    :param shortfall_bp: all fills against the prices at which the candles opened: legging, spread, depth
        and time together.
    """

    alone_secs: float
    entry_bp: float
    exit_bp: float
    shortfall_bp: float

    @property
    def cost_bp(self) -> float:
        """Of both ends."""
        return self.entry_bp + self.exit_bp


@dataclass(frozen=True)
class PairResult:
    """One pair trade. Times are openings of candles, epoch ms.

    :param closed_ms: None where it is still open, and valued at the last candle's opening.
    :param is_aborted: it never was hedged, and was unwound.
    """

    pair_id: str
    opened_ms: int
    closed_ms: int | None
    reason: str
    legs: tuple[LegResult, ...]
    is_aborted: bool = False
    legging: Legging | None = None

    @property
    def pnl(self) -> float:
        """Of all legs."""
        return sum(leg.pnl for leg in self.legs)

    @property
    def notional(self) -> float:
        """Of all legs at entry."""
        return sum(leg.notional for leg in self.legs)

    @property
    def directions(self) -> dict[str, int]:
        """Sign by symbol."""
        return {leg.symbol: leg.sign for leg in self.legs}

    def to_json(self) -> dict[str, Any]:
        """For the result."""
        found = asdict(self) | {"pnl": self.pnl}
        if self.legging is not None:
            found["legging"]["cost_bp"] = self.legging.cost_bp
        return found
