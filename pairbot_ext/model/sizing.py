"""How much of each leg: notionals from the hedge ratio, amounts on the exchange's step, the hedge error.

Pure. Amounts are Decimals (exact on the step), statistics and money are floats. Every market here is a
linear USDT contract of size 1: notional = amount * price, in quote currency.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

MAX_HEDGE_ERROR = 0.02
"""A pair whose amounts cannot be brought closer than this to the hedge ratio is refused (2 %)."""

ROUNDING = 1e-9
"""Of the free money, left over where a pair takes all of it: sums of floats are not exact, and without it the
last digit would decide whether the pair is opened."""


class Leg(StrEnum):
    """A is the regression's dependent variable and is sent first; B is the hedge."""

    A = "A"
    B = "B"

    @property
    def mate(self) -> "Leg":
        """The other leg."""
        return Leg.B if self is Leg.A else Leg.A


@dataclass(frozen=True)
class MarketLimits:
    """What the venue accepts of one symbol.

    :param amount_step: smallest change of the amount, base currency.
    :param min_amount: smallest amount, base currency.
    :param min_notional: smallest notional of an order that is not reduce-only, quote currency.
    :param max_leverage: of the bracket the planned notional falls in.
    """

    amount_step: Decimal
    min_amount: Decimal
    min_notional: float
    max_leverage: float

    def step_notional(self, price: float) -> float:
        """Notional of one amount step, quote currency."""
        return float(self.amount_step) * price

    def least_notional(self, price: float, reserve: float = 0.0) -> float:
        """Smallest notional that can be entered, raised by `reserve` (0.05 = 5 %)."""
        return max(self.min_notional, float(self.min_amount) * price) * (1.0 + reserve)


def leg_notional(pair_notional: float, hedge_ratio: float, leg: Leg) -> float:
    """Notional of one leg: leg A gets G/(1+beta), leg B gets beta*G/(1+beta).

    :param pair_notional: G, both legs together, quote currency, > 0.
    :param hedge_ratio: beta, > 0.
    :raises ValueError: a hedge ratio or notional that is not positive.
    """
    if not hedge_ratio > 0:
        raise ValueError(f"hedge ratio {hedge_ratio} is not positive: the legs would not hedge each other")
    if not pair_notional > 0:
        raise ValueError(f"pair notional {pair_notional} is not positive")
    return pair_notional / (1.0 + hedge_ratio) * (1.0 if leg is Leg.A else hedge_ratio)


def stakes_at_most(
    pair_notional: float, hedge_ratio: float, step_notionals: Mapping[Leg, float], leverage: int
) -> dict[Leg, float]:
    """At most so much of each leg, quote currency. Two steps: one for rounding up, one for the mate's price
    moving away from its last close.

    :param step_notionals: notional of one amount step of each leg.
    """
    return {
        leg: (leg_notional(pair_notional, hedge_ratio, leg) + 2 * step_notionals[leg]) / leverage
        for leg in Leg
    }


def within_means(pair_notional: float, excess: float, free: float, leverage: int) -> float:
    """The pair notional, smaller where both stakes exceed what is free.

    :param excess: of both stakes over the free money, quote currency; negative where they fit.
    """
    return pair_notional if excess <= 0 else pair_notional - (excess + ROUNDING * free) * leverage


def nearest_amount(notional: float, price: float, step: Decimal) -> Decimal:
    """Amount on the step nearest to notional/price (ties to even), which may be 0."""
    if not price > 0:
        raise ValueError(f"price {price} is not positive")
    steps = (Decimal(notional) / Decimal(price) / step).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return steps * step


def stake_for(amount: Decimal, step: Decimal, price: float, leverage: float) -> float:
    """Stake that makes Freqtrade order exactly `amount`.

    Freqtrade truncates stake*leverage/price to the step in binary floating point, which loses a whole step in
    about one target of ten; half a step more makes the truncation land on `amount` whatever the rounding.
    """
    return float((amount + step / 2) * Decimal(price)) / leverage


def hedge_error(hedge_ratio: float, notional_a: float, notional_b: float) -> float:
    """|beta*N_A - N_B| / (N_A + N_B), a ratio: 0 is a perfect hedge; one leg alone gives beta or 1.

    :raises ValueError: where both notionals are 0.
    """
    total = notional_a + notional_b
    if not total > 0:
        raise ValueError("hedge error of a pair without any position is undefined")
    return abs(hedge_ratio * notional_a - notional_b) / total


def worst_hedge_error(
    pair_notional: float, hedge_ratio: float, step_notional_a: float, step_notional_b: float
) -> float:
    """Largest hedge error that rounding each leg to its nearest step can cause; inf where both may vanish."""
    # Both legs rounded down make the position smaller, too.
    least = pair_notional - (step_notional_a + step_notional_b) / 2.0
    return (hedge_ratio * step_notional_a + step_notional_b) / 2.0 / least if least > 0 else math.inf


def refusal(
    pair_notional: float,
    hedge_ratio: float,
    prices: tuple[float, float],
    limits: tuple[MarketLimits, MarketLimits],
    leverage: int,
    reserve: float,
) -> str | None:
    """Why this pair cannot be opened at this size, with the numbers, or None.

    :param prices: of leg A and leg B.
    :param limits: of leg A and leg B.
    :param reserve: share by which the notional must exceed the venue's minimum (Freqtrade's reserve, which
        would otherwise raise the stake silently).
    """
    for leg, price, limit in zip(Leg, prices, limits, strict=True):
        notional = leg_notional(pair_notional, hedge_ratio, leg)
        least = limit.least_notional(price, reserve) + limit.step_notional(price)
        if notional < least:
            return (
                f"leg {leg} notional {notional:.2f} is below the venue's minimum of {least:.2f}: the stake "
                "is too small"
            )
        if leverage > limit.max_leverage:
            return f"leg {leg} allows leverage {limit.max_leverage:g} at most, configured is {leverage}"
    error = worst_hedge_error(
        pair_notional, hedge_ratio, limits[0].step_notional(prices[0]), limits[1].step_notional(prices[1])
    )
    if error > MAX_HEDGE_ERROR:
        return (
            f"hedge error after rounding may reach {error:.2%}, above {MAX_HEDGE_ERROR:.0%}: one step is "
            f"{limits[0].step_notional(prices[0]):.2f} of leg A and {limits[1].step_notional(prices[1]):.2f} "
            f"of leg B at pair notional {pair_notional:.2f}"
        )
    return None
