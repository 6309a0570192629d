"""The spread model against statsmodels, closed forms and unusable input."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.stats.regression import SpreadModel, fit_spread_model, spread, zscore
from pairbot_ext.support.errors import DataError


def legs(seed: int, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    log_b = 10.0 + np.cumsum(rng.normal(0.0, 0.01, n))
    log_a = -3.0 + 0.7 * log_b + rng.normal(0.0, 0.02, n)
    return log_a, log_b


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_statsmodels_ols(seed: int) -> None:
    log_a, log_b = legs(seed)
    model = fit_spread_model(log_a, log_b)
    reference = sm.OLS(log_a, sm.add_constant(log_b)).fit()
    assert model.alpha == pytest.approx(reference.params[0], rel=1e-9)
    assert model.beta == pytest.approx(reference.params[1], rel=1e-10)
    assert model.sigma == pytest.approx(np.sqrt(reference.scale), rel=1e-12)
    assert model.r2 == pytest.approx(reference.rsquared, rel=1e-10)
    assert model.mu == pytest.approx(0.0, abs=1e-13)
    assert model.n == 500
    np.testing.assert_allclose(spread(log_a, log_b, model), reference.resid, atol=1e-12)


def test_closed_form_of_four_points() -> None:
    # Points (0, 0), (1, 1), (2, 1), (3, 2): slope 3/5, intercept 1/10, residual sum of squares 1/5.
    model = fit_spread_model([0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0])
    assert model.beta == pytest.approx(0.6)
    assert model.alpha == pytest.approx(0.1)
    assert model.sigma == pytest.approx(np.sqrt(0.2 / 2))
    assert model.r2 == pytest.approx(0.9)


def test_zscore_is_the_spread_in_sigmas_around_mu() -> None:
    model = SpreadModel(alpha=1.0, beta=2.0, mu=0.5, sigma=0.25, r2=0.9, n=100)
    z = zscore([6.0, 5.0, np.nan, 5.0], [2.0, 2.0, 2.0, np.inf], model)
    np.testing.assert_allclose(z[:2], [(6 - 1 - 4 - 0.5) / 0.25, (5 - 1 - 4 - 0.5) / 0.25])
    assert np.isnan(z[2:]).all()


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf])
def test_zscore_of_an_unusable_model_is_missing(sigma: float) -> None:
    model = SpreadModel(alpha=0.0, beta=1.0, mu=0.0, sigma=sigma, r2=1.0, n=10)
    assert np.isnan(zscore([1.0, 2.0], [1.0, 2.0], model)).all()


WALK = 5.0 + np.cumsum(np.random.default_rng(0).normal(0.0, 0.01, 60))


@pytest.mark.parametrize(
    ("log_a", "log_b", "words"),
    [
        (WALK, WALK[:-1], "equally long"),
        (WALK[:3], WALK[:3] ** 2, "too few"),
        (np.where(np.arange(60) == 7, np.nan, WALK), WALK**2, "1 of 60"),
        (WALK**2, np.where(np.arange(60) == 7, -np.inf, WALK), "leg B has missing or infinite"),
        (np.full(60, 4.2), WALK, "leg A is constant"),
        (WALK, 4.2 + 1e-9 * WALK, "leg B is constant"),
        (WALK, WALK, "collinear"),
        (2.0 + 0.5 * WALK, WALK, "collinear"),
    ],
)
def test_unusable_input_is_refused_with_its_reason(log_a, log_b, words) -> None:
    with pytest.raises(DataError, match=words):
        fit_spread_model(log_a, log_b)


@given(
    seed=st.integers(0, 2**31),
    factor_a=st.floats(1e-6, 1e6),
    factor_b=st.floats(1e-6, 1e6),
)
@settings(max_examples=50, deadline=None)
def test_scaling_a_price_changes_alpha_only(seed: int, factor_a: float, factor_b: float) -> None:
    log_a, log_b = legs(seed, 120)
    base = fit_spread_model(log_a, log_b)
    scaled = fit_spread_model(log_a + np.log(factor_a), log_b + np.log(factor_b))
    assert scaled.beta == pytest.approx(base.beta, rel=1e-9)
    assert scaled.sigma == pytest.approx(base.sigma, rel=1e-9)
    assert scaled.r2 == pytest.approx(base.r2, rel=1e-9)
    shift = np.log(factor_a) - base.beta * np.log(factor_b)
    assert scaled.alpha == pytest.approx(base.alpha + shift, abs=1e-8)
