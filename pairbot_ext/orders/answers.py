"""What ccxt's order structure says of an order: final, resting, or nothing that could be believed."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pairbot_ext.model.states import OrderStatus


@dataclass(frozen=True)
class Answer:
    """A clear answer about one order."""

    status: OrderStatus
    order_id: str
    filled: Decimal
    average: float | None


OPEN_STATUSES = frozenset({"open"})


def read_answer(order: dict[str, Any] | None) -> Answer | None:
    """What ccxt's order structure says, or None where it says nothing final or nothing usable.

    A 200 with an empty or truncated body gives a structure without id and status and raises nothing.
    """
    if not order or order.get("id") is None or order.get("status") is None or order.get("filled") is None:
        return None
    if order["status"] in OPEN_STATUSES:
        return None
    filled = Decimal(str(order["filled"]))
    average = order.get("average")
    if filled > 0 and average is None:
        return None
    if order["status"] == "closed":
        status = OrderStatus.FILLED
    else:
        status = OrderStatus.PARTIAL if filled > 0 else OrderStatus.EXPIRED
    return Answer(status, str(order["id"]), filled, None if average is None else float(average))


def is_open(order: dict[str, Any] | None) -> bool:
    """Whether the answer shows an order that still rests on the book."""
    return bool(order) and order is not None and order.get("status") in OPEN_STATUSES
