"""The guard's live port: the ccxt client's own methods, called with our client order ids."""

from collections.abc import Callable
from typing import Any

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.orders.guard import ORDER_RECV_WINDOW_MS


class LivePort:
    """Wraps the original, unguarded methods of a ccxt binance client."""

    def __init__(
        self,
        create_order: Callable[..., dict[str, Any]],
        fetch_order: Callable[..., dict[str, Any]],
        cancel_order: Callable[..., dict[str, Any]],
        fetch_time: Callable[..., int],
    ) -> None:
        self._create_order = create_order
        self._fetch_order = fetch_order
        self._cancel_order = cancel_order
        self._fetch_time = fetch_time

    def send(self, order: OrderRecord) -> dict[str, Any]:
        """See VenuePort."""
        params: dict[str, Any] = {
            "newClientOrderId": order.client_id,
            "recvWindow": ORDER_RECV_WINDOW_MS,
        }
        if order.reduce_only:
            params["reduceOnly"] = True
        price = None
        if order.order_type != "market":
            params["timeInForce"] = "IOC"
            price = order.price
        return self._create_order(
            order.symbol, order.order_type, order.side, float(order.amount), price, params
        )

    def query(self, order: OrderRecord) -> dict[str, Any]:
        """See VenuePort."""
        return self._fetch_order(None, order.symbol, {"origClientOrderId": order.client_id})

    def cancel(self, order: OrderRecord) -> None:
        """See VenuePort."""
        self._cancel_order(None, order.symbol, {"origClientOrderId": order.client_id})

    def venue_ms(self) -> int:
        """See VenuePort."""
        return self._fetch_time()
