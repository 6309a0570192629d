"""MacKinnon's approximate p-values of unit-root and cointegration statistics, for whole arrays.

statsmodels' ``mackinnonp`` takes one number at a time; the tables (MacKinnon 1994, 2010) are its own and are
read from it, so both always agree.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from pairbot_ext.stats.arrays import FloatArray


def mackinnon_p(
    t: ArrayLike, *, n_series: int, regression: Literal["n", "c", "ct", "ctt"] = "c"
) -> FloatArray:
    """p-value of each statistic; equals ``statsmodels.tsa.adfvalues.mackinnonp(t, regression, N=n_series)``.

    :param t: statistics, any shape; NaN stays NaN.
    :param n_series: number of I(1) series: 1 for an ADF test, 2 for Engle-Granger with one regressor.
    :param regression: deterministic terms of the (first-stage) regression.
    """
    from scipy.special import ndtr
    from statsmodels.tsa import adfvalues

    t = np.asarray(t, dtype=np.float64)
    row = n_series - 1
    polynomial = np.polynomial.polynomial.polyval
    small = polynomial(t, adfvalues._tau_smallps[regression][row])
    large = polynomial(t, adfvalues._tau_largeps[regression][row])
    p = ndtr(np.where(t <= adfvalues._tau_stars[regression][row], small, large))
    p = np.where(t > adfvalues._tau_maxs[regression][row], 1.0, p)
    p = np.where(t < adfvalues._tau_mins[regression][row], 0.0, p)
    return np.where(np.isnan(t), np.nan, p)
