"""Leg notionals, amounts on the step, the hedge error."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ccxt import TICK_SIZE
from freqtrade.exchange import amount_to_contract_precision
from hypothesis import given
from hypothesis import strategies as st

from pairbot_ext.model.sizing import (
    MAX_HEDGE_ERROR,
    Leg,
    MarketLimits,
    hedge_error,
    leg_notional,
    nearest_amount,
    refusal,
    stake_for,
    stakes_at_most,
    within_means,
    worst_hedge_error,
)

STEPS = st.sampled_from([Decimal(text) for text in ("0.001", "0.01", "0.1", "1", "10", "1000")])
PRICES = st.floats(1e-6, 1e5)
BETAS = st.floats(0.05, 20.0)


def limits(step: str = "0.1", least: float = 5.0, leverage: float = 20.0) -> MarketLimits:
    return MarketLimits(Decimal(step), Decimal(step), least, leverage)


def test_legs_share_the_notional_one_to_beta() -> None:
    assert leg_notional(1000.0, 1.5, Leg.A) == pytest.approx(400.0)
    assert leg_notional(1000.0, 1.5, Leg.B) == pytest.approx(600.0)
    assert Leg.A.mate is Leg.B
    assert Leg.B.mate is Leg.A


@given(st.floats(1.0, 1e7), BETAS)
def test_legs_make_up_the_whole_and_hedge_each_other(total, beta) -> None:
    notional_a, notional_b = (leg_notional(total, beta, leg) for leg in Leg)
    assert notional_a + notional_b == pytest.approx(total)
    assert hedge_error(beta, notional_a, notional_b) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("total", "beta"), [(1000.0, 0.0), (1000.0, -0.5), (1000.0, float("nan")), (0.0, 1.0)]
)
def test_impossible_sizes_are_refused(total, beta) -> None:
    with pytest.raises(ValueError, match="not positive"):
        leg_notional(total, beta, Leg.A)


@given(st.floats(0.01, 1e6), PRICES, STEPS)
def test_the_amount_is_on_the_step_and_nearest(notional, price, step) -> None:
    amount = nearest_amount(notional, price, step)
    assert amount % step == 0
    assert abs(amount - Decimal(notional) / Decimal(price)) <= step / 2


def test_half_a_step_goes_to_the_even_one() -> None:
    assert nearest_amount(2.5, 1.0, Decimal(1)) == 2
    assert nearest_amount(3.5, 1.0, Decimal(1)) == 4
    with pytest.raises(ValueError, match="price"):
        nearest_amount(2.5, 0.0, Decimal(1))


@given(st.integers(1, 10**7), STEPS, PRICES, st.integers(1, 20))
def test_freqtrade_orders_exactly_the_amount_the_stake_is_for(count, step, price, leverage) -> None:
    """Through Freqtrade's own arithmetic: stake / price * leverage in floats, truncated to the step."""
    amount = count * step
    stake = stake_for(amount, step, price, leverage)
    ordered = amount_to_contract_precision((stake / price) * leverage, float(step), TICK_SIZE, 1.0)
    assert Decimal(str(ordered)) == amount


def test_at_most_a_leg_takes_its_share_and_two_steps() -> None:
    assert stakes_at_most(1000.0, 1.5, {Leg.A: 2.0, Leg.B: 3.0}, 2) == pytest.approx({Leg.A: 202, Leg.B: 303})


def test_a_pair_beyond_the_free_money_is_made_smaller() -> None:
    """By what is missing, at the leverage, and by one part in 10^9 of what is free."""
    assert within_means(1000.0, -1.0, 1e9, 3) == 1000.0
    assert within_means(1000.0, 0.0, 1e9, 3) == 1000.0
    assert within_means(1000.0, 10.0, 1e9, 3) == pytest.approx(1000.0 - (10.0 + 1.0) * 3)


def test_exactly_the_least_notional_is_enough() -> None:
    both = (MarketLimits(Decimal("0.0625"), Decimal("0.0625"), 5.0, 20.0),) * 2
    assert refusal(2 * 5.0625, 1.0, (1.0, 1.0), both, 20, 0.0) is None


@pytest.mark.parametrize(
    ("beta", "notional_a", "notional_b", "expected"),
    [(1.0, 500.0, 500.0, 0.0), (0.5, 600.0, 300.0, 0.0), (1.0, 520.0, 480.0, 0.04), (2.0, 0.0, 9.0, 1.0)],
)
def test_hedge_error_known_answers(beta, notional_a, notional_b, expected) -> None:
    assert hedge_error(beta, notional_a, notional_b) == pytest.approx(expected)


def test_hedge_error_of_nothing_is_undefined() -> None:
    with pytest.raises(ValueError, match="without any position"):
        hedge_error(1.0, 0.0, 0.0)


@given(st.floats(20.0, 1e5), BETAS, PRICES, PRICES, STEPS, STEPS)
def test_no_rounding_errs_more_than_the_worst(total, beta, price_a, price_b, step_a, step_b) -> None:
    worst = worst_hedge_error(total, beta, float(step_a) * price_a, float(step_b) * price_b)
    amounts = (
        float(nearest_amount(leg_notional(total, beta, leg), price, step))
        for leg, price, step in zip(Leg, (price_a, price_b), (step_a, step_b), strict=True)
    )
    notional_a, notional_b = (
        amount * price for amount, price in zip(amounts, (price_a, price_b), strict=True)
    )
    if notional_a + notional_b > 0:
        assert hedge_error(beta, notional_a, notional_b) <= worst * (1 + 1e-9) + 1e-12


def test_steps_as_large_as_the_pair_have_no_bound() -> None:
    assert worst_hedge_error(100.0, 1.0, 120.0, 90.0) == float("inf")


def test_a_pair_that_fits_is_not_refused() -> None:
    assert refusal(1000.0, 0.8, (0.65, 14.3), (limits("1"), limits("0.01")), 3, 0.5) is None


@pytest.mark.parametrize(
    ("total", "beta", "given_limits", "leverage", "names"),
    [
        (15.0, 1.0, (limits(), limits()), 1, ["leg A notional 7.50", "minimum of 7.60"]),
        (100.0, 0.05, (limits(), limits()), 1, ["leg B notional 4.76"]),
        (1000.0, 1.0, (limits(), limits(leverage=2.0)), 3, ["leg B", "leverage 2", "configured is 3"]),
        (1000.0, 1.0, (limits("40"), limits()), 1, ["hedge error", "2.0", "40.00 of leg A"]),
    ],
)
def test_refusals_carry_the_numbers(total, beta, given_limits, leverage, names) -> None:
    said = refusal(total, beta, (1.0, 1.0), given_limits, leverage, 0.5)
    assert said is not None
    for name in names:
        assert name in said


@given(st.floats(20.0, 1e4), BETAS, PRICES, PRICES, STEPS, STEPS)
def test_what_is_not_refused_hedges_within_two_percent(total, beta, price_a, price_b, step_a, step_b) -> None:
    both = tuple(MarketLimits(step, step, 5.0, 20.0) for step in (step_a, step_b))
    if refusal(total, beta, (price_a, price_b), both, 1, 0.5) is None:
        notional_a, notional_b = (
            float(nearest_amount(leg_notional(total, beta, leg), price, step)) * price
            for leg, price, step in zip(Leg, (price_a, price_b), (step_a, step_b), strict=True)
        )
        assert hedge_error(beta, notional_a, notional_b) <= MAX_HEDGE_ERROR * (1 + 1e-9)
        assert min(notional_a, notional_b) >= 5.0
