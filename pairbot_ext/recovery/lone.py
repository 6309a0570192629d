"""Exits Freqtrade has sent of a symbol in no pair trade, whose answer was unclear: asked for, then booked.

There is no pair trade whose pass would do it, and Freqtrade itself has no row of an order it has got no
answer to: its trade would stay open over a position that is gone.
"""

import logging

from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

QUICK_BOOKINGS = 5
"""Loops in which Freqtrade could not book one before a person is told; then it is tried once a minute."""
PAUSE_MS = 60_000


class LoneExits:
    """See the module. Nothing raises: the pair trades have their turn whatever happens here."""

    def __init__(self, journal: Journal, broker: Broker, guard: OrderGuard, clock: Clock) -> None:
        self._journal = journal
        self._broker = broker
        self._guard = guard
        self._clock = clock
        self._done: set[str] = set()
        self._failures: dict[str, int] = {}
        self._tried_ms: dict[str, int] = {}

    def run(self) -> None:
        """One pass. The caller holds Freqtrade's exit lock."""
        for order in self._journal.lone_orders():
            if order.client_id in self._done:
                continue
            try:
                self._go_on(order)
            except Exception as error:
                logger.exception(f"{order.client_id} could not be settled or booked")
                if isinstance(error, SQLAlchemyError):
                    self._broker.discard_changes()
                self._note_failure(order)

    def _go_on(self, order: OrderRecord) -> None:
        if not order.status.is_settled:
            order = self._guard.settle(order)
        if not order.status.is_settled:
            return
        if order.filled and not self._is_booked(order):
            if not self._is_due(order):
                return
            self._book(order)
        if not order.filled or self._is_booked(order):
            self._done.add(order.client_id)
        else:
            self._note_failure(order)

    def _is_booked(self, order: OrderRecord) -> bool:
        """Whether Freqtrade knows the fill, or has no trade left that it could belong to."""
        if not self._broker.has_open_trade(order.symbol):
            return True
        booking = self._broker.booking(order.symbol, [order.order_id or ""])
        return booking is not None and order.order_id in booking.fills

    def _is_due(self, order: OrderRecord) -> bool:
        if self._failures.get(order.client_id, 0) < QUICK_BOOKINGS:
            return True
        return self._clock.now_ms() - self._tried_ms[order.client_id] >= PAUSE_MS

    def _book(self, order: OrderRecord) -> None:
        """Adoption by replay, as for the orders of pair trades."""
        self._guard.arm(order.client_id)
        try:
            booking = self._broker.booking(order.symbol, [order.order_id or ""])
            if booking is not None and order.order_id in booking.stale:
                self._broker.update_row(order.order_id, order.symbol, self._guard.answer_of(order))
            else:
                self._broker.exit(order, self._broker.amount_step(order.symbol), "force_exit")
        finally:
            self._guard.disarm(order.symbol)

    def _note_failure(self, order: OrderRecord) -> None:
        failures = self._failures.get(order.client_id, 0) + 1
        self._failures[order.client_id], self._tried_ms[order.client_id] = failures, self._clock.now_ms()
        if failures == QUICK_BOOKINGS:
            self._broker.tell(
                f"{order.symbol}: exit {order.client_id} ({order.side} {order.amount}, {order.status}, "
                f"filled {order.filled}) could not be booked in {failures} attempts; it is tried again once "
                "a minute. Compare the position on the venue with Freqtrade's trade",
                is_warning=True,
            )
