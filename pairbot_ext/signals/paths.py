"""One pair of one epoch on all candles: its model's spread and z, and where it may be entered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from math import nan

import numpy as np

from pairbot_ext.model.thresholds import Thresholds
from pairbot_ext.models.protocol import Given
from pairbot_ext.pairs import Epoch, Pair
from pairbot_ext.signals.grid import PriceGrid
from pairbot_ext.stats.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class SpreadPath:
    """One pair of one epoch, from the first candle its model may be used on. Arrays have shape (m,).

    :param first_row: grid row of the arrays' first element.
    :param in_force: where its epoch is valid. :param may_enter: where no gate vetoes either.
    """

    pair: Pair
    first_row: int
    in_force: BoolArray
    alpha: FloatArray
    beta: FloatArray
    mu: FloatArray
    sigma: FloatArray
    half_life_candles: FloatArray
    z: FloatArray
    may_enter: BoolArray

    @property
    def spread(self) -> FloatArray:
        """u - mu in log units. Shape (m,)."""
        return self.z * self.sigma


def effective_thresholds(pair: Pair, overrides: Mapping[str, float]) -> Thresholds | None:
    """The pair's thresholds, as its model sets them, with the overrides in force; None where the model finds
    none worth its cost. Raises ValueError where they contradict."""
    own = pair.thresholds
    return None if own is None else replace(own, **overrides)


def spread_path(
    grid: PriceGrid, epoch: Epoch, pair: Pair, rolling_window_candles: int, *, is_disabled: bool = False
) -> SpreadPath | None:
    """None where a leg has no candles.

    :param rolling_window_candles: of a pair without a model in the file.
    """
    if pair.leg_a not in grid.log_close or pair.leg_b not in grid.log_close:
        return None
    closed = grid.rows_closed_by(epoch.formation_end)
    # The candle that closes at formation_end is the last one the model has seen: its z is the first
    # that is not in sample in the sense of a decision, since an entry can only follow it.
    first = max(closed - 1, 0) if pair.is_frozen else 0
    # An entry is sent when its signal candle has closed, so validity is asked at the close.
    enter_from = max(grid.rows_closed_by(epoch.valid_from - timedelta(microseconds=1)), first)
    enter_to = grid.size
    if epoch.valid_to is not None:
        enter_to = grid.rows_closed_by(epoch.valid_to - timedelta(microseconds=1))
    end = grid.size if not pair.is_frozen else max(enter_to, first)
    candle_hours = grid.step.total_seconds() / 3600
    given = Given(
        first=first,
        log_a=grid.log_close[pair.leg_a][:end],
        log_b=grid.log_close[pair.leg_b][:end],
        formation=pair.formation,
        half_life_candles=pair.half_life_hours * 3600 / grid.step.total_seconds()
        if pair.half_life_hours
        else nan,
        thresholds=pair.thresholds or pair.own_thresholds,
        window_candles=(
            max(round((epoch.formation_end - epoch.formation_start) / grid.step), 1)
            if pair.is_frozen
            else rolling_window_candles
        ),
        candle_hours=candle_hours,
        is_whole=closed > 0,
        funding_a=_until(grid.funding, pair.leg_a, end),
        funding_b=_until(grid.funding, pair.leg_b, end),
    )
    path = pair.spread_model.path(given)
    half_life = path.half_life_candles
    if pair.half_life_hours is not None:
        half_life = np.full(path.z.size, pair.half_life_hours * 3600 / grid.step.total_seconds())
    rows = np.arange(first, end)
    in_force = (rows >= enter_from) & (rows < enter_to)
    may_enter = in_force & (path.beta > 0) & (not is_disabled)
    if path.may_enter is not None:
        may_enter &= path.may_enter
    for symbol in pair.symbols:
        if symbol in grid.volatile:
            may_enter &= ~grid.volatile[symbol][first:end]
    return SpreadPath(
        pair=pair,
        first_row=first,
        in_force=in_force,
        alpha=path.alpha,
        beta=path.beta,
        mu=path.mu,
        sigma=path.sigma,
        half_life_candles=half_life,
        z=_without_steps(grid, epoch, pair, path.z, first, rolling_window_candles),
        may_enter=may_enter,
    )


def _until(funding: Mapping[str, FloatArray], symbol: str, end: int) -> FloatArray | None:
    return funding[symbol][:end] if symbol in funding else None


def _without_steps(
    grid: PriceGrid, epoch: Epoch, pair: Pair, z: FloatArray, first: int, window: int
) -> FloatArray:
    """No z where a step lies between the prices a model was made of and the candle it is asked about."""
    since = grid.rows_closed_by(epoch.formation_start) if pair.is_frozen else 0
    z = z.copy()
    for row in grid.split_rows(pair.symbols, since):
        begin = max(int(row) - first, 0)
        z[begin : None if pair.is_frozen else begin + window] = np.nan
    return z
