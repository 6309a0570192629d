"""ccxt's order structure as the journal remembers an order: what Freqtrade is shown of it."""

from typing import Any

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.states import OrderStatus


def order_structure(order: OrderRecord) -> dict[str, Any]:
    """ccxt's order structure of a settled order, from the journal."""
    amount, filled = float(order.amount), float(order.filled)
    status = {OrderStatus.FILLED: "closed", OrderStatus.VOID: "canceled"}.get(order.status, "expired")
    average = order.average
    return {
        "id": order.order_id or order.client_id,
        "clientOrderId": order.client_id,
        "symbol": order.symbol,
        "type": order.order_type,
        "side": order.side,
        "price": order.price if order.price is not None else average,
        "average": average,
        "amount": amount,
        "filled": filled,
        "remaining": amount - filled,
        "cost": filled * (average or 0.0),
        "status": status,
        "reduceOnly": order.reduce_only,
        "timestamp": order.sent_ms or order.intent_ms,
        "datetime": None,
        "lastTradeTimestamp": order.settled_ms,
        "fee": None,
        "fees": [],
        "trades": [],
        "info": {},
    }
