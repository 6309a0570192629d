"""The model a pair trade was entered with: from the journal, the pairs file, or the candles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from pairbot_ext.pairs import Pair, PairsFile
from pairbot_ext.report.database import JournalTrade
from pairbot_ext.report.legs import PairTrade
from pairbot_ext.report.picture import PairSpan


@dataclass(frozen=True)
class ModelAtEntry:
    """What sized a pair trade.

    :param half_life_hours: None where the model had none.
    """

    beta: float
    half_life_hours: float | None


ModelOf = Callable[[PairTrade], ModelAtEntry | None]


def with_models(trades: Iterable[PairTrade], sources: Sequence[ModelOf]) -> list[PairTrade]:
    """The pair trades with β and half-life at entry, from the first source that knows them."""
    found = []
    for trade in trades:
        model = next((model for source in sources if (model := source(trade)) is not None), None)
        if model is not None:
            trade = replace(trade, beta=model.beta, half_life_hours=model.half_life_hours)
        found.append(trade)
    return found


def journal_models(journal: Iterable[JournalTrade], timeframe_secs: int) -> ModelOf:
    """The models stored when the pair trades were planned."""
    plans = {trade.id: trade for trade in journal}

    def model(trade: PairTrade) -> ModelAtEntry | None:
        found = plans.get(trade.legs[0].pair_trade_id or "")
        if found is None:
            return None
        at_entry = found.plan.model
        return ModelAtEntry(at_entry.beta, _hours(at_entry.half_life_candles, timeframe_secs))

    return model


def _hours(candles: float, timeframe_secs: int) -> float | None:
    return candles * timeframe_secs / 3600 if math.isfinite(candles) else None


def journal_spans(journal: Iterable[JournalTrade], pair_id: str, timeframe_secs: int) -> list[PairSpan]:
    """The models that ruled a pair's trades, each from its plan to the next one, as a picture takes them."""
    own = sorted((trade for trade in journal if trade.plan.pair_id == pair_id), key=lambda each: each.planned)
    ends = [*(trade.planned for trade in own[1:]), None]
    return [
        PairSpan(_planned_pair(trade, timeframe_secs), trade.planned, end)
        for trade, end in zip(own, ends, strict=True)
    ]


def _planned_pair(trade: JournalTrade, timeframe_secs: int) -> Pair:
    plan = trade.plan
    return Pair(
        id=plan.pair_id,
        leg_a=plan.leg_a,
        leg_b=plan.leg_b,
        hedge_ratio=plan.model.beta,
        alpha=plan.model.alpha,
        mu=plan.model.mu,
        sigma=plan.model.sigma,
        half_life_hours=_hours(plan.half_life_candles(timeframe_secs), timeframe_secs),
        # A plan does not say by which test its pair was chosen; no picture shows it.
        adf_p=1.0,
        coint_p=1.0,
        entry_z=plan.thresholds.entry,
        exit_z=plan.thresholds.exit,
        stop_z=plan.thresholds.stop,
        max_half_lives=plan.thresholds.max_half_lives,
    )


def frozen_models(pairs_file: PairsFile) -> ModelOf:
    """The hedge ratio of the epoch in force at the opening, of the pairs whose model keeps it."""

    def model(trade: PairTrade) -> ModelAtEntry | None:
        epoch = pairs_file.epoch_at(trade.opened)
        pair = next((pair for pair in epoch.pairs if pair.id == trade.pair_id), None) if epoch else None
        return ModelAtEntry(pair.hedge_ratio, pair.half_life_hours) if pair and pair.has_frozen_beta else None

    return model


def rolling_models_at_entry(
    pairs_file: PairsFile,
    frames: Mapping[str, pd.DataFrame],
    timeframe_secs: int,
    rolling_window_candles: int | None,
) -> ModelOf:
    """The model of the last candle closed before the opening, estimated anew from the candles, of the pairs
    whose hedge ratio moves.

    The strategy's own code estimates it, so the hedge ratio is the one that sized the trade as long as the
    candles are the same.
    """
    from pairbot_ext.settings import Settings
    from pairbot_ext.signals.book import SignalBook

    window = {} if rolling_window_candles is None else {"rolling_window_candles": rolling_window_candles}
    book = SignalBook(pairs_file, Settings.model_validate(window), timeframe_secs, frames, fee=0.0)
    paths = [path for path in book.paths if not path.pair.has_frozen_beta]

    def model(trade: PairTrade) -> ModelAtEntry | None:
        row = book.grid.rows_closed_by(trade.opened) - 1
        for path in paths:
            at = row - path.first_row
            if path.pair.id != trade.pair_id or not 0 <= at < path.beta.size or not path.in_force[at]:
                continue
            if math.isfinite(path.beta[at]):
                half_life = _hours(float(path.half_life_candles[at]), timeframe_secs)
                return ModelAtEntry(float(path.beta[at]), half_life)
        return None

    return model


@dataclass(frozen=True)
class Choice:
    """On which data the traded pairs were chosen.

    :param epochs: how many selections the pair trades come from.
    :param formation_end: of the last of them.
    """

    epochs: int
    formation_end: datetime


def choice(pairs_file: PairsFile, trades: Iterable[PairTrade]) -> Choice | None:
    """Where the pairs of these trades come from; None where the file does not cover every trade.

    A pairs file is refused where an epoch may be traded before its formation ends, so a trade it covers was
    opened after the data that chose it.
    """
    found = []
    for trade in trades:
        epoch = pairs_file.epoch_at(trade.opened)
        if epoch is None or all(pair.id != trade.pair_id for pair in epoch.pairs):
            return None
        found.append(epoch)
    if not found:
        return None
    return Choice(
        epochs=len({epoch.formation_end for epoch in found}),
        formation_end=max(epoch.formation_end for epoch in found),
    )
