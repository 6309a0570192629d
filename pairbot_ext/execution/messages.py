"""One message to the operator per pair event: which pair, which legs, how much, at what price, what next."""

from pairbot_ext.execution.decide import Facts
from pairbot_ext.execution.records import PairTrade
from pairbot_ext.execution.states import PairState
from pairbot_ext.sizing import Leg, hedge_error

_NEXT = {
    PairState.HEDGED: "It is closed when its model says so",
    PairState.CLOSED: "Nothing is left to do",
    PairState.ABORTED: "Nothing is left to do; the pair is locked until the next candle",
    PairState.UNKNOWN: "The venue is asked until it answers; no new pair is entered meanwhile",
    PairState.UNWINDING: "What is open is closed with reduce-only orders",
    PairState.CLOSING: "What is open is closed with reduce-only orders",
    PairState.NEEDS_OPERATOR: "Exits go on once a minute at most, where the venue may still take them: look "
    "there, then use /forceexit or `pairbot flatten`",
}


def leg_text(trade: PairTrade, facts: Facts, leg: Leg) -> str:
    """One leg: side, symbol, amount held of planned, entry price, exit price where there is one."""
    view = facts[leg]
    exits = [order for order in view.orders if not order.role.increases and order.filled and order.average]
    text = (
        f"leg {leg} {trade.plan.side(leg)} {trade.plan.symbol(leg)} {view.held} "
        f"(planned {view.sizing.amount}) at {view.entry_price:.8g}"
    )
    if exits:
        amount = sum(float(order.filled) for order in exits)
        cost = sum(float(order.filled) * (order.average or 0.0) for order in exits)
        text += f", out {amount:.8g} at {cost / amount:.8g}"
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
