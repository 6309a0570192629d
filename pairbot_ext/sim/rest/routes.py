"""What a route is, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pairbot_ext.sim.rest.params import Params
from pairbot_ext.sim.venue.orders import FillRule
from pairbot_ext.sim.venue.venue import Venue

Weight = int | Callable[[Mapping[str, str]], int]


@dataclass(frozen=True)
class Call:
    """One request on its way through a route.

    :param now_ms: the venue's time on arrival; `rule` bends the execution of a new order.
    """

    venue: Venue
    params: Params
    now_ms: int
    rule: FillRule | None = None


@dataclass(frozen=True)
class Route:
    """One endpoint.

    :param weight: Binance's request weight, which may depend on the parameters.
    :param keyed: needs the key. :param signed: needs key, timestamp and signature.
    :param counts_order: counts against the order limits.
    """

    handler: Callable[[Call], Any]
    weight: Weight = 1
    keyed: bool = False
    signed: bool = False
    counts_order: bool = False

    def weight_of(self, params: Mapping[str, str]) -> int:
        """Weight of one request."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def by_symbol(one: int, every: int) -> Callable[[Mapping[str, str]], int]:
    """A weight that depends on whether one symbol is asked for, or all."""
    return lambda params: one if params.get("symbol") else every


def by_limit(default_limit: int, steps: tuple[tuple[int, int], ...]) -> Callable[[Mapping[str, str]], int]:
    """A weight that depends on `limit`: that of the first (highest limit, weight) step holding it."""

    def weight(params: Mapping[str, str]) -> int:
        raw = params.get("limit", "")
        limit = int(raw) if raw.isdigit() else default_limit
        return next((weight for most, weight in steps if limit <= most), steps[-1][1])

    return weight
