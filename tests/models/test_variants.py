"""Each variant against its formula, and what all of them promise: the past alone, the same anywhere."""

from __future__ import annotations

from dataclasses import replace
from math import erfc, exp, nan, pi, sqrt

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfi

from pairbot_ext.model.thresholds import Thresholds
from pairbot_ext.models.correlation_filter import CorrelationFilter
from pairbot_ext.models.frozen import Frozen
from pairbot_ext.models.funding_aware import FundingAware
from pairbot_ext.models.half_life_window import HalfLifeWindow
from pairbot_ext.models.kalman import KalmanFilter
from pairbot_ext.models.ornstein_uhlenbeck import OuThresholds, best_entry_z
from pairbot_ext.models.protocol import Formation, Given, Lengths, ModelPath, SpreadModel
from pairbot_ext.models.rolling import RollingOls
from pairbot_ext.models.variants import VARIANTS
from pairbot_ext.models.volatility_filter import VolatilityFilter

SIZE, FIRST, WINDOW = 420, 150, 150
FORMATION = Formation(alpha=1.0, beta=0.8, mu=0.0005, sigma=0.009)
LEVELS = Thresholds(1.5, 0.4, 3.0, 4.0)
# Short enough for these candles.
SHORT: dict[str, SpreadModel] = {
    **VARIANTS,
    "rolling_ols": RollingOls(window_candles=90),
    "funding_aware": FundingAware(window_hours=24.0),
    "volatility_filter": VolatilityFilter(reference_candles=96, max_ratio=1.1),
    "correlation_filter": CorrelationFilter(period_candles=48),
}


def given(seed: int = 1, *, gaps: bool = True) -> Given:
    rng = np.random.default_rng(seed)
    log_b = 2.0 + np.cumsum(rng.normal(0, 0.006, SIZE))
    u = np.zeros(SIZE)
    for t in range(1, SIZE):
        u[t] = 0.85 * u[t - 1] + rng.normal(0, 0.005)
    log_a = 1.0 + 0.8 * log_b + u
    if gaps:
        log_a[rng.integers(0, SIZE, 8)] = nan
        log_b[rng.integers(0, SIZE, 8)] = nan
    settled = np.where(np.arange(SIZE) % 8 == 0, rng.normal(0, 2e-4, SIZE), 0.0)
    return Given(
        FIRST, log_a, log_b, FORMATION, 4.3, LEVELS, WINDOW, 1.0,
        funding_a=settled, funding_b=np.roll(settled, 8),
    )  # fmt: skip


def whole(path: ModelPath) -> np.ndarray:
    allowed = np.ones(path.z.size) if path.may_enter is None else path.may_enter
    return np.array([path.alpha, path.beta, path.mu, path.sigma, path.z, path.half_life_candles, allowed])


def cut(asked: Given, begin: int, end: int) -> Given:
    """The same rows, known from `begin` to `end` only."""
    columns = ("log_a", "log_b", "funding_a", "funding_b")
    return replace(
        asked, first=asked.first - begin, **{name: getattr(asked, name)[begin:end] for name in columns}
    )


@pytest.mark.parametrize("kind", SHORT)
def test_a_row_depends_on_its_own_past_alone(kind: str) -> None:
    """Bit for bit: neither later candles nor candles before its memory change what it says."""
    model, asked = SHORT[kind], given()
    path = whole(model.path(asked))
    assert path.shape == (7, SIZE - FIRST)
    later = whole(model.path(cut(asked, 0, SIZE - 60)))
    np.testing.assert_array_equal(later, path[:, :-60])
    memory = model.history_candles(Lengths(asked.half_life_candles, WINDOW, SIZE - FIRST, 1.0))
    begin = max(FIRST + 1 - memory, 0)
    np.testing.assert_array_equal(whole(model.path(cut(asked, begin, SIZE))), path)


@pytest.mark.parametrize("kind", SHORT)
def test_z_is_that_of_the_four_numbers_an_entry_freezes(kind: str) -> None:
    """What the gate and the exits compute from alpha, beta, mu and sigma is the z that won the entry."""
    asked = given(2)
    path = SHORT[kind].path(asked)
    a, b = asked.log_a[FIRST:], asked.log_b[FIRST:]
    known = np.isfinite(path.z)
    assert known.sum() > 0.8 * known.size
    expected = (a - path.alpha - path.beta * b - path.mu) / path.sigma
    np.testing.assert_allclose(path.z[known], expected[known], rtol=1e-9, atol=1e-9)
    assert not np.isfinite(path.z[~(np.isfinite(a) & np.isfinite(b))]).any()


def test_the_frozen_model_is_the_formation() -> None:
    asked = given()
    path = Frozen().path(asked)
    expected = (asked.log_a - 1.0 - 0.8 * asked.log_b - 0.0005) / 0.009
    np.testing.assert_array_equal(path.z, expected[FIRST:])
    assert path.may_enter is None


def test_the_rolling_regression_has_an_intercept() -> None:
    asked = given(gaps=False)
    path = RollingOls(window_candles=90).path(asked)
    row = 200
    part = slice(row - 89, row + 1)
    slope, intercept = np.polyfit(asked.log_b[part], asked.log_a[part], 1)
    rest = asked.log_a[part] - intercept - slope * asked.log_b[part]
    at = row - FIRST
    assert path.beta[at] == pytest.approx(slope)
    assert path.alpha[at] == pytest.approx(intercept)
    assert path.z[at] == pytest.approx(rest[-1] / (rest.std() * sqrt(90 / 88)))


def test_the_kalman_filter_is_the_textbooks() -> None:
    """The same recursion in matrices, written anew from the state-space form."""
    asked, model = given(3), KalmanFilter(memory_half_lives=5.0, beta_drift_per_week=0.3)
    path = model.path(asked)
    a, b = asked.log_a[FIRST:], asked.log_b[FIRST:]
    origin = b[np.isfinite(b)][0]
    noise, memory = FORMATION.sigma**2, 5.0 * asked.half_life_candles
    drift = (0.3 * FORMATION.beta) ** 2
    state = np.array([FORMATION.alpha + FORMATION.mu + FORMATION.beta * origin, FORMATION.beta])
    p = np.diag([noise / memory, drift])
    w = np.diag([noise / memory**2, drift / 168])
    for row in range(a.size):
        x = np.array([1.0, b[row] - origin])
        is_there = np.isfinite(a[row]) and np.isfinite(b[row])
        if is_there:
            variance = x @ p @ x + noise
            assert path.z[row] == pytest.approx((a[row] - x @ state) / sqrt(variance), rel=1e-6, abs=1e-9)
            assert path.beta[row] == pytest.approx(state[1], rel=1e-9)
        if row and is_there:
            gain = p @ x / variance
            state = state + gain * (a[row] - x @ state)
            p = p - np.outer(gain, x @ p)
        p = p + w


def test_a_kalman_filter_follows_a_hedge_ratio_that_drifts() -> None:
    rng = np.random.default_rng(5)
    log_b = 2.0 + np.cumsum(rng.normal(0, 0.01, SIZE))
    beta = np.where(np.arange(SIZE) < FIRST, 0.8, 0.8 + np.linspace(-0.35, 0.65, SIZE) * 0.4)
    log_a = 1.0 + beta * log_b + rng.normal(0, 0.004, SIZE)
    log_a += (0.8 - beta) * log_b[FIRST]  # turns about where the formation ended
    asked = replace(given(gaps=False), log_a=log_a, log_b=log_b)
    path = KalmanFilter(beta_drift_per_week=0.5).path(asked)
    frozen = Frozen().path(asked)
    assert np.abs(path.z[-50:]).mean() < np.abs(frozen.z[-50:]).mean() / 2
    assert abs(path.beta[-1] - beta[-1]) < abs(0.8 - beta[-1])


def test_a_kalman_filter_without_its_beginning_says_nothing() -> None:
    path = KalmanFilter().path(replace(given(), is_whole=False))
    assert np.isnan(path.z).all()


def cycle_time(y: float) -> float:
    """Mean time from the mean out to ±y and back, by the integrals of first passage; θ = 1, y in η/√θ."""
    out = 2 * quad(lambda x: exp(x * x) * quad(lambda s: exp(-s * s), 0, x)[0], 0, y)[0]
    back = sqrt(pi) * quad(lambda x: exp(x * x) * erfc(x), 0, y)[0]
    return out + back


@pytest.mark.parametrize("cost_sigmas", [0.02, 0.2, 0.8, 2.5])
def test_the_best_entry_earns_most_per_hour(cost_sigmas: float) -> None:
    """Against a search over levels, with cycle times integrated numerically."""
    levels = np.linspace(cost_sigmas + 0.01, cost_sigmas + 2.0, 400)
    rates = [(z - cost_sigmas) / erfi(z / sqrt(2)) for z in levels]
    assert best_entry_z(cost_sigmas) == pytest.approx(levels[int(np.argmax(rates))], abs=0.006)
    y = best_entry_z(cost_sigmas) / sqrt(2)
    assert cycle_time(y) == pytest.approx(pi / 2 * erfi(y), rel=1e-6)


def test_ou_thresholds_know_when_costs_eat_the_spread() -> None:
    model = OuThresholds(round_trip_bp=12.0)
    found = model.thresholds(LEVELS, FORMATION)
    assert found is not None
    assert found.entry == pytest.approx(best_entry_z(1.8 * 12e-4 / FORMATION.sigma))
    assert (found.exit, found.stop, found.max_half_lives) == (0.0, 3.0, 4.0)
    assert model.thresholds(LEVELS, replace(FORMATION, sigma=0.0006)) is None
    free = OuThresholds(round_trip_bp=0.0).thresholds(LEVELS, FORMATION)
    assert free is not None
    assert free.entry == pytest.approx(0.1)


def test_the_half_life_window_scales() -> None:
    asked = given(gaps=False)
    model = HalfLifeWindow(window_half_lives=8.0)
    path, row = model.path(asked), 300
    width = 35  # 8 half-lives of 4.3 candles
    assert model.history_candles(Lengths(4.3, WINDOW, 0, 1.0)) == width
    u = asked.log_a - 1.0 - 0.8 * asked.log_b
    part = u[row + 1 - width : row + 1]
    assert path.z[row - FIRST] == pytest.approx((u[row] - part.mean()) / part.std(ddof=1))
    assert model.history_candles(Lengths(0.1, WINDOW, 0, 1.0)) == 12
    assert model.history_candles(Lengths(500.0, WINDOW, 0, 1.0)) == WINDOW


def test_funding_turns_down_the_side_that_pays() -> None:
    asked = given(gaps=False)
    nothing = np.zeros(SIZE)
    # Leg A's longs pay 10 bp every 8 hours: a short spread earns it.
    dear = np.where(np.arange(SIZE) % 8 == 0, 10e-4, 0.0)
    path = FundingAware(window_hours=24.0, hold_half_lives=4.0).path(
        replace(asked, funding_a=dear, funding_b=nothing)
    )
    assert path.may_enter is not None
    hours = 4.0 * 4.3
    edge = (np.abs(path.z) - 0.4) * 0.009 - 1.8 * 12e-4 + np.sign(path.z) * 30e-4 / 24 * hours
    np.testing.assert_array_equal(path.may_enter, edge > 0)
    assert path.may_enter[path.z > 1.5].all()
    assert not path.may_enter[(path.z < -0.5) & (path.z > -0.8)].any()
    unknown = FundingAware().path(replace(asked, funding_a=None))
    assert unknown.may_enter is not None
    assert not unknown.may_enter.any()


def test_the_volatility_filter_waits_until_a_storm_is_over() -> None:
    asked = given(gaps=False)
    log_b = asked.log_b.copy()
    log_b[250:] += np.cumsum(
        np.where(np.arange(SIZE - 250) < 20, 0.03 * (-1.0) ** np.arange(SIZE - 250), 0.0)
    )
    model = VolatilityFilter(period_candles=24, reference_candles=96, max_ratio=1.5)
    path = model.path(replace(asked, log_b=log_b))
    assert path.may_enter is not None
    row = 268
    steps = np.diff(log_b)
    now, usual = steps[row - 24 : row].std(), steps[row - 96 : row].std()
    assert now > 1.5 * usual
    assert not path.may_enter[row - FIRST]
    assert path.may_enter[:90].mean() > 0.9
    assert path.may_enter[-20:].all()


def test_the_correlation_filter_is_pearsons_of_returns() -> None:
    asked = given(gaps=False)
    path = CorrelationFilter(period_candles=48, min_correlation=0.6).path(asked)
    assert path.may_enter is not None
    a, b = np.diff(asked.log_a), np.diff(asked.log_b)
    expected = [np.corrcoef(a[row - 48 : row], b[row - 48 : row])[0, 1] >= 0.6 for row in range(FIRST, SIZE)]
    np.testing.assert_array_equal(path.may_enter, expected)
    assert 0.05 < path.may_enter.mean() < 0.95
