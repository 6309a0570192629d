"""One message to the operator per pair event: which pair, which legs, how much, at what price, what next.
And the same as an object for the event log.
"""

import math
from enum import StrEnum
from typing import Any

from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.sizing import Leg, hedge_error
from pairbot_ext.model.states import PairState
from pairbot_ext.pairtrade.situation import Facts
from pairbot_ext.support.clock import as_datetime


class PairEvent(StrEnum):
    """What an entry of the event log tells."""

    SIGNAL = "signal_received"
    REFUSED = "rejected"
    OPENED = "opened"
    CLOSED = "closed"
    NOT_OPENED = "not_opened"
    ROLLBACK = "rollback"
    UNKNOWN = "unknown"
    NEEDS_OPERATOR = "needs_operator"
    MATE_FOLLOWS = "mate_follows"
    TRIMMED = "trimmed"
    RECOVERED = "recovered"
    STATE = "state"
    """Any other change of state, goal or reason."""


_NEXT = {
    PairState.HEDGED: "It is closed when its model says so",
    PairState.CLOSED: "Nothing is left to do",
    PairState.ABORTED: "Nothing is left to do; the pair is locked until the next candle",
    PairState.UNKNOWN: "The venue is asked until it answers; no new pair is entered meanwhile",
    PairState.UNWINDING: "What is open is closed with reduce-only orders",
    PairState.CLOSING: "What is open is closed with reduce-only orders",
    PairState.NEEDS_OPERATOR: "Exits go on once a minute at most, where the venue may still take them: look "
    "there, then use /pair_close or pairbot flatten",
}


def leg_text(trade: PairTrade, facts: Facts, leg: Leg) -> str:
    """One leg: side, symbol, amount held of planned, entry price, exit price where there is one."""
    view = facts[leg]
    exits = [order for order in view.orders if not order.role.increases and order.filled]
    text = (
        f"leg {leg} {trade.plan.side(leg)} {trade.plan.symbol(leg)} {view.held} "
        f"(planned {view.sizing.amount}) at {view.entry_price:.8g}"
    )
    if exits:
        priced = [order for order in exits if order.average is not None]
        amount = sum(float(order.filled) for order in priced)
        cost = sum(float(order.filled) * (order.average or 0.0) for order in priced)
        text += f", out {amount:.8g} at {cost / amount:.8g}" if amount else ""
        unpriced = sum(float(order.filled) for order in exits if order.average is None)
        text += f", {unpriced:.8g} gone at a price nobody knows" if unpriced else ""
    return text


def pair_text(trade: PairTrade, facts: Facts, headline: str) -> str:
    """The whole message."""
    parts = [
        f"Pair {trade.plan.pair_id} ({trade.id}): {headline}",
        *(leg_text(trade, facts, leg) for leg in Leg),
    ]
    if facts.leg_a.held and facts.leg_b.held:
        error = hedge_error(trade.plan.model.beta, facts.leg_a.notional, facts.leg_b.notional)
        parts.append(f"hedge error {error:.2%}")
    parts.append(f"state {trade.state}. {_NEXT.get(trade.state, 'The engine goes on with it')}")
    return "; ".join(parts)


def plan_document(plan: EntryPlan, event: PairEvent, now_ms: int) -> dict[str, Any]:
    """A signal for the event log: time, pair, direction, z, both legs."""
    return {
        "ts": as_datetime(now_ms).isoformat(timespec="milliseconds"),
        "event": event,
        "pair": plan.pair_id,
        "z": finite(plan.z),
        "candle": plan.candle.isoformat(),
        "legs": [{"leg": leg, "symbol": plan.symbol(leg), "side": plan.side(leg)} for leg in Leg],
    }


def pair_document(
    before: PairTrade, after: PairTrade, facts: Facts, event: PairEvent, now_ms: int
) -> dict[str, Any]:
    """A change of a pair trade for the event log: amounts as exact strings, prices in quote currency."""
    error = None
    if facts.leg_a.held and facts.leg_b.held:
        error = hedge_error(after.plan.model.beta, facts.leg_a.notional, facts.leg_b.notional)
    return {
        "ts": as_datetime(now_ms).isoformat(timespec="milliseconds"),
        "event": event,
        "pair_trade": after.id,
        "pair": after.plan.pair_id,
        "mode": "dry-run" if after.dry_run else "live",
        "state": after.state,
        "state_before": before.state,
        "goal": after.goal,
        "reason": after.reason,
        "z_at_entry": finite(after.plan.z),
        "hedge_error": error,
        "legs": [
            {
                "leg": leg,
                "symbol": after.plan.symbol(leg),
                "side": after.plan.side(leg),
                "planned": str(facts[leg].sizing.amount),
                "held": str(facts[leg].held),
                "orders": [
                    {
                        "client_id": order.client_id,
                        "type": order.order_type,
                        "side": order.side,
                        "reduce_only": order.reduce_only,
                        "amount": str(order.amount),
                        "limit": finite(order.price),
                        "filled": str(order.filled),
                        "average": finite(order.average),
                        "status": order.status,
                        "error": order.error,
                    }
                    for order in facts[leg].orders
                ],
            }
            for leg in Leg
        ],
    }


def finite(value: float | None) -> float | None:
    """JSON knows no NaN."""
    return value if value is not None and math.isfinite(value) else None
