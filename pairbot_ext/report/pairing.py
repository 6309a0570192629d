"""Pair trades out of Freqtrade's list of trades: which legs belong together, how well hedged, how long naked.

Works on anything that has the columns of a backtest export: the export itself, its data frame, or the
rows of a bot's database (`database.load_database`). Legs are matched by the journal's pair trade where it
tells, else by the pair's id in `enter_tag` and by time; a leg without its mate is a pair trade all the same,
so that a naked leg can never fall out of a report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairbot_ext.report.legs import LegTrade, PairTrade, leg_of_row
from pairbot_ext.report.summary import PairSummary, summarize, total
from pairbot_ext.support.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from pairbot_ext.pairs import PairsFile

__all__ = [
    "LegTrade",
    "PairSummary",
    "PairTrade",
    "frozen_betas",
    "legs_of",
    "load_export",
    "pair_trades",
    "summarize",
    "total",
]

Betas = Mapping[tuple[str, datetime], float] | Callable[[str, datetime], float | None]
Trades = Iterable[Mapping[str, Any]]


def pair_trades(
    trades: Trades | pd.DataFrame, legs: Mapping[str, tuple[str, str]], betas: Betas | None = None
) -> list[PairTrade]:
    """Pair up the legs of a list of trades, in order of opening.

    Legs with the same `pair_trade_id` belong together. Any other leg joins the pair trade of its pair that is
    still open when it opens, or that opened at the same instant.

    :param trades: rows with the keys of a backtest export (`pair`, `enter_tag`, `open_date`, `close_date`,
        `amount`, `open_rate`, `close_rate`, `is_short`, `profit_abs`, `exit_reason`, optionally `orders`,
        `funding_fees`).
    :param legs: (leg A, leg B) symbols by pair id.
    :param betas: hedge ratio by (pair id, opening time of the pair trade), as a mapping or a function; a
        mapping may give it under the opening time of either leg.
    :raises DataError: a trade's tag is no pair id of `legs`, or its symbol is no leg of that pair.
    """
    rows: Any = trades.to_dict("records") if hasattr(trades, "to_dict") else trades
    by_pair: dict[tuple[str, str | None], list[LegTrade]] = {}
    for row in rows:
        leg = leg_of_row(row)
        if leg.pair_id not in legs:
            raise DataError(
                f"The {leg.symbol} trade of {leg.opened:%Y-%m-%d %H:%M} belongs to no known pair",
                value=f"enter_tag {leg.pair_id!r}",
                remedy="Pass the pairs file the trades were made with",
            )
        if leg.symbol not in legs[leg.pair_id]:
            leg_a, leg_b = legs[leg.pair_id]
            raise DataError(
                f"The trade tagged {leg.pair_id} is on a symbol that is no leg of it",
                value=leg.symbol,
                remedy=f"Its legs are {leg_a} and {leg_b}; pass the pairs file the trades were made with",
            )
        by_pair.setdefault((leg.pair_id, leg.pair_trade_id), []).append(leg)
    paired = [
        _pair_trade(pair_id, group, legs[pair_id][0], betas)
        for (pair_id, pair_trade_id), found in by_pair.items()
        for group in ([sorted(found, key=_by_time)] if pair_trade_id else _groups(found))
    ]
    return sorted(paired, key=lambda trade: (trade.opened, trade.pair_id))


def legs_of(pairs_file: PairsFile) -> dict[str, tuple[str, str]]:
    """(leg A, leg B) by pair id over every epoch of a pairs file."""
    return {pair.id: pair.symbols for epoch in pairs_file.epochs for pair in epoch.pairs}


def frozen_betas(pairs_file: PairsFile) -> Callable[[str, datetime], float | None]:
    """β of a pair in the epoch in force; None where the file does not freeze it then."""

    def beta(pair_id: str, opened: datetime) -> float | None:
        epoch = pairs_file.epoch_at(opened)
        found = next((pair for pair in epoch.pairs if pair.id == pair_id), None) if epoch else None
        return found.hedge_ratio if found and found.has_frozen_beta else None

    return beta


def load_export(path: Path, strategy: str = "PairsArb") -> list[dict[str, Any]]:
    """The trades of a backtest export (a result file, or a directory whose last result is meant).

    :raises DataError: there is no readable result for that strategy.
    """
    from freqtrade.data.btanalysis import load_backtest_stats
    from freqtrade.exceptions import OperationalException

    try:
        stats = load_backtest_stats(path)
        return list(stats["strategy"][strategy]["trades"])
    except (OSError, ValueError, KeyError, OperationalException) as error:
        raise DataError(
            f"No backtest result of {strategy} in {path}: {type(error).__name__} {error}",
            remedy="Name a result file of `freqtrade backtesting --export trades` or its directory",
        ) from error


def _by_time(leg: LegTrade) -> tuple[datetime, datetime]:
    return leg.opened, leg.closed or datetime.max.replace(tzinfo=UTC)


def _groups(found: Sequence[LegTrade]) -> Iterable[list[LegTrade]]:
    """Legs of one pair, in the groups that were open together."""
    group: list[LegTrade] = []
    end: datetime | None = None
    for leg in sorted(found, key=_by_time):
        joins = bool(group) and (leg.opened == group[0].opened or end is None or leg.opened < end)
        if not joins and group:
            yield group
            group = []
        if not group:
            end = leg.closed
        elif end is not None:
            end = None if leg.closed is None else max(end, leg.closed)
        group.append(leg)
    if group:
        yield group


def _pair_trade(pair_id: str, group: Sequence[LegTrade], leg_a: str, betas: Betas | None) -> PairTrade:
    beta: float | None = None
    for leg in group:
        if beta is None and betas is not None:
            beta = betas(pair_id, leg.opened) if callable(betas) else betas.get((pair_id, leg.opened))
    return PairTrade(
        pair_id=pair_id,
        legs_a=tuple(leg for leg in group if leg.symbol == leg_a),
        legs_b=tuple(leg for leg in group if leg.symbol != leg_a),
        beta=beta,
    )
