"""Rolling models: right at every row, and the same bits whatever surrounds the window."""

import time

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.stats.regression import fit_spread_model, spread
from pairbot_ext.stats.rolling import RollingModels, half_life_from_slope, rolling_models
from pairbot_ext.support.errors import DataError

FIELDS = ("alpha", "beta", "sigma", "z", "half_life_candles")


def legs(seed: int, n: int, rho: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    log_b = 11.0 + np.cumsum(rng.normal(0.0, 0.01, n))
    u = np.zeros(n)
    noise = rng.normal(0.0, 0.005, n)
    for t in range(1, n):
        u[t] = rho * u[t - 1] + noise[t]
    return -5.0 + 0.8 * log_b + u, log_b


def rows(models: RollingModels, where: slice) -> np.ndarray:
    return np.stack([getattr(models, field)[where] for field in FIELDS])


@pytest.mark.parametrize("window", [4, 5, 64, 97, 250])
def test_every_row_equals_the_regression_of_its_own_window(window: int) -> None:
    log_a, log_b = legs(window, 400)
    models = rolling_models(log_a, log_b, window)
    assert np.isnan(rows(models, slice(0, window - 1))).all()
    for t in range(window - 1, 400, 13):
        part = slice(t - window + 1, t + 1)
        model = fit_spread_model(log_a[part], log_b[part])
        u = spread(log_a[part], log_b[part], model)
        slope = sm.OLS(np.diff(u), sm.add_constant(u[:-1])).fit().params[1]
        expected = [
            model.alpha,
            model.beta,
            model.sigma,
            u[-1] / model.sigma,
            half_life_from_slope(np.array([slope]))[0],
        ]
        np.testing.assert_allclose(rows(models, slice(t, t + 1))[:, 0], expected, rtol=1e-8, atol=1e-10)


@given(
    seed=st.integers(0, 2**31), window=st.integers(4, 120), start=st.integers(0, 200), cut=st.integers(0, 99)
)
@settings(max_examples=60, deadline=None)
def test_rows_are_bitwise_the_same_whatever_the_start_and_end(seed, window, start, cut) -> None:
    log_a, log_b = legs(seed, 420)
    end = 420 - cut
    whole = rolling_models(log_a, log_b, window)
    part = rolling_models(log_a[start:end], log_b[start:end], window)
    full_from = start + window - 1
    expected, got = rows(whole, slice(full_from, end)), rows(part, slice(window - 1, None))
    np.testing.assert_array_equal(got, expected)
    assert got.shape[1] == end - full_from


def test_a_missing_candle_is_left_out_of_the_windows_that_hold_it_and_of_no_other() -> None:
    log_a, log_b = legs(3, 300)
    gap_a, gap_b = log_a.copy(), log_b.copy()
    gap_a[120] = np.nan
    gap_b[200:203] = -np.inf
    whole, gappy = rolling_models(log_a, log_b, 30), rolling_models(gap_a, gap_b, 30)
    is_missing, holds_gap = np.zeros(300, dtype=bool), np.zeros(300, dtype=bool)
    is_missing[120] = is_missing[200:203] = True
    holds_gap[120:150] = holds_gap[200:232] = True
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(gappy, field)[~holds_gap], getattr(whole, field)[~holds_gap])
    assert np.isnan(gappy.z[is_missing]).all()
    for t in np.flatnonzero(holds_gap):
        part = slice(t - 29, t + 1)
        kept = ~is_missing[part]
        model = fit_spread_model(log_a[part][kept], log_b[part][kept])
        u = spread(log_a[part], log_b[part], model)
        is_step = kept[1:] & kept[:-1]
        slope = sm.OLS(np.diff(u)[is_step], sm.add_constant(u[:-1][is_step])).fit().params[1]
        half_life = half_life_from_slope(np.array([slope]))[0]
        z = np.nan if is_missing[t] else u[-1] / model.sigma
        np.testing.assert_allclose(
            rows(gappy, slice(t, t + 1))[:, 0],
            [model.alpha, model.beta, model.sigma, z, half_life],
            rtol=1e-8,
            atol=1e-10,
        )


@pytest.mark.parametrize(("missing", "is_estimated"), [(4, True), (5, False)])
def test_a_window_needs_nine_tenths_of_its_candles(missing: int, is_estimated: bool) -> None:
    log_a, log_b = legs(9, 120)
    # Half of the gaps on each leg: what counts is the candles that both legs have.
    log_a[60 : 60 + missing // 2] = np.nan
    log_b[70 : 70 + missing - missing // 2] = np.nan
    models = rolling_models(log_a, log_b, 40)
    assert np.isfinite(models.z[85]) == is_estimated
    assert np.isfinite(models.beta[59])
    assert np.isfinite(models.beta[119])


@given(
    seed=st.integers(0, 2**31),
    window=st.integers(10, 120),
    start=st.integers(0, 200),
    share=st.sampled_from([0.01, 0.05, 0.2]),
)
@settings(max_examples=40, deadline=None)
def test_gaps_leave_rows_independent_of_the_start(seed, window, start, share) -> None:
    log_a, log_b = legs(seed, 420)
    rng = np.random.default_rng(seed)
    log_a[rng.random(420) < share] = np.nan
    log_b[rng.random(420) < share] = np.nan
    whole, part = rolling_models(log_a, log_b, window), rolling_models(log_a[start:], log_b[start:], window)
    np.testing.assert_array_equal(
        rows(part, slice(window - 1, None)), rows(whole, slice(start + window - 1, None))
    )


@pytest.mark.parametrize("case", ["a constant", "b constant", "identical", "linear", "b nearly constant"])
def test_degenerate_windows_give_no_number(case: str) -> None:
    log_a, log_b = legs(4, 200)
    log_a, log_b = {
        "a constant": (np.full(200, 3.3), log_b),
        "b constant": (log_a, np.full(200, 3.3)),
        "identical": (log_b, log_b),
        "linear": (1.0 + 0.3 * log_b, log_b),
        "b nearly constant": (log_a, 9.0 + 1e-12 * log_b),
    }[case]
    assert np.isnan(rows(rolling_models(log_a, log_b, 50), slice(None))).all()


def test_only_the_constant_stretch_is_blank() -> None:
    log_a, log_b = legs(5, 300)
    log_b[100:160] = log_b[100]
    models = rolling_models(log_a, log_b, 40)
    assert np.isnan(models.z[139:160]).all()
    assert np.isfinite(models.z[39:139]).all()
    assert np.isfinite(models.z[160:]).all()


def test_half_life_of_a_spread_that_does_not_revert_is_infinite() -> None:
    t = np.arange(200.0)
    log_b = 5.0 + 0.01 * np.sin(t / 3.0)
    log_a = 2.0 + np.exp(t / 40.0)
    assert rolling_models(log_a, log_b, 150).half_life_candles[-1] == np.inf


def test_half_life_from_slope_closed_form() -> None:
    slopes = np.array([-0.5, 2.0 ** (-1 / 24) - 1.0, 0.0, 0.1, -1.0, -1.5, np.nan])
    np.testing.assert_allclose(half_life_from_slope(slopes), [1.0, 24.0, np.inf, np.inf, 0.0, 0.0, np.nan])


def test_short_series_and_bad_arguments() -> None:
    log_a, log_b = legs(6, 20)
    assert np.isnan(rows(rolling_models(log_a, log_b, 21), slice(None))).all()
    with pytest.raises(DataError, match="too short"):
        rolling_models(log_a, log_b, 3)
    with pytest.raises(DataError, match="equally long"):
        rolling_models(log_a, log_b[1:], 5)


def test_input_is_not_modified() -> None:
    log_a, log_b = legs(7, 50)
    log_a[3] = np.inf
    before = log_a.copy()
    rolling_models(log_a, log_b, 10)
    np.testing.assert_array_equal(log_a, before)


def test_ten_thousand_rows_take_less_than_half_a_second() -> None:
    log_a, log_b = legs(8, 10_000)
    started = time.process_time()
    rolling_models(log_a, log_b, 1440)
    assert time.process_time() - started < 0.5
