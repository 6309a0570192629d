"""The risk rules, pure functions of plain numbers: a `Breach`, a `Blind` where one is missing, or None.

What a breach leads to is in `RULES`, which is also the table of docs/risk.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pairbot_ext.model.findings import Blind, Breach, Funding, Rule, Verdict, above
from pairbot_ext.risk.state import RELEASE, WHAT_HAPPENS, RiskState, Trip
from pairbot_ext.settings.risk import RiskSettings

FUNDING_HORIZON_HALF_LIVES = 2.0
FUNDING_HORIZON_UNKNOWN_HOURS = 24.0
"""How long funding is counted where the model has no half-life."""

ENDS_WITH_ITS_CAUSE = frozenset({Rule.API_ERRORS, Rule.STALE_DATA})
"""What needs no person to judge: the venue answers again, the books are there again."""
ENDS_AFTER_SECS = 60.0
"""So long the cause must have been gone."""
ENDS = f"It ends by itself {ENDS_AFTER_SECS:g} s after its cause has; /pairs_resume ends it at once"


class Effect(StrEnum):
    """What a breach leads to."""

    REFUSE = "refuse"
    CLOSE = "close"
    REDUCE = "reduce"
    HALT = "halt"
    CLOSE_AND_REDUCE = "close and reduce"


def exposure_ratio(notionals: Sequence[float], equity: float | None) -> float | None:
    """Sum of notionals over equity; None without an equity, infinite where nothing is left of it."""
    if equity is None:
        return None
    return sum(notionals) / equity if equity > 0 else math.inf


def liquidation_distance_percent(price: float, liquidation_price: float | None, side: int) -> float:
    """How far the price is from a leg's liquidation, per cent of the price; infinite where it has none.

    :param side: 1 long, -1 short.
    """
    if not liquidation_price or liquidation_price <= 0:
        return math.inf
    return 100.0 * side * (price - liquidation_price) / price


def planned_liquidation_distance_percent(leverage: int, maintenance_rate: float) -> float:
    """The distance a new isolated position starts with: the loss of the margin less what is to be kept.

    :param maintenance_rate: maintenance margin over notional of the position's bracket.
    """
    return 100.0 * (1.0 / leverage - maintenance_rate)


def funding_horizon_hours(half_life_candles: float, max_half_lives: float, candle_secs: float) -> float:
    """How long funding is counted for a new pair trade."""
    if not math.isfinite(half_life_candles):
        return FUNDING_HORIZON_UNKNOWN_HOURS
    half_lives = min(FUNDING_HORIZON_HALF_LIVES, max_half_lives)
    return half_lives * half_life_candles * candle_secs / 3600


def funding_cost_bp(
    leg_a: Funding, leg_b: Funding, direction: int, beta: float, now_ms: int, horizon_hours: float
) -> float:
    """What both legs pay (negative: earn) within the horizon, bp of leg A's notional.

    :param direction: LONG_SPREAD (1: long A, short B) or SHORT_SPREAD (-1).
    """
    paid_a = direction * leg_a.rate * leg_a.settlements(now_ms, horizon_hours)
    paid_b = -direction * beta * leg_b.rate * leg_b.settlements(now_ms, horizon_hours)
    return 1e4 * (paid_a + paid_b)


def funding_verdict(cost_bp: float | None, edge_bp: float, settings: RiskSettings) -> Verdict:
    """Whether funding eats more of the edge than it may. What earns is never vetoed."""
    share = settings.max_funding_share_percent
    if share is None:
        return None
    if cost_bp is not None and cost_bp <= 0:
        return None
    limit_bp = share / 100.0 * max(0.0, edge_bp)
    return above(Rule.FUNDING, cost_bp, limit_bp, "bp", "funding both legs pay over two half-lives")


def max_pairs_verdict(open_pairs: int, settings: RiskSettings) -> Verdict:
    """Whether one more pair would be too many."""
    return above(Rule.MAX_PAIRS, open_pairs + 1, settings.max_pairs, "pairs", "pairs open with this one")


def told(verdict: Breach | Blind) -> str:
    """Why an entry is refused."""
    if isinstance(verdict, Breach):
        return verdict.numbers
    return f"rule {verdict.rule} cannot be judged, so nothing is entered: {verdict.why}"


@dataclass(frozen=True)
class RuleInfo:
    """What a rule does, for messages and for the table of docs/risk.md.

    :param keys: of `pairbot.risk`; a dot leads into a block. A key in brackets belongs to the pairs file.
    :param within: the bound within which it acts.
    :param in_backtests: whether backtests apply it.
    """

    effect: Effect
    keys: tuple[str, ...]
    does: str
    within: str
    in_backtests: bool = False


_PRICES = "`confirm_readings` loops after the price is there (15 s at the default loop of 5 s)"
_WALLET = "`confirm_readings` + 1 loops (20 s); the wallet is read afresh before it is believed"
_ENTRY = "before anything of the pair is sent"

RULES: Mapping[Rule, RuleInfo] = {
    Rule.Z_STOP: RuleInfo(
        Effect.CLOSE,
        ("(pairs file) stop_z",),
        "closes the pair where \\|z\\| of a closed candle is at or beyond it",
        "the first loop after the candle",
        in_backtests=True,
    ),
    Rule.Z_STOP_LIVE: RuleInfo(
        Effect.CLOSE,
        ("live_z_stop", "confirm_readings", "confirm_updates", "confirm_updates_ms"),
        "closes the pair where z on the books of both legs is at or beyond stop_z, at the kindest of their "
        "best prices",
        _PRICES + "; with streams as soon as the changed prices of `confirm_updates_ms` agree",
    ),
    Rule.TIME_STOP: RuleInfo(
        Effect.CLOSE,
        ("(pairs file) max_half_lives",),
        "closes the pair after so many half-lives",
        "the first loop after the candle",
        in_backtests=True,
    ),
    Rule.BREAK_HALF_LIFE: RuleInfo(
        Effect.CLOSE,
        ("break_stop.max_half_life_ratio", "break_stop.window_half_lives"),
        "closes the pair, and refuses its entry, where the half-life on the window exceeds this multiple of "
        "the model's",
        "the first loop after the candle",
        in_backtests=True,
    ),
    Rule.BREAK_BETA: RuleInfo(
        Effect.CLOSE,
        ("break_stop.max_beta_drift_percent",),
        "the same where the hedge ratio has drifted",
        "the first loop after the candle",
        in_backtests=True,
    ),
    Rule.BREAK_TEST: RuleInfo(
        Effect.CLOSE,
        ("break_stop.test_level_percent",),
        "the same where the Dickey-Fuller test no longer rejects a random walk",
        "the first loop after the candle",
        in_backtests=True,
    ),
    Rule.PAIR_LOSS: RuleInfo(
        Effect.CLOSE,
        ("max_pair_loss_percent",),
        "closes the pair: loss of both legs, fees and funding included, of their entry notional",
        _PRICES,
    ),
    Rule.LIQUIDATION: RuleInfo(
        Effect.CLOSE,
        ("min_liquidation_distance_percent",),
        "closes the pair where either leg is nearer to its liquidation price; refuses an entry that would "
        "start nearer",
        _PRICES,
    ),
    Rule.NAKED: RuleInfo(
        Effect.CLOSE_AND_REDUCE,
        ("max_naked_secs",),
        "closes the leg that is held alone; REDUCING",
        "one loop after the limit",
    ),
    Rule.DRAWDOWN: RuleInfo(
        Effect.HALT,
        ("max_drawdown_percent",),
        "HALTED: every pair is closed",
        _WALLET,
    ),
    Rule.DAILY_LOSS: RuleInfo(
        Effect.HALT,
        ("max_daily_loss_percent",),
        "HALTED: every pair is closed",
        _WALLET,
    ),
    Rule.STALE_DATA: RuleInfo(
        Effect.REDUCE,
        ("max_blind_secs",),
        "REDUCING: an open pair's books cannot be read. A signal counts on the last closed candle only, and "
        "never without fresh books of both legs",
        "two loops after the limit",
    ),
    Rule.API_ERRORS: RuleInfo(
        Effect.REDUCE,
        ("max_api_error_percent", "api_error_window_secs", "api_error_min_requests"),
        "REDUCING",
        "one loop",
    ),
    Rule.MAX_PAIRS: RuleInfo(Effect.REFUSE, ("max_pairs",), "refuses the entry", _ENTRY, in_backtests=True),
    Rule.GROSS_EXPOSURE: RuleInfo(Effect.REFUSE, ("max_gross_exposure_ratio",), "refuses the entry", _ENTRY),
    Rule.COIN_EXPOSURE: RuleInfo(Effect.REFUSE, ("max_coin_exposure_ratio",), "refuses the entry", _ENTRY),
    Rule.LEVERAGE: RuleInfo(
        Effect.REFUSE,
        ("max_leverage",),
        "refuses the entry; a config with a larger `pairbot.leverage` does not start",
        _ENTRY,
        in_backtests=True,
    ),
    Rule.FUNDING: RuleInfo(
        Effect.REFUSE,
        ("max_funding_share_percent",),
        "refuses the entry where predicted funding of both legs eats more of the edge",
        _ENTRY,
    ),
}


def trip_of(breach: Breach, at_ms: int, pair_id: str | None) -> Trip:
    """The trip a breach leads to, with the sentence the operator reads."""
    effect = RULES[breach.rule].effect
    release = ENDS if breach.rule in ENDS_WITH_ITS_CAUSE else RELEASE
    pair = f"Pair {pair_id}: " if pair_id else ""
    state = {Effect.HALT: RiskState.HALTED, Effect.REDUCE: RiskState.REDUCING}.get(effect)
    if effect is Effect.CLOSE_AND_REDUCE:
        happens = f"Both legs are closed. {WHAT_HAPPENS[RiskState.REDUCING]} {release}"
    elif state is not None:
        happens = f"{WHAT_HAPPENS[state]} {release}"
    else:
        happens = "Both legs are closed; the pair is entered again when |z| <= exit_z has been seen"
    numbers = breach.numbers if pair else breach.numbers[0].upper() + breach.numbers[1:]
    text = f"{pair}{numbers}. {happens}"
    return Trip(breach.rule, breach.value, breach.limit, breach.unit, at_ms, pair_id, text)


def rules_table() -> str:
    """The Markdown table of docs/risk.md: rule, configuration keys with defaults, effect, bound."""
    lines = [
        "| rule | `pairbot.risk.` key and default | what it does | within | in backtests |",
        "|---|---|---|---|---|",
    ]
    for rule, info in RULES.items():
        keys = "<br>".join(_key_text(key) for key in info.keys)
        lines.append(
            f"| {rule} | {keys} | {info.does} | {info.within} | {'yes' if info.in_backtests else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def _key_text(key: str) -> str:
    if key.startswith("("):
        return f"{key}"
    value: object = RiskSettings()
    for part in key.split("."):
        value = getattr(value, part)
    shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value:g}"
    return f"`{key}` {shown}"
