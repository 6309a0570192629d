"""What Freqtrade's open trades are worth at any price: read once, computed elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from freqtrade.persistence import Trade


@dataclass(frozen=True)
class LegWorth:
    """An open trade of Freqtrade's.

    :param side: 1 long, -1 short. :param notional: at the entry price, quote currency.
    :param fixed, per_price: closed at a price it has earned `fixed + per_price * price`, fees, funding and
        what parts of it have realised included: Freqtrade's profit is linear in the price.
    :param at_entry: the same at its entry price.
    """

    symbol: str
    side: int
    notional: float
    fixed: float
    per_price: float
    at_entry: float
    liquidation_price: float | None


def leg_worths() -> dict[str, LegWorth]:
    """By symbol. Raises SQLAlchemyError."""
    worths = {}
    for trade in Trade.get_open_trades():
        if trade.amount and trade.open_rate:
            price = float(trade.open_rate)
            here = float(trade.calculate_profit(price).total_profit)
            per_price = (float(trade.calculate_profit(2 * price).total_profit) - here) / price
            worths[trade.pair] = LegWorth(
                symbol=trade.pair,
                side=-1 if trade.is_short else 1,
                notional=trade.amount * price,
                fixed=here - per_price * price,
                per_price=per_price,
                at_entry=here,
                liquidation_price=trade.liquidation_price,
            )
    return worths
