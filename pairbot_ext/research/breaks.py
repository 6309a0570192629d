"""The break rules of one model on many candles at once, from prefix sums.

`signals.breaks.pair_health` looks at one window; a study asks for thousands that overlap. Here the same
regressions come from running sums of one stretch. They differ from the exact ones in the last digits, so
wherever a number lies within `MARGIN` of what decides, the exact function is asked: every decision is its.
"""

from __future__ import annotations

from enum import IntEnum
from math import isfinite

import numpy as np

from pairbot_ext.model.findings import Blind
from pairbot_ext.model.plan import EntryModel
from pairbot_ext.settings.risk import BreakStop
from pairbot_ext.signals.breaks import (
    HALF_LIFE_HALF_LIVES,
    MIN_CANDLES,
    TEST_HALF_LIVES,
    break_verdict,
    critical_t,
    pair_health,
)
from pairbot_ext.stats.arrays import BoolArray, FloatArray, IntArray
from pairbot_ext.stats.regression import MIN_STD
from pairbot_ext.stats.rolling import MIN_PRESENT_SHARE, half_life_from_slope

MARGIN = 1e-6
"""Relative distance from a limit inside which the exact function decides."""


class Relation(IntEnum):
    """What the break rules say of a pair on a candle."""

    HOLDS = 0
    BROKEN = 1
    BLIND = 2


def relations(
    log_a: FloatArray,
    log_b: FloatArray,
    model: EntryModel,
    settings: BreakStop | None,
    ends: tuple[int, int],
    window: int,
) -> IntArray:
    """`Relation` on the windows that end with rows ends[0] to ends[1], the last included.

    :param log_a, log_b: log closes of the whole grid, NaN where missing. Shape (n,).
    :param window: candles; fewer at the begin of the grid.
    """
    begin, stop = ends[0], ends[1] + 1
    if settings is None or stop <= begin:
        return np.zeros(max(stop - begin, 0), np.int64)
    low = max(0, begin + 1 - window)
    a, b = log_a[low:stop], log_b[low:stop]
    end = np.arange(begin, stop) + 1 - low
    first = np.maximum(end - window, 0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found, unsure = _from_sums(a, b, model, settings, first, end)
    for place in np.flatnonzero(unsure):
        part = slice(int(first[place]), int(end[place]))
        verdict = break_verdict(
            settings, pair_health(a[part], b[part], model), model.half_life_candles, model.beta
        )
        found[place] = _code(verdict)
    return found


def _code(verdict: object) -> Relation:
    if verdict is None:
        return Relation.HOLDS
    return Relation.BLIND if isinstance(verdict, Blind) else Relation.BROKEN


class _Sums:
    """Sums over rows [first, stop) of products of columns, all masked alike."""

    def __init__(self, ok: BoolArray, first: IntArray, stop: IntArray, *columns: FloatArray) -> None:
        self._first, self._stop = first, np.maximum(stop, first)
        self._columns = [np.where(ok, column, 0.0) for column in columns]
        self.n = self._over(ok.astype(np.float64))
        self._totals = [self._over(column) for column in self._columns]

    def _over(self, values: FloatArray) -> FloatArray:
        running = np.concatenate([[0.0], np.cumsum(values)])
        return running[self._stop] - running[self._first]

    def cross(self, i: int, j: int) -> FloatArray:
        """Centred cross product of two columns."""
        both = self._over(self._columns[i] * self._columns[j])
        return both - self._totals[i] * self._totals[j] / self.n


def _from_sums(
    a: FloatArray, b: FloatArray, model: EntryModel, settings: BreakStop, first: IntArray, end: IntArray
) -> tuple[IntArray, BoolArray]:
    """What the sums say, and where they are not sure."""
    present = np.isfinite(a) & np.isfinite(b)
    if not present.any():
        return np.full(first.size, int(Relation.BLIND)), np.zeros(first.size, np.bool_)
    u = a - model.alpha - model.beta * b - model.mu
    # Regressions with a constant do not see where their series lie; near 0 the sums keep their digits.
    u = u - np.nanmean(u)
    levels = _Sums(present, first, end, *(x - np.nanmean(np.where(present, x, np.nan)) for x in (a, b)), u)
    count, spread_b = levels.n, levels.cross(1, 1)
    beta, variance = levels.cross(1, 0) / spread_b, levels.cross(2, 2) / levels.n
    step, level = np.diff(u), u[:-1]
    ok = np.isfinite(step)
    steps = _Sums(ok, first, end - 1, level, step)
    half_life = half_life_from_slope(steps.cross(0, 1) / steps.cross(0, 0))
    lagged = np.concatenate([[False], ok[:-1]]) & ok
    lag = np.concatenate([[0.0], step[:-1]])
    tests = _Sums(lagged, first + 1, end - 1, step, level, lag)
    ww, yw, xw = tests.cross(2, 2), tests.cross(0, 2), tests.cross(1, 2)
    xx, xy = tests.cross(1, 1) - xw * xw / ww, tests.cross(0, 1) - xw * yw / ww
    slope = xy / xx
    rest = (tests.cross(0, 0) - yw * yw / ww - slope * xy) / (tests.n - 3)
    t = slope / np.sqrt(rest / xx)

    found = np.zeros(first.size, np.int64)
    is_blind = count < np.maximum(MIN_PRESENT_SHARE * (end - first), MIN_CANDLES)
    unsure = (spread_b < 10 * MIN_STD**2 * count) | (variance < 10 * MIN_STD**2) | (tests.n < 10)
    unsure |= ~np.isfinite(beta) | ~np.isfinite(t) | np.isnan(half_life)
    own = model.half_life_candles
    seen = count / own if isfinite(own) else np.zeros(first.size)
    limits: list[tuple[BoolArray, FloatArray, FloatArray]] = []
    if settings.max_half_life_ratio is not None:
        limit = np.full(first.size, settings.max_half_life_ratio * own)
        limits.append((seen >= HALF_LIFE_HALF_LIVES * 0.9, half_life, limit))
    if settings.max_beta_drift_percent is not None:
        drift = 100.0 * np.abs(beta / model.beta - 1.0)
        limits.append(
            (np.ones(first.size, np.bool_), drift, np.full(first.size, settings.max_beta_drift_percent))
        )
    if settings.test_level_percent is not None:
        counts = np.maximum(count, 1)
        sizes, where = np.unique(counts, return_inverse=True)
        limit = np.array([critical_t(settings.test_level_percent, int(n)) for n in sizes])[where]
        limits.append((seen >= TEST_HALF_LIVES * 0.9, t, limit))
    for applies, value, limit in limits:
        found[applies & (value > limit)] = Relation.BROKEN
        unsure |= applies & (np.abs(value - limit) <= MARGIN * np.maximum(np.abs(limit), 1.0))
    found[is_blind] = Relation.BLIND
    return found, unsure & ~is_blind
