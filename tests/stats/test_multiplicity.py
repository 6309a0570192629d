"""q-values over all tests made, and the named rules on markets whose truth is known."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from benchmarks.synthetic import evaluated_pairs, garch_steps, planted_universe
from pairbot_ext.settings.knobs import Rule
from pairbot_ext.stats import scan_pairs
from pairbot_ext.stats.multiplicity import (
    DEFAULT_RULE,
    NAIVE_RULE,
    RULES,
    STRICT_RULE,
    expected_false_positives,
    one_row_per_pair,
    q_values,
)
from pairbot_ext.support.errors import DataError


def test_q_values_by_hand() -> None:
    p = [0.01, 0.04, 0.03, 0.20]
    # BH: p m / rank = .04, .0533…, .06, .2, then made monotone from the largest down.
    np.testing.assert_allclose(q_values(p, "fdr_bh"), [0.04, 0.16 / 3, 0.16 / 3, 0.20])
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    np.testing.assert_allclose(q_values(p, "fdr_by"), np.array([0.04, 0.16 / 3, 0.16 / 3, 0.20]) * harmonic)


@pytest.mark.parametrize("correction", ["fdr_bh", "fdr_by"])
@given(
    p=st.lists(
        st.floats(0.0, 1.0, allow_subnormal=False) | st.sampled_from([0.0, 0.01, 0.05, 1.0]),
        min_size=1,
        max_size=60,
    )
)
def test_q_values_are_statsmodels(correction: str, p: list[float]) -> None:
    np.testing.assert_allclose(q_values(p, correction), multipletests(p, method=correction)[1], 1e-12, 1e-300)


def test_screened_tests_count_and_rejected_ones_do_not() -> None:
    q = q_values([0.001, 1.0, 1.0, 1.0, np.nan], "fdr_bh")
    np.testing.assert_allclose(q, [0.004, 1.0, 1.0, 1.0, np.nan])
    assert np.isnan(q_values([np.nan, np.nan], "fdr_by")).all()
    assert q_values([], "fdr_bh").size == 0


def test_expected_false_positives_of_435_tests() -> None:
    assert expected_false_positives(435) == pytest.approx(21.75)


def test_rule_names() -> None:
    assert list(RULES) == ["robust", "strict", "calibrated", "naive"]
    assert [rule.value for rule in Rule] == list(RULES)
    assert RULES["robust"] is DEFAULT_RULE
    assert "noise" in NAIVE_RULE.warning


@pytest.fixture(scope="module")
def market() -> np.ndarray:
    """12 series: (0, 1) and (2, 3) revert with half-lives of 8 candles, the others are independent."""
    return planted_universe(garch_steps, 1440, 12, 2, 8.0, np.random.default_rng(1))


def test_one_row_per_pair_carries_both_directions(market: np.ndarray) -> None:
    names = list("lkjihgfedcba")
    scan = scan_pairs(market, names)
    pairs = one_row_per_pair(scan)
    assert len(pairs) == 66
    assert all(names.index(a) < names.index(b) for a, b in zip(pairs["leg_a"], pairs["leg_b"], strict=True))
    row = pairs[(pairs["leg_a"] == "k") & (pairs["leg_b"] == "c")].iloc[0]
    reverse = scan[(scan["leg_a"] == "c") & (scan["leg_b"] == "k")].iloc[0]
    assert (row["reverse_coint_p"], row["reverse_beta"]) == (reverse["coint_p"], reverse["beta"])


def test_default_rule_selects_the_planted_pairs_and_nothing_else(market: np.ndarray) -> None:
    result = evaluated_pairs(market)
    selected = result[result["passes"]]
    assert set(zip(selected["leg_a"], selected["leg_b"], strict=True)) == {(0, 1), (2, 3)}
    assert (selected["q_bh"] <= DEFAULT_RULE.level).all()
    assert selected["verdict"].str.contains(r"66 tests").all()
    assert (result["q_by"] >= result["q_bh"]).all()
    # The naive rule keeps noise beside them.
    assert (result["coint_p"] < 0.05).sum() > 2


def test_the_rules_differ_only_in_what_they_keep(market: np.ndarray) -> None:
    names = list(range(12))
    pairs = one_row_per_pair(scan_pairs(market, names))
    default, strict, naive = (
        RULES[name].evaluate(pairs, market, names) for name in ("robust", "strict", "naive")
    )
    pd.testing.assert_frame_equal(default[["robust_p", "q_bh", "q_by"]], strict[["robust_p", "q_bh", "q_by"]])
    assert not (strict["passes"] & ~default["passes"]).any()
    assert STRICT_RULE.correction == "fdr_by"
    assert naive["passes"].equals(pairs["coint_p"] <= 0.05)


def test_no_pair_is_a_normal_answer() -> None:
    x = np.cumsum(garch_steps(1440, 8, np.random.default_rng(4)), axis=0)
    result = evaluated_pairs(x)
    assert not result["passes"].any()
    assert result["verdict"].str.contains("> 0.05").all()


def test_a_rejected_series_is_not_a_test(market: np.ndarray) -> None:
    x = market.copy()
    x[700, 11] = np.nan
    result = evaluated_pairs(x)
    assert result["robust_p"].notna().sum() == 55
    assert result.loc[result["leg_b"] == 11, "verdict"].str.startswith("11: 1 of 1440").all()
    assert not result.loc[result["leg_b"] == 11, "passes"].any()


def test_a_table_with_both_directions_is_refused(market: np.ndarray) -> None:
    scan = scan_pairs(market)
    scan["reverse_coint_p"] = scan["coint_p"]
    with pytest.raises(DataError, match="twice"):
        DEFAULT_RULE.evaluate(scan, market, list(range(12)))
    with pytest.raises(DataError, match="reverse_coint_p"):
        DEFAULT_RULE.evaluate(scan_pairs(market), market, list(range(12)))


def test_what_a_strategy_imports_needs_neither_statsmodels_nor_scipy() -> None:
    code = (
        "import sys\n"
        "from pairbot_ext.stats import regression, rolling, half_life, candles, engine, multiplicity\n"
        "print(sorted({'statsmodels', 'scipy', 'matplotlib', 'plotly'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
