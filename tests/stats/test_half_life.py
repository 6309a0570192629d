"""Half-life: closed form, coverage of the interval by simulation, degenerate input."""

import numpy as np
import pytest

from pairbot_ext.stats.regression import fit_spread_model, spread
from pairbot_ext.stats.reversion import half_life, half_life_interval


def ar1_paths(half_life_candles: float, n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Stationary AR(1) paths, shape (draws, n)."""
    rho = 0.5 ** (1.0 / half_life_candles)
    u = np.empty((draws, n))
    u[:, 0] = rng.standard_normal(draws) / np.sqrt(1.0 - rho**2)
    noise = rng.standard_normal((draws, n))
    for t in range(1, n):
        u[:, t] = rho * u[:, t - 1] + noise[:, t]
    return u


def test_noise_free_decay_has_its_exact_half_life() -> None:
    u = 3.0 + 0.5 ** (np.arange(60) / 7.0)
    assert half_life(u).candles == pytest.approx(7.0, rel=1e-9)


@pytest.mark.parametrize(("true", "n"), [(24.0, 720), (12.0, 720), (24.0, 1440), (60.0, 720), (4.0, 480)])
def test_interval_of_a_known_spread_covers_ninety_percent(true: float, n: int) -> None:
    rng = np.random.default_rng(int(1000 * true) + n)
    draws = 1500
    results = [half_life(u, fitted=False) for u in ar1_paths(true, n, draws, rng)]
    below = np.mean([r.high < true for r in results])
    above = np.mean([r.low > true for r in results])
    # 5 % on each side; 0.02 is 3.5 standard errors of 1,500 draws.
    assert below == pytest.approx(0.05, abs=0.02)
    assert above == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize(("true", "n"), [(24.0, 720), (24.0, 1440), (60.0, 720), (6.0, 720)])
def test_interval_of_a_fitted_spread_covers_ninety_percent(true: float, n: int) -> None:
    rng = np.random.default_rng(int(1000 * true) + n + 1)
    draws = 1500
    paths = ar1_paths(true, n, draws, rng)
    walks = np.cumsum(rng.standard_normal((draws, n)), axis=1)
    results = []
    for u, log_b in zip(paths, walks, strict=True):
        log_a = 0.8 * log_b + u
        results.append(half_life(spread(log_a, log_b, fit_spread_model(log_a, log_b))))
    below = np.mean([r.high < true for r in results])
    above = np.mean([r.low > true for r in results])
    assert below == pytest.approx(0.05, abs=0.02)
    assert above == pytest.approx(0.05, abs=0.02)
    # The bias the interval corrects for: the point estimate alone is too short most of the time.
    assert np.median([r.candles for r in results]) < true


def test_a_random_walk_is_not_excluded_in_95_percent() -> None:
    rng = np.random.default_rng(5)
    walks = np.cumsum(rng.standard_normal((1500, 600)), axis=1)
    unbounded = np.mean([half_life(u, fitted=False).high == np.inf for u in walks])
    assert unbounded == pytest.approx(0.95, abs=0.02)


def test_a_diverging_series_never_reverts() -> None:
    result = half_life(np.exp(np.arange(100) / 20.0))
    assert result.candles == np.inf
    assert result.high == np.inf


@pytest.mark.parametrize(
    "u",
    [
        np.full(50, 2.0),
        2.0 + 1e-9 * np.sin(np.arange(50)),
        [1.0, 2.0, 1.0],
        [1.0, np.nan, 2.0, 1.0, 3.0],
        [1.0, np.inf, 2.0, 1.0, 3.0],
        [],
    ],
    ids=["constant", "nearly constant", "short", "nan", "inf", "empty"],
)
def test_unusable_series_give_no_number(u) -> None:
    result = half_life(u)
    assert np.isnan([result.candles, result.low, result.high]).all()


@pytest.mark.parametrize("fitted", [True, False])
def test_interval_is_ordered_and_widens_with_less_data(fitted: bool) -> None:
    estimates = np.array([1.0, 3.0, 12.0, 24.0, 48.0, 200.0, np.inf])
    low_long, high_long = half_life_interval(estimates, 5000, fitted=fitted)
    low_short, high_short = half_life_interval(estimates, 500, fitted=fitted)
    for low, high in ((low_long, high_long), (low_short, high_short)):
        assert (low <= high).all()
        assert (np.diff(low) >= 0).all()
    assert (high_short >= high_long).all()
    assert high_short[-1] == np.inf
