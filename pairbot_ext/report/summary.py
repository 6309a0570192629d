"""Totals of pair trades, one line per pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.report.evidence import ClusteredMean, clustered_mean
from pairbot_ext.report.legs import PairTrade

_EXIT_KINDS = {
    ExitReason.REVERTED: "reverted",
    ExitReason.STOP: "stop",
    ExitReason.TIME: "time stop",
}


@dataclass(frozen=True)
class PairSummary:
    """Totals of one pair (or of all). Money in the stake currency.

    Counts and naked time are over every pair trade. Money, wins, holding and the mean are over the closed
    ones: an open one has paid its entry fees and shown nothing yet.

    :param profit: net, fees and funding included; gross − fees + funding.
    :param fees: positive; NaN where a row does not tell.
    :param open_profit: what open pair trades have realized by partial exits.
    :param net_bp: mean net of a pair trade in bp of N_A + N_B with its week-clustered interval; None where
        nothing has closed.
    :param worst_hedge_error: None where no trade's β is known. Aborted entries do not count.
    :param naked_leg_hours: hours with exactly one leg open, summed over the pair trades.
    :param exit_reasons: how many pair trades closed for each reason, most frequent first.
    """

    pair_id: str
    pair_trades: int
    wins: int
    profit: float
    funding: float
    worst_hedge_error: float | None
    naked_leg_hours: float
    faults: tuple[str, ...] = field(default_factory=tuple)
    open: int = 0
    aborted: int = 0
    gross: float = 0.0
    fees: float = 0.0
    open_profit: float = 0.0
    net_bp: ClusteredMean | None = None
    median_held_hours: float | None = None
    median_held_half_lives: float | None = None
    worst_naked_secs: float = 0.0
    exit_reasons: dict[str, int] = field(default_factory=dict)

    @property
    def exit_counts(self) -> dict[str, int]:
        """Closed pair trades by kind of exit: reverted, stop, time stop, other."""
        kinds = {kind: self.exit_reasons.get(reason, 0) for reason, kind in _EXIT_KINDS.items()}
        return kinds | {"other": self.closed - sum(kinds.values())}

    @property
    def closed(self) -> int:
        """How many have closed."""
        return self.pair_trades - self.open

    @property
    def win_rate(self) -> float | None:
        """Share of closed pair trades with a net above zero; None where nothing has closed."""
        return self.wins / self.closed if self.closed else None


def summarize(
    trades: Sequence[PairTrade], *, until: datetime | None = None, order: Iterable[str] = ()
) -> list[PairSummary]:
    """One line per pair, in the order given and then of first opening.

    :param order: pair ids to list first, also those without a trade.
    :param until: the end of what is known, for legs still open.
    """
    ids = dict.fromkeys([*order, *(trade.pair_id for trade in trades)])
    return [total([t for t in trades if t.pair_id == pair_id], pair_id, until=until) for pair_id in ids]


def total(trades: Sequence[PairTrade], name: str = "all", *, until: datetime | None = None) -> PairSummary:
    """All of `trades` in one line."""
    closed = [trade for trade in trades if trade.closed is not None]
    errors = [error for trade in trades if not trade.was_aborted and (error := trade.hedge_error) is not None]
    naked = [trade.naked_secs(until) for trade in trades]
    hours = [held for trade in closed if (held := trade.held_hours) is not None]
    half_lives = [held for trade in closed if (held := trade.held_half_lives) is not None]
    reasons = Counter(" + ".join(trade.exit_reasons) or "unknown" for trade in closed)
    return PairSummary(
        pair_id=name,
        pair_trades=len(trades),
        wins=sum(trade.profit > 0 for trade in closed),
        profit=sum(trade.profit for trade in closed),
        funding=sum(trade.funding for trade in closed),
        worst_hedge_error=max(errors, default=None),
        naked_leg_hours=sum(naked) / 3600,
        faults=tuple(
            f"{trade.pair_id} {trade.opened:%Y-%m-%d %H:%M}: {fault}"
            for trade in trades
            for fault in trade.faults
        ),
        open=len(trades) - len(closed),
        aborted=sum(trade.was_aborted for trade in trades),
        gross=sum(trade.gross for trade in closed),
        fees=sum(trade.fees for trade in closed),
        open_profit=sum(trade.profit for trade in trades if trade.closed is None),
        net_bp=clustered_mean([trade.net_bp for trade in closed], [trade.opened for trade in closed]),
        median_held_hours=median(hours) if hours else None,
        median_held_half_lives=median(half_lives) if half_lives else None,
        worst_naked_secs=max(naked, default=0.0),
        exit_reasons=dict(reasons.most_common()),
    )
