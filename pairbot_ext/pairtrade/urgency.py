"""Which pair trade is closed first where several are: what the next second may cost the most.

From what is known already, without a question to the venue or a database: the order of the exits must not
delay the first of them.
"""

import math
from collections.abc import Iterable

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal, signed_fill
from pairbot_ext.model.records import PairTrade, leg_side
from pairbot_ext.model.sizing import Leg

NEAR_LIQUIDATION = 0.10
"""A leg whose liquidation price is nearer than this share of its price outranks any loss: a liquidation costs
its fee, and leaves the mate alone."""


def most_at_risk_first(trades: Iterable[PairTrade], journal: Journal, broker: Broker) -> list[PairTrade]:
    """Nearest to liquidation first, then by loss on the prices seen last; what is not known comes last."""
    return sorted(trades, key=lambda trade: _rank(trade, journal, broker))


def _rank(trade: PairTrade, journal: Journal, broker: Broker) -> tuple[float, float]:
    known = ((leg, broker.last_price(trade.plan.symbol(leg))) for leg in Leg)
    # Beside one NaN nothing would be sorted at all.
    prices = {leg: price for leg, price in known if price and math.isfinite(price)}
    distance, profit = NEAR_LIQUIDATION, 0.0
    for leg, price in prices.items():
        level = broker.liquidation_level(trade.plan.symbol(leg))
        if level is not None:
            distance = min(distance, abs(price - level) / price)
    if len(prices) < len(Leg):
        # What one leg has lost the other may have won.
        return distance, math.inf
    for order in journal.orders_of(trade.id):
        if order.average:
            move = prices[order.leg] - order.average
            profit += leg_side(trade, order.leg) * float(signed_fill(order)) * move
    return distance, profit
