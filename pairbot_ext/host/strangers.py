"""Orders of other hands that go beyond what a trade holds: only the part that closes it is the trade's."""

from collections.abc import Collection, Iterable
from typing import Any


def within_trade(
    orders: Iterable[dict[str, Any]], known: Collection[str], held: float, exit_side: str
) -> list[dict[str, Any]]:
    """Cut the exits Freqtrade does not know yet to what the trade holds.

    Somebody who buys 400 on a short of 248 has closed the trade and opened 152 of his own. Freqtrade neither
    closes a trade by an order larger than it nor ever gets rid of it again.

    :param orders: ccxt's structures, oldest first.
    :param known: exchange order ids Freqtrade has rows for; they are passed on as they are.
    :param held: the trade's amount before the unknown ones, base currency.
    """
    cut: list[dict[str, Any]] = []
    for order in orders:
        filled = float(order.get("filled") or 0.0)
        if order["id"] in known or not filled:
            cut.append(order)
        elif order["side"] != exit_side:
            held += filled
            cut.append(order)
        elif held > 0:
            part = min(filled, held)
            held -= part
            cost = float(order.get("cost") or 0.0) * part / filled
            changed = part < filled
            cut.append(
                {**order, "amount": part, "filled": part, "cost": cost, "remaining": 0.0}
                if changed
                else order
            )
    return cut
