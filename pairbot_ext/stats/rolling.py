"""Rolling spread models whose every row depends on its own window, bit for bit.

``freqtrade recursive-analysis`` and ``lookahead-analysis`` compare the indicators of runs that start and end
on different candles, with ``DataFrame.compare``, that is exactly. A running sum carries the rounding of every
earlier candle along and fails them. Here no state is carried: moments of a window of length w are merged
from moments of blocks of 1, 2, 4, 8 … candles (binary doubling), each block described by its count, means
and centred cross products, merged by the update of Chan, Golub & LeVeque (1983, The American Statistician
37:242). Block k ending at row t is a fixed tree of additions over the candles t-2^k+1 … t, so

* the value at row t is the same whatever comes before the window and after it, in any chunking;
* a missing (NaN) candle is left out of its blocks: every block carries its own count per row, so a gap costs
  its window one observation and changes no other window;
* centred moments are never differences of large sums, so log prices of 11 lose no digits;
* the cost is O(T log w) vector operations: about 10 ms for T = 10,000 and w = 1440.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.regression import MAX_R2, MIN_CANDLES, MIN_STD
from pairbot_ext.support.errors import DataError

LN2 = float(np.log(2.0))
# A candle is missing now and then on every thin market; a window without one would be the exception, and the
# pair would not trade for a whole window after each gap. With more than a tenth missing the market was halted
# or dead for long enough that hedge ratio and half-life describe another regime than the one to be traded.
MIN_PRESENT_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class RollingModels:
    """One spread model per row, each estimated on the window that ends with (and includes) its row.

    All arrays have shape (T,), aligned with the input. A candle missing on either leg is left out of the
    estimates. Every array is NaN at a row whose window is not full, holds fewer present candles than
    ``MIN_PRESENT_SHARE`` of its length, or is degenerate (a leg nearly constant, the legs almost collinear);
    ``z`` is NaN too where the row's own candle is missing.

    :ivar alpha: intercept of log A on log B.
    :ivar beta: hedge ratio (notional of B per notional of A).
    :ivar sigma: residual standard deviation with n - 2 degrees of freedom, log units.
    :ivar z: the row's own residual divided by sigma (the residual's mean is 0 by construction).
    :ivar half_life_candles: half-life of the window's residual from its AR(1) regression; ``inf`` where the
        residual does not revert to its mean (AR(1) coefficient >= 1), 0 where the coefficient is <= 0 (the
        deviation is gone within one candle).
    """

    alpha: FloatArray
    beta: FloatArray
    sigma: FloatArray
    z: FloatArray
    half_life_candles: FloatArray


@dataclass(frozen=True, slots=True)
class _Moments:
    """Means and centred cross products of the present values among the ``length`` rows that end at each row.

    ``count`` is how many are present, shape (T,), whole numbers; it and all the others are NaN where the
    block begins before row 0. Means and products of no value at all are 0.
    """

    length: int
    count: FloatArray
    means: tuple[FloatArray, ...]
    products: Mapping[tuple[int, int], FloatArray]


def _shifted(values: FloatArray, by: int) -> FloatArray:
    """``values`` moved ``by`` rows later; rows without a source are NaN."""
    out = np.full_like(values, np.nan)
    if by < values.size:
        out[by:] = values[: values.size - by]
    return out


def _merge(earlier: _Moments, later: _Moments) -> _Moments:
    """Moments of the block ``later`` ending at row t together with ``earlier`` ending just before it."""
    n_earlier, n_later = _shifted(earlier.count, later.length), later.count
    total = n_earlier + n_later
    share_later = n_later / np.where(total == 0.0, 1.0, total)
    moved_means = [_shifted(mean, later.length) for mean in earlier.means]
    deltas = [new - old for new, old in zip(later.means, moved_means, strict=True)]
    means = tuple(old + delta * share_later for old, delta in zip(moved_means, deltas, strict=True))
    weight = n_earlier * share_later
    products = {
        (i, j): (_shifted(earlier.products[i, j], later.length) + later.products[i, j])
        + (deltas[i] * deltas[j]) * weight
        for (i, j) in later.products
    }
    return _Moments(earlier.length + later.length, total, means, products)


def windowed_moments(
    series: tuple[FloatArray, ...], pairs: tuple[tuple[int, int], ...], window: int
) -> tuple[FloatArray, tuple[FloatArray, ...], Mapping[tuple[int, int], FloatArray]]:
    """Count, means and centred cross products over every window of ``window`` rows.

    :param series: arrays of shape (T,); a row where any of them is NaN is missing in all of them.
    :param pairs: which products to form, as index pairs into ``series``.
    :return: present rows per window, means per series and ``{(i, j): sum of (x_i - mean_i)(x_j - mean_j)}``,
        each of shape (T,), NaN where the window is not full.
    """
    is_present = np.logical_and.reduce([~np.isnan(values) for values in series])
    zeros = np.zeros(is_present.shape)
    block = _Moments(
        length=1,
        count=is_present.astype(np.float64),
        means=tuple(np.where(is_present, values, 0.0) for values in series),
        products=dict.fromkeys(pairs, zeros),
    )
    result: _Moments | None = None
    remaining = window
    while True:
        if remaining & 1:
            # The shortest blocks lie at the end of the window, longer ones before them.
            result = block if result is None else _merge(block, result)
        remaining >>= 1
        if not remaining:
            break
        block = _merge(block, block)
    assert result is not None  # window >= 1 has at least one bit set
    return result.count, result.means, result.products


def half_life_from_slope(slope: FloatArray) -> FloatArray:
    """Half-life in candles of an AR(1) process from the slope of ``delta u`` on lagged ``u``.

    ``ln(1/2) / ln(1 + slope)``: exact for AR(1). ``inf`` for slope >= 0, 0 for slope <= -1, NaN stays NaN.
    """
    slope = np.asarray(slope, dtype=np.float64)
    inside = (slope < 0.0) & (slope > -1.0)
    out = np.full(slope.shape, np.nan)
    out[inside] = -LN2 / np.log1p(slope[inside])
    out[slope >= 0.0] = np.inf
    out[slope <= -1.0] = 0.0
    return out


def rolling_models(log_a: ArrayLike, log_b: ArrayLike, window_candles: int) -> RollingModels:
    """OLS of log A on a constant and log B over every window, and the half-life of each window's residual.

    The half-life of row t regresses the first difference of that window's residual (with that window's alpha
    and beta) on a constant and the lagged residual, over those of the window's ``window_candles - 1`` steps
    whose two candles are both present, in closed form from the moments of log A, log B and their differences.

    :param log_a: log prices of leg A, shape (T,); NaN (or inf) marks a missing candle.
    :param log_b: log prices of leg B on the same candles, shape (T,).
    :param window_candles: window length in candles, at least 4.
    :raises DataError: different lengths or a window that is too short.
    """
    a = np.array(log_a, dtype=np.float64)
    b = np.array(log_b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise DataError(
            "the two legs' log prices must be one-dimensional and equally long",
            value=f"shapes {a.shape} and {b.shape}",
            remedy="align both legs on the same candles first",
        )
    if window_candles < MIN_CANDLES:
        raise DataError(
            "the rolling window is too short",
            value=f"{window_candles} candles",
            remedy=f"use at least {MIN_CANDLES}, better some hundreds",
        )
    a[~np.isfinite(a)] = np.nan
    b[~np.isfinite(b)] = np.nan
    if a.size < window_candles:
        empty = np.full(a.shape, np.nan)
        return RollingModels(*(empty.copy() for _ in range(5)))

    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        present, (mean_a, mean_b), level = windowed_moments((a, b), ((0, 0), (0, 1), (1, 1)), window_candles)
        s_aa, s_ab, s_bb = level[0, 0], level[0, 1], level[1, 1]
        beta = s_ab / s_bb
        alpha = mean_a - beta * mean_b
        # beta * s_ab, not s_ab² / s_bb: fewer roundings; clipped because rounding may cross zero.
        rss = s_aa - beta * s_ab
        sigma = np.sqrt(np.maximum(rss, 0.0) / (present - 2))
        least = present * MIN_STD**2
        regular = present >= max(MIN_PRESENT_SHARE * window_candles, MIN_CANDLES)
        regular &= (s_aa >= least) & (s_bb >= least) & (rss > s_aa * (1.0 - MAX_R2))
        z = ((a - mean_a) - beta * (b - mean_b)) / sigma
        half_life = half_life_from_slope(_residual_ar1_slope(a, b, beta, window_candles))
    arrays = [np.where(regular, values, np.nan) for values in (alpha, beta, sigma, z, half_life)]
    return RollingModels(*arrays)


def _residual_ar1_slope(a: FloatArray, b: FloatArray, beta: FloatArray, window: int) -> FloatArray:
    """Slope of ``delta u`` on (1, lagged u) within each window, ``u = a - beta * b`` with the row's beta."""
    lag_a, lag_b = _shifted(a, 1), _shifted(b, 1)
    step_a, step_b = a - lag_a, b - lag_b
    _, _, m = windowed_moments(
        (lag_a, lag_b, step_a, step_b),
        ((0, 0), (0, 1), (1, 1), (0, 2), (0, 3), (1, 2), (1, 3)),
        window - 1,
    )
    var_lag = m[0, 0] - 2.0 * beta * m[0, 1] + beta * beta * m[1, 1]
    cov = m[0, 2] - beta * (m[0, 3] + m[1, 2]) + beta * beta * m[1, 3]
    return np.where(var_lag > 0.0, cov / var_lag, np.nan)
