"""Carries out single actions of `decide`: asks, books, enters, reduces. Nothing raises into the pass."""

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.intents import Intents
from pairbot_ext.journal.journal import Journal, JournalUnavailableError
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import nearest_amount
from pairbot_ext.model.states import OrderStatus, Refusal
from pairbot_ext.model.thresholds import exit_code
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.pairtrade.decide import Enter, Reduce
from pairbot_ext.pairtrade.facts import Knowledge, Pass
from pairbot_ext.pairtrade.prices import Prices, on_tick
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)


class Performer:
    """See the module."""

    def __init__(
        self,
        broker: Broker,
        journal: Journal,
        known: Knowledge,
        intents: Intents,
        prices: Prices,
        guard: OrderGuard,
        clock: Clock,
    ) -> None:
        self._broker = broker
        self._journal = journal
        self._known = known
        self._intents = intents
        self._prices = prices
        self._guard = guard
        self._clock = clock

    def ask(self, client_id: str, now: Pass) -> None:
        """Ask the venue for one order."""
        order = self._journal.order(client_id)
        assert order is not None
        if not self._guard.settle(order).status.is_settled:
            now.asked.add(client_id)

    def book(self, trade: PairTrade, client_id: str, now: Pass) -> None:
        """Adoption by replay: the guard answers the same call with the order that was found."""
        order = self._journal.order(client_id)
        assert order is not None
        self._have_booked(trade, order)
        if client_id in self._known.gather_leg(trade, order.leg, now).unbooked:
            now.failed_to_book.add(client_id)
            failures = self._known.note_booking(client_id, is_booked=False)
            self._journal.add_event(trade.id, "not_booked", order=client_id, failures=failures)
        else:
            self._known.note_booking(client_id, is_booked=True)
            self._journal.add_event(trade.id, "adopted", order=client_id)

    def enter(self, trade: PairTrade, action: Enter, now: Pass) -> None:
        """Send leg B, or the part of it that is missing."""
        side = trade.entry_side(action.leg)
        sizing = trade.sizing[action.leg]
        symbol = trade.plan.symbol(action.leg)
        best = self._prices.best(symbol, side, sizing.price, is_first=not action.attempt)
        reach = trade.sizing.slippage_cap * 2**action.attempt
        price = best * (1 + reach) if side == "buy" else best * (1 - reach)
        amount = action.amount
        if action.attempt:
            # An attempt fails where the price has run away: what hedges the mate at the price there is now.
            amount = nearest_amount(float(amount) * action.price, best, sizing.step) or amount
        order = self._intents.of_leg(
            trade,
            action.leg,
            action.role,
            amount,
            "market" if action.is_market else "limit",
            on_tick(price, sizing.tick, side),
        )
        try:
            self._journal.add_order(order)
        except JournalUnavailableError as error:
            logger.error(str(error))
            return
        self._send(order, lambda: self._broker.enter(order, trade), now)

    def reduce(self, trade: PairTrade, actions: Sequence[Reduce], now: Pass) -> None:
        """Send reduce-only market orders together: all are durable before one leaves, none waits for the
        answer of another. Freqtrade books what has filled when all are out, by replay."""
        if not self._guard.has_room_for(len(actions)):
            logger.warning(f"Pair trade {trade.id}: its exits wait for the venue's next order window")
            now.is_blocked = True
            return
        intents = [
            self._intents.of_leg(trade, each.leg, each.role, each.amount, "market", None, trade.reason)
            for each in actions
        ]
        orders = self._journal.add_orders(intents)
        self._guard.transmit_together(orders)
        for client_id in (order.client_id for order in orders):
            sent = self._journal.order(client_id)
            if sent is not None and sent.filled and self._has_trade(sent.symbol):
                self._have_booked(trade, sent)

    def _have_booked(self, trade: PairTrade, order: OrderRecord) -> None:
        """Freqtrade runs its own entry or exit, and the guard answers it with the order that is there."""
        self._guard.arm(order.client_id)
        try:
            booking = self._broker.booking(order.symbol, [order.order_id or ""])
            if booking is not None and order.order_id in booking.stale:
                self._broker.update_row(order.order_id, order.symbol, self._guard.answer_of(order))
            elif order.role.increases:
                self._broker.enter(order, trade)
            else:
                reason = exit_code(order.reason or trade.reason, order.role)
                self._broker.exit(order, trade.sizing[order.leg].step, reason)
        except SQLAlchemyError as error:
            logger.warning(f"Freqtrade could not book {order.client_id}: {error}")
            self._broker.discard_changes()
        except Exception as error:  # noqa: BLE001 - the other leg has its turn, `decide` sees what is missing
            logger.warning(f"Freqtrade could not book {order.client_id}: {type(error).__name__}: {error}")
        finally:
            self._guard.disarm(order.symbol)

    def drop_unsent(self, client_id: str, why: str) -> None:
        """An intent that has not reached the guard was never sent: this process knows."""
        order = self._journal.order(client_id)
        is_unsent = order is not None and order.status is OrderStatus.INTENT
        if order is not None and is_unsent and not self._guard.was_sent(client_id):
            now = self._clock.now_ms()
            self._journal.change_order(
                client_id, status=OrderStatus.REJECTED, refusal=Refusal.HARD, error=why[:300], settled_ms=now
            )
            self._journal.add_event(order.pair_trade_id, "not_sent", order=client_id, error=why[:300])

    def _has_trade(self, symbol: str) -> bool:
        """Whether Freqtrade has something to book an exit on now; else it is booked later."""
        if self._journal.is_degraded:
            return False
        try:
            return self._broker.has_open_trade(symbol)
        except SQLAlchemyError as error:
            logger.error(f"Freqtrade's trades cannot be read, the exit of {symbol} is booked later: {error}")
            return False

    def _send(self, order: OrderRecord, send: Callable[[], object], now: Pass) -> None:
        """Have Freqtrade send one order. Whatever it raises, `decide` sees what came of it."""
        self._guard.arm(order.client_id)
        why = "Freqtrade did not send it"
        try:
            send()
        except Exception as error:  # noqa: BLE001 - a failing leg must not keep its mate from being closed
            why = str(error)
            logger.warning(f"{order.client_id}: {error}")
        finally:
            self._guard.disarm(order.symbol)
        # Not reached on Ctrl+C: then the intent is asked for like one that a crash has left behind.
        self.drop_unsent(order.client_id, why)
        sent = self._journal.order(order.client_id)
        if sent is not None and not sent.status.is_settled:
            # The guard has just asked: not once more in the same breath.
            now.asked.add(order.client_id)
