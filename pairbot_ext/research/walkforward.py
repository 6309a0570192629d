"""A walk-forward from candles to a verdict: every trade out of sample, every cost stated, with placebos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import product
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pairbot_ext.pairs import PairsFile
from pairbot_ext.report.evidence import ClusteredMean, clustered_mean
from pairbot_ext.research.account import Terms
from pairbot_ext.research.capacity import capacities
from pairbot_ext.research.contracts import observed_contracts
from pairbot_ext.research.costs import STRESS, CostModel, net_bp
from pairbot_ext.research.evidence import (
    clustered_t,
    cross_validated,
    deflated_sharpe,
    luck_of_trials,
    place_among,
    superior_ability_p,
    week_bootstrap,
)
from pairbot_ext.research.ledger import TrialLedger
from pairbot_ext.research.market import Market
from pairbot_ext.research.outcome import Outcome
from pairbot_ext.research.placebos import Chance, Placebo, candidates, flipped, one_placebo, with_nulls
from pairbot_ext.research.simulator import Simulation, book_of
from pairbot_ext.research.verdict import Evidence, Figures, verdict
from pairbot_ext.research.weeks import week_numbers, weekly_returns
from pairbot_ext.scan.pipeline import ScanOptions
from pairbot_ext.settings import Settings
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks.runner import run
from pairbot_ext.tasks.workers import Workers

VARIANTS = tuple(
    {"entry": entry, "exit": exit_, "max_half_lives": held}
    for entry, exit_, held in product((1.5, 2.0, 2.5, 3.0), (0.0, 0.5), (2.0, 4.0))
)
"""Thresholds tried beside the file's own, on the same epochs, for the probability of overfitting and SPA."""
MOST_MISSING = 0.1
"""Of the candles of a leg while its epoch is in force."""
BITCOIN = "BTC/USDT:USDT"


@dataclass(frozen=True)
class Plan:
    """What is run.

    :param options: of the scan that made the file; None where the file was given: then there are no
        phase-shuffled placebos, because nobody knows the rule to scan them by.
    :param placebos: of each kind. :param trial: what is noted in the ledger.
    """

    pairs_file: PairsFile
    market: Market
    settings: Settings
    terms: Terms
    costs: CostModel
    startup_candles: int
    options: ScanOptions | None
    placebos: int
    seed: int
    trial: Mapping[str, Any]


@dataclass(frozen=True)
class WalkForward:
    """What came out. Nets are bp of N_A + N_B per pair trade, all costs included.

    :param waterfall: mean of each part, bp.
    :param trades: `Outcome.pair_trades` with the waterfall's columns, `_bp` added to their names.
    :param weekly: net of each week as a share of the wallet. :param placebos: by kind.
    :param superior_ability: SPA's p-value; None where `arch` is not installed.
    :param capacities: `capacity.capacities`.
    :param benchmarks: return over the same time, a ratio.
    :param is_confirmed: whether `freqtrade backtesting` makes the same trades; None where it was not asked.
    """

    outcome: Outcome
    trades: pd.DataFrame
    waterfall: Mapping[str, float]
    mean: ClusteredMean
    interval_95: tuple[float, float]
    figures: Figures
    evidence: Evidence
    missing: Sequence[str]
    weekly: pd.Series
    trials: int
    variants: int
    superior_ability: float | None
    weeks_total: int
    empty_epochs: Sequence[str]
    epochs: int
    turnover_per_week: float
    capacities: FloatArray
    benchmarks: Mapping[str, float]
    placebos: Mapping[str, Chance]
    seed: int
    is_confirmed: bool | None = None

    @property
    def still_needed(self) -> float:
        """Pair trades that are missing until an edge of the size seen shows with 80 % power; NaN where no
        edge was seen."""
        mean = self.mean
        return max(mean.needed_for(mean.mean) - mean.n, 0.0) if mean.mean > 0 else nan


def check_data(pairs_file: PairsFile, market: Market) -> list[str]:
    """Refuse what would give figures of nothing; return the begins of the epochs without a pair.

    :raises DataError: no epoch, no pair at all, a leg without candles or with too many holes, epochs outside
        the data.
    """
    if not pairs_file.epochs:
        raise DataError(
            "the pairs file has no epoch", value=0, remedy="Make one with `pairbot scan --walk-forward`"
        )
    if not pairs_file.pairs:
        raise DataError(
            "no epoch has a pair, so there is nothing to trade",
            value=f"{len(pairs_file.epochs)} empty epochs",
            remedy="That is an answer too: scan with another rule or more symbols if you want to trade",
        )
    begin, end = market.grid.start, market.grid.candle(market.grid.size)
    inside = [
        e for e in pairs_file.epochs if e.valid_from < end and (e.valid_to is None or e.valid_to > begin)
    ]
    if not inside:
        raise DataError(
            "the epochs lie outside the candles",
            value=f"epochs from {pairs_file.epochs[0].valid_from:%Y-%m-%d}, candles {begin:%Y-%m-%d} to "
            f"{end:%Y-%m-%d}",
            remedy="Download candles of that time, or scan the time there is",
        )
    for epoch in inside:
        first, last = (
            market.grid.rows_closed_by(epoch.valid_from),
            market.grid.rows_closed_by(epoch.valid_to or end),
        )
        for symbol in sorted({symbol for pair in epoch.pairs for symbol in pair.symbols}):
            closes = market.grid.log_close.get(symbol, np.full(market.grid.size, np.nan))[first:last]
            missing = float(np.mean(~np.isfinite(closes))) if closes.size else 0.0
            if missing > MOST_MISSING:
                raise DataError(
                    f"{symbol} has holes in the epoch of {epoch.valid_from:%Y-%m-%d}",
                    value=f"{missing:.0%} of its candles are missing",
                    remedy="Download them with `pairbot download`, or leave the symbol out with --symbols",
                )
    return [f"{epoch.valid_from:%Y-%m-%d}" for epoch in pairs_file.epochs if not epoch.pairs]


def simulate(plan: Plan, *, overrides: Mapping[str, float] | None = None, delay_candles: int = 0) -> Outcome:
    """One backtest of the plan's pairs."""
    book = book_of(plan.market, plan.pairs_file, plan.settings, overrides=overrides)
    contracts = observed_contracts(plan.market.frames)
    return Simulation(
        plan.market,
        book,
        plan.settings,
        plan.terms,
        contracts,
        plan.startup_candles,
        delay_candles=delay_candles,
    ).run()


def walk(
    plan: Plan,
    ledger: TrialLedger,
    *,
    now: datetime,
    workers: Workers | None = None,
    store: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> WalkForward:
    """Run it all.

    :param store: keeps placebos as they come; an interrupted walk-forward goes on there.
    :param progress: called with (what, done, in all).
    :raises DataError: see `check_data`; no pair trade was made.
    """
    empty = check_data(plan.pairs_file, plan.market)
    outcome = simulate(plan)
    trades = outcome.pair_trades
    if trades.empty:
        raise DataError(
            "no pair trade was made",
            value=f"{len(plan.pairs_file.pair_ids())} pairs in {len(plan.pairs_file.epochs)} epochs",
            remedy="`freqtrade backtesting` tells what became of the signals",
        )
    begin = plan.pairs_file.epochs[0].valid_from
    end = plan.market.time(plan.market.end_row)
    if plan.pairs_file.epochs[-1].valid_to is not None:
        end = min(end, plan.pairs_file.epochs[-1].valid_to)
    parts = plan.costs.waterfall(trades)
    nets = parts["net"].to_numpy(np.float64)
    mean = clustered_mean(nets, list(trades["opened"]))
    assert mean is not None
    tried = [dict(each) for each in VARIANTS]
    weekly = weekly_returns(trades, nets, begin, end, plan.terms.wallet)
    returns = [weekly.to_numpy(np.float64)]
    for number, variant in enumerate(tried):
        other = simulate(plan, overrides=variant).pair_trades
        returns.append(
            weekly_returns(other, net_bp(other, plan.costs), begin, end, plan.terms.wallet).to_numpy(
                np.float64
            )
        )
        if progress is not None:
            progress("variants", number + 1, len(tried))
    matrix = np.column_stack(returns)
    trials = ledger.add("walkforward", [{**plan.trial, "thresholds": each} for each in ({}, *tried)], now)
    placebos = run_placebos(plan, trades, workers, store, progress)
    delayed = simulate(plan, delay_candles=1).pair_trades
    late = net_bp(delayed, plan.costs)
    weeks = week_numbers(trades)
    own = float(clustered_t(nets, weeks)[0])
    validated = cross_validated(matrix)
    figures = Figures(
        pair_trades=mean.n,
        weeks=mean.weeks,
        net=mean.mean,
        low_95=week_bootstrap(nets, weeks, 0.95, plan.seed)[0],
        low_90=week_bootstrap(nets, weeks, 0.90, plan.seed)[0],
        stressed=float(net_bp(trades, plan.costs, STRESS).mean()),
        delayed=float(late.mean()) if late.size else nan,
        deflated_sharpe=deflated_sharpe(matrix[:, 0], trials, luck_of_trials(matrix)),
        overfitting=validated.overfitting,
        losing=validated.losing,
        places={kind: place_among(own, each.ts) for kind, each in placebos.items()},
    )
    level, missing = verdict(figures)
    return WalkForward(
        outcome=outcome,
        trades=trades.drop(columns="net_bp").join(parts.add_suffix("_bp")),
        waterfall={str(name): float(values.mean()) for name, values in parts.items()},
        mean=mean,
        interval_95=week_bootstrap(nets, weeks, 0.95, plan.seed),
        figures=figures,
        evidence=level,
        missing=missing,
        weekly=weekly,
        trials=trials,
        variants=len(tried),
        superior_ability=superior_ability_p(matrix, plan.seed),
        weeks_total=len(weekly),
        empty_epochs=empty,
        epochs=len(plan.pairs_file.epochs),
        turnover_per_week=2 * float(trades["notional"].sum()) / plan.terms.wallet / max(len(weekly), 1),
        capacities=capacities(outcome),
        benchmarks=benchmarks(plan.market, begin, outcome),
        placebos=placebos,
        seed=plan.seed,
    )


def run_placebos(
    plan: Plan,
    trades: pd.DataFrame,
    workers: Workers | None,
    store: Path | None,
    progress: Callable[[str, int, int], None] | None,
) -> dict[str, Chance]:
    """Every kind of placebo."""
    found = {str(Placebo.SIGNS): flipped(trades, plan.costs, plan.placebos, plan.seed)}
    kinds = [Placebo.PAIRS, *([Placebo.PHASES] if plan.options is not None else [])]
    epochs = plan.pairs_file.epochs
    windows = [
        (round((epoch.formation_end - epoch.formation_start) / plan.market.step), epoch.formation_end)
        for epoch in epochs
    ]
    shared = {
        "market": plan.market,
        "pairs_file": plan.pairs_file,
        "pools": candidates(plan.market, epochs),
        "windows": windows,
        "options": with_nulls(plan.options, plan.market, windows),
        "settings": plan.settings,
        "terms": plan.terms,
        "contracts": observed_contracts(plan.market.frames),
        "startup": plan.startup_candles,
        "costs": plan.costs,
        "count": plan.placebos,
    }
    for kind in kinds:
        tasks = [(kind.value, plan.seed + number) for number in range(plan.placebos)]
        rows = run(
            one_placebo,
            tasks,
            shared=shared,
            workers=workers,
            store=None if store is None else store / kind.name.lower(),
            progress=None if progress is None else partial(progress, kind.value),
        )
        all_rows = [row for (row,) in rows]
        means, ts, counts = (
            np.array([row[name] for row in all_rows], np.float64) for name in ("mean_bp", "t", "pair_trades")
        )
        nets = np.sum([row["counts"] for row in all_rows], axis=0)
        found[str(kind)] = Chance(means, ts, counts, nets)
    return found


def benchmarks(market: Market, begin: datetime, outcome: Outcome) -> dict[str, float]:
    """What else could have been done with the money, a ratio over the same time."""
    found = {"cash": 0.0}
    frame = market.frames.get(BITCOIN)
    if frame is not None:
        later = frame.loc[frame["date"] >= begin]
        if len(later):
            found["BTC hold"] = float(later["close"].iloc[-1] / later["open"].iloc[0] - 1)
    found["strategy, backtest costs only"] = outcome.final_balance / outcome.terms.wallet - 1
    return found


def with_whitelist(plan: Plan) -> Plan:
    """The plan with the whitelist its pairs file makes."""
    return replace(plan, terms=replace(plan.terms, whitelist=plan.pairs_file.pairs))
