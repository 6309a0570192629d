"""``weighted_adf`` of many spreads, compiled: the same arithmetic, spread by spread, without temporaries.

Nearly all of the time goes into the weighted products of the lags, (m + 1)(m + 2) / 2 sums over the candles:
for m = 47 and T = 1440 some 3.3 million multiply-adds a spread, which nothing shares with other spreads
because the weights are the spread's own. The kernel does nine sums at a time from values that stay in
registers and the innermost cache.
"""

from __future__ import annotations

import numpy as np

from pairbot_ext.stats.compiled import kernel
from pairbot_ext.stats.weighted_adf import DECAY, FLOOR_SHARE


@kernel()
def weighted_adf_kernel(levels, leg_a, leg_b, beta, max_lag, t, lag):
    """Weighted ADF t and lag order of the spreads ``levels[leg_a] - beta levels[leg_b]``.

    :param levels: demeaned log prices, one series a row, shape (N, T), float64, C-contiguous.
    :param leg_a, leg_b: rows, shape (B,); ``beta``: shape (B,).
    :param max_lag: longest lag searched.
    :param t, lag: results, shape (B,): (NaN, -1) where a regression is singular.
    """
    n_candles = levels.shape[1]
    n_steps = n_candles - 1
    current = max_lag + 1
    padded = (max_lag // 3 + 1) * 3
    u = np.empty(n_candles)
    # Lags beyond the last one fill a block of three; what they read lies before the first step.
    buffer = np.zeros(padded - max_lag - 1 + n_steps)
    steps = buffer[padded - max_lag - 1 :]
    weights = np.empty(n_steps)
    weighted = np.empty((3, n_steps))
    lags = np.zeros((padded, padded))
    gram = np.zeros((max_lag + 2, max_lag + 2))
    factor = np.zeros((max_lag + 2, max_lag + 2))
    for row in range(leg_a.size):
        a, b, ratio = levels[leg_a[row]], levels[leg_b[row]], beta[row]
        for s in range(n_candles):
            u[s] = a[s] - ratio * b[s]
        for s in range(n_steps):
            steps[s] = u[s + 1] - u[s]
        _volatility_weights(steps, weights, weighted[0])
        _lag_products(buffer, weights, max_lag, padded, weighted, lags)
        # Rows and columns: level, lag 1 … lag m, current step (lag 0); upper triangle.
        for s in range(n_steps):
            weighted[0, s] = weights[s] * u[s]
        gram[0, 0] = _dot(weighted[0, max_lag:], u[max_lag:n_steps])
        gram[0, current] = _dot(weighted[0, max_lag:], steps[max_lag:])
        gram[current, current] = lags[0, 0]
        for j in range(1, max_lag + 1):
            gram[0, j] = _dot(weighted[0, max_lag:], steps[max_lag - j : n_steps - j])
            gram[j, current] = lags[0, j]
            for i in range(1, j + 1):
                gram[i, j] = lags[i, j]
        t[row], lag[row] = np.nan, -1
        factor[:, :] = gram
        if not _cholesky(factor, max_lag + 2):
            continue
        rss = gram[current, current]
        n = n_steps - max_lag
        best, chosen = np.inf, -1
        for k in range(max_lag + 1):
            rss -= factor[k, current] ** 2
            aic = n * np.log(rss) + 2.0 * k
            if aic < best:
                best, chosen = aic, k
        if chosen < 0:
            continue
        _refit_gram(gram, u, steps, weights, max_lag, chosen, factor)
        if not _cholesky(factor, chosen + 2):
            continue
        observations = n_steps - chosen
        variance = factor[chosen + 1, chosen + 1] ** 2 / (observations - chosen - 1)
        t[row], lag[row] = factor[chosen, chosen + 1] / np.sqrt(variance), chosen


@kernel()
def _volatility_weights(steps, weights, scratch):
    n = steps.size
    mean = 0.0
    for s in range(n):
        mean += steps[s] ** 2
    mean /= n
    before = after = 0.0
    for s in range(n):
        before = (1.0 - DECAY) * (steps[s] ** 2 - mean) + DECAY * before
        after = (1.0 - DECAY) * (steps[n - 1 - s] ** 2 - mean) + DECAY * after
        weights[s] = before
        scratch[n - 1 - s] = after
    for s in range(n):
        weights[s] = 1.0 / (mean + (weights[s] + scratch[s]) / 2.0 + FLOOR_SHARE * mean)


@kernel(reorder_sums=True)
def _dot(x, y):
    total = 0.0
    for s in range(x.size):
        total += x[s] * y[s]
    return total


@kernel(reorder_sums=True)
def _lag_products(buffer, weights, max_lag, padded, scratch, out):
    """Upper triangle of sum over s = m .. of w[s] du[s-i] du[s-j], nine entries at a time."""
    first = padded - 1
    n = weights.size - max_lag
    w = weights[max_lag:]
    p, q, r = scratch[0, :n], scratch[1, :n], scratch[2, :n]
    for i in range(0, padded, 3):
        x0, x1, x2 = buffer[first - i :], buffer[first - i - 1 :], buffer[first - i - 2 :]
        for s in range(n):
            p[s], q[s], r[s] = w[s] * x0[s], w[s] * x1[s], w[s] * x2[s]
        for j in range(i, padded, 3):
            y0, y1, y2 = buffer[first - j :], buffer[first - j - 1 :], buffer[first - j - 2 :]
            a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = 0.0
            for s in range(n):
                a0 += p[s] * y0[s]
                a1 += p[s] * y1[s]
                a2 += p[s] * y2[s]
                b0 += q[s] * y0[s]
                b1 += q[s] * y1[s]
                b2 += q[s] * y2[s]
                c0 += r[s] * y0[s]
                c1 += r[s] * y1[s]
                c2 += r[s] * y2[s]
            out[i, j], out[i, j + 1], out[i, j + 2] = a0, a1, a2
            out[i + 1, j], out[i + 1, j + 1], out[i + 1, j + 2] = b0, b1, b2
            out[i + 2, j], out[i + 2, j + 1], out[i + 2, j + 2] = c0, c1, c2


@kernel()
def _cholesky(a, size):
    """Upper factor of the leading block of ``a`` in place of its upper triangle; False: not positive."""
    for k in range(size):
        if not a[k, k] > 0.0:
            return False
        root = np.sqrt(a[k, k])
        a[k, k] = root
        for j in range(k + 1, size):
            a[k, j] /= root
        for i in range(k + 1, size):
            share = a[k, i]
            for j in range(i, size):
                a[i, j] -= share * a[k, j]
    return True


@kernel()
def _refit_gram(gram, u, steps, weights, max_lag, k, out):
    """Products of [lag 1 … lag k, level, current step] on the sample of ``k`` lags, upper triangle.

    It has the candles k … m - 1 more than the common sample.
    """
    level, current, last = k, k + 1, max_lag + 1
    for i in range(1, k + 1):
        for j in range(i, k + 1):
            out[i - 1, j - 1] = gram[i, j]
        out[i - 1, level], out[i - 1, current] = gram[0, i], gram[i, last]
    out[level, level], out[level, current], out[current, current] = (
        gram[0, 0],
        gram[0, last],
        gram[last, last],
    )
    for s in range(k, max_lag):
        w = weights[s]
        for i in range(1, k + 1):
            scaled = w * steps[s - i]
            for j in range(i, k + 1):
                out[i - 1, j - 1] += scaled * steps[s - j]
            out[i - 1, level] += scaled * u[s]
            out[i - 1, current] += scaled * steps[s]
        out[level, level] += w * u[s] * u[s]
        out[level, current] += w * u[s] * steps[s]
        out[current, current] += w * steps[s] * steps[s]
