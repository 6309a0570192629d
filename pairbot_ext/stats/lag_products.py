"""Everything the augmented Dickey-Fuller regressions of N(N-1) spreads need, from m + 1 matrix products.

The spread of a pair is linear in two series, ``u = a - beta b``, so each sum of products of its lags is a
quadratic in beta whose coefficients are sums over single series or over pairs of series. Sums over pairs of
series at lag j are the entries of one matrix product, shared by all pairs and both directions:

    D_j[a, b] = sum over s = m .. T-2 of d_a[s] d_b[s-j],    d[s] = x[s+1] - x[s],    G_j = D_j + D_j'
    S_0j(u) = G_j[a, a] / 2 - beta G_j[a, b] + beta² G_j[b, b] / 2

All other entries of a spread's regression follow from S_0j and the series' first and last m values:
S_{i+1,j+1} differs from S_{i,j} by one product at each end of the sample, and sums of level times difference
telescope. A sample that starts at k < m instead of m adds the products of the m - k candles in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairbot_ext.stats.arrays import FloatArray

IndexArray = NDArray[np.intp]

PRECISE_ABOVE_R2 = 0.999
# Width of one matrix product: 1,024 columns of 1,440 candles are 12 MB.
COLUMNS_PER_PRODUCT = 1024


def default_max_lag(n_candles: int) -> int:
    """statsmodels' ``maxlag``: ceil(12 (T/100)^(1/4)) (Schwert 1989); 24 at T = 1440."""
    return int(np.ceil(12.0 * (n_candles / 100.0) ** 0.25))


@dataclass(frozen=True, slots=True)
class Spreads:
    """What is needed of B spreads ``u = a - beta b`` (mean 0), the last axis of every array having length B.

    :ivar products: S_0j over s = m .. T-2, shape (m + 1, B).
    :ivar head, tail: u at the first and last m + 1 candles, shape (m + 1, B).
    :ivar head_steps, tail_steps: the first and last m differences of u, shape (m, B).
    :ivar total: sum of u² over all candles, shape (B,).
    :ivar n_candles: T.
    """

    products: FloatArray
    head: FloatArray
    tail: FloatArray
    head_steps: FloatArray
    tail_steps: FloatArray
    total: FloatArray
    n_candles: int


class LagProducts:
    """The series of one common sample, demeaned, with the sums every pair shares.

    :param log_prices: shape (T, N), finite.
    :param max_lag: m, the longest lag of the ADF regressions.
    :param shared: gives ``directed_products`` of the sample for rows and columns of it, where other windows
        have made most of them already.
    """

    def __init__(
        self,
        log_prices: FloatArray,
        max_lag: int,
        shared: Callable[[IndexArray, IndexArray], FloatArray] | None = None,
    ) -> None:
        self._shared = shared
        self.means = log_prices.mean(axis=0)
        self.levels = np.ascontiguousarray(log_prices - self.means)
        self.steps = np.diff(self.levels, axis=0)
        self.max_lag = max_lag
        self.n_candles, self.n_series = log_prices.shape
        self.sum_squares = np.einsum("tn,tn->n", self.levels, self.levels)
        own = [np.einsum("tn,tn->n", self._current(), self._lagged(lag)) for lag in range(max_lag + 1)]
        self.own_products = np.stack(own)

    def _current(self) -> FloatArray:
        return self.steps[self.max_lag :]

    def _lagged(self, lag: int) -> FloatArray:
        return self.steps[self.max_lag - lag : self.steps.shape[0] - lag]

    def tile(self, rows: IndexArray, columns: IndexArray) -> Tile:
        """Cross sums of the series ``rows`` with the series ``columns``: (m + 2) |rows| |columns| floats."""
        cross = self._directed(rows, columns)
        if np.array_equal(rows, columns):
            cross += cross.transpose(0, 2, 1).copy()
        else:
            cross += self._directed(columns, rows).transpose(0, 2, 1)
        covariance = self.levels[:, rows].T @ self.levels[:, columns]
        return Tile(self, rows, columns, cross, covariance)

    def _directed(self, rows: IndexArray, columns: IndexArray) -> FloatArray:
        if self._shared is not None:
            return self._shared(rows, columns)
        return directed_products(self.steps, rows, columns, self.max_lag, len(self.steps), self.max_lag)


def directed_products(
    steps: FloatArray, rows: IndexArray, columns: IndexArray, start: int, stop: int, max_lag: int
) -> FloatArray:
    """Sum over s = start .. stop - 1 of d_a[s] d_b[s - j], shape (max_lag + 1, rows, columns).

    :param steps: shape (S, N), S >= stop, start >= max_lag.
    """
    current = np.ascontiguousarray(steps[start:stop, rows].T)
    partners = np.ascontiguousarray(steps[start - max_lag : stop, columns])
    n = stop - start
    out = np.empty((max_lag + 1, rows.size, columns.size))
    # Lags side by side: few large matrix products instead of many small ones.
    per_product = max(1, COLUMNS_PER_PRODUCT // columns.size)
    for first in range(0, max_lag + 1, per_product):
        lags = range(first, min(first + per_product, max_lag + 1))
        block = np.concatenate([partners[max_lag - lag : max_lag - lag + n] for lag in lags], axis=1)
        product = (current @ block).reshape(rows.size, len(lags), columns.size)
        out[lags.start : lags.stop] = product.transpose(1, 0, 2)
    return out


@dataclass(frozen=True, slots=True)
class Tile:
    """Cross sums of a block of series with another block.

    :ivar cross: G_j[a, b], shape (m + 1, rows, columns); symmetric under exchange of the two legs.
    :ivar covariance: sum of a b over all candles, shape (rows, columns).
    """

    source: LagProducts
    rows: IndexArray
    columns: IndexArray
    cross: FloatArray
    covariance: FloatArray

    def spreads(self, i: IndexArray, j: IndexArray, swapped: NDArray[np.bool_], beta: FloatArray) -> Spreads:
        """The spreads of the tile's pairs (rows[i], columns[j]); leg A is the column where ``swapped``."""
        source = self.source
        a = np.where(swapped, self.columns[j], self.rows[i])
        b = np.where(swapped, self.rows[i], self.columns[j])
        m, last = source.max_lag, source.n_candles
        products = source.own_products[:, a] - beta * self.cross[:, i, j]
        products += beta**2 * source.own_products[:, b]

        def of(values: FloatArray) -> FloatArray:
            return values[:, a] - beta * values[:, b]

        total, precise = self.totals(i, j, a, b, beta)
        for column in precise:
            u = source.levels[:, a[column]] - beta[column] * source.levels[:, b[column]]
            steps = np.diff(u)
            total[column] = u @ u
            products[:, column] = [steps[m:] @ steps[m - lag : steps.size - lag] for lag in range(m + 1)]
        return Spreads(
            products=products,
            head=of(source.levels[: m + 1]),
            tail=of(source.levels[last - m - 1 :]),
            head_steps=of(source.steps[:m]),
            tail_steps=of(source.steps[last - 1 - m :]),
            total=total,
            n_candles=last,
        )

    def totals(
        self, i: IndexArray, j: IndexArray, a: IndexArray, b: IndexArray, beta: FloatArray
    ) -> tuple[FloatArray, IndexArray]:
        """(Sum of each spread's squares; which spreads must be summed candle by candle).

        Nearly collinear legs: the quadratics in beta are small differences of large sums. Few pairs are like
        that, so their sums are taken from the spread itself.

        :param a, b: the series of leg A and leg B.
        """
        squares = self.source.sum_squares
        total = squares[a] - beta * (2.0 * self.covariance[i, j] - beta * squares[b])
        return total, np.flatnonzero(total < (1.0 - PRECISE_ABOVE_R2) * squares[a])
