"""The scan engine against statsmodels, pair by pair, and on input statsmodels gets wrong."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.stattools import adfuller, coint

from pairbot_ext.stats import adf_batch, engine, scan_pairs
from pairbot_ext.stats.regression import fit_spread_model, spread
from pairbot_ext.stats.reversion import half_life
from pairbot_ext.support.errors import DataError

NUMBERS = ["alpha", "beta", "sigma", "r2", "coint_t", "coint_p", "adf_t", "adf_p"]
NUMBERS += ["half_life", "half_life_low", "half_life_high"]


def universe(seed: int, n_candles: int, n_series: int, *, kind: str = "walk") -> np.ndarray:
    """Log prices; the last series is cointegrated with the first."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.01, (n_candles, n_series))
    if kind == "fat":
        steps = 0.007 * rng.standard_t(3, (n_candles, n_series))
    if kind == "correlated":
        steps = 0.5 * steps + 0.8 * steps[:, :1]
    if kind == "moving average":
        steps[1:] -= 0.4 * steps[:-1]
    x = 8.0 + np.cumsum(steps, axis=0)
    noise = 2e-4 if kind == "nearly collinear" else 0.01
    x[:, -1] = 1.0 + 0.5 * x[:, 0] + rng.normal(0.0, noise, n_candles)
    return x


def assert_equals_statsmodels(x: np.ndarray, table: pd.DataFrame) -> None:
    for row in table.itertuples():
        log_a, log_b = x[-row.n :, row.leg_a], x[-row.n :, row.leg_b]
        assert row.reason == ""
        t, p, _ = coint(log_a, log_b)
        fit = sm.OLS(log_a, sm.add_constant(log_b)).fit()
        without = adfuller(fit.resid, regression="n", autolag="AIC", result_object=True)
        with_constant = adfuller(fit.resid, regression="c", autolag="AIC", result_object=True)
        assert row.coint_t == pytest.approx(t, abs=1e-8)
        assert row.coint_p == pytest.approx(p, abs=1e-9)
        assert row.lag == without.lags
        assert row.adf_t == pytest.approx(with_constant.statistic, abs=1e-8)
        assert row.adf_p == pytest.approx(with_constant.pvalue, abs=1e-9)
        assert row.adf_lag == with_constant.lags
        assert row.alpha == pytest.approx(fit.params[0], abs=1e-8)
        assert row.beta == pytest.approx(fit.params[1], abs=1e-9)
        assert row.sigma == pytest.approx(np.sqrt(fit.scale), rel=1e-9)
        assert row.r2 == pytest.approx(fit.rsquared, abs=1e-10)


@pytest.mark.parametrize(
    ("n_candles", "n_series", "kind"),
    [
        (30, 5, "walk"),
        (31, 5, "fat"),
        (57, 5, "moving average"),
        (200, 5, "correlated"),
        (300, 3, "nearly collinear"),
        (721, 4, "moving average"),
        (1440, 4, "fat"),
    ],
)
def test_every_ordered_pair_equals_statsmodels(n_candles: int, n_series: int, kind: str) -> None:
    x = universe(n_candles, n_candles, n_series, kind=kind)
    table = scan_pairs(x)
    assert len(table) == n_series * (n_series - 1)
    assert_equals_statsmodels(x, table)


def test_half_life_is_that_of_the_residual() -> None:
    x = universe(1, 400, 4)
    for row in scan_pairs(x).itertuples():
        log_a, log_b = x[:, row.leg_a], x[:, row.leg_b]
        expected = half_life(spread(log_a, log_b, fit_spread_model(log_a, log_b)))
        got = [row.half_life, row.half_life_low, row.half_life_high]
        np.testing.assert_allclose(got, [expected.candles, expected.low, expected.high], rtol=1e-8)


def test_tiles_and_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    x = universe(2, 300, 9)
    x[:40, 5] = np.nan
    whole = scan_pairs(x, min_candles=200)
    monkeypatch.setattr(engine, "MOST_TILE_SERIES", 2)
    monkeypatch.setattr(adf_batch, "CHUNK_SPREADS", 3)
    tiled = scan_pairs(x, min_candles=200)
    pd.testing.assert_frame_equal(whole, tiled, rtol=1e-9, atol=1e-11)


def test_names_order_and_progress() -> None:
    x = universe(3, 100, 3)
    calls: list[tuple[int, int]] = []
    table = scan_pairs(pd.DataFrame(x, columns=["A", "B", "C"]), progress=lambda *call: calls.append(call))
    assert list(zip(table["leg_a"], table["leg_b"], strict=True)) == [
        ("A", "B"),
        ("A", "C"),
        ("B", "A"),
        ("B", "C"),
        ("C", "A"),
        ("C", "B"),
    ]
    assert calls[-1] == (6, 6)
    pd.testing.assert_frame_equal(table, scan_pairs(x, ["A", "B", "C"]))


def bad_series(case: str, good: np.ndarray) -> np.ndarray:
    n = good.size
    return {
        "nan": np.where(np.arange(n) == n // 2, np.nan, good),
        "trailing nan": np.where(np.arange(n) >= n - 3, np.nan, good),
        "late start": np.where(np.arange(n) < 20, np.nan, good),
        "inf": np.where(np.arange(n) == 5, np.inf, good),
        "all nan": np.full(n, np.nan),
        "zero": np.zeros(n),
        "constant": np.full(n, 4.2),
        "nearly constant": 4.2 + 1e-9 * good,
        "one jump": np.where(np.arange(n) < n // 2, 4.2, 4.3),
    }[case]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("nan", "1 of 150 candles"),
        ("trailing nan", "3 of 150 candles"),
        ("late start", "begins 20 candles"),
        ("inf", "1 of 150 log prices are infinite"),
        ("all nan", "no usable candle"),
        ("zero", "constant"),
        ("constant", "constant"),
        ("nearly constant", "constant or nearly so"),
        ("one jump", "unchanged in 99%"),
    ],
)
def test_bad_series_are_rejected_and_the_rest_is_untouched(case: str, words: str) -> None:
    x = universe(4, 150, 4)
    bad = x.copy()
    bad[:, 2] = bad_series(case, x[:, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = scan_pairs(bad, ["P", "Q", "R", "S"])
    touched = (table["leg_a"] == "R") | (table["leg_b"] == "R")
    assert touched.sum() == 6
    assert table.loc[touched, "reason"].str.startswith("R: ").all()
    assert table.loc[touched, "reason"].str.contains(words).all()
    assert table.loc[touched, NUMBERS].isna().all(axis=None)
    assert (table.loc[touched, ["lag", "adf_lag"]] == -1).all(axis=None)
    reference = scan_pairs(x[:, [0, 1, 3]], ["P", "Q", "S"])
    pd.testing.assert_frame_equal(
        table[~touched].reset_index(drop=True), reference, rtol=1e-9, atol=1e-11, check_dtype=False
    )


def test_identical_and_linear_series_are_rejected_as_collinear() -> None:
    x = universe(5, 150, 3)
    x[:, 1] = 2.0 + 0.3 * x[:, 0]
    table = scan_pairs(x)
    collinear = table["reason"].str.startswith("almost collinear")
    assert set(zip(table.loc[collinear, "leg_a"], table.loc[collinear, "leg_b"], strict=True)) == {
        (0, 1),
        (1, 0),
    }
    assert table.loc[collinear, NUMBERS].isna().all(axis=None)


def test_ragged_starts_are_tested_on_the_common_candles_only() -> None:
    x = universe(6, 240, 5)
    x[:60, 1] = np.nan
    x[:60, 3] = np.nan
    x[:90, 2] = np.nan
    table = scan_pairs(x, min_candles=120)
    starts = {0: 0, 1: 60, 2: 90, 3: 60, 4: 0}
    for row in table.itertuples():
        assert row.n == 240 - max(starts[row.leg_a], starts[row.leg_b])
    assert_equals_statsmodels(x, table)
    short = scan_pairs(x, min_candles=160)
    third = (short["leg_a"] == 2) | (short["leg_b"] == 2)
    assert (short.loc[third, "reason"] == "2: only 150 candles, 160 needed").all()
    assert (short.loc[~third, "reason"] == "").all()


def test_fewer_than_two_usable_series_is_an_answer_not_an_error() -> None:
    x = universe(7, 100, 2)
    x[:, 0] = 1.0
    table = scan_pairs(x)
    assert len(table) == 2
    assert (table["reason"] != "").all()
    assert scan_pairs(x[:, :1]).empty


@pytest.mark.parametrize(
    ("x", "names", "min_candles", "words"),
    [
        (np.zeros(50), None, None, "shape"),
        (np.zeros((29, 2)), None, None, "too few candles"),
        (np.zeros((50, 2)), ["A"], None, "one name"),
        (np.zeros((50, 2)), ["A", "A"], None, "unique"),
        (np.zeros((50, 2)), None, 10, "min_candles"),
    ],
)
def test_wrong_arguments(x, names, min_candles, words) -> None:
    with pytest.raises(DataError, match=words):
        scan_pairs(x, names, min_candles=min_candles)


@given(
    seed=st.integers(0, 2**31),
    factors=st.lists(st.floats(1e-6, 1e6), min_size=3, max_size=3),
)
@settings(max_examples=25, deadline=None)
def test_scaling_prices_changes_alpha_only(seed: int, factors: list[float]) -> None:
    x = universe(seed, 120, 3)
    base, scaled = scan_pairs(x), scan_pairs(x + np.log(factors))
    same = [column for column in NUMBERS if column != "alpha"]
    pd.testing.assert_frame_equal(base[same], scaled[same], rtol=1e-6, atol=1e-9)
    pd.testing.assert_series_equal(base["lag"], scaled["lag"])
    shift = np.log(np.array(factors)[scaled["leg_a"]]) - base["beta"] * np.log(
        np.array(factors)[scaled["leg_b"]]
    )
    np.testing.assert_allclose(scaled["alpha"], base["alpha"] + shift, atol=1e-6)


def test_a_window_does_not_depend_on_candles_outside_it() -> None:
    x = universe(8, 400, 4)
    window = x[50:350].copy()
    altered = x.copy()
    altered[350:] = 123.0
    altered[:50] = -7.0
    pd.testing.assert_frame_equal(scan_pairs(window), scan_pairs(altered[50:350]), check_exact=True)
