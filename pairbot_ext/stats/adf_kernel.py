"""The augmented Dickey-Fuller statistics of ``adf_batch``, compiled: eight spreads at a time in the cache.

Same sums, same Cholesky factors, same choice of the lag; numpy does each step for 256 spreads at once and
carries their matrices through memory between the steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairbot_ext.stats.adf_batch import SpreadTests, spread_tests
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.compiled import kernel
from pairbot_ext.stats.lag_products import IndexArray, Tile

# Spreads side by side in one vector loop: their matrices (28² x 8 x 8 bytes = 50 kB) stay in the caches.
LANES = 8


def compiled_spread_tests(
    tile: Tile, i: IndexArray, j: IndexArray, swapped: NDArray[np.bool_], beta: FloatArray
) -> SpreadTests:
    """As ``adf_batch.spread_tests``."""
    source = tile.source
    a = np.where(swapped, tile.columns[j], tile.rows[i])
    b = np.where(swapped, tile.rows[i], tile.columns[j])
    total, precise = tile.totals(i, j, a, b, beta)
    m, last = source.max_lag, source.n_candles
    edges = [
        np.ascontiguousarray(edge.T)
        for edge in (
            source.levels[: m + 1],
            source.levels[last - m - 1 :],
            source.steps[:m],
            source.steps[last - 1 - m :],
        )
    ]
    shared = (tile.cross, source.own_products, *edges)
    out = SpreadTests.empty(i.size)

    def arguments(part: slice | IndexArray) -> tuple[Any, ...]:
        return (*shared, total[part], i[part], j[part], a[part], b[part], beta[part], last)

    choose_kernel(*arguments(slice(None)), out.lag, out.adf_lag, out.slope)
    for constant, chosen, t in ((0, out.lag, out.coint_t), (1, out.adf_lag, out.adf_t)):
        for k in np.unique(chosen):
            members = np.flatnonzero(chosen == k)
            found = np.empty(members.size)
            statistic_kernel(*arguments(members), int(k), constant, found)
            t[members] = found
    if precise.size:
        exact = spread_tests(tile, i[precise], j[precise], swapped[precise], beta[precise])
        for name in SpreadTests.__slots__:
            getattr(out, name)[precise] = getattr(exact, name)
    return out


@kernel()
def choose_kernel(
    cross, own, head, tail, head_steps, tail_steps, total, i, j, a, b, beta, n_candles, lag, adf_lag, slope
):
    """Lag orders of the spreads ``a - beta b`` without and with a constant, and their AR(1) slope.

    :param cross: ``Tile.cross``, shape (m + 1, rows, columns); spread r uses its entry [:, i[r], j[r]].
    :param own: ``LagProducts.own_products``, shape (m + 1, N).
    :param head, tail: first and last m + 1 levels, shape (N, m + 1).
    :param head_steps, tail_steps: first and last m steps, shape (N, m).
    :param total: sum of the spread's squares, shape (B,).
    :param i, j, a, b, beta: places in the tile, series and hedge ratio of each spread, shape (B,).
    :param lag, adf_lag, slope: results, shape (B,).
    """
    m = own.shape[0] - 1
    work = _room(m)
    size = a.size
    n = n_candles - 1
    for start in range(0, size, LANES):
        for lane in range(LANES):
            # The last group is filled up with its last spread.
            _load(work, lane, min(start + lane, size - 1), cross, own, head, tail, head_steps, tail_steps,
                  total, i, j, a, b, beta)  # fmt: skip
        products, first, last, first_steps, _, lags, _, factor, squares = work
        _lag_gram(work, m)
        _fill_choice(work, m)
        _factorize(factor, m + 1, m + 3)
        for lane in range(min(LANES, size - start)):
            r = start + lane
            lag[r], adf_lag[r] = _least_aic(factor, lags, first, last, m, n - m, lane)
            own_step = products[0, lane]
            for k in range(m):
                own_step += first_steps[k, lane] ** 2
            end = last[m, lane]
            step = (end**2 - first[0, lane] ** 2 - own_step) / 2.0 + end * (end - first[0, lane]) / n
            slope[r] = step / (squares[lane] - end**2 - end**2 / n)


@kernel()
def statistic_kernel(
    cross, own, head, tail, head_steps, tail_steps, total, i, j, a, b, beta, n_candles, k, constant, t
):
    """t of the lagged level of spreads with the same lag order ``k``.

    :param constant: 1 with a constant in the regression, else 0. ``t``: result, shape (B,); for the other
        parameters see ``choose_kernel``.
    """
    work = _room(own.shape[0] - 1)
    size = a.size
    level = k + constant
    for start in range(0, size, LANES):
        for lane in range(LANES):
            _load(work, lane, min(start + lane, size - 1), cross, own, head, tail, head_steps, tail_steps,
                  total, i, j, a, b, beta)  # fmt: skip
        lags, factor = work[5], work[7]
        _lag_gram(work, k)
        _fill_statistic(work, k, constant, n_candles - 1 - k)
        _factorize(factor, level + 1, level + 2)
        for lane in range(min(LANES, size - start)):
            rss = lags[0, 0, lane]
            for c in range(level + 1):
                rss -= factor[level + 1, c, lane] ** 2
            degrees = n_candles - 2 - 2 * k - constant
            t[start + lane] = factor[level + 1, level, lane] / np.sqrt(rss / degrees)


@kernel()
def _room(m):
    """Work space for ``LANES`` spreads side by side: each sum is one vector instruction for all of them."""
    return (
        np.empty((m + 1, LANES)),  # products of lag 0 with lag j
        np.empty((m + 1, LANES)),  # first levels
        np.empty((m + 1, LANES)),  # last levels
        np.empty((m, LANES)),  # first steps
        np.empty((m, LANES)),  # last steps
        np.empty((m + 1, m + 1, LANES)),  # products of all lags
        np.empty((m + 1, LANES)),  # products of level and lag j
        np.empty((m + 3, m + 3, LANES)),  # the matrix to factorize
        np.empty(LANES),  # sum of squares
    )


@kernel()
def _load(work, lane, r, cross, own, head, tail, head_steps, tail_steps, total, i, j, a, b, beta):
    products, first, last, first_steps, last_steps, _, _, _, squares = work
    left, right, ratio, row, column = a[r], b[r], beta[r], i[r], j[r]
    m = own.shape[0] - 1
    squares[lane] = total[r]
    for k in range(m + 1):
        products[k, lane] = own[k, left] - ratio * cross[k, row, column] + ratio**2 * own[k, right]
        first[k, lane] = head[left, k] - ratio * head[right, k]
        last[k, lane] = tail[left, k] - ratio * tail[right, k]
    for k in range(m):
        first_steps[k, lane] = head_steps[left, k] - ratio * head_steps[right, k]
        last_steps[k, lane] = tail_steps[left, k] - ratio * tail_steps[right, k]


@kernel()
def _lag_gram(work, k):
    """Sum of du[s-i] du[s-j] over the sample of ``k`` lags (upper triangle), and of u[s] du[s-j].

    The second telescopes.
    """
    products, first, last, first_steps, last_steps, lags, level_lags, _, _ = work
    m = first_steps.shape[0]
    for j in range(k + 1):
        for lane in range(LANES):
            lags[0, j, lane] = products[j, lane]
        for s in range(k, m):
            for lane in range(LANES):
                lags[0, j, lane] += first_steps[s, lane] * first_steps[s - j, lane]
    for i in range(k):
        for j in range(i, k):
            for lane in range(LANES):
                entering = first_steps[k - 1 - i, lane] * first_steps[k - 1 - j, lane]
                leaving = last_steps[m - 1 - i, lane] * last_steps[m - 1 - j, lane]
                lags[i + 1, j + 1, lane] = lags[i, j, lane] + entering - leaving
    for j in range(k + 1):
        for lane in range(LANES):
            ends = last[m - j, lane] ** 2 - first[k - j, lane] ** 2
            level_lags[j, lane] = (ends - lags[j, j, lane]) / 2.0
        for i in range(1, j + 1):
            for lane in range(LANES):
                level_lags[j, lane] += lags[i, j, lane]


@kernel()
def _level_sums(work, k, squares_row, sums_row):
    """Sums of u[s]² and of u[s] over the sample of ``k`` lags."""
    _, first, last, _, _, _, _, _, squares = work
    m = first.shape[0] - 1
    for lane in range(LANES):
        squares_row[lane] = squares[lane] - last[m, lane] ** 2
        sums_row[lane] = -last[m, lane]
        for s in range(k):
            squares_row[lane] -= first[s, lane] ** 2
            sums_row[lane] -= first[s, lane]


@kernel()
def _fill_choice(work, m):
    """Rows [level, lag 1 … lag m | current step, constant] of the common sample."""
    _, first, last, _, _, lags, level_lags, factor, _ = work
    y, const = m + 1, m + 2
    _level_sums(work, m, factor[0, 0], factor[const, 0])
    for lane in range(LANES):
        factor[y, 0, lane] = level_lags[0, lane]
    for i in range(1, m + 1):
        for lane in range(LANES):
            factor[i, 0, lane] = level_lags[i, lane]
            factor[y, i, lane] = lags[0, i, lane]
            factor[const, i, lane] = last[m - i, lane] - first[m - i, lane]
        for j in range(1, i + 1):
            for lane in range(LANES):
                factor[i, j, lane] = lags[j, i, lane]


@kernel()
def _fill_statistic(work, k, constant, n):
    """Rows [lag 1 … lag k, constant where asked for, level, current step] of the sample of ``k`` lags."""
    _, first, last, _, _, lags, level_lags, factor, _ = work
    m = first.shape[0] - 1
    level, y = k + constant, k + constant + 1
    for i in range(1, k + 1):
        for j in range(1, i + 1):
            for lane in range(LANES):
                factor[i - 1, j - 1, lane] = lags[j, i, lane]
        for lane in range(LANES):
            factor[level, i - 1, lane], factor[y, i - 1, lane] = level_lags[i, lane], lags[0, i, lane]
    sums = np.empty(LANES)
    _level_sums(work, k, factor[level, level], sums)
    if constant:
        for lane in range(LANES):
            for i in range(1, k + 1):
                factor[k, i - 1, lane] = last[m - i, lane] - first[k - i, lane]
            factor[k, k, lane], factor[level, k, lane] = float(n), sums[lane]
            factor[y, k, lane] = last[m, lane] - first[k, lane]
    for lane in range(LANES):
        factor[y, level, lane] = level_lags[0, lane]


@kernel()
def _factorize(factor, columns, rows):
    """First columns of the Cholesky factors, in place; NaN from a pivot on that is not positive."""
    inverse = np.empty(LANES)
    for j in range(columns):
        for lane in range(LANES):
            pivot = factor[j, j, lane]
            root = np.sqrt(pivot) if pivot > 0.0 else np.nan
            factor[j, j, lane], inverse[lane] = root, 1.0 / root
        for i in range(j + 1, rows):
            for lane in range(LANES):
                factor[i, j, lane] *= inverse[lane]
            for c in range(j + 1, min(i + 1, columns)):
                for lane in range(LANES):
                    factor[i, c, lane] -= factor[i, j, lane] * factor[c, j, lane]


@kernel()
def _least_aic(factor, lags, first, last, m, n, lane):
    """Lag orders of least AIC on the common sample of ``n`` candles, without and with a constant."""
    y, const = m + 1, m + 2
    rss, const_left, y_const = lags[0, 0, lane], float(n), last[m, lane] - first[m, lane]
    best = best_const = np.inf
    chosen = chosen_const = 0
    for k in range(m + 1):
        rss -= factor[y, k, lane] ** 2
        const_left -= factor[const, k, lane] ** 2
        y_const -= factor[y, k, lane] * factor[const, k, lane]
        aic = n * np.log(rss) + 2.0 * k
        if aic < best:
            best, chosen = aic, k
        aic = n * np.log(rss - y_const**2 / const_left) + 2.0 * k
        if aic < best_const:
            best_const, chosen_const = aic, k
    return chosen, chosen_const
