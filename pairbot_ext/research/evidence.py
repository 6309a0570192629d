"""What a walk-forward can show: an interval, a Sharpe ratio deflated by the trials, overfitting, a place.

Weeks are the unit: pair trades of one week share one market. Sources: Bailey & López de Prado 2014 (J.
Portfolio Management 40:94, deflated Sharpe ratio); Bailey, Borwein, López de Prado & Zhu 2017 (J.
Computational Finance 20:39, CSCV); Hansen 2005 (J. Business & Economic Statistics 23:365, SPA).
"""

from __future__ import annotations

import importlib.util
from itertools import combinations
from math import comb, e, isfinite, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pairbot_ext.stats.arrays import FloatArray

BOOTSTRAPS = 4_000
MOST_BLOCKS = 10
EULER = 0.5772156649015329


def week_bootstrap(values: ArrayLike, weeks: ArrayLike, level: float, seed: int) -> tuple[float, float]:
    """Interval of the mean of `values`, whole weeks drawn with replacement; NaN with fewer than two weeks.

    :param values, weeks: of each pair trade, shape (n,). :param level: 0.95 for 95 %.
    """
    from scipy.stats import bootstrap

    x, member = np.asarray(values, np.float64), np.asarray(weeks)
    _, place = np.unique(member, return_inverse=True)
    sums, counts = np.bincount(place, weights=x), np.bincount(place).astype(np.float64)
    if sums.size < 2:
        return float("nan"), float("nan")
    found = bootstrap(
        (sums, counts),
        lambda s, n, axis: s.sum(axis=axis) / n.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=BOOTSTRAPS,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def clustered_t(values: ArrayLike, weeks: ArrayLike) -> FloatArray:
    """Mean over its week-clustered standard error, of each row; 0 where there are fewer than two weeks.

    What placebos are ranked by: a mean of few pair trades scatters more than one of many.

    :param values: shape (k, n). :param weeks: of each pair trade, shape (n,).
    """
    x = np.atleast_2d(np.asarray(values, np.float64))
    _, place = np.unique(np.asarray(weeks), return_inverse=True)
    count = int(place.max(initial=-1)) + 1
    if count < 2:
        return np.zeros(x.shape[0])
    mean = x.mean(axis=1, keepdims=True)
    sums = (x - mean) @ np.eye(count)[place]
    se = np.sqrt(count / (count - 1) * (sums**2).sum(axis=1)) / x.shape[1]
    return np.where(se > 0, mean[:, 0] / np.where(se > 0, se, 1.0), 0.0)


def sharpe(returns: FloatArray) -> float:
    """Mean over standard deviation, per period; NaN where nothing moves."""
    sd = float(returns.std(ddof=1)) if returns.size > 1 else 0.0
    return float(returns.mean()) / sd if sd > 0 else float("nan")


def luck_of_trials(returns: FloatArray) -> float:
    """Standard deviation of the variants' Sharpe ratios, as far as luck can make it; NaN of a single one.

    Independent trials without an edge spread by 1 / sqrt(n - 1). What is above that is no luck: where there
    is an edge, some thresholds earn less than others, and that says nothing against the best.

    :param returns: per week and variant, shape (n, k).
    """
    found = np.array([sharpe(column) for column in returns.T])
    found = found[np.isfinite(found)]
    if found.size < 2:
        return float("nan")
    return min(float(found.std(ddof=1)), 1 / sqrt(returns.shape[0] - 1))


def best_of_chance(trials: int) -> float:
    """Standard deviations by which the best of so many tries without any edge is expected to be above 0."""
    if trials <= 1:
        return 0.0
    quantile = NormalDist().inv_cdf
    return (1 - EULER) * quantile(1 - 1 / trials) + EULER * quantile(1 - 1 / (trials * e))


def deflated_sharpe(returns: FloatArray, trials: int, spread_of_trials: float) -> float:
    """Probability that the true Sharpe ratio is above what the best of `trials` without any edge shows.

    :param returns: per week, shape (n,). :param trials: configurations ever tried, this one included.
    :param spread_of_trials: standard deviation of the trials' Sharpe ratios, per week; NaN takes that of
        Sharpe ratios without an edge, 1 / sqrt(n - 1).
    """
    from scipy.stats import kurtosis, norm, skew

    n, own = returns.size, sharpe(returns)
    if n < 3 or not isfinite(own):
        return float("nan")
    spread = spread_of_trials if isfinite(spread_of_trials) and spread_of_trials > 0 else 1 / sqrt(n - 1)
    hurdle = spread * best_of_chance(trials)
    shape = 1 - float(skew(returns)) * own + (float(kurtosis(returns, fisher=False)) - 1) / 4 * own**2
    return float(norm.cdf((own - hurdle) * sqrt(n - 1) / sqrt(max(shape, 1e-12))))


class CrossValidation(NamedTuple):
    """What becomes of the variant that is best in one half of the weeks in the other half: shares of the
    symmetric splits (CSCV), NaN with fewer than two variants or eight weeks.

    :param overfitting: it is below the median of the variants there. Where all are equally good, or equally
        bad, that is one half by construction. :param losing: it loses money there.
    """

    overfitting: float
    losing: float


def cross_validated(returns: FloatArray) -> CrossValidation:
    """Of all symmetric splits of the weeks.

    :param returns: per week and variant, shape (n, k).
    """
    n, k = returns.shape
    blocks = min(MOST_BLOCKS, n // 4 * 2)
    if k < 2 or blocks < 4:
        return CrossValidation(float("nan"), float("nan"))
    parts = np.array_split(np.arange(n), blocks)
    below = losing = 0
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[each] for each in chosen])
        outside = np.concatenate([parts[each] for each in range(blocks) if each not in chosen])
        best = int(np.argmax(_sharpes(returns[inside])))
        other = _sharpes(returns[outside])
        rank = (np.sum(other < other[best]) + 0.5 * np.sum(other == other[best])) / k
        below += bool(rank <= 0.5)
        losing += bool(other[best] <= 0)
    splits = comb(blocks, blocks // 2)
    return CrossValidation(below / splits, losing / splits)


def _sharpes(returns: FloatArray) -> FloatArray:
    sd = returns.std(axis=0, ddof=1)
    return np.where(sd > 0, returns.mean(axis=0) / np.where(sd > 0, sd, 1.0), 0.0)


def superior_ability_p(returns: FloatArray, seed: int) -> float | None:
    """Hansen's consistent p-value that no variant beats cash; None where `arch` is not installed.

    :param returns: per week and variant, shape (n, k).
    """
    if importlib.util.find_spec("arch") is None:
        return None
    from arch.bootstrap import SPA

    moving = returns[:, returns.std(axis=0) > 0]
    if moving.shape[1] == 0 or moving.shape[0] < 8:
        return float("nan")
    # Losses: the smaller the better.
    test = SPA(np.zeros(moving.shape[0]), -moving, reps=1_000, seed=seed)
    test.compute()
    return float(test.pvalues["consistent"])


def place_among(value: float, others: ArrayLike) -> float:
    """Share of `others` below `value`, ties counted half; NaN without any."""
    x = np.asarray(others, np.float64)
    x = x[np.isfinite(x)]
    return float(((x < value).sum() + 0.5 * (x == value).sum()) / x.size) if x.size else float("nan")
