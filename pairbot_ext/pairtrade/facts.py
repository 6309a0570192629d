"""What is known of a pair trade: the journal's orders, Freqtrade's rows, the last positions read."""

import logging
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.intents import Intents
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, Role
from pairbot_ext.pairtrade.situation import Facts, LegFacts
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

MAX_BOOKINGS = 5
"""Passes in which Freqtrade could not book an order before a person is asked."""
BOOKING_PAUSE_MS = 60_000
"""Then it is tried again so often: what keeps Freqtrade from it may pass."""


@dataclass
class Pass:
    """What one pass has learnt and must not ask twice."""

    exit_reason: str | None = None
    may_explain: bool = False
    asked: set[str] = field(default_factory=set)
    failed_to_book: set[str] = field(default_factory=set)
    venue: dict[Leg, Decimal] = field(default_factory=dict)
    explained: set[Leg] = field(default_factory=set)
    is_blocked: bool = False
    insists: bool = False
    changes: list[tuple[PairTrade, PairTrade]] = field(default_factory=list)


@dataclass(frozen=True)
class _Bookings:
    """Attempts of Freqtrade to book one order that failed."""

    failures: int
    last_ms: int


class Knowledge:
    """Gathers facts. Imports fills of other hands on the way: they are facts too."""

    def __init__(
        self, bridge: Bridge, broker: Broker, journal: Journal, clock: Clock, intents: Intents
    ) -> None:
        self._bridge = bridge
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._intents = intents
        self._bookings: dict[str, _Bookings] = {}

    def gather(self, trade: PairTrade, now: Pass) -> Facts:
        now_ms = self._clock.now_ms()
        given_up = {key: each for key, each in self._bookings.items() if each.failures >= MAX_BOOKINGS}
        return Facts(
            now_ms=now_ms,
            leg_a=self.gather_leg(trade, Leg.A, now),
            leg_b=self.gather_leg(trade, Leg.B, now),
            exit_reason=now.exit_reason,
            insists=now.insists,
            can_write=not self._journal.is_degraded,
            asked=frozenset(now.asked),
            failed_to_book=frozenset(now.failed_to_book),
            unbookable=frozenset(given_up),
            booked_later=frozenset(
                key for key, each in given_up.items() if now_ms - each.last_ms < BOOKING_PAUSE_MS
            ),
        )

    def gather_leg(self, trade: PairTrade, leg: Leg, now: Pass) -> LegFacts:
        symbol = trade.plan.symbol(leg)
        orders = [order for order in self._journal.orders_of(trade.id) if order.leg is leg]
        known = {order.order_id: order for order in orders if order.order_id is not None}
        booked: set[str] = set()
        try:
            booking = self._broker.booking(symbol, list(known))
        except SQLAlchemyError as error:
            # Unreadable is not "not booked": nothing is booked a second time on it.
            logger.error(f"Freqtrade's trades cannot be read: {error}")
            booked, booking = set(known), None
        if booking is not None:
            booked = set(booking.fills)
            if any(not order.status.is_settled for order in orders):
                # A fill we do not know may be the unsettled order's own: it would count twice.
                booking = replace(booking, fills={})
            for order_id, (side, filled, average) in booking.fills.items():
                if order_id not in known:
                    orders.append(self._import_fill(trade, leg, order_id, side, filled, average))
        unbooked = tuple(
            order.client_id
            for order in orders
            if order.filled
            and order.status.is_settled
            and order.order_id
            and order.order_id not in booked
            and order.order_id in known
            and order.role is not Role.EXTERNAL
        )
        sizing = trade.sizing[leg]
        return LegFacts(
            leg=leg,
            sizing=sizing,
            orders=tuple(orders),
            price=self._bridge.last_rate(symbol) or sizing.price,
            unbooked=unbooked,
            venue=now.venue.get(leg),
            step_now=self._broker.step_now(symbol),
        )

    def _import_fill(
        self, trade: PairTrade, leg: Leg, order_id: str, side: str, filled: Decimal, average: float
    ) -> OrderRecord:
        """A fill Freqtrade has found on the venue that none of our orders caused."""
        role = Role.TOP_UP if side == trade.entry_side(leg) else Role.EXTERNAL
        return self.external(trade, leg, role, filled, average, order_id, "found on the venue")

    def external(
        self,
        trade: PairTrade,
        leg: Leg,
        role: Role,
        filled: Decimal,
        average: float | None,
        order_id: str | None,
        reason: str,
    ) -> OrderRecord:
        now = self._clock.now_ms()
        draft = self._intents.of_leg(trade, leg, role, filled, "market", None, reason)
        client_id = f"ext-{trade.id}-{leg}-{role}-{draft.attempt}"
        order = replace(
            draft,
            client_id=client_id,
            status=OrderStatus.FILLED,
            order_id=order_id or client_id,
            filled=filled,
            average=average,
            reduce_only=True,
            settled_ms=now,
        )
        self._journal.add_order(order)
        self._journal.add_event(
            trade.id, "external", leg=leg, side=order.side, filled=filled, average=average, reason=reason
        )
        return order

    def note_booking(self, client_id: str, *, is_booked: bool) -> int:
        """Count the passes in which Freqtrade could not book an order. Returns the count."""
        if is_booked:
            self._bookings.pop(client_id, None)
            return 0
        failures = self._bookings[client_id].failures + 1 if client_id in self._bookings else 1
        self._bookings[client_id] = _Bookings(failures, self._clock.now_ms())
        return failures
