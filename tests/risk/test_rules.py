"""The rules as functions of numbers, their settings, and the table of the docs."""

import json
import math
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter
from statsmodels.regression.linear_model import OLS
from statsmodels.tsa.adfvalues import mackinnoncrit
from statsmodels.tsa.stattools import adfuller

from pairbot_ext.model.findings import Blind, Breach, Funding, Rule, above, below
from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.thresholds import LONG_SPREAD, SHORT_SPREAD, Thresholds
from pairbot_ext.risk.account import EquityMarks, ErrorRate, RecentEquity, fall_percent
from pairbot_ext.risk.quotes import Quote, Quotes, Streaks, adverse_z
from pairbot_ext.risk.rules import (
    RULES,
    exposure_ratio,
    funding_cost_bp,
    funding_horizon_hours,
    funding_verdict,
    liquidation_distance_percent,
    max_pairs_verdict,
    planned_liquidation_distance_percent,
    rules_table,
    told,
    trip_of,
)
from pairbot_ext.settings import parse_settings
from pairbot_ext.settings.risk import BreakStop, RiskSettings
from pairbot_ext.signals.breaks import PairHealth, break_verdict, critical_t, pair_health
from pairbot_ext.support.errors import SettingsError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "risk.md"
MODEL = EntryModel(alpha=0.1, beta=1.2, mu=0.0, sigma=0.02, half_life_candles=20.0)
HOUR_MS = 3_600_000
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


def plan(direction: int) -> EntryPlan:
    """Any plan of MODEL."""
    levels = Thresholds(entry=2.0, exit=0.5, stop=4.0, max_half_lives=4.0)
    return EntryPlan("P", "A/U:U", "B/U:U", direction, MODEL, levels, datetime(2026, 2, 2, tzinfo=UTC), 2.5)


def test_the_docs_hold_the_table_of_the_code() -> None:
    """After a change: replace the table in docs/risk.md by what `rules_table()` returns."""
    assert rules_table() in DOCS.read_text()
    for info in RULES.values():
        for key in info.keys:
            assert key.startswith("(pairs file)") or key.split(".")[0] in RiskSettings.model_fields


def test_every_limit_is_in_the_table() -> None:
    shown = {key.split(".")[0] for info in RULES.values() for key in info.keys}
    assert set(RiskSettings.model_fields) <= shown


@pytest.mark.parametrize(
    ("risk", "parts"),
    [
        ({"max_daily_loss_percent": -1}, ["pairbot.risk.max_daily_loss_percent", "-1", "greater than 0"]),
        ({"max_daily_loss_percent": "5"}, ["pairbot.risk.max_daily_loss_percent", "'5'", "number"]),
        ({"max_pairs": 2.5}, ["pairbot.risk.max_pairs", "2.5"]),
        ({"max_pairs": True}, ["pairbot.risk.max_pairs", "True"]),
        ({"live_z_stop": "no"}, ["pairbot.risk.live_z_stop", "'no'"]),
        ({"max_drawdown": 10}, ["pairbot.risk.max_drawdown", "10"]),
        ({"max_naked_secs": float("nan")}, ["pairbot.risk.max_naked_secs", "nan"]),
        ({"break_stop": {"test_level_percent": 7}}, ["break_stop.test_level_percent", "7", "1, 5 or 10"]),
        ({"break_stop": {"window_half_lives": 2}}, ["break_stop.window_half_lives", "2"]),
        ({"break_stop": False}, ["pairbot.risk.break_stop", "False"]),
        ({"max_daily_loss_percent": 20}, ["max_daily_loss_percent (20)", "max_drawdown_percent (15)"]),
        ({"max_leverage": 2}, ["leverage 3 is above risk.max_leverage 2"]),
        ([], ["pairbot.risk"]),
    ],
)
def test_a_bad_block_is_refused_with_key_value_and_remedy(risk: Any, parts: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_settings({"leverage": 3, "risk": risk})
    for part in [*parts, "docs/configuration.md"]:
        assert part in str(refused.value)


def test_null_switches_a_rule_off() -> None:
    limits = parse_settings({"risk": {"max_pairs": None, "break_stop": None}}).risk
    assert max_pairs_verdict(10_000, limits) is None
    assert break_verdict(limits.break_stop, None, 20.0, 1.0) is None


@given(value=NUMBERS, limit=NUMBERS)
def test_a_limit_itself_is_allowed_and_beyond_it_is_not(value: float, limit: float) -> None:
    assert isinstance(above(Rule.NAKED, value, limit, "s", "x"), Breach) == (value > limit)
    assert isinstance(below(Rule.NAKED, value, limit, "s", "x"), Breach) == (value < limit)


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_missing_number_is_neither_a_breach_nor_a_pass(value: float | None) -> None:
    for verdict in (above(Rule.NAKED, value, 1.0, "s", "it"), below(Rule.NAKED, value, 1.0, "s", "it")):
        assert isinstance(verdict, Blind)
        assert "cannot be judged" in told(verdict)


@pytest.mark.parametrize("rule", list(Rule))
def test_a_trip_names_rule_value_limit_and_release(rule: Rule) -> None:
    trip = trip_of(Breach(rule, 6.25, 5.0, "%", "what it is"), 7, "ADA-ALGO")
    for part in (f"rule {rule}", "what it is", "6.25 %", "limit 5 %", "Pair ADA-ALGO"):
        assert part in trip.text
    assert json.loads(json.dumps(trip.to_json())) == trip.to_json()


def ar1(rng: np.random.Generator, half_life: float, candles: int) -> np.ndarray:
    """A stationary AR(1) with innovations of 0.5 %."""
    rho = 0.5 ** (1 / half_life)
    return lfilter([1], [1, -rho], 0.005 * rng.standard_normal(candles + 500))[500:]


@pytest.mark.filterwarnings("ignore:adfuller:FutureWarning")
@pytest.mark.parametrize("seed", range(5))
def test_the_test_is_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_b = np.cumsum(0.01 * rng.standard_normal(700))
    u = ar1(rng, 15.0, 700)
    log_a = MODEL.alpha + MODEL.beta * log_b + u
    health = pair_health(log_a, log_b, MODEL)
    assert health is not None
    assert health.t == pytest.approx(adfuller(u, maxlag=1, autolag=None, regression="c")[0], abs=1e-9)
    steps = OLS(np.diff(u), np.column_stack([np.ones(699), u[:-1]])).fit()
    assert health.half_life_candles == pytest.approx(-math.log(2) / math.log1p(steps.params[1]))
    fit = OLS(log_a, np.column_stack([np.ones(700), log_b])).fit()
    assert health.beta == pytest.approx(fit.params[1])


@pytest.mark.parametrize("n", [100, 270, 1440])
def test_critical_values_are_mackinnons(n: int) -> None:
    theirs = mackinnoncrit(N=1, regression="c", nobs=n)
    assert [critical_t(level, n) for level in (1, 5, 10)] == pytest.approx(theirs, abs=1e-9)


def test_missing_candles_are_left_out_and_too_many_are_no_answer() -> None:
    rng = np.random.default_rng(1)
    log_b = np.cumsum(0.01 * rng.standard_normal(900))
    log_a = MODEL.beta * log_b + ar1(rng, 20.0, 900)
    whole = pair_health(log_a, log_b, MODEL)
    holed = log_a.copy()
    holed[rng.choice(900, 45, replace=False)] = np.nan
    seen = pair_health(holed, log_b, MODEL)
    assert whole is not None
    assert seen is not None
    assert seen.candles == 855
    assert seen.half_life_candles == pytest.approx(whole.half_life_candles, rel=0.3)
    assert seen.t == pytest.approx(whole.t, rel=0.15)
    holed[:100] = np.nan
    assert pair_health(holed, log_b, MODEL) is None
    assert pair_health(np.zeros(0), np.zeros(0), MODEL) is None
    assert pair_health(np.full(900, 1.0), np.full(900, 1.0), MODEL) is None


def test_the_break_rules() -> None:
    stop = BreakStop()
    fine = PairHealth(candles=900, half_life_candles=25.0, beta=1.1, t=-4.0)
    assert break_verdict(stop, fine, 20.0, 1.2) is None
    assert break_verdict(stop, fine, math.nan, 1.2) is None

    def broken(health: PairHealth, half_life: float = 20.0) -> Rule | None:
        verdict = break_verdict(stop, health, half_life, 1.2)
        return verdict.rule if verdict is not None else None

    assert broken(PairHealth(900, 41.0, 1.1, -4.0)) is Rule.BREAK_HALF_LIFE
    assert broken(PairHealth(900, math.inf, 1.1, -4.0)) is Rule.BREAK_HALF_LIFE
    assert broken(PairHealth(900, 25.0, 0.5, -4.0)) is Rule.BREAK_BETA
    assert broken(PairHealth(900, 25.0, -1.0, -4.0)) is Rule.BREAK_BETA
    assert broken(PairHealth(900, 25.0, 1.1, -2.0)) is Rule.BREAK_TEST
    # Too few half-lives for the test, then for the half-life: only the hedge ratio counts.
    assert broken(PairHealth(600, 25.0, 1.1, -2.0)) is None
    assert broken(PairHealth(400, 90.0, 1.1, -2.0)) is None
    assert broken(PairHealth(400, 90.0, 0.5, -2.0)) is Rule.BREAK_BETA
    blind = break_verdict(stop, None, 20.0, 1.2)
    assert isinstance(blind, Blind)
    assert "a price stands still" in blind.why, "gaps are not the only reason"


def test_adverse_z_takes_the_kindest_prices() -> None:
    fair_a = math.exp(MODEL.alpha + MODEL.beta * math.log(2.0) + 3.0 * MODEL.sigma)
    tight = adverse_z(plan(SHORT_SPREAD), Quote(fair_a, fair_a, 1), Quote(2.0, 2.0, 2))
    assert tight == pytest.approx(3.0)
    # An ask far away changes nothing for a spread that hurts when A rises.
    wide = adverse_z(plan(SHORT_SPREAD), Quote(fair_a, 10 * fair_a, 1), Quote(0.2, 2.0, 2))
    assert wide == pytest.approx(3.0)
    assert adverse_z(plan(LONG_SPREAD), Quote(fair_a, fair_a, 1), Quote(2.0, 2.0, 2)) == pytest.approx(-3.0)


@pytest.mark.parametrize("book", [{}, {"bids": [], "asks": [[1, 1]]}, {"bids": [[2, 1]], "asks": [[1, 1]]}])
def test_a_book_without_two_sides_is_no_quote(book: dict[str, Any]) -> None:
    quotes = Quotes()
    quotes.take("A", book)
    assert (quotes.get("A"), quotes.number("A")) == (None, 0)
    quotes.take("A", {"bids": [[1.0, 5]], "asks": [[1.1, 5]]})
    quotes.take("A", book)
    assert quotes.number("A") == 1


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 5))
def test_a_streak_needs_so_many_in_a_row(answers: list[bool], needed: int) -> None:
    streaks = Streaks(needed)
    for end, answer in enumerate(answers, start=1):
        expected = end >= needed and all(answers[end - needed : end])
        assert streaks.count("rule", "pair", is_breach=answer) == expected


def test_marks_begin_a_day_at_midnight_and_keep_the_peak() -> None:
    marks = EquityMarks(peak=1000.0, day="2026-02-02", day_start=950.0)
    later = marks.moved(1010.0, datetime(2026, 2, 2, 23, 59, tzinfo=UTC))
    assert later == EquityMarks(1010.0, "2026-02-02", 950.0)
    assert later.moved(900.0, datetime(2026, 2, 3, 0, 0, tzinfo=UTC)) == EquityMarks(
        1010.0, "2026-02-03", 900.0
    )
    assert marks.drawdown_percent(900.0) == pytest.approx(10.0)
    assert marks.daily_loss_percent(960.0) == 0.0
    assert math.isnan(fall_percent(1.0, 0.0))


def test_equity_is_what_all_readings_agree_on() -> None:
    recent = RecentEquity(3)
    for least, most in ((999.0, 1000.0), (1.0, 1000.5), (1000.0, 5000.0)):
        assert not recent.is_full
        recent.add(least, most)
    assert (recent.is_full, recent.low, recent.high) == (True, 1.0, 5000.0)
    recent.add(998.0, 999.0)
    recent.add(998.0, 999.0)
    assert (recent.low, recent.high) == (998.0, 5000.0)


def test_the_error_rate_counts_its_window_only() -> None:
    rate = ErrorRate(window_secs=60, min_requests=10)
    for second in range(9):
        rate.note(second * 1000, is_failure=True)
    assert rate.percent(9_000) == 0.0
    for second in range(9, 18):
        rate.note(second * 1000, is_failure=False)
    assert rate.percent(18_000) == pytest.approx(50.0)
    assert rate.percent(68_500) == 0.0, "all failures are older than the window, and too few are left"


def test_the_error_rate_is_cleared_by_a_person_while_a_request_is_noted() -> None:
    """/pairs_resume, in a thread of its own."""
    rate = ErrorRate(window_secs=60, min_requests=1)
    people: list[threading.Thread] = []

    class Buckets(deque[tuple[int, int, int]]):
        def pop(self) -> tuple[int, int, int]:  # type: ignore[override]
            people.append(threading.Thread(target=rate.clear))
            people[-1].start()
            people[-1].join(0.05)
            return super().pop()

    rate._buckets = Buckets()
    rate.note(1_000, is_failure=True)
    rate.note(1_000, is_failure=True)
    people[0].join()
    assert rate.percent(1_000) == 0.0


def test_exposure_and_liquidation() -> None:
    assert exposure_ratio([100.0, 200.0], 1000.0) == pytest.approx(0.3)
    assert exposure_ratio([1.0], 0.0) == math.inf
    assert exposure_ratio([1.0], None) is None
    assert liquidation_distance_percent(100.0, 80.0, 1) == pytest.approx(20.0)
    assert liquidation_distance_percent(100.0, 130.0, -1) == pytest.approx(30.0)
    assert liquidation_distance_percent(100.0, None, 1) == math.inf
    assert planned_liquidation_distance_percent(5, 0.01) == pytest.approx(19.0)


@pytest.mark.parametrize(
    ("hours_to_next", "interval", "horizon", "expected"),
    [(3, 8, 2.9, 0), (3, 8, 3, 1), (3, 8, 10.9, 1), (3, 8, 11, 2), (0.5, 1, 24, 24), (0, 4, 0, 1)],
)
def test_settlements_within_the_horizon(hours_to_next, interval, horizon, expected) -> None:
    funding = Funding(0.0001, int(hours_to_next * HOUR_MS), interval)
    assert funding.settlements(0, horizon) == expected


def test_funding_against_the_edge() -> None:
    leg_a, leg_b = Funding(0.001, HOUR_MS, 8), Funding(-0.002, HOUR_MS, 4)
    # Long A pays 10 bp at 1 h and 9 h, short B at negative rates pays 1.2 x 20 bp at 1, 5 and 9 h.
    cost_bp = funding_cost_bp(leg_a, leg_b, LONG_SPREAD, 1.2, 0, 9.0)
    assert cost_bp == pytest.approx(2 * 10 + 3 * 1.2 * 20)
    assert funding_cost_bp(leg_a, leg_b, SHORT_SPREAD, 1.2, 0, 9.0) == pytest.approx(-cost_bp)
    limits = RiskSettings(max_funding_share_percent=50.0)
    assert isinstance(funding_verdict(cost_bp, 183.0, limits), Breach)
    assert funding_verdict(cost_bp, 185.0, limits) is None
    assert isinstance(funding_verdict(1.0, -5.0, limits), Breach)
    assert funding_verdict(-1.0, -5.0, limits) is None
    assert isinstance(funding_verdict(None, 100.0, limits), Blind)
    assert funding_horizon_hours(10.0, 1.5, 3600) == pytest.approx(15.0)
    assert funding_horizon_hours(math.nan, 4.0, 3600) == 24.0
