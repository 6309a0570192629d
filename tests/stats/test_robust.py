"""The size-correct test: its regression against statsmodels, its size and power on seeded simulations."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from benchmarks.synthetic import garch_steps, iid_steps, planted_universe
from pairbot_ext.stats import scan_pairs
from pairbot_ext.stats.multiplicity import one_row_per_pair
from pairbot_ext.stats.robust import robust_p_values, robust_test, surface_p
from pairbot_ext.stats.weighted_adf import (
    DECAY,
    FLOOR_SHARE,
    volatility_weights,
    weighted_adf,
    weighted_max_lag,
)
from pairbot_ext.support.errors import DataError


def spread_path(seed: int, n: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = {
        "walk": rng.standard_normal(n),
        "garch": garch_steps(n, 1, rng)[:, 0],
        "moving average": np.convolve(rng.standard_normal(n + 1), [1.0, -0.6], "valid"),
    }[kind]
    u = np.zeros(n)
    for t in range(1, n):
        u[t] = 0.97 * u[t - 1] + noise[t]
    return u - u.mean()


def regression(
    u: np.ndarray, weights: np.ndarray, lags: int, first: int
) -> sm.regression.linear_model.RegressionResults:
    """WLS of du[s] on u[s], du[s-1] … du[s-lags] for s >= first, by statsmodels."""
    steps = np.diff(u)
    columns = [u[first:-1]] + [steps[first - lag : steps.size - lag] for lag in range(1, lags + 1)]
    return sm.WLS(steps[first:], np.column_stack(columns), weights=weights[first:]).fit()


def test_weights_follow_their_definition() -> None:
    steps = np.random.default_rng(0).standard_t(4, 60)
    squares, mean = steps**2, np.mean(steps**2)
    expected = np.empty(60)
    for t in range(60):
        past = (1 - DECAY) * sum(DECAY**i * squares[t - i] for i in range(t + 1)) + DECAY ** (t + 1) * mean
        ahead = (1 - DECAY) * sum(DECAY**i * squares[t + i] for i in range(60 - t)) + DECAY ** (60 - t) * mean
        expected[t] = 1 / ((past + ahead) / 2 + FLOOR_SHARE * mean)
    np.testing.assert_allclose(volatility_weights(steps), expected, rtol=1e-10)


@pytest.mark.parametrize("kind", ["walk", "garch", "moving average"])
@pytest.mark.parametrize("n", [150, 700])
def test_statistic_and_lag_equal_statsmodels_weighted_regression(kind: str, n: int) -> None:
    u = spread_path(n, n, kind)
    weights = volatility_weights(np.diff(u))
    longest = 12
    t, lag = weighted_adf(u, longest)
    # The AIC of one sample: n log(RSS) + 2 k, as in adfuller.
    aic = [
        (n - 1 - longest) * np.log(regression(u, weights, k, longest).ssr) + 2 * k for k in range(longest + 1)
    ]
    assert lag == int(np.argmin(aic))
    assert t == pytest.approx(regression(u, weights, lag, lag).tvalues[0], abs=1e-8)
    if kind == "moving average":
        assert lag > 0


def test_a_perfect_decay_has_no_statistic() -> None:
    u = 0.5 ** np.arange(100.0)
    assert weighted_adf(u - u.mean(), 4)[1] == -1


def test_longest_lag() -> None:
    assert weighted_max_lag(1440) == 47
    assert weighted_adf(spread_path(1, 40, "walk"))[1] <= 10


@pytest.fixture(scope="module")
def pair() -> np.ndarray:
    return planted_universe(garch_steps, 1440, 2, 1, 12.0, np.random.default_rng(2))


def test_exchanging_the_legs_changes_nothing(pair: np.ndarray) -> None:
    one, other = robust_test(pair[:, 0], pair[:, 1]), robust_test(pair[:, 1], pair[:, 0])
    assert (one.t, one.p) == (other.t, other.p)
    assert (one.t_ab, one.lag_ab) == (other.t_ba, other.lag_ba)
    assert one.t == max(one.t_ab, one.t_ba)
    assert one.p < 1e-4


def test_scaling_a_price_changes_nothing(pair: np.ndarray) -> None:
    one = robust_test(pair[:, 0], pair[:, 1])
    other = robust_test(pair[:, 0] + np.log(1000.0), pair[:, 1] - 3.0)
    assert other.t == pytest.approx(one.t, abs=1e-7)


@pytest.mark.parametrize("n_candles", [100, 360, 500, 720, 1000, 1440, 2000, 2880, 9000])
def test_p_falls_with_the_statistic_down_to_zero(n_candles: int) -> None:
    t = np.linspace(-40.0, 5.0, 2001)
    p = surface_p(t, n_candles)
    assert (np.diff(p) >= 0).all()
    assert p[0] < 1e-9
    assert p[-1] == 1.0
    assert surface_p(np.array([-3.2]), n_candles)[0] == pytest.approx(0.009, rel=0.5)
    assert np.isnan(surface_p(np.array([np.nan]), n_candles)).all()


@pytest.mark.parametrize(("steps", "n_candles"), [(iid_steps, 720), (garch_steps, 720), (iid_steps, 1000)])
def test_size_is_at_most_nominal(steps, n_candles: int) -> None:
    rng = np.random.default_rng(n_candles)
    draws = 1000
    x = np.cumsum(steps(n_candles, 2 * draws, rng), axis=0)
    p = np.array([robust_test(x[:, 2 * i], x[:, 2 * i + 1]).p for i in range(draws)])
    # Bounds of the design plus 2.5 binomial standard errors of 1,000 draws.
    assert np.mean(p <= 0.05) <= 0.06 + 0.017
    assert np.mean(p <= 0.01) <= 0.013 + 0.008
    assert np.mean(p <= 0.20) >= 0.08  # and it is not a test that never rejects


def test_only_candidates_are_computed_and_the_others_count_as_one(pair: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([pair, np.cumsum(iid_steps(1440, 3, rng), axis=0)])
    x[:, 4] = 1.0
    names = list("ABCDE")
    table = one_row_per_pair(scan_pairs(x, names))
    calls: list[tuple[int, int]] = []
    result = robust_p_values(table, x, names, progress=lambda *call: calls.append(call))
    rejected = table["reason"] != ""
    weaker = table[["coint_p", "reverse_coint_p"]].max(axis=1)
    candidate = ~rejected & (weaker <= 0.10)
    assert rejected.sum() == 4
    assert result.loc[rejected].isna().all(axis=None)
    assert (result.loc[~rejected & ~candidate, "robust_p"] == 1.0).all()
    assert result.loc[~candidate, "robust_t"].isna().all()
    assert candidate.iloc[0]
    test = robust_test(x[:, 0], x[:, 1])
    assert (result["robust_t"].iloc[0], result["robust_p"].iloc[0]) == (test.t, test.p)
    assert calls[-1] == (candidate.sum(), candidate.sum())


def test_late_starters_are_tested_on_their_own_candles(pair: np.ndarray) -> None:
    x = pair.copy()
    x[:200, 1] = np.nan
    table = one_row_per_pair(scan_pairs(x, min_candles=500))
    result = robust_p_values(table, x, [0, 1])
    assert result["robust_t"].iloc[0] == robust_test(pair[200:, 0], pair[200:, 1]).t


def test_missing_values_and_mismatched_names_are_refused(pair: np.ndarray) -> None:
    broken = pair[:, 0].copy()
    broken[5] = np.nan
    with pytest.raises(DataError, match="1 and 0 missing"):
        robust_test(broken, pair[:, 1])
    with pytest.raises(DataError, match="do not match"):
        robust_p_values(pd.DataFrame(), pair, ["A"])
