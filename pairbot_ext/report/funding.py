"""Funding of a backtest that nobody knows: how many pair trades it concerns, and how much it can be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pairbot_ext.candles.funding import Known
from pairbot_ext.report import wording
from pairbot_ext.report.legs import PairTrade


@dataclass(frozen=True)
class Unknown:
    """Of one report.

    :param trades: pair trade opened at, by pair id and time: settlements without a rate.
    :param bound: what they can have cost or earned together at the worst rate seen, stake currency; NaN where
        no rate of a symbol was ever seen.
    """

    trades: Mapping[tuple[str, str], int]
    bound: float

    def of(self, trade: PairTrade) -> int:
        """Settlements of one pair trade without a rate."""
        return self.trades.get((trade.pair_id, trade.opened.isoformat()), 0)


def unknown_funding(trades: Sequence[PairTrade], known: Mapping[str, Known]) -> Unknown:
    """Compare what the legs were held over with the rates there are."""
    found: dict[tuple[str, str], int] = {}
    bound = 0.0
    for trade in trades:
        for leg in trade.legs:
            rates = known.get(leg.symbol)
            if rates is None or leg.closed is None:
                continue
            count = rates.missing(leg.opened, leg.closed)
            if count:
                key = (trade.pair_id, trade.opened.isoformat())
                found[key] = found.get(key, 0) + count
                bound += count * rates.worst * leg.amount * leg.open_rate
    return Unknown(found, bound)


def said(unknown: Unknown, count: int, currency: str) -> list[str]:
    """The sentence of a report; empty where all funding is known."""
    if not unknown.trades:
        return []
    settlements = sum(unknown.trades.values())
    most = (
        f"at the worst rate seen it is {wording.number(unknown.bound, 2)} {currency} at most, either way"
        if unknown.bound == unknown.bound
        else "no rate of some symbols is known at all, so nothing bounds it"
    )
    return [
        f"Funding is UNKNOWN for {len(unknown.trades)} of {wording.counted(count, 'pair trade')}: "
        f"{wording.counted(settlements, 'settlement')} without a rate on disk were charged as 0; {most}. "
        "The net above contains only the funding that is known."
    ]
