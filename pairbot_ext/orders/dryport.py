"""The guard's dry-run port: an IOC or market order against the real book, as the venue would treat it.

Freqtrade's own dry-run fills a marketable IOC completely at its limit price, leaves the rest open, fills any
market order against any book and ignores reduce-only and the minimum notional. A rehearsal that cannot go
wrong teaches nothing, so this port fills level by level, expires the rest, and refuses what the venue would
refuse, with its codes.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import ccxt

from pairbot_ext.model.orderbook import DryMarket
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.orders.port import Sent
from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.protocol import DryRefusal, Venue

Levels = list[tuple[Decimal, Decimal]]


class DryFaultKind(StrEnum):
    """What a rehearsed fault does to an order."""

    REFUSE = "refuse"
    """The venue says no: for want of funds, or with its own `code`."""
    FILL_SHARE = "fill_share"
    """Only `share` of the amount fills."""
    LOST_BEFORE = "lost_before"
    """Answered unclearly, never executed."""
    LOST_AFTER = "lost_after"
    """Answered unclearly, executed."""


@dataclass(frozen=True)
class DryFault:
    """One rehearsed fault."""

    kind: DryFaultKind
    code: int | None = None
    share: float = 0.0


class DryPort:
    """See the module.

    :param read_book: symbol -> (bids, asks), best first. May raise; then the order is refused as overloaded.
    :param read_market: symbol -> DryMarket.
    :param keep: stores the finished order where Freqtrade looks for dry-run orders.
    :param interfere: rehearsed faults, None in normal use.
    """

    def __init__(
        self,
        read_book: Callable[[str], tuple[Levels, Levels]],
        read_market: Callable[[str], DryMarket],
        keep: Callable[[dict[str, Any]], None],
        clock: Clock,
        venue: Venue,
    ) -> None:
        self.arrival_window_ms = venue.orders.arrival_window_ms
        self.refusal_of = venue.refusal_of
        self._refusal = venue.dry_refusal
        self._read_book = read_book
        self._read_market = read_market
        self._keep = keep
        self._clock = clock
        self._orders: dict[str, dict[str, Any]] = {}
        self._unheard: dict[str, dict[str, Decimal]] = {}
        """Per symbol, signed fills by client id whose answer was lost: Freqtrade does not know them."""
        self.interfere: Callable[[OrderRecord], DryFault | None] | None = None

    def send(self, order: OrderRecord) -> dict[str, Any]:
        """See VenuePort."""
        fault = None if self.interfere is None else self.interfere(order)
        if fault is not None and fault.kind is DryFaultKind.REFUSE:
            raise self._refusal(fault.code or DryRefusal.NO_FUNDS, "rehearsed refusal")
        if fault is not None and fault.kind is DryFaultKind.LOST_BEFORE:
            raise ccxt.RequestTimeout("rehearsed: the answer was lost before execution")
        executed = self._execute(order, None if fault is None else fault)
        if fault is not None and fault.kind is DryFaultKind.LOST_AFTER:
            filled = Decimal(str(executed["filled"])) * (1 if order.side == "buy" else -1)
            self._unheard.setdefault(order.symbol, {})[order.client_id] = filled
            raise ccxt.RequestTimeout("rehearsed: the answer was lost after execution")
        return executed

    def send_together(self, orders: Sequence[OrderRecord]) -> Generator[tuple[OrderRecord, Sent]]:
        """See VenuePort. In one thread: nothing here takes a round trip, and Freqtrade's database, which
        says what is held, belongs to the caller's."""
        for order in orders:
            try:
                sent: Sent = self.send(order)
            except Exception as error:  # noqa: BLE001 - the mate has its turn
                sent = error
            yield order, sent

    def has_room_for(self, count: int) -> bool:  # noqa: ARG002
        """See VenuePort. Nobody counts."""
        return True

    def keep_warm(self) -> None:
        """See VenuePort. There are no connections."""

    def close(self) -> None:
        """See VenuePort. Nothing to end."""

    def _execute(self, order: OrderRecord, fault: DryFault | None) -> dict[str, Any]:
        market = self._read_market(order.symbol)
        try:
            bids, asks = self._read_book(order.symbol)
        except Exception as error:
            raise self._refusal(
                DryRefusal.OVERLOADED, f"no order book for {order.symbol}: {error}"
            ) from error
        levels = asks if order.side == "buy" else bids
        if not levels:
            raise self._refusal(DryRefusal.EMPTY_BOOK, f"the book of {order.symbol} is empty")
        amount = self._allowed(order, market, levels[0][0])
        if fault is not None and fault.kind is DryFaultKind.FILL_SHARE:
            most = (amount * Decimal(str(fault.share)) // market.step) * market.step
        else:
            most = amount
        filled, cost = _take(levels, most, order)
        average = float(cost / filled) if filled else None
        status = "closed" if filled == amount else "expired"
        now = self._clock.now_ms()
        result: dict[str, Any] = {
            "id": f"dry_run_{order.side}_{order.symbol}_{order.client_id}",
            "clientOrderId": order.client_id,
            "symbol": order.symbol,
            "type": order.order_type,
            "side": order.side,
            "price": order.price if order.price is not None else average,
            "average": average,
            "amount": float(amount),
            "filled": float(filled),
            "remaining": float(amount - filled),
            "cost": float(cost),
            "status": status,
            "timestamp": now,
            "datetime": None,
            "lastTradeTimestamp": now,
            "fee": {
                "currency": market.quote_currency,
                "cost": float(cost) * market.fee_rate,
                "rate": market.fee_rate,
            }
            if filled
            else None,
            "trades": [],
            "info": {},
        }
        self._orders[order.client_id] = result
        self._keep(result)
        return result

    def _allowed(self, order: OrderRecord, market: DryMarket, price: Decimal) -> Decimal:
        """The amount the venue accepts, or a refusal."""
        amount = (order.amount // market.step) * market.step
        if order.reduce_only:
            position = market.position + sum(self._unheard.get(order.symbol, {}).values())
            reducible = -position if order.side == "buy" else position
            if reducible <= 0:
                raise self._refusal(DryRefusal.NOTHING_TO_REDUCE, "ReduceOnly Order is rejected.")
            amount = min(amount, reducible)
        elif float(amount * price) < market.min_notional:
            text = f"Order's notional must be no smaller than {market.min_notional:g}"
            raise self._refusal(DryRefusal.BELOW_MINIMUM, text)
        if amount <= 0:
            raise self._refusal(DryRefusal.NO_AMOUNT, "Quantity less than or equal to zero.")
        return amount

    def query(self, order: OrderRecord) -> dict[str, Any]:
        """See VenuePort."""
        if order.client_id not in self._orders:
            raise self._refusal(DryRefusal.UNKNOWN_ORDER, "Order does not exist.")
        self._unheard.get(order.symbol, {}).pop(order.client_id, None)
        return self._orders[order.client_id]

    def cancel(self, order: OrderRecord) -> None:
        """See VenuePort. Nothing ever rests here."""

    def venue_ms(self) -> int:
        """See VenuePort."""
        return self._clock.now_ms()


def _take(levels: Levels, amount: Decimal, order: OrderRecord) -> tuple[Decimal, Decimal]:
    """(filled, cost) of `amount` against `levels`, up to a limit order's price."""
    limit = None if order.price is None or order.order_type == "market" else Decimal(str(order.price))
    filled = cost = Decimal(0)
    for price, size in levels:
        is_too_far = limit is not None and (price > limit if order.side == "buy" else price < limit)
        if is_too_far or filled >= amount:
            break
        part = min(size, amount - filled)
        filled += part
        cost += part * price
    return filled, cost
