"""The coordinator: carries out what `decide` says until a pair trade needs nothing more.

It is woken by fills, by the loop, by exits and by people, and always does the same: gather the facts, ask
`decide`, act, gather again. Being woken twice, late or for nothing changes nothing (I4).
"""

import logging
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal

import ccxt
import numpy as np
from freqtrade.exceptions import FreqtradeException
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.bridge import Bridge
from pairbot_ext.errors import PairbotError
from pairbot_ext.execution.broker import Broker, OrderBook, leg_side
from pairbot_ext.execution.clock import Clock
from pairbot_ext.execution.decide import (
    Action,
    Ask,
    Book,
    Decision,
    Enter,
    Explain,
    Facts,
    LegFacts,
    ReadVenue,
    Reduce,
    decide,
    held_back,
)
from pairbot_ext.execution.facts import Knowledge, Pass
from pairbot_ext.execution.guard import OrderGuard
from pairbot_ext.execution.journal import Journal, JournalUnavailableError
from pairbot_ext.execution.plan import EntryPlan
from pairbot_ext.execution.records import OrderRecord, PairTrade, Sizing
from pairbot_ext.execution.states import (
    ClientOrderId,
    Goal,
    OrderStatus,
    PairState,
    Refusal,
    Role,
)
from pairbot_ext.sizing import Leg

logger = logging.getLogger(__name__)

MAX_STEPS = 60
"""Decisions in one pass. A pass that needs more has a fault of ours: it stops and is told (I6)."""
CONFIRM_MS = 3_000
"""Two positions answers at least so far apart must miss an amount before it is written off (I3)."""
BOOK_AGE_MS = 3_000
"""A book older than this is read again before leg B is priced from it."""

Observer = Callable[[PairTrade, PairTrade], None]
"""(before, after): told of every change of state, goal or reason."""


class Coordinator:
    """See the module. All orders of pair trades go through here or are taken over by `take_over_exit`."""

    def __init__(
        self,
        bridge: Bridge,
        broker: Broker,
        journal: Journal,
        clock: Clock,
        rng: np.random.Generator,
        observe: Observer,
    ) -> None:
        self._bridge = bridge
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._known = Knowledge(bridge, broker, journal, clock, rng)
        self._observe = observe
        self._lock = threading.RLock()
        self._busy: set[str] = set()
        self._books: dict[str, tuple[int, OrderBook]] = {}
        self._missed_ms: dict[tuple[str, Leg], int] = {}
        self._told_waiting: set[tuple[str, Leg]] = set()
        self.guard: OrderGuard

    # -- intents -----------------------------------------------------------------------------------

    def plan_entry(
        self, plan: EntryPlan, sizing: Sizing, price: float, order_type: str, books: dict[str, OrderBook]
    ) -> OrderRecord:
        """Store a new pair trade and the intent of its leg A. Raises JournalUnavailableError."""
        trade = self._journal.add_pair_trade(
            self._known.new_id(), plan, sizing, dry_run=self._bridge.is_dry_run
        )
        now = self._clock.now_ms()
        self._books.update({symbol: (now, book) for symbol, book in books.items()})
        order = self._known.intent(trade, Leg.A, Role.ENTRY, sizing.leg_a.amount, order_type, price)
        self._journal.add_order(order)
        return order

    def take_over_exit(self, symbol: str, side: str, amount: float, order_type: str) -> str:
        """The intent of a reduce-only order Freqtrade sends on its own (force-exit, liquidation guard).

        Of a symbol in no pair trade too: no order leaves without a durable intent (I1).
        """
        trade = self._journal.owner_of(symbol)
        exact = Decimal(str(amount))
        if trade is not None:
            leg = trade.plan.leg_of(symbol)
            step = trade.sizing[leg].step
            exact = (exact / step).quantize(Decimal(1)) * step
            is_whole = self._held(trade, leg) - exact < step / 2
            order = self._known.intent(
                trade, leg, Role.EXIT if is_whole else Role.TRIM, exact, "market", None, "by hand"
            )
        else:
            alone = ClientOrderId(self._known.new_id(), Leg.A, Role.EXIT, 1)
            order = OrderRecord(
                client_id=str(alone),
                pair_trade_id=alone.pair_trade,
                leg=Leg.A,
                role=Role.EXIT,
                attempt=1,
                symbol=symbol,
                side=side,
                order_type="market" if order_type != "limit" else order_type,
                amount=exact,
                price=None,
                leverage=1.0,
                reduce_only=True,
                reason="not a pair trade",
                status=OrderStatus.INTENT,
                intent_ms=self._clock.now_ms(),
            )
        self._journal.add_order(order)
        return order.client_id

    def _held(self, trade: PairTrade, leg: Leg) -> Decimal:
        return self._known.gather_leg(trade, leg, Pass()).held

    # -- passes ------------------------------------------------------------------------------------

    def advance(
        self,
        pair_trade_id: str,
        *,
        exit_reason: str | None = None,
        may_explain: bool = False,
        venue: dict[str, Decimal] | None = None,
        already_asked: Iterable[str] = (),
    ) -> None:
        """One pass over one pair trade. Does nothing where a pass over it is under way (a fill of an order
        that this very pass has sent).

        :param exit_reason: somebody wants it closed.
        :param may_explain: whether Freqtrade may be made to read the venue's orders: not inside a callback.
        :param venue: positions just read, signed, by symbol.
        :param already_asked: client ids the venue has just not answered for.
        """
        with self._lock:
            if pair_trade_id in self._busy:
                return
            self._busy.add(pair_trade_id)
            try:
                self._run(pair_trade_id, Pass(exit_reason, may_explain, set(already_asked)), venue)
            finally:
                self._busy.discard(pair_trade_id)
                self._journal.flush()

    def _run(self, pair_trade_id: str, now: Pass, venue: dict[str, Decimal] | None) -> None:
        trade = self._journal.pair_trade(pair_trade_id)
        if trade is None:
            return
        if venue is not None:
            self._take_positions(trade, venue, now)
        try:
            with self._bridge.deferred():
                self._go_on(trade, now)
        finally:
            # Told when the housekeeping is done, so that the profit has its fees and funding.
            changes, now.changes = now.changes, []
            for before, after in changes:
                self._observe(before, after)

    def _go_on(self, trade: PairTrade, now: Pass) -> None:
        for _ in range(MAX_STEPS):
            facts = self._known.gather(trade, now)
            decision = decide(trade, facts)
            trade = self._store(trade, decision, now)
            self._tell_waiting(trade, facts)
            if not decision.actions:
                return
            for action in decision.actions:
                try:
                    self._perform(trade, action, now)
                except Exception:
                    # The mate's action has its turn; the next pass tries this one again.
                    logger.exception(f"Pair trade {trade.id}: {action} failed")
                    now.is_blocked = True
            if now.is_blocked:
                return
        self._journal.add_event(trade.id, "no_rest", steps=MAX_STEPS)
        logger.error(f"Pair trade {trade.id} did not come to rest in {MAX_STEPS} steps")

    def _store(self, trade: PairTrade, decision: Decision, this: Pass) -> PairTrade:
        now = self._clock.now_ms()
        changes: dict[str, object] = {}
        if (decision.state, decision.goal, decision.reason) != (trade.state, trade.goal, trade.reason):
            changes.update(state=decision.state, goal=decision.goal, reason=decision.reason)
        if decision.state is PairState.HEDGED and not trade.was_hedged:
            changes.update(was_hedged=True, hedged_ms=now)
        if decision.state.is_final and trade.closed_ms is None:
            changes.update(closed_ms=now)
        if not changes:
            return trade
        if decision.state is not trade.state:
            self._journal.add_event(trade.id, decision.state.lower(), reason=decision.reason)
        after = self._journal.change_pair_trade(trade.id, **changes)
        this.changes.append((trade, after))
        return after

    def _tell_waiting(self, trade: PairTrade, facts: Facts) -> None:
        """Once per leg and series of failures: what the engine cannot close or trim at once."""
        for leg in facts.legs:
            text = held_back(leg)
            key = (trade.id, leg.leg)
            if text is None:
                self._told_waiting.discard(key)
            elif key not in self._told_waiting:
                self._told_waiting.add(key)
                self._broker.tell(f"Pair {trade.plan.pair_id} ({trade.id}): {text}", is_warning=True)

    @property
    def has_suspicion(self) -> bool:
        """Whether positions should be read again soon: an amount was missed once."""
        is_open = {trade.id for trade in self._journal.open_pair_trades()}
        self._missed_ms = {key: at_ms for key, at_ms in self._missed_ms.items() if key[0] in is_open}
        return bool(self._missed_ms)

    def _take_positions(self, trade: PairTrade, positions: dict[str, Decimal], now: Pass) -> None:
        """Signed positions just read become facts of this pass; what is there again is no longer missed."""
        now.venue = {
            leg: positions.get(trade.plan.symbol(leg), Decimal(0)) * leg_side(trade, leg) for leg in Leg
        }
        for leg in Leg:
            facts = self._known.gather_leg(trade, leg, now)
            if facts.held - now.venue[leg] < facts.sizing.step / 2:
                self._missed_ms.pop((trade.id, leg), None)

    def facts_of(self, trade: PairTrade) -> Facts:
        """What is known of a pair trade without asking the venue."""
        return self._known.gather(trade, Pass())

    # -- actions -----------------------------------------------------------------------------------

    def _perform(self, trade: PairTrade, action: Action, now: Pass) -> None:
        if not isinstance(action, ReadVenue | Explain):
            # What was read before an order changed says nothing about after it.
            now.venue.clear()
        match action:
            case Ask(client_id):
                self._ask(client_id, now)
            case Book(client_id):
                self._book(trade, client_id, now)
            case Enter():
                self._enter(trade, action, now)
            case Reduce():
                self._reduce(trade, action, now)
            case ReadVenue():
                self._read_venue(trade, now)
            case Explain(leg):
                self._explain(trade, leg, now)

    def _ask(self, client_id: str, now: Pass) -> None:
        order = self._journal.order(client_id)
        assert order is not None
        if not self.guard.settle(order).status.is_settled:
            now.asked.add(client_id)

    def _book(self, trade: PairTrade, client_id: str, now: Pass) -> None:
        """Adoption by replay: the guard answers the same call with the order that was found."""
        order = self._journal.order(client_id)
        assert order is not None
        self.guard.arm(client_id)
        try:
            booking = self._broker.booking(order.symbol, [order.order_id or ""])
            if booking is not None and order.order_id in booking.stale:
                self._broker.update_row(order.order_id, order.symbol, self.guard.answer_of(order))
            elif order.role.increases:
                self._broker.enter(order, trade)
            else:
                self._broker.exit(order, trade.sizing[order.leg].step, order.reason or trade.reason)
        except (FreqtradeException, ccxt.BaseError) as error:
            logger.warning(f"Freqtrade could not book {client_id}: {error}")
        except SQLAlchemyError as error:
            logger.warning(f"Freqtrade could not book {client_id}: {error}")
            self._broker.discard_changes()
        finally:
            self.guard.disarm(order.symbol)
        if client_id in self._known.gather_leg(trade, order.leg, now).unbooked:
            now.failed_to_book.add(client_id)
            failures = self._known.note_booking(client_id, is_booked=False)
            self._journal.add_event(trade.id, "not_booked", order=client_id, failures=failures)
        else:
            self._known.note_booking(client_id, is_booked=True)
            self._journal.add_event(trade.id, "adopted", order=client_id)

    def _enter(self, trade: PairTrade, action: Enter, now: Pass) -> None:
        side = trade.entry_side(action.leg)
        sizing = trade.sizing[action.leg]
        best = self._best_price(trade.plan.symbol(action.leg), side, sizing.price, action.attempt)
        reach = trade.sizing.slippage_cap * 2**action.attempt
        price = best * (1 + reach) if side == "buy" else best * (1 - reach)
        order = self._known.intent(
            trade,
            action.leg,
            action.role,
            action.amount,
            "market" if action.is_market else "limit",
            _on_tick(price, sizing.tick, side),
        )
        try:
            self._journal.add_order(order)
        except JournalUnavailableError as error:
            logger.error(str(error))
            return
        self._send(order, lambda: self._broker.enter(order, trade), now)

    def _best_price(self, symbol: str, side: str, fallback: float, attempt: int) -> float:
        """Best price on the side we take: from the book read in the checks for the first attempt, from a
        fresh one for the next."""
        read_ms, book = self._books.get(symbol, (0, None))
        if book is None or attempt or self._clock.now_ms() - read_ms > BOOK_AGE_MS:
            try:
                book = self._broker.book(symbol)
                self._books[symbol] = (self._clock.now_ms(), book)
            except (FreqtradeException, ccxt.BaseError) as error:
                logger.warning(f"The book of {symbol} could not be read, the last price is used: {error}")
                book = None
        if book is not None:
            try:
                return book.best(side)
            except PairbotError as error:
                logger.warning(f"{symbol}: {error}")
        return self._bridge.last_rate(symbol) or fallback

    def _reduce(self, trade: PairTrade, action: Reduce, now: Pass) -> None:
        order = self._known.intent(
            trade, action.leg, action.role, action.amount, "market", None, trade.reason
        )
        try:
            self._journal.add_order(order)
        except JournalUnavailableError as error:
            logger.error(str(error))
            return
        if self._has_trade(order.symbol):
            step = trade.sizing[action.leg].step
            self._send(order, lambda: self._broker.exit(order, step, trade.reason[:255]), now)
        else:
            self._send(order, lambda: self._broker.send_only(order), now)

    def _has_trade(self, symbol: str) -> bool:
        """Whether Freqtrade can send the exit itself; where that cannot be read it goes past its books."""
        if self._journal.is_degraded:
            return False
        try:
            return self._broker.has_open_trade(symbol)
        except SQLAlchemyError as error:
            logger.error(f"Freqtrade's trades cannot be read, {symbol} is reduced past them: {error}")
            return False

    def _send(self, order: OrderRecord, send: Callable[[], object], now: Pass) -> None:
        """Send one order. Whatever it raises, the other leg has its turn: `decide` sees what came of it."""
        # The answer of a lost exit is asked for by `decide`, when its mate's exit is out too (I5).
        self.guard.arm(order.client_id, may_ask=not order.reduce_only)
        why = "Freqtrade did not send it"
        try:
            send()
        except Exception as error:  # noqa: BLE001 - a failing leg must not keep its mate from being closed
            why = str(error)
            logger.warning(f"{order.client_id}: {error}")
        finally:
            self.guard.disarm(order.symbol)
        # Not reached on Ctrl+C: then the intent is asked for like one that a crash has left behind.
        self._drop_unsent(order.client_id, why)
        sent = self._journal.order(order.client_id)
        if sent is not None and not sent.status.is_settled and not sent.reduce_only:
            # The guard has just asked: not once more in the same breath.
            now.asked.add(order.client_id)

    def _drop_unsent(self, client_id: str, why: str) -> None:
        """An intent that has not reached the guard was never sent: this process knows."""
        order = self._journal.order(client_id)
        is_unsent = order is not None and order.status is OrderStatus.INTENT
        if order is not None and is_unsent and not self.guard.was_sent(client_id):
            now = self._clock.now_ms()
            self._journal.change_order(
                client_id, status=OrderStatus.REJECTED, refusal=Refusal.HARD, error=why[:300], settled_ms=now
            )
            self._journal.add_event(order.pair_trade_id, "not_sent", order=client_id, error=why[:300])

    def _read_venue(self, trade: PairTrade, now: Pass) -> None:
        try:
            positions = self._broker.positions()
        except (FreqtradeException, ccxt.BaseError) as error:
            logger.warning(f"Positions cannot be read: {error}")
            now.is_blocked = True
            return
        self._take_positions(trade, positions, now)

    def _explain(self, trade: PairTrade, leg: Leg, now: Pass) -> None:
        """The venue holds less than our fills say: by hand, liquidated, auto-deleveraged, delisted."""
        if not now.may_explain:
            now.is_blocked = True
            return
        venue = max(now.venue[leg], Decimal(0))
        if leg not in now.explained:
            now.explained.add(leg)
            try:
                self._broker.look_for_fills(trade.plan.symbol(leg))
            except (FreqtradeException, ccxt.BaseError) as error:
                logger.warning(f"The fills of {trade.plan.symbol(leg)} cannot be read: {error}")
                now.is_blocked = True
                return
        facts = self._known.gather_leg(trade, leg, now)
        missing = facts.held - venue
        if missing < facts.sizing.step / 2:
            self._missed_ms.pop((trade.id, leg), None)
        elif self._is_confirmed(trade, facts, missing):
            self._known.external(
                trade, leg, Role.EXTERNAL, missing, None, None, "gone from the venue without a fill we know"
            )

        else:
            now.is_blocked = True

    def _is_confirmed(self, trade: PairTrade, leg: LegFacts, missing: Decimal) -> bool:
        """Whether more than one answer misses the amount: an earlier read of the positions, or the venue's
        refusal to reduce what it does not hold."""
        last = leg.reduces[-1] if leg.reduces else None
        key, at_ms = (trade.id, leg.leg), self._clock.now_ms()
        if key not in self._missed_ms and not (last and last.refusal is Refusal.NO_POSITION):
            self._missed_ms[key] = at_ms
            self._broker.tell(
                f"Pair {trade.plan.pair_id} ({trade.id}): the venue shows {missing} less of leg {leg.leg} "
                f"({trade.plan.symbol(leg.leg)}) than our fills, {leg.held}, and no fill explains it. "
                "The positions are read once more before it counts as gone",
                is_warning=True,
            )
            return False
        if at_ms - self._missed_ms.get(key, 0) < CONFIRM_MS:
            return False
        self._missed_ms.pop(key, None)
        return True

    # -- native orders -----------------------------------------------------------------------------

    def native_entry_done(self, symbol: str) -> None:
        """After Freqtrade's execute_entry on leg A, however it ended: an intent that was never sent is
        dropped, an entry that did not fill ends its pair trade, one that did has been handled by its fill."""
        with self._lock:
            trade = self._journal.owner_of(symbol)
            if trade is None or trade.id in self._busy or trade.goal is not Goal.OPEN or trade.was_hedged:
                return
            for order in self._journal.orders_of(trade.id):
                self._drop_unsent(order.client_id, "Freqtrade did not send it")
        self.guard.disarm(symbol)
        # The guard has just asked for what is still unsettled: not once more in the same breath.
        unsettled = [o.client_id for o in self._journal.orders_of(trade.id) if not o.status.is_settled]
        self.advance(trade.id, already_asked=unsettled)


def _on_tick(price: float, tick: Decimal, side: str) -> float:
    """The price on the venue's tick, rounded towards the book so that the cap is kept."""
    ticks = Decimal(str(price)) / tick
    whole = ticks.to_integral_value(rounding="ROUND_FLOOR" if side == "buy" else "ROUND_CEILING")
    return float(whole * tick)
