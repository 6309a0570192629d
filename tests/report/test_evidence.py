"""The interval and the detectable edge, against a hand calculation, statsmodels and simulation."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pairbot_ext.report.evidence import best_of_chance, clustered_mean

MONDAY = datetime(2025, 3, 3, tzinfo=UTC)


def days(*offsets: float) -> list[datetime]:
    return [MONDAY + timedelta(days=float(offset)) for offset in offsets]


def test_three_results_in_two_weeks_by_hand() -> None:
    # Mean 4; deviations -3, 1 in the first week (sum -2), 2 in the second.
    # SE^2 = 2/1 * ((-2)^2 + 2^2) / 3^2 = 16/9; t(0.975, 1) = 12.7062, t(0.8, 1) = 1.37638.
    found = clustered_mean([1.0, 5.0, 6.0], days(0, 6.99, 7))
    assert found is not None
    assert (found.n, found.weeks, found.mean) == (3, 2, 4.0)
    assert found.se == pytest.approx(4 / 3)
    assert found.low == pytest.approx(4 - 12.7062 * 4 / 3, rel=1e-5)
    assert found.high == pytest.approx(4 + 12.7062 * 4 / 3, rel=1e-5)
    assert found.detectable == pytest.approx((12.7062 + 1.37638) * 4 / 3, rel=1e-5)
    assert found.needed_for(found.detectable / 2) == pytest.approx(12)
    assert not found.excludes_zero


def test_a_week_begins_on_monday_utc() -> None:
    sunday_late = [datetime(2025, 3, 9, 23, 59, tzinfo=UTC), datetime(2025, 3, 10, 0, 0, tzinfo=UTC)]
    elsewhere = [
        datetime.fromisoformat(text) for text in ("2025-03-10T01:00+02:00", "2025-03-09T20:00-05:00")
    ]
    for times in (sunday_late, elsewhere):
        found = clustered_mean([1.0, 2.0], times)
        assert found is not None
        assert found.weeks == 2


def test_against_statsmodels() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(7)
    offsets = rng.integers(0, 90, 120)
    values = rng.normal(-5, 200, 120) + 80 * rng.normal(size=13)[offsets // 7]
    found = clustered_mean(values, days(*offsets))
    fit = sm.OLS(values, np.ones(120)).fit(
        cov_type="cluster", cov_kwds={"groups": offsets // 7, "use_correction": True}, use_t=True
    )
    assert found is not None
    assert found.weeks == 13
    assert found.se == pytest.approx(fit.bse[0], rel=1e-9)
    np.testing.assert_allclose((found.low, found.high), fit.conf_int()[0], rtol=1e-9)


def test_size_and_power_are_what_is_said() -> None:
    """20 weeks of 5 results that share a shock: no edge is "found" in 5 %, the detectable one in 80 %."""
    rng = np.random.default_rng(11)
    weeks, per_week, rounds = 20, 5, 800
    times = days(*np.repeat(np.arange(weeks) * 7, per_week))
    true_se = math.sqrt((60**2 + 100**2 / per_week) / weeks)
    multiple = clustered_mean(np.arange(100.0), times)
    assert multiple is not None
    edge = multiple.detectable / multiple.se * true_se
    found = {0.0: 0, edge: 0}
    for _ in range(rounds):
        draw = np.repeat(rng.normal(0, 60, weeks), per_week) + rng.normal(0, 100, weeks * per_week)
        for true in found:
            result = clustered_mean(draw + true, times)
            assert result is not None
            found[true] += result.excludes_zero
    assert 0.03 <= found[0.0] / rounds <= 0.075
    assert 0.74 <= found[edge] / rounds <= 0.86


def test_one_week_gives_no_interval_and_nothing_gives_none() -> None:
    one = clustered_mean([1.0, 2.0], days(0, 1))
    assert one is not None
    assert one.mean == 1.5
    assert math.isnan(one.low)
    assert not one.excludes_zero
    single = clustered_mean([3.0], days(0))
    assert single is not None
    assert math.isnan(single.sd)
    assert clustered_mean([], []) is None
    with pytest.raises(ValueError, match="2 values but 1 times"):
        clustered_mean([1.0, 2.0], days(0))


def test_the_best_of_many_against_simulation() -> None:
    rng = np.random.default_rng(3)
    for lines in (3, 10, 50):
        simulated = rng.normal(size=(20_000, lines)).max(axis=1).mean()
        assert best_of_chance(lines) == pytest.approx(simulated, abs=0.03)
