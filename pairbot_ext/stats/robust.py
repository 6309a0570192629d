"""A size-correct p-value of a pair.

The textbook Engle-Granger p is wrong in two ways on real candles: it is too small where volatility clusters,
and it is one of two, since either leg may be the dependent variable. The test used here instead:

* statistic: the volatility-weighted ADF t (``weighted_adf``) of the residual, in both directions, of which
  the *weaker* one counts: a pair must be cointegrated whichever leg is called A. This is the one declared
  two-direction rule of the package. It gives away nothing: a true pair rejects in both directions, a spurious
  one seldom does, so at equal size the weaker direction has more power than either alone;
* p-value: from a simulated response surface (``benchmarks/robust_table.py``), as MacKinnon's for the textbook
  statistic. Exact for homoskedastic noise, conservative under clustering (docs/statistics/size.md).

A wild bootstrap of the textbook statistic was the alternative. It has the right size as well, but less power
(it keeps the statistic that the storms spoil), its resolution must reach 1e-4 and below for hundreds of
tests, which costs tens of thousands of draws for every candidate or a fitted tail, and it is random: the same
candles could give two answers. The surface is deterministic; its own resolution is that of 160,000 simulated
pairs (about 5e-5), below which p is the extrapolation of a quadratic in normal scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pairbot_ext.stats import compiled
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.lag_products import IndexArray
from pairbot_ext.stats.weighted_adf import longest_lag, weighted_adf
from pairbot_ext.support.errors import DataError

# A pair whose weaker textbook p is larger gets p = 1 without the weighted test: it cannot be selected, and
# counting it as 1 keeps every other p valid.
SCREEN_P = 0.10
# Of a pair, both directions, at T = 1440.
NUMPY_SECS = 1.2e-3
# Pairs given to a thread at a time, and pairs between two reports of progress.
PART, PAIRS_PER_REPORT = 64, 4096

# Phi^-1(p) = c0 + c1 t + c2 t² per sample length, for the weaker of both directions under iid random walks.
# From 720 candles on the distribution no longer depends on the length: fits at 720, 1440 and 2880 differ by
# less than their simulation error, so the one with the most pairs (160,680, T = 1440) stands for all.
_SURFACE: dict[int, tuple[float, float, float]] = {
    360: (2.32741, 1.75928, 0.09194),
    720: (2.15385, 1.67209, 0.07743),
}
# The surface is fitted to p between 5e-5 and 0.3. Larger p are not needed and not reported.
MAX_FITTED_P = 0.3


@dataclass(frozen=True, slots=True)
class RobustTest:
    """The size-correct test of one pair.

    :ivar t: weaker of both directions' weighted ADF t; NaN if a regression is singular.
    :ivar p: its p-value, 1 where it is above 0.3.
    :ivar t_ab, t_ba: the two directions (A on B, B on A).
    :ivar lag_ab, lag_ba: their lag orders.
    """

    t: float
    p: float
    t_ab: float
    t_ba: float
    lag_ab: int
    lag_ba: int


def robust_test(log_a: ArrayLike, log_b: ArrayLike) -> RobustTest:
    """Test the null hypothesis that two log prices are not cointegrated.

    Symmetric: exchanging the legs exchanges ``t_ab`` and ``t_ba`` and leaves ``t`` and ``p``.

    :param log_a: shape (T,), finite, not constant (``scan_pairs`` rejects what is not).
    :param log_b: shape (T,), same candles.
    """
    a = np.asarray(log_a, dtype=np.float64)
    b = np.asarray(log_b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError(
            "the robust test needs two equally long series without missing values",
            value=f"shapes {a.shape} and {b.shape}, "
            f"{np.count_nonzero(~np.isfinite(a))} and {np.count_nonzero(~np.isfinite(b))} missing",
        )
    a = a - a.mean()
    b = b - b.mean()
    cross = a @ b
    t_ab, lag_ab = weighted_adf(a - cross / (b @ b) * b)
    t_ba, lag_ba = weighted_adf(b - cross / (a @ a) * a)
    # NaN in either direction makes the pair's statistic NaN: no p-value instead of half a test.
    t = t_ab if np.isnan(t_ab) else max(t_ba, t_ab) if not np.isnan(t_ba) else t_ba
    return RobustTest(t, float(surface_p(np.array([t]), a.size)[0]), t_ab, t_ba, lag_ab, lag_ba)


def weaker_t(
    log_prices: FloatArray, leg_a: IndexArray, leg_b: IndexArray, *, threads: int | None = None
) -> FloatArray:
    """``RobustTest.t`` of many pairs of columns at once, shape (B,).

    :param log_prices: shape (T, N), the columns used finite and not constant.
    :param leg_a, leg_b: columns of each pair, shape (B,).
    :param threads: how many to use, by default one per core. The result does not depend on it.
    """
    count = compiled.thread_count(threads)
    blocks = compiled.parts(leg_a.size, min(PART, -(-leg_a.size // count) or 1))
    if not compiled.worth_it(leg_a.size * NUMPY_SECS):
        one_by_one = np.empty(leg_a.size)

        def test(part: slice) -> None:
            for row in range(part.start, part.stop):
                one_by_one[row] = robust_test(log_prices[:, leg_a[row]], log_prices[:, leg_b[row]]).t

        compiled.in_threads(test, blocks, count)
        return one_by_one
    from pairbot_ext.stats.weighted_kernel import weighted_adf_kernel

    levels = np.ascontiguousarray((log_prices - log_prices.mean(axis=0)).T)
    squares = np.einsum("nt,nt->n", levels, levels)
    max_lag = longest_lag(levels.shape[1])
    t, lag = np.empty((2, leg_a.size)), np.empty((2, leg_a.size), dtype=np.intp)

    def test_compiled(part: slice) -> None:
        cross = np.einsum("bt,bt->b", levels[leg_a[part]], levels[leg_b[part]])
        for direction, (a, b) in enumerate(((leg_a[part], leg_b[part]), (leg_b[part], leg_a[part]))):
            found = (t[direction, part], lag[direction, part])
            weighted_adf_kernel(levels, a, b, cross / squares[b], max_lag, *found)

    compiled.in_threads(test_compiled, blocks, count)
    # NaN in either direction makes the pair's statistic NaN: no p-value instead of half a test.
    return np.maximum(t[0], t[1])


def surface_p(t: FloatArray, n_candles: int) -> FloatArray:
    """p-value of weaker-direction statistics from samples of ``n_candles``; 1 above 0.3, NaN stays NaN.

    Between 360 and 720 candles the normal score is interpolated in log(length); outside them the nearest
    length is used.
    """
    from scipy.special import ndtr

    lengths = np.array(list(_SURFACE), dtype=np.float64)
    position = float(np.interp(np.log(n_candles), np.log(lengths), np.arange(lengths.size)))
    low = min(int(position), lengths.size - 2)
    weight = position - low
    shorter, longer = (_score(t, _SURFACE[int(length)]) for length in lengths[low : low + 2])
    p = ndtr((1.0 - weight) * shorter + weight * longer)
    return np.where(p > MAX_FITTED_P, 1.0, p)


def _score(t: FloatArray, coefficients: tuple[float, float, float]) -> FloatArray:
    """The fitted parabola, constant beyond its vertex so that p never grows as t falls."""
    c0, c1, c2 = coefficients
    vertex = -c1 / (2.0 * c2)
    t = np.maximum(t, vertex) if c2 > 0.0 else np.minimum(t, vertex)
    return c0 + t * (c1 + t * c2)


def robust_p_values(
    pairs: pd.DataFrame,
    log_prices: ArrayLike,
    names: Sequence[object],
    *,
    screen_p: float = SCREEN_P,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Robust test of every row whose textbook p is small in both directions.

    :param pairs: one row per unordered pair: ``leg_a, leg_b, coint_p, reverse_coint_p, n, reason``.
    :param log_prices: the array given to ``scan_pairs``, shape (T, N); a pair tested on ``n`` candles is
        tested here on its last ``n``.
    :param names: the N labels.
    :param screen_p: textbook p above which (in either direction) the robust p is set to 1.
    :param threads: how many to use, by default one per core. The result does not depend on it.
    :param progress: called with (tests done, tests to do).
    :return: ``robust_t`` (NaN where not computed) and ``robust_p`` (1 where screened out, NaN where the row
        has a reason) on the index of ``pairs``.
    """
    x = np.asarray(log_prices, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != len(names):
        raise DataError("log prices and names do not match", value=f"{x.shape} and {len(names)} names")
    column = {name: i for i, name in enumerate(names)}
    weaker = pairs[["coint_p", "reverse_coint_p"]].max(axis=1, skipna=False).to_numpy(dtype=np.float64)
    tested = (pairs["reason"] == "").to_numpy() & ~np.isnan(weaker)
    t = np.full(len(pairs), np.nan)
    p = np.where(tested, 1.0, np.nan)
    candidates = np.flatnonzero(tested & (weaker <= screen_p))
    leg_a, leg_b = (
        np.array([column[leg] for leg in pairs[name].iloc[candidates]], dtype=np.intp)
        for name in ("leg_a", "leg_b")
    )
    n = pairs["n"].to_numpy()[candidates]
    done = 0
    for length in np.unique(n):
        same = np.flatnonzero(n == length)
        for block in compiled.parts(same.size, PAIRS_PER_REPORT):
            part = same[block]
            rows = candidates[part]
            t[rows] = weaker_t(x[x.shape[0] - int(length) :], leg_a[part], leg_b[part], threads=threads)
            # A singular weighted regression proves nothing: the test was made and did not reject.
            found = surface_p(t[rows], int(length))
            p[rows] = np.where(np.isnan(found), 1.0, found)
            done += part.size
            if progress is not None:
                progress(done, candidates.size)
    return pd.DataFrame({"robust_t": t, "robust_p": p}, index=pairs.index)
