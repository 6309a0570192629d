"""Augmented Dickey-Fuller statistics of many spreads at once, equal to statsmodels' lag by lag.

statsmodels' ``adfuller(..., autolag="AIC")`` fits every lag order k = 0 … m on the sample that all of them
share (the first m differences dropped), takes the k with the least AIC, the lower one on a tie, and then
refits that k on its own longer sample, from which t comes. Both steps are done here from Gram matrices by
Cholesky factors: the factor of [level, lag 1 … lag m] contains the residual sum of squares of every nested
order. The version with a constant needs no second factorization, only one more right-hand side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.lag_products import IndexArray, Spreads, Tile

# The Gram matrices of one chunk of spreads should stay in a core's cache: 26² x 256 x 8 bytes = 1.4 MB.
CHUNK_SPREADS = 256


@dataclass(frozen=True, slots=True)
class SpreadTests:
    """Results of B spreads, each of shape (B,).

    :ivar lag, coint_t: lag order and t of the regression without constant, as ``coint``.
    :ivar adf_lag, adf_t: with a constant, as ``adfuller(regression="c")``.
    :ivar slope: of du on (1, lagged u); see ``half_life_from_slope``.
    """

    lag: NDArray[np.intp]
    coint_t: FloatArray
    adf_lag: NDArray[np.intp]
    adf_t: FloatArray
    slope: FloatArray

    @staticmethod
    def empty(size: int) -> SpreadTests:
        """Room for the results of ``size`` spreads."""
        lag, adf_lag = np.empty(size, dtype=np.intp), np.empty(size, dtype=np.intp)
        return SpreadTests(lag, np.empty(size), adf_lag, np.empty(size), np.empty(size))


def spread_tests(
    tile: Tile, i: IndexArray, j: IndexArray, swapped: NDArray[np.bool_], beta: FloatArray
) -> SpreadTests:
    """Test the spreads of the tile's pairs (rows[i], columns[j]); leg A is the column where ``swapped``."""
    out = SpreadTests.empty(i.size)

    def spreads(part: slice | IndexArray) -> Spreads:
        return tile.spreads(i[part], j[part], swapped[part], beta[part])

    for first in range(0, i.size, CHUNK_SPREADS):
        part = slice(first, first + CHUNK_SPREADS)
        chunk = spreads(part)
        out.lag[part], out.adf_lag[part] = choose_lags(chunk)
        out.slope[part] = ar1_slopes(chunk)
    for chosen, column, constant in ((out.lag, out.coint_t, False), (out.adf_lag, out.adf_t, True)):
        for k in np.unique(chosen):
            members = np.flatnonzero(chosen == k)
            for first in range(0, members.size, CHUNK_SPREADS):
                few = members[first : first + CHUNK_SPREADS]
                column[few] = t_statistics(spreads(few), int(k), constant=constant)
    return out


@dataclass(frozen=True, slots=True)
class _Gram:
    """Sums of products over the sample s = k .. T-2 of B spreads; n = T-1-k observations.

    :ivar lags: sum of du[s-i] du[s-j], shape (k + 1, k + 1, B), upper triangle (i <= j) only.
    :ivar level_lags: sum of u[s] du[s-j], shape (k + 1, B).
    :ivar level: sum of u[s]², shape (B,).
    :ivar sum_lags: sum of du[s-j], shape (k + 1, B).
    :ivar sum_level: sum of u[s], shape (B,).
    """

    lags: FloatArray
    level_lags: FloatArray
    level: FloatArray
    sum_lags: FloatArray
    sum_level: FloatArray
    n: int


def _gram(spreads: Spreads, k: int) -> _Gram:
    m = spreads.head_steps.shape[0]
    head, tail, head_steps = spreads.head, spreads.tail, spreads.head_steps
    lags = np.empty((k + 1, k + 1, head.shape[1]))
    lags[0] = spreads.products[: k + 1]
    for s in range(k, m):
        lags[0] += head_steps[s] * head_steps[s - k : s + 1][::-1]
    # First entry of `before`: the difference that enters the sample when both lags grow by one.
    before = head_steps[:k][::-1]
    after = spreads.tail_steps[m - k :][::-1]
    for i in range(k):
        lags[i + 1, i + 1 :] = lags[i, i:k] + before[i] * before[i:] - after[i] * after[i:]
    level_lags = np.empty((k + 1, head.shape[1]))
    for j in range(k + 1):
        telescoped = (tail[m - j] ** 2 - head[k - j] ** 2 - lags[j, j]) / 2.0
        level_lags[j] = telescoped + lags[1 : j + 1, j].sum(axis=0) if j else telescoped
    return _Gram(
        lags=lags,
        level_lags=level_lags,
        level=spreads.total - np.einsum("sb,sb->b", head[:k], head[:k]) - tail[m] ** 2,
        sum_lags=tail[m - k :][::-1] - head[: k + 1][::-1],
        # The spread has mean zero over all candles.
        sum_level=-head[:k].sum(axis=0) - tail[m],
        n=spreads.n_candles - 1 - k,
    )


def _cholesky_columns(a: FloatArray, columns: int) -> FloatArray:
    """First ``columns`` columns of the Cholesky factor of B matrices, shape (rows, columns, B).

    Only the lower triangle of ``a``, shape (rows, >= columns, B), is read. A pivot that is not positive gives
    NaN from there on: such a spread has no defined statistic.
    """
    rows = a.shape[0]
    factor = np.zeros((rows, columns, a.shape[2]))
    for j in range(columns):
        column = a[j:, j].copy()
        if j:
            column -= np.einsum("ikb,kb->ib", factor[j:, :j], factor[j, :j])
        factor[j:, j] = column / np.sqrt(np.where(column[0] > 0.0, column[0], np.nan))
    return factor


def choose_lags(spreads: Spreads) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Lag orders of least AIC, without and with a constant in the regression, each of shape (B,)."""
    m = spreads.head_steps.shape[0]
    g = _gram(spreads, m)
    y, const = m + 1, m + 2
    a = np.empty((m + 3, m + 1, spreads.total.size))
    a[0, 0] = g.level
    a[1 : m + 1, 0] = g.level_lags[1:]
    for i in range(1, m + 1):
        a[i:y, i] = g.lags[i, i:]
    a[y, 0], a[y, 1:] = g.level_lags[0], g.lags[0, 1:]
    a[const, 0], a[const, 1:] = g.sum_level, g.sum_lags[1:]
    factor = _cholesky_columns(a, m + 1)
    rss = g.lags[0, 0] - np.cumsum(factor[y] ** 2, axis=0)
    const_left = g.n - np.cumsum(factor[const] ** 2, axis=0)
    y_const = g.sum_lags[0] - np.cumsum(factor[y] * factor[const], axis=0)
    rss_const = rss - y_const**2 / const_left
    # AIC up to terms all orders share: n log(RSS) + 2 (number of parameters).
    parameters = 2.0 * np.arange(m + 1)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = g.n * np.log(rss) + parameters
        with_const = g.n * np.log(rss_const) + parameters
    return _first_minimum(plain), _first_minimum(with_const)


def _first_minimum(aic: FloatArray) -> NDArray[np.intp]:
    return np.argmin(np.where(np.isnan(aic), np.inf, aic), axis=0)


def t_statistics(spreads: Spreads, k: int, *, constant: bool) -> FloatArray:
    """t of the lagged level in the ADF regression with ``k`` lags on its own sample, shape (B,).

    :param constant: include a constant, as ``adfuller(regression="c")``; without, as ``coint`` does.
    """
    g = _gram(spreads, k)
    extra = 1 if constant else 0
    level, y = k + extra, k + extra + 1
    a = np.empty((y + 1, y, spreads.total.size))
    for i in range(k):
        a[i:k, i] = g.lags[i + 1, i + 1 :]
    if constant:
        a[k, :k], a[k, k] = g.sum_lags[1:], g.n
        a[level, k], a[y, k] = g.sum_level, g.sum_lags[0]
    a[level, :k], a[level, level] = g.level_lags[1:], g.level
    a[y, :k], a[y, level] = g.lags[0, 1:], g.level_lags[0]
    factor = _cholesky_columns(a, y)
    rss = g.lags[0, 0] - np.einsum("kb,kb->b", factor[y], factor[y])
    with np.errstate(invalid="ignore", divide="ignore"):
        return factor[y, level] / np.sqrt(rss / (g.n - k - 1 - extra))


def ar1_slopes(spreads: Spreads) -> FloatArray:
    """Slope of du on (1, lagged u) over all T-1 steps, shape (B,); see ``half_life_from_slope``."""
    g = _gram(spreads, 0)
    level = g.level - g.sum_level**2 / g.n
    cross = g.level_lags[0] - g.sum_level * g.sum_lags[0] / g.n
    with np.errstate(invalid="ignore", divide="ignore"):
        return cross / level
