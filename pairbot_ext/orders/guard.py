"""The order guard: every order has a durable intent before it leaves, and a settled fate afterwards.

Freqtrade's own code builds its rows from what `transmit` returns, and `transmit` returns nothing but
settled orders: an unclear answer is asked for by client order id until the venue has answered, an order
found resting is cancelled and read. A send whose intent is already settled or under way asks instead of
sending, which makes adoption the replay of the call that was interrupted.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import ccxt

from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.states import OrderStatus, Refusal
from pairbot_ext.model.structures import order_structure
from pairbot_ext.orders.answers import Answer, is_open, read_answer
from pairbot_ext.orders.port import Sent, VenuePort
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

SETTLE_MARGIN_MS = 1_000
ENTRY_BUDGET_MS = 6_000
"""How long an unclear entry is asked for before the caller goes on without an answer."""
REDUCE_BUDGET_MS = 2_000
POLL_SECS = 0.25
MAX_ERROR_CHARS = 300


class Unintended(ccxt.OperationRejected):
    """An order without an intent: refused before it leaves the process."""


class OrderGuard:
    """See the module.

    :param claim_exit: makes and stores the intent of a reduce-only order that Freqtrade sends on its own
        (a force-exit): (symbol, side, amount) -> client order id.
    """

    def __init__(
        self,
        journal: Journal,
        port: VenuePort,
        clock: Clock,
        claim_exit: Callable[[str, str, float], str],
    ) -> None:
        self._journal = journal
        self._port = port
        self._clock = clock
        self._claim_exit = claim_exit
        self._armed = threading.local()
        self._sent: set[str] = set()
        self._answers: dict[str, dict[str, Any]] = {}
        """Of orders that have left together, until Freqtrade books them."""
        self._bounds_ms: dict[str, int] = {}
        self.heard: Callable[[str], dict[str, Any] | None] = lambda _client_id: None
        """The last thing a stream has said of an order, in ccxt's structure; None without one."""

    # -- intents -----------------------------------------------------------------------------------

    def arm(self, client_id: str) -> None:
        """The next order this thread creates on the intent's symbol is this one."""
        order = self._journal.order(client_id)
        assert order is not None
        self._slips()[order.symbol] = client_id

    def armed(self, symbol: str) -> OrderRecord | None:
        """The intent the next order on `symbol` belongs to, or None."""
        client_id = self._slips().get(symbol)
        return None if client_id is None else self._journal.order(client_id)

    def disarm(self, symbol: str | None = None) -> None:
        """Forget the armed intent of `symbol`, or all of this thread's."""
        if symbol is None:
            self._slips().clear()
        else:
            self._slips().pop(symbol, None)

    def was_sent(self, client_id: str) -> bool:
        """Whether this process has begun to send an order."""
        return client_id in self._sent

    def _slips(self) -> dict[str, str]:
        if not hasattr(self._armed, "slips"):
            self._armed.slips = {}
        slips: dict[str, str] = self._armed.slips
        return slips

    def claim(
        self, symbol: str, order_type: str, side: str, amount: float, *, reduce_only: bool, conditional: bool
    ) -> OrderRecord:
        """The intent of an order that is about to leave. Raises Unintended, a ccxt error."""
        if conditional:
            raise Unintended(
                f"pairbot refuses conditional orders ({side} {amount} {symbol}): a stop on one leg would "
                "leave the other alone"
            )
        order = self.armed(symbol)
        if order is None and reduce_only:
            order = self._journal.order(self._claim_exit(symbol, side, amount))
        self.disarm(symbol)
        if order is None:
            raise Unintended(
                f"pairbot refuses {order_type} {side} {amount} {symbol}: no pair trade has planned it"
            )
        if order.side != side or order.reduce_only != reduce_only:
            raise Unintended(
                f"pairbot planned {order.side} {order.amount} {symbol} (reduce-only {order.reduce_only}) as "
                f"{order.client_id}, Freqtrade wants to {side} {amount} (reduce-only {reduce_only})"
            )
        return order

    # -- sending and asking ------------------------------------------------------------------------

    def transmit(self, order: OrderRecord) -> dict[str, Any]:
        """Send `order`, or ask where it was sent before. Returns ccxt's structure of the settled order.

        :raises ccxt.BaseError: as the venue refused it; OperationFailed where it never arrived or where it
            is still unknown.
        """
        if order.status is not OrderStatus.INTENT:
            return self._outcome(self.settle(order), self._answers.pop(order.client_id, None))
        self._sent.add(order.client_id)
        try:
            sent: Sent = self._port.send(order)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the order may be live
            sent = error
        except BaseException:
            # Ctrl+C between send and answer: the order may be live.
            self._unknown(order)
            raise
        order = self._heard(order, sent)
        if not order.status.is_settled:
            return self._outcome(self.settle(order))
        if isinstance(sent, Exception):
            raise sent
        return self._outcome(order, sent)

    def transmit_together(self, orders: Sequence[OrderRecord]) -> None:
        """Send intents, none of which waits for another's answer, and record what is answered. What is
        unclear is left to the caller to `settle`; Freqtrade books the rest with `transmit`."""
        self._answers.clear()
        self._sent.update(order.client_id for order in orders)
        unheard = {order.client_id: order for order in orders}
        try:
            with closing(self._port.send_together(orders)) as answers:
                for order, sent in answers:
                    if self._heard(order, sent).filled and isinstance(sent, dict):
                        self._answers[order.client_id] = sent
                    del unheard[order.client_id]
        except BaseException:
            # Ctrl+C before every answer was recorded: those orders may be live.
            for order in unheard.values():
                self._unknown(order)
            raise

    def has_room_for(self, count: int) -> bool:
        """See VenuePort."""
        return self._port.has_room_for(count)

    def _heard(self, order: OrderRecord, sent: Sent) -> OrderRecord:
        """Record what came back of an order that was just sent: final, refused, or unclear."""
        if isinstance(sent, Exception):
            refusal = self._port.refusal_of(sent)
            if refusal is not None:
                return self._refused(order, refusal, sent)
            return self._unclear(order, _text(sent))
        final = _final(sent)
        if final is None:
            return self._unclear(order, "resting" if _is_open(sent) else "an empty or truncated answer")
        return self._record(order, final, sent_ms=order.intent_ms)

    def _refused(self, order: OrderRecord, refusal: Refusal, error: Exception) -> OrderRecord:
        now, text = self._clock.now_ms(), _text(error)
        order = self._journal.change_order(
            order.client_id,
            status=OrderStatus.REJECTED,
            refusal=refusal,
            error=text,
            sent_ms=order.intent_ms,
            answered_ms=now,
            settled_ms=now,
        )
        self._journal.add_event(
            order.pair_trade_id, "rejected", order=order.client_id, refusal=refusal, error=text
        )
        return order

    def _unclear(self, order: OrderRecord, error: str) -> OrderRecord:
        order = self._unknown(order, error=error)
        self._journal.add_event(order.pair_trade_id, "unclear", order=order.client_id, error=error)
        return order

    def _unknown(self, order: OrderRecord, **changes: Any) -> OrderRecord:
        # The request's timestamp lies between intent and now; the later bound is the safe one.
        return self._journal.change_order(
            order.client_id, status=OrderStatus.UNKNOWN, sent_ms=self._clock.now_ms(), **changes
        )

    def settle(self, order: OrderRecord, budget_ms: int | None = None) -> OrderRecord:
        """Ask by client order id until the venue has answered or the budget is spent (I3).

        "Not found" settles an order only if the venue's own clock was past request timestamp + arrival window
        + margin before the question was asked. Whatever a question raises counts as no answer.
        """
        if order.status.is_settled:
            return order
        if budget_ms is None:
            budget_ms = REDUCE_BUDGET_MS if order.reduce_only else ENTRY_BUDGET_MS
        if order.sent_ms is None:
            order = self._unknown(order)
        assert order.sent_ms is not None
        deadline_ms = self._clock.now_ms() + budget_ms
        is_past_bound = False
        while True:
            update = _final(self.heard(order.client_id))
            if update is not None and self._is_of(order, update):
                return self._record(order, update, sent_ms=order.sent_ms)
            try:
                found = self._port.query(order)
            except ccxt.OrderNotFound:
                if is_past_bound:
                    return self._void(order)
                is_past_bound = self._venue_is_past_bound(order, order.sent_ms)
                if is_past_bound:
                    continue
            except ccxt.DDoSProtection as error:
                logger.warning(f"{order.client_id} cannot be asked for: {_text(error)}")
                break
            except Exception as error:  # noqa: BLE001 - ccxt stumbles over an empty answer with a TypeError
                logger.warning(f"{order.client_id} cannot be asked for: {_text(error)}")
            else:
                final = _final(found)
                if final is not None:
                    return self._record(order, final, sent_ms=order.sent_ms)
                if _is_open(found):
                    self._cancel(order)
            if self._clock.now_ms() >= deadline_ms:
                break
            self._clock.sleep(POLL_SECS)
        return order

    def hear(self, client_id: str, symbol: str, update: dict[str, Any]) -> OrderRecord | None:
        """A stream's update of an order, recorded exactly as an answer would be: only a final one, only of an
        order whose fate is open. Doubled, late and out of order it changes nothing.

        Returns the order if it is ours, as it stands now.
        """
        order = self._journal.order(client_id)
        if order is None or order.symbol != symbol:
            return None
        final = _final(update)
        if final is None or order.status.is_settled or not self._is_of(order, final):
            return order
        return self._record(order, final, sent_ms=order.sent_ms or order.intent_ms)

    @staticmethod
    def _is_of(order: OrderRecord, final: Answer) -> bool:
        """An id is given once; that the venue's own belongs to it costs nothing to see."""
        return order.order_id in (None, final.order_id)

    def _venue_is_past_bound(self, order: OrderRecord, sent_ms: int) -> bool:
        """Whether the venue can no longer take the order. The bound counts from the later of our clock when
        the order was sent and the venue's when it was first missed: the two may differ by any amount."""
        try:
            venue_ms: object = self._port.venue_ms()
        except Exception as error:  # noqa: BLE001 - an empty answer makes ccxt raise a TypeError
            logger.warning(f"The venue's clock cannot be read: {_text(error)}")
            return False
        if not isinstance(venue_ms, int) or isinstance(venue_ms, bool):
            return False
        bound_ms = self._bounds_ms.setdefault(
            order.client_id, max(sent_ms, venue_ms) + self._port.arrival_window_ms + SETTLE_MARGIN_MS
        )
        return venue_ms > bound_ms

    def _cancel(self, order: OrderRecord) -> None:
        """Pair legs never rest. Whatever the cancel says, the next question tells what became of it."""
        try:
            self._port.cancel(order)
        except Exception as error:  # noqa: BLE001 - the next question tells
            logger.warning(f"{order.client_id} could not be cancelled: {_text(error)}")

    def _record(self, order: OrderRecord, final: Answer, *, sent_ms: int) -> OrderRecord:
        now = self._clock.now_ms()
        order = self._journal.change_order(
            order.client_id,
            status=final.status,
            order_id=final.order_id,
            filled=final.filled,
            average=final.average,
            sent_ms=sent_ms,
            answered_ms=now,
            settled_ms=now,
        )
        self._journal.add_event(
            order.pair_trade_id,
            "order",
            order=order.client_id,
            status=final.status,
            filled=final.filled,
            average=final.average,
        )
        return order

    def _void(self, order: OrderRecord) -> OrderRecord:
        now = self._clock.now_ms()
        order = self._journal.change_order(
            order.client_id, status=OrderStatus.VOID, answered_ms=now, settled_ms=now
        )
        self._journal.add_event(order.pair_trade_id, "void", order=order.client_id)
        return order

    def _outcome(self, order: OrderRecord, answer: dict[str, Any] | None = None) -> dict[str, Any]:
        """What Freqtrade gets to see of a settled order."""
        match order.status:
            case OrderStatus.FILLED | OrderStatus.PARTIAL | OrderStatus.EXPIRED:
                return answer if answer is not None else self.answer_of(order)
            case OrderStatus.VOID:
                raise ccxt.OperationFailed(f"pairbot: {order.client_id} never reached the venue")
            case OrderStatus.REJECTED:
                raise ccxt.OperationRejected(f"pairbot: {order.client_id} was refused: {order.error}")
            case _:
                raise ccxt.OperationFailed(
                    f"pairbot: it is unknown whether {order.client_id} was executed; it is asked for again "
                    f"({order.error})"
                )

    def answer_of(self, order: OrderRecord) -> dict[str, Any]:
        """ccxt's structure of a settled order: the venue's, or, where it cannot be read, the journal's."""
        try:
            found = self._port.query(order)
            if _final(found) is not None:
                return found
        except Exception as error:  # noqa: BLE001 - what is settled is in the journal
            logger.warning(f"{order.client_id} is taken from the journal: {_text(error)}")
        return order_structure(order)

    # -- what Freqtrade asks -----------------------------------------------------------------------

    def checked_fetch(
        self, order_id: str | None, symbol: str, ask: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Freqtrade's question about an order. For one of ours "not found" never gets through: Freqtrade
        would take it for cancelled and delete the trade."""
        try:
            return ask()
        except ccxt.OrderNotFound as error:
            order = None if order_id is None else self._journal.order_by_venue_id(symbol, str(order_id))
            if order is None:
                raise
            if order.status.is_settled:
                return order_structure(order)
            raise ccxt.OperationFailed(
                f"pairbot: the venue does not show {order.client_id} now; that proves nothing yet"
            ) from error

    def checked_cancel(
        self, order_id: str | None, symbol: str, cancel: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Freqtrade cancels an order. "No such open order" may mean that it has filled: for one of ours the
        answer is what became of it, never "not found"."""
        try:
            return cancel()
        except ccxt.OrderNotFound:
            order = None if order_id is None else self._journal.order_by_venue_id(symbol, str(order_id))
            if order is None:
                raise
            return self._outcome(self.settle(order))


def _final(answer: Any) -> Answer | None:
    """`read_answer`; None also for what is no order at all."""
    try:
        return read_answer(answer)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _is_open(answer: Any) -> bool:
    return isinstance(answer, dict) and is_open(answer)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS]
