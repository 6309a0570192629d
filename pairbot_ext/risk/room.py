"""How far prices may move before a limit can be reached: inside that, nobody need look.

A share of the price, for every leg at once and both sides of its book. Lower bounds: what a move inside them
does is at most what is left to the limit, whichever way each leg goes.
"""

from __future__ import annotations

from collections.abc import Iterable

from pairbot_ext.model.plan import EntryPlan

MOST = 0.05
"""Of a price. Up to here a share and its logarithm differ by less than `_SLIP`."""
_SLIP = 0.9


def z_room(plan: EntryPlan, left: float) -> float:
    """Until z has moved by `left`. z is linear in both logarithms."""
    at_zero = plan.model.z(0.0, 0.0)
    slope = abs(plan.model.z(1.0, 0.0) - at_zero) + abs(plan.model.z(0.0, 1.0) - at_zero)
    return _share(_SLIP * left, float(slope))


def profit_room(values: Iterable[float], left: float) -> float:
    """Until positions of these values, quote currency, have lost `left` of it."""
    return _share(left, sum(abs(value) for value in values))


def liquidation_room(price: float, liquidation_price: float | None, left_percent: float) -> float:
    """Until the distance to the liquidation has shrunk by so many points."""
    return _share(_SLIP * left_percent, 100.0 * (liquidation_price or 0.0) / price)


def _share(left: float, slope: float) -> float:
    """NaN leaves no room."""
    if not left > 0:
        return 0.0
    return MOST if slope * MOST <= left else left / slope
