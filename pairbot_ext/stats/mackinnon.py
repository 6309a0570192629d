"""MacKinnon's approximate p-values of unit-root and cointegration statistics, for whole arrays.

The tables are those of J. G. MacKinnon, "Approximate Asymptotic Distribution Functions for Unit-Root and
Cointegration Tests", Journal of Business & Economic Statistics 12 (1994) 167-176, for a regression with a
constant, as statsmodels holds them (``statsmodels.tsa.adfvalues``; a test compares every number). They stand
here because statsmodels' module loads scipy.stats, a sixth of a scan's time, to look up sixteen of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairbot_ext.stats.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class _Surface:
    """p = Phi(polynomial in t), one up to `star`, another above it; 0 below `least`, 1 above `most`.

    :ivar small: coefficients up to `star`, of t to the power 0, 1, 2.
    :ivar large: coefficients above it, of t to the power 0, 1, 2, 3.
    """

    least: float
    star: float
    most: float
    small: tuple[float, ...]
    large: tuple[float, ...]


_SURFACES = {
    1: _Surface(-18.83, -1.61, 2.74, (2.1659, 1.4412, 0.038269), (1.7339, 0.93202, -0.12745, -0.010368)),
    2: _Surface(-18.86, -2.62, 0.92, (2.92, 1.5012, 0.039796), (2.1945, 0.64695, -0.29198, -0.042377)),
}


def mackinnon_p(t: ArrayLike, *, n_series: int) -> FloatArray:
    """p-value of each statistic; equals ``statsmodels.tsa.adfvalues.mackinnonp(t, "c", N=n_series)``.

    :param t: statistics, any shape; NaN stays NaN.
    :param n_series: number of I(1) series: 1 for an ADF test, 2 for Engle-Granger with one regressor.
    """
    from scipy.special import ndtr

    t = np.asarray(t, dtype=np.float64)
    surface = _SURFACES[n_series]
    polynomial = np.polynomial.polynomial.polyval
    small, large = polynomial(t, surface.small), polynomial(t, surface.large)
    p = ndtr(np.where(t <= surface.star, small, large))
    p = np.where(t > surface.most, 1.0, p)
    p = np.where(t < surface.least, 0.0, p)
    return np.where(np.isnan(t), np.nan, p)
