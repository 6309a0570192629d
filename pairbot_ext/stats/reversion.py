"""Half-life of a spread with a 90 % interval.

The point estimate is the usual one: regress ``delta u`` on a constant and lagged ``u``; half-life =
ln(1/2) / ln(1 + slope). It is biased low (true 24 h over 720 hourly candles: the median estimate is 21 h
when the regression behind the residual is known, shorter still when it was fitted on the same candles)
and its distribution is skewed, so estimate ± standard errors would be wrong.

The interval inverts the estimator's distribution instead (Andrews 1993, Econometrica 61:139). With n steps
write c = n ln2 / HL, the reversion over the sample. As long as the half-life is longer than a few candles the
distribution of c_hat depends on c only (local-to-unity asymptotics, Phillips 1987, Biometrika 74:535), so its
quantiles q05(c) and q95(c) can be tabulated once. The interval holds every half-life whose 5 % … 95 % range
contains the estimate: it has 90 % coverage, 5 % missed on each side, and its upper end is ``inf`` where the
data cannot exclude that there is no reversion at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.regression import MIN_CANDLES, MIN_STD
from pairbot_ext.stats.rolling import LN2, half_life_from_slope

INTERVAL_LEVEL = 0.90
_Z95 = 1.6448536269514722

# Quantiles of c_hat less the normal first-order quantile c + z * sqrt(n (exp(2c/n) - 1)), simulated by
# benchmarks/half_life_table.py (40,000 paths of 2,000 steps, seed 20260201). Columns: c; 5 % and 95 % for
# an observed series; 5 % and 95 % for the residual of a regression fitted on the same candles.
_TABLE = np.array(
    [
        (0.0, 0.116, 14.197, 1.523, 20.737),
        (0.5, 1.553, 12.466, 2.996, 18.794),
        (1.0, 2.004, 11.707, 3.420, 17.911),
        (2.0, 2.555, 10.729, 3.908, 16.691),
        (3.0, 2.912, 10.419, 4.358, 16.021),
        (4.0, 3.125, 9.900, 4.544, 15.096),
        (6.0, 3.476, 9.202, 4.882, 14.254),
        (8.0, 3.729, 8.928, 5.093, 13.521),
        (12.0, 4.000, 8.310, 5.404, 12.596),
        (16.0, 4.140, 8.036, 5.559, 11.943),
        (24.0, 4.459, 7.721, 5.985, 11.022),
        (32.0, 4.672, 7.199, 6.224, 10.411),
        (48.0, 4.797, 7.064, 6.302, 10.001),
        (64.0, 4.831, 6.917, 6.558, 9.763),
        (96.0, 5.135, 6.830, 6.904, 9.466),
        (128.0, 5.286, 6.502, 7.043, 8.987),
        (192.0, 5.402, 7.547, 7.294, 9.985),
        (256.0, 5.436, 6.550, 7.333, 9.118),
    ]
)
_C_MAX = 5_000.0


@dataclass(frozen=True, slots=True)
class HalfLife:
    """Half-life in candles and its 90 % interval.

    :ivar candles: point estimate; ``inf`` if the series does not revert, NaN if it cannot be estimated.
    :ivar low: lower end of the interval.
    :ivar high: upper end; ``inf`` if "no reversion" cannot be excluded.
    """

    candles: float
    low: float
    high: float


def half_life(u: ArrayLike, *, fitted: bool = True) -> HalfLife:
    """Half-life of the series ``u`` with its 90 % interval.

    :param u: spread, shape (T,), consecutive candles.
    :param fitted: True (default) if ``u`` is the residual of a regression on one other price estimated on
        these same candles, which pulls the estimate down further; False if alpha and beta were known before.
    :return: NaN in every field if a value is missing, the series is (nearly) constant or shorter than 4.
    """
    values = np.asarray(u, dtype=np.float64)
    if values.ndim != 1 or values.size < MIN_CANDLES or not np.all(np.isfinite(values)):
        return HalfLife(np.nan, np.nan, np.nan)
    lagged = values[:-1] - values[:-1].mean()
    level = float(lagged @ lagged)
    if level < MIN_STD**2 * lagged.size:
        return HalfLife(np.nan, np.nan, np.nan)
    estimate = half_life_from_slope(np.array([float(np.diff(values) @ lagged) / level]))
    low, high = half_life_interval(estimate, lagged.size, fitted=fitted)
    return HalfLife(float(estimate[0]), float(low[0]), float(high[0]))


def half_life_interval(
    estimate: ArrayLike, steps: int, *, fitted: bool = True
) -> tuple[FloatArray, FloatArray]:
    """The 90 % interval that belongs to half-life estimates from ``steps`` AR(1) steps.

    :param estimate: half-lives in candles, any shape; ``inf`` (no reversion) is allowed, NaN stays NaN.
    :param steps: number of differences the AR(1) regression used (candles - 1).
    :param fitted: as in :func:`half_life`.
    :return: (low, high) in candles, same shape.
    """
    hl = np.asarray(estimate, dtype=np.float64)
    with np.errstate(divide="ignore"):
        c_hat = np.where(hl > 0.0, steps * LN2 / hl, _C_MAX)
    c_grid = _c_grid(steps)
    scale = _Z95 * np.sqrt(steps * np.expm1(2.0 * c_grid / steps))
    columns = (3, 4) if fitted else (1, 2)
    q05, q95 = (
        np.maximum.accumulate(c_grid + sign * scale + np.interp(c_grid, _TABLE[:, 0], _TABLE[:, column]))
        for sign, column in ((-1.0, columns[0]), (1.0, columns[1]))
    )
    # c_hat above q05(c) keeps c in the interval: its largest c solves q05(c) = c_hat, its smallest q95(c) =
    # c_hat. Below q95(0) even c = 0, no reversion, is in it.
    largest = np.interp(c_hat, q05, c_grid)
    smallest = np.where(c_hat > q95[0], np.interp(c_hat, q95, c_grid), 0.0)
    with np.errstate(divide="ignore"):
        low = np.where(largest > 0.0, steps * LN2 / largest, np.inf)
        high = np.where(smallest > 0.0, steps * LN2 / smallest, np.inf)
    missing = np.isnan(hl)
    return np.where(missing, np.nan, low), np.where(missing, np.nan, high)


def _c_grid(steps: int) -> NDArray[np.float64]:
    """Values of c to invert over: fine where the table bends, up to a half-life of a third of a candle."""
    top = min(_C_MAX, 2.0 * steps)
    return np.concatenate((np.linspace(0.0, 64.0, 1025), np.geomspace(64.1, max(top, 65.0), 512)))
