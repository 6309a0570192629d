"""Conditional orders: stop and take-profit, which Binance moved to `/fapi/v1/algoOrder` on 2025-12-02.

https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Algo-Order. Trailing
stops and iceberg amounts are not modelled and refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from pairbot_ext.sim.venue.engine import Engine
from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.filters import check_order
from pairbot_ext.sim.venue.orders import Order, OrderRequest, OrderType, Side, TimeInForce
from pairbot_ext.sim.venue.terms import MAX_ALGO_ORDERS


class AlgoType(StrEnum):
    """Conditional types; those without MARKET send a limit order when triggered."""

    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"

    @property
    def sends_limit(self) -> bool:
        """Whether a limit order follows the trigger."""
        return self in (AlgoType.STOP, AlgoType.TAKE_PROFIT)

    def triggers_upwards(self, side: Side) -> bool:
        """Whether a rising price triggers it: a buy stop, or the take-profit of a sell."""
        stop = self in (AlgoType.STOP, AlgoType.STOP_MARKET)
        return stop == (side is Side.BUY)


class AlgoStatus(StrEnum):
    """States of a conditional order."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    FINISHED = "FINISHED"
    REJECTED = "REJECTED"


class WorkingType(StrEnum):
    """Which price is watched."""

    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


@dataclass(slots=True)
class AlgoOrder:
    """One conditional order. `request` is what it sends when the watched price reaches `trigger_price`.

    :param close_position: it then closes the whole position; the request's amount is 0.
    """

    algo_id: int
    type: AlgoType
    request: OrderRequest
    trigger_price: Decimal
    working_type: WorkingType
    created_ms: int
    updated_ms: int
    close_position: bool = False
    status: AlgoStatus = AlgoStatus.NEW
    triggered_ms: int = 0
    sent: Order | None = None


class ConditionalOrders:
    """The conditional orders of the account."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.orders: dict[int, AlgoOrder] = {}
        self._next_id = 3_000_000_000_000_001

    def open_orders(self, symbol: str | None = None) -> list[AlgoOrder]:
        """Those still waiting, oldest first."""
        return [
            order
            for order in self.orders.values()
            if order.status is AlgoStatus.NEW and symbol in (None, order.request.symbol)
        ]

    def place(
        self,
        kind: AlgoType,
        request: OrderRequest,
        trigger_price: Decimal,
        working_type: WorkingType,
        *,
        close_position: bool = False,
    ) -> AlgoOrder:
        """Accept a conditional order.

        :raises VenueError: a filter, −2021 where it would trigger at once, −4116 for a client id in use.
        """
        spec = self._engine.spec(request.symbol)
        if trigger_price <= 0 or trigger_price % spec.price_tick:
            raise VenueError(Code.PRICE_OFF_TICK)
        if not close_position:
            check_order(spec, request, self._engine.mark(request.symbol))
        waiting = self.open_orders(request.symbol)
        if any(order.request.client_order_id == request.client_order_id for order in waiting):
            raise VenueError(Code.DUPLICATED_CLIENT_ID)
        if len(waiting) >= MAX_ALGO_ORDERS:
            raise VenueError(Code.MAX_STOP_ORDERS)
        now_ms = self._engine.now_ms()
        order = AlgoOrder(
            self._next_id, kind, request, trigger_price, working_type, now_ms, now_ms, close_position
        )
        if self._reached(order):
            raise VenueError(Code.WOULD_TRIGGER)
        self._next_id += 1
        self.orders[order.algo_id] = order
        return order

    def find(self, algo_id: int | None, client_algo_id: str | None) -> AlgoOrder | None:
        """By id, or the latest with this client id."""
        if algo_id is not None:
            return self.orders.get(algo_id)
        named = [o for o in self.orders.values() if o.request.client_order_id == client_algo_id]
        return named[-1] if named else None

    def cancel(self, order: AlgoOrder) -> AlgoOrder:
        """Cancel a waiting one.

        :raises VenueError: −2011 where it has triggered or was cancelled.
        """
        if order.status is not AlgoStatus.NEW:
            raise VenueError(Code.CANCEL_REJECTED)
        order.status, order.updated_ms = AlgoStatus.CANCELED, self._engine.now_ms()
        return order

    def _reached(self, order: AlgoOrder) -> bool:
        symbol, now_ms = order.request.symbol, self._engine.now_ms()
        market = self._engine.market
        if order.working_type is WorkingType.MARK_PRICE:
            price = market.mark_price(symbol, now_ms)
        else:
            price = market.price(symbol, now_ms)
        if order.type.triggers_upwards(order.request.side):
            return price >= order.trigger_price
        return price <= order.trigger_price

    def _request_now(self, order: AlgoOrder) -> OrderRequest:
        if not order.close_position:
            return order.request
        held = abs(self._engine.account.position(order.request.symbol).amount)
        if not held:
            raise VenueError(Code.REDUCE_ONLY_REJECT)
        return replace(order.request, amount=held)

    def trigger(self) -> None:
        """Send what the market has reached."""
        for order in self.open_orders():
            if not self._reached(order):
                continue
            order.triggered_ms = order.updated_ms = self._engine.now_ms()
            try:
                order.sent = self._engine.place(self._request_now(order))
                order.status = AlgoStatus.FINISHED
            except VenueError:
                # As on the venue: a triggered order that fails its checks is dropped, and the owner has to
                # look.
                order.status = AlgoStatus.REJECTED


def sent_request(
    kind: AlgoType, symbol: str, side: Side, amount: Decimal, client_id: str, price: Decimal | None,
    time_in_force: TimeInForce, *, reduce_only: bool,
) -> OrderRequest:  # fmt: skip
    """The order a conditional order of `kind` sends when triggered.

    :raises VenueError: −1102 for a limit type without a price.
    """
    if kind.sends_limit and price is None:
        raise VenueError(Code.MANDATORY_PARAM, name="price")
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=OrderType.LIMIT if kind.sends_limit else OrderType.MARKET,
        amount=amount,
        client_order_id=client_id,
        price=price if kind.sends_limit else None,
        time_in_force=time_in_force,
        reduce_only=reduce_only,
    )
