"""The spread of two log prices: one OLS regression, its residual and the residual's z-score.

Throughout the package ``u = log A - alpha - beta * log B``. On log prices ``beta`` is a ratio of *notionals*
(quote currency held in leg B per unit held in leg A), never a ratio of coin amounts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.support.errors import DataError

# A window of log prices with a smaller standard deviation than a hundredth of a basis point carries no
# information about a hedge ratio: what is left of it after centring is close to rounding error.
MIN_STD = 1e-6
# statsmodels' limit (tsa.stattools.coint): above it two series are "almost perfectly collinear" and the
# residual is mostly rounding error.
MAX_R2 = 1.0 - 100.0 * float(np.sqrt(np.finfo(np.float64).eps))
# Slope, intercept and a residual variance with at least one degree of freedom.
MIN_CANDLES = 4


@dataclass(frozen=True, slots=True)
class SpreadModel:
    """A frozen linear relation between two log prices.

    :ivar alpha: intercept, in units of log A.
    :ivar beta: hedge ratio: notional of leg B per unit of notional of leg A.
    :ivar mu: mean of the residual; 0 for OLS with an intercept, kept because pairs files carry it.
    :ivar sigma: standard deviation of the residual in log units (0.01 = 100 bp of leg A's notional), with
        n - 2 degrees of freedom, that is the square root of statsmodels' ``OLS(...).fit().scale``.
    :ivar r2: coefficient of determination of log A on log B.
    :ivar n: number of candles the model was estimated on.
    """

    alpha: float
    beta: float
    mu: float
    sigma: float
    r2: float
    n: int


def fit_spread_model(log_a: ArrayLike, log_b: ArrayLike) -> SpreadModel:
    """Regress log A on a constant and log B by ordinary least squares.

    :param log_a: log prices of leg A, shape (T,), T >= 4, all finite.
    :param log_b: log prices of leg B on the same candles, shape (T,).
    :raises DataError: different lengths, too few candles, a missing or infinite price, a (nearly) constant
        series, or two series so collinear (R² above statsmodels' limit) that no spread is left.
    """
    a = np.asarray(log_a, dtype=np.float64)
    b = np.asarray(log_b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise DataError(
            "the two legs' log prices must be one-dimensional and equally long",
            value=f"shapes {a.shape} and {b.shape}",
            remedy="align both legs on the same candles first",
        )
    n = a.size
    if n < MIN_CANDLES:
        raise DataError(
            "too few candles for a spread model", value=n, remedy=f"{MIN_CANDLES} is the least; load more"
        )
    for leg, values in (("A", a), ("B", b)):
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise DataError(
                f"leg {leg} has missing or infinite log prices",
                value=f"{bad} of {n} candles",
                remedy="choose a period without gaps; they are never filled in",
            )
    mean_a = float(a.mean())
    mean_b = float(b.mean())
    dev_a = a - mean_a
    dev_b = b - mean_b
    s_aa = float(dev_a @ dev_a)
    s_bb = float(dev_b @ dev_b)
    for leg, moment in (("A", s_aa), ("B", s_bb)):
        std = float(np.sqrt(moment / n))
        if std < MIN_STD:
            raise DataError(
                f"leg {leg} is constant or nearly so",
                value=f"standard deviation of its log price {std:.3g}, least {MIN_STD:g}",
                remedy="a price that does not move can be neither traded nor hedged",
            )
    beta = float(dev_a @ dev_b) / s_bb
    residual = dev_a - beta * dev_b
    rss = float(residual @ residual)
    r2 = 1.0 - rss / s_aa
    if r2 >= MAX_R2:
        raise DataError(
            "the two legs are almost perfectly collinear",
            value=f"R² {r2:.10f}, limit {MAX_R2:.10f}",
            remedy="the same price twice has no spread to trade",
        )
    return SpreadModel(
        alpha=mean_a - beta * mean_b,
        beta=beta,
        mu=float(residual.mean()),
        sigma=float(np.sqrt(rss / (n - 2))),
        r2=r2,
        n=n,
    )


def spread(log_a: ArrayLike, log_b: ArrayLike, model: SpreadModel) -> FloatArray:
    """The residual ``log A - alpha - beta * log B`` in log units, same shape as the inputs.

    A missing (NaN) or infinite price on either leg gives NaN.
    """
    a = np.asarray(log_a, dtype=np.float64)
    b = np.asarray(log_b, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        u = a - model.alpha - model.beta * b
    return np.where(np.isfinite(u), u, np.nan)


def zscore(log_a: ArrayLike, log_b: ArrayLike, model: SpreadModel) -> FloatArray:
    """``(spread - mu) / sigma``: the spread in standard deviations of the formation period, same shape.

    NaN where a price is missing, and everywhere if the model's sigma is not a positive finite number.
    """
    u = spread(log_a, log_b, model)
    if not (np.isfinite(model.sigma) and model.sigma > 0.0):
        return np.full_like(u, np.nan)
    return (u - model.mu) / model.sigma
