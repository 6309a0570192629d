"""What the statistics of a walk-forward say of noise and of an edge, and the rules of the verdict."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan

import numpy as np
import pytest

from pairbot_ext.research.evidence import (
    cross_validated,
    deflated_sharpe,
    luck_of_trials,
    place_among,
    superior_ability_p,
    week_bootstrap,
)
from pairbot_ext.research.verdict import Evidence, Figures, verdict

SURE = Figures(80, 20, 30.0, 5.0, 8.0, 12.0, 20.0, 0.97, 0.5, 0.1, {"a": 0.99, "b": 0.98})


def test_the_deflated_sharpe_ratio_of_the_papers_example() -> None:
    """Bailey & López de Prado 2014: annual SR 2.5 over 5 years of days, 100 trials, variance of the trials'
    annual SRs 1/2, skewness -3, kurtosis 10 give 0.9004. Returns of these moments are not drawn here: with
    normal ones the same numbers give a higher figure, which the formula gives by hand."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal(1250)
    x = (x - x.mean()) / x.std(ddof=1)
    returns = 0.01 * (x + 2.5 / np.sqrt(250))
    found = deflated_sharpe(returns, 100, np.sqrt(0.5 / 250))
    assert found == pytest.approx(0.95, abs=0.03)
    assert deflated_sharpe(returns, 1, nan) > found > deflated_sharpe(returns, 10_000, np.sqrt(0.5 / 250))


def test_overfitting_is_likely_in_noise_and_unlikely_with_an_edge() -> None:
    noise = [cross_validated(np.random.default_rng(seed).standard_normal((40, 12))) for seed in range(20)]
    assert 0.35 < np.mean([each.overfitting for each in noise]) < 0.65
    assert 0.35 < np.mean([each.losing for each in noise]) < 0.65
    edge = np.random.default_rng(1).standard_normal((40, 12))
    edge[:, 3] += 1.5
    assert max(cross_validated(edge)) < 0.05
    assert all(isnan(each) for each in cross_validated(edge[:6]))


def test_variants_that_are_equally_good_are_no_overfitting_that_costs() -> None:
    """Who is best among equals is chance, and so is its rank in the other half; it earns there too."""
    found = cross_validated(0.8 + np.random.default_rng(3).standard_normal((40, 12)))
    assert found.overfitting > 0.3
    assert found.losing == 0.0


def test_true_differences_between_trials_do_not_deflate() -> None:
    rng = np.random.default_rng(8)
    noise = rng.standard_normal((30, 17))
    assert 0.5 / np.sqrt(29) < luck_of_trials(noise) <= 1 / np.sqrt(29)
    assert luck_of_trials(noise + np.linspace(0.0, 2.0, 17)) == pytest.approx(1 / np.sqrt(29))
    assert luck_of_trials(noise[:, :1].repeat(17, axis=1)) == pytest.approx(0.0)
    assert isnan(luck_of_trials(noise[:, :1]))


def test_the_interval_takes_whole_weeks() -> None:
    rng = np.random.default_rng(2)
    weeks = np.repeat(np.arange(30), 10)
    x = rng.standard_normal(30).repeat(10)
    low, high = week_bootstrap(x, weeks, 0.95, 1)
    # As wide as 30 values make it, not 300.
    assert high - low == pytest.approx(2 * 1.96 * x.std() / np.sqrt(30), rel=0.2)
    assert week_bootstrap(x, weeks, 0.95, 1) == (low, high)
    assert isnan(week_bootstrap(x[:10], weeks[:10], 0.95, 1)[0])


def test_a_place_counts_ties_half_and_leaves_unknown_ones_out() -> None:
    assert place_among(1.0, [0.0, 1.0, 2.0, nan]) == 0.5
    assert isnan(place_among(1.0, [nan]))


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({}, Evidence.STRONG),
        ({"pair_trades": 49}, Evidence.WEAK),
        ({"low_95": -1.0}, Evidence.WEAK),
        ({"stressed": -0.1}, Evidence.WEAK),
        ({"delayed": nan}, Evidence.WEAK),
        ({"deflated_sharpe": 0.9}, Evidence.WEAK),
        ({"deflated_sharpe": nan}, Evidence.WEAK),
        ({"losing": 0.3}, Evidence.WEAK),
        ({"losing": nan}, Evidence.STRONG),
        ({"places": {"a": 0.99, "b": 0.95}}, Evidence.WEAK),
        ({"places": {"a": 0.99, "b": nan}}, Evidence.NONE),
        ({"places": {"a": 0.99, "b": 0.5}}, Evidence.NONE),
        ({"low_90": -1.0, "low_95": -2.0}, Evidence.NONE),
        ({"pair_trades": 19}, Evidence.NONE),
    ],
)
def test_the_verdict_is_as_good_as_its_worst_rule(change, level) -> None:
    found, missing = verdict(replace(SURE, **change))
    assert found is level
    assert bool(missing) == (level is not Evidence.STRONG)


def test_hansens_test_tells_an_edge_from_the_luckiest_of_many() -> None:
    noise = np.random.default_rng(17).normal(0.0, 1.0, (60, 20))
    edge = noise + np.eye(20)[3] * 0.9
    lucky, real = superior_ability_p(noise, 1), superior_ability_p(edge, 1)
    assert lucky is not None
    assert real is not None
    assert lucky > 0.1
    assert real < 0.01
    assert superior_ability_p(noise, 1) == lucky, "the same seed, the same bytes"
    assert np.isnan(superior_ability_p(np.zeros((60, 3)), 1) or 0.0)
