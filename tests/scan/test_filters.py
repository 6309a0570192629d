"""Economic filters, the caps and the funnel: each refusal has its number and its limit."""

from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.scan.checks import Check, apply_checks, cap, cap_per_coin, funnel
from pairbot_ext.scan.filters import MarketInfo, filter_symbols, half_betas, pair_checks, pair_costs
from pairbot_ext.scan.options import knobs_from
from pairbot_ext.scan.universe import FormationData, Window
from pairbot_ext.settings.scan import Filters, Thresholds

END = datetime(2025, 3, 1, tzinfo=UTC)
WINDOW = Window("1h", 240, END)


def _data(**changes) -> FormationData:
    """Four symbols that pass every filter: 10 days, 3e6 a day, listed for 400 days."""
    rng = np.random.default_rng(3)
    return replace(
        FormationData(
            window=WINDOW,
            symbols=("A/USDT:USDT", "B/USDT:USDT", "C/USDT:USDT", "USDC/USDT:USDT"),
            log_prices=np.cumsum(rng.normal(0, 0.01, (240, 4)), axis=0),
            quote_volume=np.full(4, 3e7),
            first_candle=(END - timedelta(days=400),) * 4,
            mean_funding=np.full(4, np.nan),
            rejected={"D/USDT:USDT": "no candles"},
        ),
        **changes,
    )


def test_symbols_are_refused_one_by_one_and_earlier_reasons_stay():
    data = _data(quote_volume=np.array([3e7, 9e6, 3e7, 3e7]))
    markets = {"C/USDT:USDT": MarketInfo(delisted=datetime(2025, 3, 5, 9, tzinfo=UTC))}
    kept = filter_symbols(data, Filters(), markets)
    assert kept.symbols == ("A/USDT:USDT",)
    assert kept.rejected == {
        "D/USDT:USDT": "no candles",
        "B/USDT:USDT": "volume 900,000 per day, least 1,000,000",
        "C/USDT:USDT": "delisting announced for 2025-03-05 09:00 UTC",
        "USDC/USDT:USDT": "stable coin",
    }
    assert np.array_equal(kept.log_prices[:, 0], data.log_prices[:, 0])
    assert kept.log_prices.shape == (240, 1)


def test_a_price_that_hardly_moves_is_pegged_whatever_it_is_called():
    data = _data()
    data.log_prices[:, 1] = 0.005 * np.sin(np.arange(240))
    assert filter_symbols(data, Filters()).rejected["B/USDT:USDT"].startswith("pegged: moved 1.0")


def test_age_counts_from_the_listing_where_it_is_known_else_from_the_first_candle():
    filters = Filters(min_listing_days=90)
    old = _data()
    assert "A/USDT:USDT" in filter_symbols(old, filters).symbols
    listed = {"A/USDT:USDT": MarketInfo(listed=END - timedelta(days=30))}
    assert filter_symbols(old, filters, listed).rejected["A/USDT:USDT"] == "listed 30 days, least 90"
    young = _data(first_candle=(END - timedelta(days=20),) * 4)
    assert filter_symbols(young, filters).rejected["B/USDT:USDT"] == "listed 20 days, least 90"


def _table(**columns) -> pd.DataFrame:
    """One pair that passes every filter, with the given columns replaced."""
    good = {
        "leg_a": "A/USDT:USDT",
        "leg_b": "B/USDT:USDT",
        "beta": 1.0,
        "sigma": 0.02,
        "half_life": 4.0,
        "coint_p": 0.01,
        "reverse_beta": 0.9,
        "beta_first_half": 1.0,
        "beta_second_half": 1.1,
        "edge_bp": 300.0,
        "trading_bp": 24.0,
        "funding_bp": 1.0,
        "reason": "",
    }
    return pd.DataFrame([good | columns])


@pytest.mark.parametrize(
    ("columns", "failed", "words"),
    [
        ({}, "", ""),
        ({"half_life": 5.5}, "half-life", "half-life 5.5 candles, allowed 2 to 5.3 (formation / 45)"),
        ({"half_life": 1.9}, "half-life", "half-life 1.9 candles"),
        ({"half_life": np.inf}, "half-life", "half-life inf candles"),
        ({"half_life": np.nan}, "half-life", "half-life nan candles"),
        ({"beta": 0.2}, "beta", "hedge ratio 0.200, allowed 0.25 to 4"),
        ({"beta": 4.1}, "beta", "hedge ratio 4.100, allowed 0.25 to 4"),
        ({"beta": -1.0}, "beta", "hedge ratio -1.000"),
        ({"reverse_beta": 0.79}, "beta directions", "reverse regression 1.266: 27% apart, allowed 25%"),
        ({"reverse_beta": -0.9}, "beta directions", "not both positive, allowed 25%"),
        ({"beta_second_half": 1.6}, "beta halves", "1.000 in the first half, 1.600 in the second: 60% apart"),
        ({"beta_first_half": -0.1}, "beta halves", "not both positive, allowed 50%"),
        ({"edge_bp": 49.0}, "cost", "edge 49 bp, needs 2 x cost 25 bp (trading 24, funding 1.0)"),
        ({"edge_bp": 49.0, "beta": 9.0}, "beta", "hedge ratio 9.000"),
    ],
)
def test_the_first_failed_check_is_the_reason(columns, failed, words):
    table = _table(**columns)
    checked = apply_checks(table, pair_checks(table, Filters(), 240))
    assert checked["failed"].iloc[0] == failed
    assert words in checked["reason"].iloc[0]
    assert (checked["reason"].iloc[0] == "") == (failed == "")


def test_every_limit_is_a_knob():
    table = _table(half_life=20.0, beta=5.0, reverse_beta=0.1, beta_second_half=3.0, edge_bp=1.0)
    loose = Filters(
        min_half_lives_in_formation=10,
        max_beta=10,
        max_beta_gap_directions=2,
        max_beta_gap_halves=5,
        min_edge_over_cost=0,
    )
    assert apply_checks(table, pair_checks(table, loose, 240))["reason"].iloc[0] == ""


def test_a_pair_the_engine_could_not_test_keeps_its_reason():
    table = _table(reason="collinear", beta=np.nan)
    checked = apply_checks(table, pair_checks(table, Filters(), 240))
    assert (checked["failed"].iloc[0], checked["reason"].iloc[0]) == ("data", "collinear")


def test_costs_are_those_of_both_legs_and_the_funding_of_two_half_lives():
    data = _data(mean_funding=np.array([2e-5, 1e-5, np.nan, np.nan]))
    table = pd.concat(
        [
            _table(beta=0.5, half_life=6.0),
            _table(beta=0.5, half_life=6.0, leg_b="C/USDT:USDT"),  # no stored rates: 1 bp per 8 h
        ],
        ignore_index=True,
    )
    costs = pair_costs(data, table, Filters(fee_bp=5, spread_bp=2), Thresholds(entry_z=2, exit_z=0.5))
    assert costs["edge_bp"].tolist() == pytest.approx([300, 300])
    assert costs["trading_bp"].tolist() == pytest.approx([18, 18])
    assert costs["funding_bp"].tolist() == pytest.approx([(0.2 - 0.5 * 0.1) * 12, (0.2 - 0.5 * 0.125) * 12])


def test_half_betas_are_the_regressions_of_the_halves():
    data = _data()
    first, second = half_betas(data, _table())
    for beta, rows in ((first, slice(0, 120)), (second, slice(120, 240))):
        slope, _ = np.polyfit(data.log_prices[rows, 1], data.log_prices[rows, 0], 1)
        assert beta[0] == pytest.approx(slope)


def _ranked(*legs: str) -> pd.DataFrame:
    rows = [{"leg_a": f"{a}/USDT:USDT", "leg_b": f"{b}/USDT:USDT", "reason": ""} for a, b in legs]
    return apply_checks(pd.DataFrame(rows), [])


def test_the_coin_cap_follows_the_ranking():
    table = _ranked("AB", "AC", "AD", "BC", "CD")
    capped = cap_per_coin(table, [4, 0, 1, 2, 3], 2)
    assert capped["failed"].tolist() == ["", "", "coin cap", "coin cap", ""]
    assert capped["reason"].iloc[2] == "A already in 2 better pairs, 2 are allowed"
    assert capped["reason"].iloc[3] == "C already in 2 better pairs, 2 are allowed"
    assert cap_per_coin(table, [2, 1, 0, 3, 4], 1)["failed"].tolist() == [
        "coin cap",
        "coin cap",
        "",
        "",
        "coin cap",
    ]


def test_the_top_cap_counts_selected_pairs_only():
    table = _ranked("AB", "AC", "AD", "BC")
    table.loc[1, ["failed", "reason"]] = ["beta", "hedge ratio too large"]
    capped = cap(table, [1, 3, 0, 2], 2, "top")
    assert capped["failed"].tolist() == ["", "beta", "top", ""]
    assert capped["reason"].iloc[2] == "rank 3, 2 are kept"


def test_the_funnel_loses_every_refused_pair_exactly_once():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"leg_a": [f"A{k}/USDT:USDT" for k in range(50)], "leg_b": "B/USDT:USDT", "reason": ""}
    )
    masks = {name: rng.random(50) < 0.7 for name in ("one", "two", "three")}
    checks = [Check(name, ok, lambda row, name=name: f"{name} {row}") for name, ok in masks.items()]
    checked = apply_checks(table, checks)
    counts = funnel(checked, list(masks))
    passing = np.ones(50, dtype=bool)
    expected = {"tested": 50}
    for name, ok in masks.items():
        passing &= ok
        expected[name] = int(passing.sum())
    assert counts == expected
    assert (checked["reason"] == "").sum() == expected["three"]


@pytest.mark.parametrize(
    ("block", "options", "expected"),
    [
        ({}, {}, (5.0, 2.0)),
        ({"taker_fee_bp": 4.5, "spread_bp": 1.0}, {}, (4.5, 1.0)),
        ({"taker_fee_bp": 4.5, "scan": {"filters": {"fee_bp": 3.0}}}, {}, (3.0, 2.0)),
        ({"taker_fee_bp": 4.5, "scan": {"filters": {"fee_bp": 3.0}}}, {"fee_bp": 1.0}, (1.0, 2.0)),
    ],
)
def test_costs_come_from_the_option_then_the_scan_block_then_the_bot(block, options, expected):
    knobs = knobs_from(Namespace(**options), {"pairbot": block})
    assert (knobs.filters.fee_bp, knobs.filters.spread_bp) == expected


def test_contradicting_knobs_are_refused():
    with pytest.raises(ValueError, match="min_beta must be below max_beta"):
        Filters(min_beta=2, max_beta=1)
    with pytest.raises(ValueError, match="exit-z < entry-z < stop-z"):
        Thresholds(entry_z=5)


def test_the_documentation_lists_every_filter_with_its_default(repo_root):
    text = (repo_root / "docs/scan.md").read_text()
    for name, field in Filters.model_fields.items():
        default = "common ones" if isinstance(field.default, tuple) else f"{field.default:g}"
        assert f"| `{name}` | {default} | {field.description} |" in text
