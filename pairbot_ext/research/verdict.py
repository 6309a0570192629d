"""The verdict by written rules: is there evidence of an edge after costs? None, weak or strong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, isnan


class Evidence(StrEnum):
    """Of an edge after costs."""

    NONE = "none"
    WEAK = "weak"
    STRONG = "strong"


@dataclass(frozen=True)
class Figures:
    """What the rules look at. Nets are bp of N_A + N_B per pair trade, all costs included.

    :param low_95, low_90: lower ends of the week-clustered bootstrap intervals.
    :param stressed: net at twice the costs. :param delayed: net with fills one candle later.
    :param deflated_sharpe: probability.
    :param overfitting, losing: `evidence.CrossValidation`, NaN where unknown.
    :param places: by kind of placebo, the share of placebos below the strategy.
    """

    pair_trades: int
    weeks: int
    net: float
    low_95: float
    low_90: float
    stressed: float
    delayed: float
    deflated_sharpe: float
    overfitting: float
    losing: float
    places: Mapping[str, float]


RULES: dict[Evidence, tuple[str, ...]] = {
    Evidence.WEAK: (
        "20 pair trades in 8 weeks at least",
        "the 90 % interval of the net lies above 0",
        "above 90 % of the placebos of each kind",
    ),
    Evidence.STRONG: (
        "50 pair trades in 12 weeks at least",
        "the 95 % interval of the net lies above 0",
        "above 97.5 % of the placebos of each kind",
        "the net stays above 0 at twice the costs, and with fills one candle later",
        "the deflated Sharpe ratio is 95 % at least at the number of configurations ever tried",
        "the variant that is best in one half of the weeks loses in the other in 20 % of the splits at most, "
        "where there are variants to know it from",
    ),
}
"""What each needs, all of it; strong needs what weak needs too."""


def verdict(figures: Figures) -> tuple[Evidence, list[str]]:
    """The verdict, and which rules of the next better one are not met."""
    f, places = figures, list(figures.places.values())
    weak = [f.pair_trades >= 20 and f.weeks >= 8, f.low_90 > 0, _all_above(places, 0.90)]
    strong = [
        f.pair_trades >= 50 and f.weeks >= 12,
        f.low_95 > 0,
        _all_above(places, 0.975),
        f.stressed > 0 and f.delayed > 0,
        isfinite(f.deflated_sharpe) and f.deflated_sharpe >= 0.95,
        isnan(f.losing) or f.losing <= 0.20,
    ]
    missing = {
        level: [rule for rule, is_met in zip(RULES[level], met, strict=True) if not is_met]
        for level, met in ((Evidence.WEAK, weak), (Evidence.STRONG, strong))
    }
    if missing[Evidence.WEAK]:
        return Evidence.NONE, missing[Evidence.WEAK]
    if missing[Evidence.STRONG]:
        return Evidence.WEAK, missing[Evidence.STRONG]
    return Evidence.STRONG, []


def _all_above(places: Sequence[float], bound: float) -> bool:
    """An unknown place is above nothing."""
    return bool(places) and all(place > bound for place in places)
