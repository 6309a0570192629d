"""What the risk rules find: names, breaches, missing numbers, readings for display."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """Names of the rules, as messages, events and the API show them."""

    Z_STOP = "z_stop"
    Z_STOP_LIVE = "z_stop_live"
    TIME_STOP = "time_stop"
    BREAK_HALF_LIFE = "break_half_life"
    BREAK_BETA = "break_beta"
    BREAK_TEST = "break_test"
    PAIR_LOSS = "pair_loss"
    LIQUIDATION = "liquidation_distance"
    NAKED = "naked"
    DRAWDOWN = "drawdown"
    DAILY_LOSS = "daily_loss"
    STALE_DATA = "stale_data"
    API_ERRORS = "api_errors"
    MAX_PAIRS = "max_pairs"
    GROSS_EXPOSURE = "gross_exposure"
    COIN_EXPOSURE = "coin_exposure"
    LEVERAGE = "leverage"
    FUNDING = "funding"


@dataclass(frozen=True)
class Breach:
    """A rule is broken.

    :param value: found; :param limit: allowed; both in `unit`.
    :param what: names the value in a sentence, e.g. "fall of equity since 00:00 UTC".
    """

    rule: Rule
    value: float
    limit: float
    unit: str
    what: str

    @property
    def numbers(self) -> str:
        """ "rule daily_loss: fall of equity since 00:00 UTC 6.2 %, limit 5 %"."""
        unit = f" {self.unit}" if self.unit else ""
        return f"rule {self.rule}: {self.what} {self.value:.4g}{unit}, limit {self.limit:.4g}{unit}"


@dataclass(frozen=True)
class Blind:
    """A rule has no number to judge: entries are refused, exits are not (I12)."""

    rule: Rule
    why: str


Verdict = Breach | Blind | None


@dataclass(frozen=True)
class Reading:
    """One rule, for display.

    :param value: now, in `unit`; None where it is not known (then `note` says why).
    :param limit: what is allowed; None where the rule is switched off.
    :param pair_id: the pair the value belongs to, or None for the whole bot.
    """

    rule: str
    value: float | None
    limit: float | None
    unit: str
    pair_id: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Funding:
    """Predicted funding of one symbol.

    :param rate: of the running period; longs pay it to shorts where it is positive.
    :param next_ms: when it is due, epoch ms.
    :param interval_hours: from one settlement to the next.
    """

    rate: float
    next_ms: int
    interval_hours: float

    def settlements(self, now_ms: int, horizon_hours: float) -> int:
        """How many lie within the horizon, if the rate's schedule stays as it is."""
        left_hours = horizon_hours - (self.next_ms - now_ms) / 3_600_000
        return 0 if left_hours < 0 else 1 + int(left_hours // self.interval_hours)


def above(rule: Rule, value: float | None, limit: float | None, unit: str, what: str) -> Verdict:
    """A rule that is broken above its limit. None as limit: the rule is switched off."""
    if limit is None:
        return None
    if value is None or math.isnan(value):
        return Blind(rule, f"{what} is not known")
    return Breach(rule, value, limit, unit, what) if value > limit else None


def below(rule: Rule, value: float | None, limit: float | None, unit: str, what: str) -> Verdict:
    """A rule that is broken below its limit."""
    if limit is None:
        return None
    if value is None or math.isnan(value):
        return Blind(rule, f"{what} is not known")
    return Breach(rule, value, limit, unit, what) if value < limit else None
