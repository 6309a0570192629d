"""The guard's live port: the ccxt client's own methods, called with our client order ids."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.states import Refusal
from pairbot_ext.orders.lanes import Lanes
from pairbot_ext.orders.limiter import NotSentError, WeightLimiter
from pairbot_ext.orders.port import Sent
from pairbot_ext.venue.protocol import Venue


class LivePort:
    """Wraps the original, unguarded methods of one ccxt client.

    :param lanes: connections of orders that leave at the same moment.
    """

    def __init__(
        self,
        venue: Venue,
        limiter: WeightLimiter,
        lanes: Lanes,
        create_order: Callable[..., dict[str, Any]],
        fetch_order: Callable[..., dict[str, Any]],
        cancel_order: Callable[..., dict[str, Any]],
        fetch_time: Callable[..., int],
    ) -> None:
        self._venue = venue
        self._limiter = limiter
        self.lanes = lanes
        self._create_order = create_order
        self._fetch_order = fetch_order
        self._cancel_order = cancel_order
        self._fetch_time = fetch_time
        self.arrival_window_ms = venue.orders.arrival_window_ms

    def send(self, order: OrderRecord, client: Any = None) -> dict[str, Any]:
        """See VenuePort.

        :param client: an unguarded client to send it with; None is the one wrapped here.
        """
        is_ioc = order.order_type != "market"
        params = self._venue.order_params(order.client_id, is_ioc=is_ioc, reduce_only=order.reduce_only)
        price = order.price if is_ioc else None
        create = self._create_order if client is None else client.create_order
        answer: dict[str, Any] = create(
            order.symbol, order.order_type, order.side, float(order.amount), price, params
        )
        return answer

    def send_together(self, orders: Sequence[OrderRecord]) -> Generator[tuple[OrderRecord, Sent]]:
        """See VenuePort."""
        works = [partial(self.send, order) for order in orders]
        with closing(self.lanes.run(works)) as outcomes:
            for number, sent in outcomes:
                yield orders[number], sent

    def has_room_for(self, count: int) -> bool:
        """See VenuePort."""
        return self._limiter.has_room_for_orders(count)

    def keep_warm(self) -> None:
        """See VenuePort."""
        self.lanes.keep_warm()

    def close(self) -> None:
        """See VenuePort."""
        self.lanes.close()

    def query(self, order: OrderRecord) -> dict[str, Any]:
        """See VenuePort."""
        return self._fetch_order(None, order.symbol, self._venue.id_params(order.client_id))

    def cancel(self, order: OrderRecord) -> None:
        """See VenuePort."""
        self._cancel_order(None, order.symbol, self._venue.id_params(order.client_id))

    def venue_ms(self) -> int:
        """See VenuePort."""
        return self._fetch_time()

    def refusal_of(self, error: Exception) -> Refusal | None:
        """See VenuePort."""
        return Refusal.TRANSIENT if isinstance(error, NotSentError) else self._venue.refusal_of(error)
