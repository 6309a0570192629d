"""What the candles of a scan themselves say a test finds where no pair belongs together.

A table of p-values made from one kind of noise is exact for that noise: real returns cluster, repeat daily
patterns and come back a little, each market's in its own way, and a table that holds for the worst of them
gives power away in all others. Here the null is made from the candles that are scanned: what all coins have
in common is kept, what is each coin's own is shifted around the circle, no two coins by about the same. Each
coin keeps its distribution, volatility clustering, serial correlation and its loading on the market; no coin
keeps its relation to another. How often the statistic is as low there is its p-value.

Random circular shifts as a null for time series: DiCiccio & Romano, "Robust permutation tests for correlation
and regression coefficients", JASA 112 (2017) 1211-1220, give the conditions; what it does here was measured
(docs/statistics/calibrated.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pairbot_ext.stats import compiled
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.engine import scan_pairs
from pairbot_ext.stats.robust import SCREEN_P, weaker_t
from pairbot_ext.support.errors import DataError

SHIFTS = 100
"""Shifted universes: at a level of 5 % the first threshold lies at the fifth lowest value of all of them."""
SEED = 20261128
LEAST_COINS_WITH_MARKET = 10
"""Of fewer coins the mean is mostly themselves: nothing is kept in common."""


@dataclass(frozen=True, slots=True)
class ShiftedNull:
    """The weaker direction's t of every pair of shifted universes.

    :ivar t: those that passed the screen of ``robust_p_values``, ascending, all universes together.
    :ivar tests: pairs tested in all of them, the screened ones too.
    """

    t: FloatArray
    tests: int

    def p_values(self, t: FloatArray) -> FloatArray:
        """Share of the null's pairs that are as low, the pair itself counted among them: never 0.

        :param t: shape (B,); NaN (screened out, or not tested) gives 1.
        """
        known = np.isfinite(t)
        lower = np.searchsorted(self.t, np.where(known, t, 0.0), side="right")
        return np.where(known, (1.0 + lower) / (1.0 + self.tests), 1.0)


def shifted_null(
    log_prices: FloatArray,
    *,
    shifts: int = SHIFTS,
    seed: int = SEED,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ShiftedNull:
    """The null of one formation. The same candles, shifts and seed give the same null.

    :param log_prices: shape (T, N), finite, N >= 2.
    :param shifts: universes to make.
    :param progress: called with (universes done, universes to make).
    :raises DataError: what is given has another shape, missing values, or makes no pair.
    """
    x = np.asarray(log_prices, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2 or shifts < 1 or not np.isfinite(x).all():
        raise DataError(
            "a null by shifts needs two complete series and one shift at least",
            value=f"shape {x.shape}, {np.count_nonzero(~np.isfinite(x))} missing, {shifts} shifts",
        )
    rng = np.random.default_rng(seed)
    returns = np.diff(x, axis=0)
    found = []
    with compiled.one_of(shifts):
        for done in range(shifts):
            found.append(screened_t(shifted_universe(returns, rng), threads))
            if progress is not None:
                progress(done + 1, shifts)
    pairs = x.shape[1] * (x.shape[1] - 1) // 2
    return ShiftedNull(np.sort(np.concatenate(found)), shifts * pairs)


def shifted_universe(returns: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Log prices, shape (T, N), in which what is each coin's own was shifted.

    :param returns: log returns, shape (T - 1, N).
    """
    size, count = returns.shape
    common = np.zeros_like(returns)
    if count >= LEAST_COINS_WITH_MARKET:
        market = returns.mean(axis=1, keepdims=True)
        market = market - market.mean()
        variance = float((market * market).sum())
        if variance > 0:
            common = market * ((returns * market).sum(axis=0) / variance)
    own = returns - common
    moved = np.empty_like(own)
    for coin, offset in enumerate(offsets_apart(size, count, rng)):
        moved[:, coin] = np.roll(own[:, coin], offset)
    return np.vstack([np.zeros((1, count)), np.cumsum(common + moved, axis=0)])


def offsets_apart(size: int, count: int, rng: np.random.Generator) -> list[int]:
    """``count`` offsets on a circle of ``size`` candles, neighbours at least size / (2 count) apart.

    Of two coins shifted by about the same one would follow the other, and their spread come back by
    construction.
    """
    gap = size // (2 * count)
    rest = rng.dirichlet(np.ones(count)) * (size - count * gap)
    around = np.floor(np.cumsum(rest + gap)) + rng.integers(size)
    return [int(offset) % size for offset in rng.permutation(around)]


def screened_t(log_prices: FloatArray, threads: int | None = None) -> FloatArray:
    """The robust statistic of every unordered pair whose textbook p is small in both directions, (B,)."""
    count = log_prices.shape[1]
    p = scan_pairs(log_prices, threads=threads)["coint_p"].to_numpy(dtype=np.float64)
    a, b = np.triu_indices(count, 1)
    # The engine's rows: leg A varies slowest, leg B skips it.
    weaker = np.maximum(p[a * (count - 1) + b - 1], p[b * (count - 1) + a])
    passing = weaker <= SCREEN_P
    t = weaker_t(log_prices, a[passing].astype(np.intp), b[passing].astype(np.intp), threads=threads)
    return t[np.isfinite(t)]
