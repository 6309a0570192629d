"""Models of the spread side by side: same epochs, same pairs, same placebos, each out of sample."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pairbot_ext.models.protocol import SpreadModel
from pairbot_ext.models.variants import FROZEN
from pairbot_ext.pairs import PairsFile, lacks, symbols_of, with_model
from pairbot_ext.report.evidence import ClusteredMean, clustered_mean
from pairbot_ext.research.contracts import observed_contracts
from pairbot_ext.research.costs import STRESS, net_bp
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
from pairbot_ext.research.placebos import (
    Chance,
    Placebo,
    candidates,
    count_nets,
    flipped,
    random_pairs,
    row_of,
    shuffled,
    with_nulls,
)
from pairbot_ext.research.simulator import Simulation, book_of
from pairbot_ext.research.verdict import Evidence, Figures, verdict
from pairbot_ext.research.walkforward import Plan, check_data
from pairbot_ext.research.weeks import week_numbers, weekly_returns
from pairbot_ext.scan.epochs import walk_forward
from pairbot_ext.scan.pipeline import epoch_of
from pairbot_ext.scan.universe import Window
from pairbot_ext.startup.checks import required_startup_candles
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks.runner import run
from pairbot_ext.tasks.work import Rows
from pairbot_ext.tasks.workers import Workers

FAMILY_LEVEL = 0.05
"""Of Romano & Wolf's stepwise test: the chance that it names any variant that is no better."""
_REPETITIONS = 1_000


@dataclass(frozen=True)
class Compared:
    """One variant out of sample. Nets are bp of N_A + N_B per pair trade, all costs included.

    :param without: pairs, counted in each epoch, that lack what the model needs and keep the frozen one.
    :param mean: None without a pair trade. :param waterfall: mean of each part, bp.
    :param weekly: net of each week, share of the wallet. :param placebos: by kind.
    :param beats_cash, beats_default: named by the stepwise test over all variants; None where `arch` is not
        installed.
    """

    model: SpreadModel
    without: int
    outcome: Outcome
    trades: pd.DataFrame
    mean: ClusteredMean | None
    interval_95: tuple[float, float]
    waterfall: Mapping[str, float]
    figures: Figures
    evidence: Evidence
    missing: Sequence[str]
    weekly: pd.Series
    placebos: Mapping[str, Chance]
    beats_cash: bool | None = None
    beats_default: bool | None = None


@dataclass(frozen=True)
class Comparison:
    """All of them, by the name each was asked for; the default first.

    :param superior_to_cash, superior_to_default: Hansen's p-value that none is; None without `arch`.
    :param overfitting: probability over these variants (CSCV).
    """

    variants: Mapping[str, Compared]
    trials: int
    overfitting: float
    superior_to_cash: float | None
    superior_to_default: float | None
    begin: datetime
    epochs: int
    empty_epochs: Sequence[str]
    weeks_total: int
    seed: int


def startup_of(plan: Plan, model: SpreadModel) -> int:
    """Candles the model's decisions look back on: the longest window of its break rules."""
    return required_startup_candles(with_model(plan.pairs_file, model), plan.settings, plan.market.timeframe)


def compare(
    plan: Plan,
    models: Mapping[str, SpreadModel],
    ledger: TrialLedger,
    *,
    now: datetime,
    workers: Workers | None = None,
    store: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Trade the plan's pairs with each model.

    :param models: by name; the frozen one is among them, or put before them.
    :param store: keeps placebos as they come; an interrupted comparison goes on there.
    :param progress: called with (what, done, in all).
    :raises DataError: see `walkforward.check_data`; a model reads funding rates that are not there; no model
        made a pair trade.
    """
    models = {FROZEN.name: FROZEN} | dict(models)
    empty = check_data(plan.pairs_file, plan.market)
    _check_funding(plan, models)
    files = {name: with_model(plan.pairs_file, model) for name, model in models.items()}
    startups = {name: startup_of(plan, model) for name, model in models.items()}
    simulate = partial(_simulate, plan.market, plan, contracts=observed_contracts(plan.market.frames))
    outcomes, delayed = {}, {}
    for number, name in enumerate(models):
        outcomes[name] = simulate(files[name], startup=startups[name])
        delayed[name] = simulate(files[name], startup=startups[name], delay_candles=1).pair_trades
        if progress is not None:
            progress("variants", number + 1, len(models))
    if all(outcome.pair_trades.empty for outcome in outcomes.values()):
        raise DataError(
            "no model made a pair trade",
            value=f"{len(plan.pairs_file.pair_ids())} pairs in {len(plan.pairs_file.epochs)} epochs",
            remedy="`freqtrade backtesting` tells what became of the signals",
        )
    begin, end = plan.pairs_file.epochs[0].valid_from, plan.market.time(plan.market.end_row)
    if plan.pairs_file.epochs[-1].valid_to is not None:
        end = min(end, plan.pairs_file.epochs[-1].valid_to)
    trades = {name: outcome.pair_trades for name, outcome in outcomes.items()}
    nets = {name: net_bp(each, plan.costs) for name, each in trades.items()}
    weekly = {
        name: weekly_returns(trades[name], nets[name], begin, end, plan.terms.wallet) for name in models
    }
    matrix = np.column_stack([each.to_numpy(np.float64) for each in weekly.values()])
    trials = ledger.add("compare", [_tried(plan, model) for model in models.values()], now)
    placebos = _placebos(plan, models, startups, trades, workers, store, progress)
    spread, validated = luck_of_trials(matrix), cross_validated(matrix)
    cash = stepwise(matrix, np.zeros(len(matrix)), plan.seed)
    default = stepwise(matrix[:, 1:], matrix[:, 0], plan.seed)
    found = {}
    for number, (name, model) in enumerate(models.items()):
        weeks = week_numbers(trades[name])
        late = net_bp(delayed[name], plan.costs)
        parts = plan.costs.waterfall(trades[name])
        own = float(clustered_t(nets[name], weeks)[0]) if nets[name].size else 0.0
        figures = Figures(
            pair_trades=nets[name].size,
            weeks=np.unique(weeks).size,
            net=_mean(nets[name]),
            low_95=_interval(nets[name], weeks, 0.95, plan.seed)[0],
            low_90=_interval(nets[name], weeks, 0.90, plan.seed)[0],
            stressed=_mean(net_bp(trades[name], plan.costs, STRESS)),
            delayed=_mean(late),
            deflated_sharpe=deflated_sharpe(matrix[:, number], trials, spread),
            overfitting=validated.overfitting,
            losing=validated.losing,
            places={kind: place_among(own, each.ts) for kind, each in placebos[name].items()},
        )
        level, missing = verdict(figures)
        found[name] = Compared(
            model=model,
            without=sum(bool(lacks(p, model)) for epoch in plan.pairs_file.epochs for p in epoch.pairs),
            outcome=outcomes[name],
            trades=trades[name].drop(columns="net_bp", errors="ignore").join(parts.add_suffix("_bp")),
            mean=clustered_mean(nets[name], list(trades[name].get("opened", []))),
            interval_95=_interval(nets[name], weeks, 0.95, plan.seed),
            waterfall={str(part): _mean(values.to_numpy(np.float64)) for part, values in parts.items()},
            figures=figures,
            evidence=level,
            missing=missing,
            weekly=weekly[name],
            placebos=placebos[name],
            beats_cash=None if cash is None else number in cash,
            beats_default=None if default is None else number - 1 in default,
        )
    return Comparison(
        variants=found,
        trials=trials,
        overfitting=validated.overfitting,
        superior_to_cash=superior_ability_p(matrix, plan.seed),
        superior_to_default=superior_ability_p(matrix[:, 1:] - matrix[:, :1], plan.seed),
        begin=max(begin, plan.market.time(min(plan.market.first.values()))),
        epochs=len(plan.pairs_file.epochs),
        empty_epochs=empty,
        weeks_total=len(matrix),
        seed=plan.seed,
    )


def stepwise(returns: FloatArray, benchmark: FloatArray, seed: int) -> set[int] | None:
    """Which variants are better than the benchmark, with at most `FAMILY_LEVEL` that any of them is not: the
    stepwise test of Romano & Wolf 2005, Econometrica 73:1237. None where `arch` is not installed.

    :param returns: per week and variant, shape (n, k). :param benchmark: shape (n,).
    """
    if importlib.util.find_spec("arch") is None:
        return None
    from arch.bootstrap import StepM

    # A variant that is the benchmark in every week has nothing to test.
    moving = np.flatnonzero((returns - benchmark[:, None]).std(axis=0) > 0)
    if not moving.size or returns.shape[0] < 8:
        return set()
    # Losses: the smaller the better.
    losses = pd.DataFrame(-returns[:, moving], columns=moving)
    test = StepM(-benchmark, losses, size=FAMILY_LEVEL, reps=_REPETITIONS, seed=seed)
    test.compute()
    return {int(str(each)) for each in test.superior_models}


def _check_funding(plan: Plan, models: Mapping[str, SpreadModel]) -> None:
    reading = [name for name, model in models.items() if model.needs_funding]
    missing = [symbol for symbol in plan.pairs_file.pairs if symbol not in plan.market.grid.funding]
    if reading and missing:
        raise DataError(
            f"the model {reading[0]} reads funding rates, and there are none of {len(missing)} symbols",
            value=", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
            remedy="Fetch them with `pairbot download`, or leave that model out with --models",
        )


def _simulate(
    market: Market,
    plan: Plan,
    pairs_file: PairsFile,
    *,
    contracts: Mapping[str, Any],
    startup: int,
    delay_candles: int = 0,
) -> Outcome:
    book = book_of(market, pairs_file, plan.settings)
    terms = replace(plan.terms, whitelist=pairs_file.pairs)
    return Simulation(
        market, book, plan.settings, terms, contracts, startup, delay_candles=delay_candles
    ).run()


def _tried(plan: Plan, model: SpreadModel) -> dict[str, Any]:
    """As the walk-forward notes it: the default model is the same trial there."""
    trial = {**plan.trial, "thresholds": {}}
    return trial if model == FROZEN else {**trial, "model": model.model_dump(mode="json")}


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else nan


def _interval(nets: FloatArray, weeks: Any, level: float, seed: int) -> tuple[float, float]:
    return week_bootstrap(nets, weeks, level, seed) if nets.size else (nan, nan)


def _placebos(
    plan: Plan,
    models: Mapping[str, SpreadModel],
    startups: Mapping[str, int],
    trades: Mapping[str, pd.DataFrame],
    workers: Workers | None,
    store: Path | None,
    progress: Callable[[str, int, int], None] | None,
) -> dict[str, dict[str, Chance]]:
    """By model and kind. A draw of pairs, or a universe, is made once and traded with every model."""
    found: dict[str, dict[str, Chance]] = {
        name: {str(Placebo.SIGNS): flipped(each, plan.costs, plan.placebos, plan.seed)}
        if len(each)
        else {str(Placebo.SIGNS): _none()}
        for name, each in trades.items()
    }
    kinds = [Placebo.PAIRS, *([Placebo.PHASES] if plan.options is not None else [])]
    options = with_nulls(plan.options, plan.market, _windows(plan))
    shared = {
        "plan": replace(plan, options=options),
        "models": dict(models),
        "startups": dict(startups),
        "pool": candidates(plan.market, plan.pairs_file.epochs),
        "contracts": observed_contracts(plan.market.frames),
    }
    for kind in kinds:
        rows = run(
            one_universe,
            [(kind.value, plan.seed + number) for number in range(plan.placebos)],
            shared=shared,
            workers=workers,
            store=None if store is None else store / f"compare_{kind.name.lower()}",
            progress=None if progress is None else partial(progress, kind.value),
        )
        by_model: dict[str, list[Mapping[str, Any]]] = {name: [] for name in models}
        for drawn in rows:
            for row in drawn:
                by_model[str(row["model"])].append(row)
        for name, its in by_model.items():
            means, ts, numbers = (
                np.array([row[key] for row in its], np.float64) for key in ("mean_bp", "t", "pair_trades")
            )
            nets = np.sum([row["counts"] for row in its], axis=0)
            found[name][str(kind)] = Chance(means, ts, numbers, nets)
    return found


def _none() -> Chance:
    """Of a model without a pair trade there is nothing to flip."""
    empty = np.empty(0)
    return Chance(empty, empty, empty, count_nets(empty))


def one_universe(
    kind: str,
    seed: int,
    *,
    plan: Plan,
    models: Mapping[str, SpreadModel],
    startups: Mapping[str, int],
    pool: Any,
    contracts: Mapping[str, Any],
) -> Rows:
    """One draw traded with every model: a row of each, its mean net in bp, its t, its number of pair trades.

    :param pool: `placebos.candidates`.
    """
    market = plan.market
    if kind == Placebo.PAIRS:
        file = random_pairs(plan.pairs_file, pool, seed)
    else:
        market = shuffled(market, seed, max(startups.values()), plan.settings)
        file = _scanned(plan, market)
    rows = []
    for name, model in models.items():
        nets, t = np.empty(0), 0.0
        if file.pairs:
            outcome = _simulate(
                market, plan, with_model(file, model), contracts=contracts, startup=startups[name]
            )
            trades = outcome.pair_trades
            nets = net_bp(trades, plan.costs)
            t = float(clustered_t(nets, week_numbers(trades))[0]) if nets.size else 0.0
        rows.append({"model": name, **row_of(nets, t)})
    return rows


def _scanned(plan: Plan, market: Market) -> PairsFile:
    """The plan's epochs, scanned anew on another market."""
    assert plan.options is not None  # phases need the rule that selected
    epochs = plan.pairs_file.epochs
    windows = [Window(market.timeframe, candles, end) for candles, end in _windows(plan)]
    results = walk_forward(market.frames, windows, plan.options)
    made = [
        epoch_of(each, plan.options.knobs.thresholds, old.valid_from, old.valid_to)
        for each, old in zip(results, epochs, strict=True)
    ]
    return plan.pairs_file.model_copy(update={"epochs": tuple(made), "pairs": symbols_of(made)})


def _windows(plan: Plan) -> list[tuple[int, datetime]]:
    """(candles, end) of every epoch's formation."""
    step = plan.market.step
    return [
        (round((e.formation_end - e.formation_start) / step), e.formation_end) for e in plan.pairs_file.epochs
    ]


def drawdown(weekly: pd.Series) -> float:
    """Deepest fall of the running sum of weekly nets, share of the wallet, ≤ 0."""
    path = np.concatenate([[0.0], np.cumsum(weekly.to_numpy(np.float64))])
    return float((path - np.maximum.accumulate(path)).min())


def held_hours(trades: pd.DataFrame, step: timedelta) -> float:
    """Mean time a pair trade was held; NaN without any."""
    if trades.empty:
        return nan
    return float((trades["closed_row"] - trades["opened_row"]).mean()) * step.total_seconds() / 3600
