"""What a number of pair trades can show: a mean with an interval, and the smallest edge it could detect.

Pair trades of one week share one market, so their results are not independent and the usual standard error
is too small. The standard error here is clustered by week (Liang & Zeger 1986, Biometrika 73:13):

    SE² = G/(G − 1) · Σ_g (Σ_{i in g} (x_i − mean))² / n²

with n pair trades in G weeks and Student's t on G − 1 degrees of freedom for the interval (Cameron & Miller
2015, J. Human Resources 50:317). With few weeks even that is somewhat too short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95
POWER = 0.80
FEW_WEEKS = 12
"""Below this many weeks the interval is itself a rough estimate."""


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """Mean of n results in G weeks. All but the counts in the unit of the values.

    :ivar sd: standard deviation of one result; NaN for n = 1.
    :ivar se: week-clustered standard error of the mean; NaN for one week.
    :ivar low, high: 95 % interval; NaN for one week.
    :ivar detectable: smallest true mean that a test at the 5 % level (two-sided) finds with 80 % power when
        results scatter like these; NaN for one week.
    """

    n: int
    weeks: int
    mean: float
    sd: float
    se: float
    low: float
    high: float
    detectable: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0 (False where there is no interval)."""
        return self.low > 0 or self.high < 0

    def needed_for(self, edge: float) -> float:
        """How many results of this scatter a true mean of `edge` needs to be found with 80 % power."""
        return self.n * (self.detectable / edge) ** 2


def clustered_mean(values: ArrayLike, when: Sequence[datetime]) -> ClusteredMean | None:
    """Mean of `values` with its week-clustered interval; None for no values.

    :param values: one result per pair trade, shape (n,), any unit.
    :param when: when each was opened, UTC; its week (from Monday 00:00 UTC) is its cluster.
    """
    from scipy.special import stdtrit

    x = np.asarray(values, dtype=np.float64)
    if x.size != len(when):
        raise ValueError(f"{x.size} values but {len(when)} times")
    if x.size == 0:
        return None
    weeks, member = np.unique([_week(moment) for moment in when], return_inverse=True)
    mean, nan = float(x.mean()), float("nan")
    sd = float(x.std(ddof=1)) if x.size > 1 else nan
    count = int(weeks.size)
    if count < 2:
        return ClusteredMean(int(x.size), count, mean, sd, nan, nan, nan, nan)
    sums = np.bincount(member, weights=x - mean)
    se = float(np.sqrt(count / (count - 1) * np.sum(sums**2)) / x.size)
    reach = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2))
    return ClusteredMean(
        n=int(x.size),
        weeks=count,
        mean=mean,
        sd=sd,
        se=se,
        low=mean - reach * se,
        high=mean + reach * se,
        detectable=(reach + float(stdtrit(count - 1, POWER))) * se,
    )


def best_of_chance(lines: int) -> float:
    """By how many standard errors the best of `lines` independent results without any edge stands out on
    average (Blom 1958: the normal quantile of (k − 0.375)/(k + 0.25))."""
    from scipy.special import ndtri

    return float(ndtri((lines - 0.375) / (lines + 0.25)))


def _week(moment: datetime) -> int:
    """The Monday of a moment's week, as a day number."""
    day = moment.astimezone(UTC).date()
    return (day - timedelta(days=day.weekday())).toordinal()
