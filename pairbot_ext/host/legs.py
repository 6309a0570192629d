"""What Freqtrade's own database says of one leg."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from freqtrade.persistence import Order, Trade
from sqlalchemy import select

MATES_OPEN_WITHIN = timedelta(minutes=10)
"""The trades of one pair trade's legs."""


@dataclass(frozen=True)
class LegBooking:
    """What Freqtrade's database says of one leg.

    :param fills: per exchange order id: (side, filled amount, average price) of settled rows with fills.
    :param stale: exchange order ids of rows Freqtrade still takes for open, or has not taken into its trade.
    """

    trade_id: int
    is_open: bool
    amount: Decimal
    fills: dict[str, tuple[str, Decimal, float]]
    stale: frozenset[str]


@dataclass(frozen=True)
class TaggedLeg:
    """An open trade that carries a pair's tag.

    :param amount: base currency.
    :param order_ids: the venue's ids of its orders.
    :param has_lost_its_mate: the other leg was opened within minutes and its trade is closed.
    """

    symbol: str
    tag: str
    amount: Decimal
    order_ids: tuple[str, ...]
    opened: datetime
    has_lost_its_mate: bool


@dataclass(frozen=True)
class OpenLeg:
    """An open trade of Freqtrade's.

    :param amount: base currency; :param open_rate: quote currency; :param side: 1 long, -1 short.
    """

    amount: float
    open_rate: float
    side: int

    @property
    def notional(self) -> float:
        """At the entry price, quote currency."""
        return self.amount * self.open_rate

    def unrealised(self, price: float) -> float:
        """Profit of the price alone, quote currency."""
        return self.side * self.amount * (price - self.open_rate)


def order_row(order_id: str, symbol: str) -> Order | None:
    """Freqtrade's row of an order. The venue's ids are unique per symbol only; Freqtrade's own question knows
    no symbol until 2026.7."""
    rows = select(Order).where(Order.order_id == order_id, Order.ft_pair == symbol)
    return cast("Order | None", Order.session.scalars(rows).first())


def ids_of_other_trades(trade: Trade, orders: Collection[dict[str, Any]]) -> set[str]:
    """Those of the orders (ccxt's structures, of the trade's symbol) that another trade has a row for."""
    rows = select(Order.order_id).where(
        Order.order_id.in_([order["id"] for order in orders]),
        Order.ft_pair == trade.pair,
        Order.ft_trade_id != trade.id,
    )
    return set(Order.session.scalars(rows))


def unapplied_row(trade: Trade, order_ids: Collection[str]) -> Order | None:
    """The last row with a fill, if it is one of these, where the open trade's amount is what it was before.

    Freqtrade commits an order's row first and what it means for the trade afterwards: a process that dies in
    between leaves such a row, and nothing of Freqtrade's looks at it again.
    """
    rows = [row for row in trade.orders if row.filled and not row.ft_is_open]
    if not trade.is_open or not rows or rows[-1].order_id not in order_ids:
        return None
    amounts = [Decimal(str(row.safe_amount_after_fee)) for row in rows[:-1]]
    signs = [1 if row.ft_order_side == trade.entry_side else -1 for row in rows[:-1]]
    before = sum((amount * sign for amount, sign in zip(amounts, signs, strict=True)), Decimal(0))
    return rows[-1] if Decimal(str(trade.amount)) == before else None


def tagged_legs() -> list[TaggedLeg]:
    """Freqtrade's open trades that carry a pair's tag."""
    return [
        TaggedLeg(
            trade.pair,
            trade.enter_tag,
            Decimal(str(trade.amount)),
            tuple(order.order_id for order in trade.orders),
            trade.open_date_utc,
            _has_lost_its_mate(trade),
        )
        for trade in Trade.get_open_trades()
        if trade.enter_tag
    ]


def _has_lost_its_mate(trade: Trade) -> bool:
    """Whether the other leg of its pair, opened within minutes, is closed."""
    return any(
        other.pair != trade.pair and abs(other.open_date_utc - trade.open_date_utc) < MATES_OPEN_WITHIN
        for other in Trade.get_trades([Trade.enter_tag == trade.enter_tag, Trade.is_open.is_(False)])
    )
