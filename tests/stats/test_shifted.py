"""The null made of the scanned candles themselves: what it keeps, what it breaks, and the p-values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.synthetic import garch_steps, planted_universe
from pairbot_ext.stats import scan_pairs
from pairbot_ext.stats.multiplicity import CALIBRATED_RULE, one_row_per_pair
from pairbot_ext.stats.robust import robust_p_values
from pairbot_ext.stats.shifted import (
    LEAST_COINS_WITH_MARKET,
    ShiftedNull,
    offsets_apart,
    screened_t,
    shifted_null,
    shifted_universe,
)
from pairbot_ext.support.errors import DataError

RNG = np.random.default_rng(20261128)


def test_p_is_the_share_of_the_null_that_is_as_low_and_never_nought() -> None:
    null = ShiftedNull(np.array([-5.0, -4.0, -4.0, -3.0]), tests=99)
    p = null.p_values(np.array([-6.0, -5.0, -4.0, -3.5, np.nan]))
    np.testing.assert_allclose(p, [0.01, 0.02, 0.04, 0.04, 1.0])


def test_the_statistic_is_the_scans() -> None:
    """The same screen and the same t as `robust_p_values` finds in a frame."""
    x = planted_universe(garch_steps, 720, 9, 2, 8.0, np.random.default_rng(3))
    names = list(range(9))
    found = robust_p_values(one_row_per_pair(scan_pairs(x, names)), x, names)["robust_t"].dropna()
    np.testing.assert_allclose(np.sort(screened_t(x)), np.sort(found.to_numpy()))
    assert found.size > 1


@pytest.mark.parametrize(("size", "count"), [(1439, 30), (1439, 2), (719, 400), (29, 29)])
def test_no_two_coins_are_shifted_by_about_the_same(size: int, count: int) -> None:
    for _ in range(20):
        offsets = sorted(offsets_apart(size, count, RNG))
        assert len(offsets) == count
        assert offsets[0] >= 0
        assert offsets[-1] < size
        around = np.diff([*offsets, offsets[0] + size])
        assert around.min() >= size // (2 * count)


def test_a_coin_keeps_its_own_and_the_market_and_loses_its_mate() -> None:
    """Returns of coin k: k-th loading times the market, plus its own. After the shift each coin's own part is
    the same numbers in a circle, the market's part stands where it was, and mates do not move together."""
    market = garch_steps(1439, 1, RNG)
    loadings = np.linspace(0.5, 1.5, 12)
    own = garch_steps(1439, 12, RNG)
    own[:, 1] = own[:, 0]
    returns = market * loadings + own
    after = np.diff(shifted_universe(returns, np.random.default_rng(1)), axis=0)
    mean = returns.mean(axis=1)
    np.testing.assert_allclose(after.mean(axis=0), returns.mean(axis=0), atol=1e-9)
    assert np.corrcoef(after.mean(axis=1), mean)[0, 1] > 0.9
    before_mates = np.corrcoef(returns[:, 0] - mean, returns[:, 1] - mean)[0, 1]
    after_mates = np.corrcoef(after[:, 0] - mean, after[:, 1] - mean)[0, 1]
    assert before_mates > 0.9
    assert abs(after_mates) < 0.2


def test_of_few_coins_everything_is_shifted() -> None:
    returns = garch_steps(400, LEAST_COINS_WITH_MARKET - 1, RNG)
    after = np.diff(shifted_universe(returns, np.random.default_rng(1)), axis=0)
    for coin in range(returns.shape[1]):
        np.testing.assert_allclose(np.sort(after[:, coin]), np.sort(returns[:, coin]), atol=1e-12)


def test_the_same_candles_give_the_same_null_in_any_number_of_threads() -> None:
    x = planted_universe(garch_steps, 400, 10, 1, 8.0, np.random.default_rng(5))
    seen: list[tuple[int, int]] = []
    one = shifted_null(x, shifts=4, threads=1, progress=lambda *done: seen.append(done))
    other = shifted_null(x, shifts=4, threads=2)
    np.testing.assert_array_equal(one.t, other.t)
    assert one.tests == 4 * 45
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not np.array_equal(one.t, shifted_null(x, shifts=4, seed=1).t)


@pytest.mark.parametrize(
    "x",
    [np.zeros((40, 1)), np.zeros(40), np.full((40, 2), np.nan)],
    ids=["one series", "no table", "missing"],
)
def test_what_makes_no_pair_is_refused(x: np.ndarray) -> None:
    with pytest.raises(DataError, match="complete series"):
        shifted_null(x)


def test_the_rule_finds_the_planted_pairs_and_counts_all_tests() -> None:
    x = planted_universe(garch_steps, 1440, 12, 2, 8.0, np.random.default_rng(1))
    names = list(range(12))
    pairs = one_row_per_pair(scan_pairs(x, names))
    found = CALIBRATED_RULE.evaluate(pairs, x, names, null=shifted_null(x, shifts=30))
    chosen = found[found["passes"]].index
    assert set(zip(pairs["leg_a"][chosen], pairs["leg_b"][chosen], strict=True)) == {(0, 1), (2, 3)}
    assert found["verdict"].str.contains("66 tests").all()
    np.testing.assert_allclose(found["robust_p"].min(), 1 / (1 + 30 * 66))


def test_a_rejected_series_takes_no_part_in_the_null() -> None:
    x = planted_universe(garch_steps, 400, 6, 1, 6.0, np.random.default_rng(2))
    x[:, 4] = np.nan
    names = list("abcdef")
    pairs = one_row_per_pair(scan_pairs(x, names))
    found = CALIBRATED_RULE.evaluate(pairs, x, names)
    rejected = (pairs["leg_a"] == "e") | (pairs["leg_b"] == "e")
    assert found["robust_p"].isna().equals(rejected)
    nothing = CALIBRATED_RULE.evaluate(pairs[rejected], x, names)
    assert nothing["robust_p"].isna().all()
    pd.testing.assert_series_equal(nothing["passes"], pd.Series(False, index=nothing.index, name="passes"))
