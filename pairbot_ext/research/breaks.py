"""The break rules of one model on many candles at once, from prefix sums.

`signals.breaks.pair_health` looks at one window; a study asks for thousands that overlap. Here the same
regressions come from running sums of one stretch. They differ from the exact ones in the last digits, so
wherever a number lies within `MARGIN` of what decides, the exact function is asked: every decision is its.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def _from_sums(
    a: FloatArray, b: FloatArray, model: EntryModel, settings: BreakStop, first: IntArray, end: IntArray
) -> tuple[IntArray, BoolArray]:
    """What the sums say, and where they are not sure."""
    present = np.isfinite(a) & np.isfinite(b)
    count_all = int(present.sum())
    if not count_all:
        return np.full(first.size, int(Relation.BLIND)), np.zeros(first.size, np.bool_)
    # Regressions with a constant do not see where their series lie; near 0 the sums keep their digits.
    a, b = (np.where(present, x, 0.0) for x in (a, b))
    a, b = ((x - x.sum() / count_all) * present for x in (a, b))
    u = (a - model.beta * b) * present
    levels, steps, tests = _sums(a, b, u, present, first, end)
    count, in_a, in_b, in_u, bb, ab, uu = levels
    spread_b = bb - in_b * in_b / count
    beta, variance = (ab - in_a * in_b / count) / spread_b, (uu - in_u * in_u / count) / count
    n, in_level, in_step, ll, ls = steps
    half_life = half_life_from_slope((ls - in_level * in_step / n) / (ll - in_level * in_level / n))
    n, in_y, in_x, in_w, yy, xx, ww, xy, xw, yw = tests
    ww, yw, xw = ww - in_w * in_w / n, yw - in_y * in_w / n, xw - in_x * in_w / n
    # Frisch-Waugh: the lag is taken out of both.
    xx, xy = xx - in_x * in_x / n - xw * xw / ww, xy - in_x * in_y / n - xw * yw / ww
    slope = xy / xx
    rest = (yy - in_y * in_y / n - yw * yw / ww - slope * xy) / (n - 3)
    t = slope / np.sqrt(rest / xx)

    found = np.zeros(first.size, np.int64)
    is_blind = count < np.maximum(MIN_PRESENT_SHARE * (end - first), MIN_CANDLES)
    unsure = (spread_b < 10 * MIN_STD**2 * count) | (variance < 10 * MIN_STD**2) | (n < 10)
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


def _sums(
    a: FloatArray, b: FloatArray, u: FloatArray, present: BoolArray, first: IntArray, end: IntArray
) -> tuple[Sequence[FloatArray], Sequence[FloatArray], Sequence[FloatArray]]:
    """Sums of each window's levels, [first, end), of its steps, one less, and of its test, two less.

    Of the levels: count, a, b, u, bb, ab, uu. Of the steps: count, level, step, level², level · step. Of the
    test, y the step, x the level, w the step before: count, y, x, w, yy, xx, ww, xy, xw, yw.
    """
    last, second = np.maximum(end - 1, first), np.minimum(first + 1, np.maximum(end - 1, first))
    step, lag = np.zeros(a.size), np.zeros(a.size)
    if present.all():
        # Most windows have no hole: then many of these sums are the same ones, begun a candle later.
        step[:-1] = u[1:] - u[:-1]
        lag[1:] = step[:-1]
        columns = (a, b, u, b * b, a * b, u * u, step, u * step, step * step, u * lag, step * lag)
        running = _running(columns)
        whole = running[:6, end] - running[:6, first]
        level, square, moved, cross, moved_square = running[[2, 5, 6, 7, 8]]
        steps = [last - first, *(each[last] - each[first] for each in (level, moved, square, cross))]
        before = np.maximum(last - 1, first)
        tests = [
            last - second,
            moved[last] - moved[second],
            level[last] - level[second],
            moved[before] - moved[first],
            moved_square[last] - moved_square[second],
            square[last] - square[second],
            moved_square[before] - moved_square[first],
            cross[last] - cross[second],
            *(running[9:, last] - running[9:, second]),
        ]
        return [(end - first).astype(np.float64), *whole], steps, tests
    ok, lagged = np.zeros(a.size, np.bool_), np.zeros(a.size, np.bool_)
    ok[:-1] = present[1:] & present[:-1]
    lagged[1:] = ok[1:] & ok[:-1]
    step[:-1] = (u[1:] - u[:-1]) * ok[:-1]
    lag[1:] = step[:-1]
    level, y, x, w = u * ok, step * lagged, u * lagged, lag * lagged
    running = _running(
        (
            *(present, a, b, u, b * b, a * b, u * u),
            *(ok, level, step, level * level, level * step),
            *(lagged, y, x, w, y * y, x * x, w * w, x * y, x * w, y * w),
        )
    )
    return (
        list(running[:7, end] - running[:7, first]),
        list(running[7:12, last] - running[7:12, first]),
        list(running[12:, last] - running[12:, second]),
    )


def _running(columns: Sequence[FloatArray | BoolArray]) -> FloatArray:
    """Running sums with a leading 0. Shape (columns, n + 1)."""
    running = np.zeros((len(columns), columns[0].size + 1))
    for row, column in zip(running, columns, strict=True):
        np.cumsum(column, out=row[1:])
    return running
