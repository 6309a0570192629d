"""The coordinator: carries out what `decide` says until a pair trade needs nothing more.

It is woken by fills, by the loop, by exits and by people, and always does the same: gather the facts, ask
`decide`, act, gather again. Being woken twice, late or for nothing changes nothing (I4).
"""

import logging
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal, PairState
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.pairtrade.decide import (
    Action,
    Ask,
    Book,
    Decision,
    Enter,
    Explain,
    Leave,
    ReadVenue,
    Reduce,
    decide,
)
from pairbot_ext.pairtrade.facts import Knowledge, Pass
from pairbot_ext.pairtrade.missing import MissingAmounts
from pairbot_ext.pairtrade.performer import Performer
from pairbot_ext.pairtrade.retries import held_back
from pairbot_ext.pairtrade.situation import Facts
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

MAX_STEPS = 60
"""Decisions in one pass. A pass that needs more has a fault of ours: it stops and is told (I6)."""

Observer = Callable[[PairTrade, PairTrade], None]
"""(before, after): told of every change of state, goal or reason."""


class Coordinator:
    """See the module. Every order of a pair trade that Freqtrade's own loop does not send goes through here.

    :param missing: also says whether positions should be read again soon.
    """

    def __init__(
        self,
        bridge: Bridge,
        broker: Broker,
        journal: Journal,
        clock: Clock,
        guard: OrderGuard,
        known: Knowledge,
        performer: Performer,
        missing: MissingAmounts,
        observe: Observer,
    ) -> None:
        self._bridge = bridge
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._guard = guard
        self._known = known
        self._performer = performer
        self._missing = missing
        self._observe = observe
        self._lock = threading.RLock()
        self._busy: set[str] = set()
        self._told_waiting: set[tuple[str, Leg]] = set()

    def advance(
        self,
        pair_trade_id: str,
        *,
        exit_reason: str | None = None,
        may_explain: bool = False,
        venue: dict[str, Decimal] | None = None,
        already_asked: Iterable[str] = (),
        insists: bool = False,
    ) -> None:
        """One pass over one pair trade. Does nothing where a pass over it is under way (a fill of an order
        that this very pass has sent).

        :param exit_reason: somebody wants it closed.
        :param may_explain: whether Freqtrade may be made to read the venue's orders: not inside a callback.
        :param venue: positions just read, signed, by symbol.
        :param already_asked: client ids the venue has just not answered for.
        :param insists: a person asks: one attempt per leg goes out however many have failed.
        """
        with self._lock:
            if pair_trade_id in self._busy:
                return
            self._busy.add(pair_trade_id)
            try:
                now = Pass(exit_reason, may_explain, set(already_asked), insists=insists)
                self._run(pair_trade_id, now, venue)
            finally:
                self._busy.discard(pair_trade_id)
                self._journal.flush()

    def native_entry_done(self, symbol: str) -> None:
        """After Freqtrade's execute_entry on leg A, however it ended: an intent that was never sent is
        dropped, an entry that did not fill ends its pair trade, one that did has been handled by its fill."""
        with self._lock:
            trade = self._journal.owner_of(symbol)
            if trade is None or trade.id in self._busy or trade.goal is not Goal.OPEN or trade.was_hedged:
                return
            for order in self._journal.orders_of(trade.id):
                self._performer.drop_unsent(order.client_id, "Freqtrade did not send it")
        self._guard.disarm(symbol)
        # The guard has just asked for what is still unsettled: not once more in the same breath.
        unsettled = [o.client_id for o in self._journal.orders_of(trade.id) if not o.status.is_settled]
        self.advance(trade.id, already_asked=unsettled)

    @property
    def has_suspicion(self) -> bool:
        """Whether positions should be read again soon: an amount was missed once."""
        return self._missing.has_suspicion

    def facts_of(self, trade: PairTrade) -> Facts:
        """What is known of a pair trade without asking the venue."""
        return self._known.gather(trade, Pass())

    # -- one pass ----------------------------------------------------------------------------------

    def _run(self, pair_trade_id: str, now: Pass, venue: dict[str, Decimal] | None) -> None:
        trade = self._journal.pair_trade(pair_trade_id)
        if trade is None:
            return
        if venue is not None:
            self._missing.take_positions(trade, venue, now)
        with self._bridge.deferred():
            try:
                self._go_on(trade, now)
            finally:
                # Told when the housekeeping is done, so that a profit has its fees and funding.
                for before, after in now.changes:
                    self._bridge.tell_later(partial(self._observe, before, after))

    def _go_on(self, trade: PairTrade, now: Pass) -> None:
        for _ in range(MAX_STEPS):
            facts = self._known.gather(trade, now)
            decision = decide(trade, facts)
            trade = self._store(trade, decision, now)
            self._tell_waiting(trade, facts)
            if not decision.actions:
                return
            reduces = [action for action in decision.actions if isinstance(action, Reduce)]
            if reduces:
                self._attempt(trade, reduces, partial(self._performer.reduce, trade, reduces, now), now)
            for action in decision.actions:
                if not isinstance(action, Reduce):
                    self._attempt(trade, action, partial(self._perform, trade, action, now), now)
            now.insists = False
            if now.is_blocked:
                return
        self._journal.add_event(trade.id, "no_rest", steps=MAX_STEPS)
        logger.error(f"Pair trade {trade.id} did not come to rest in {MAX_STEPS} steps")

    def _attempt(self, trade: PairTrade, what: object, act: Callable[[], None], now: Pass) -> None:
        """Carry out an action. Where it fails the others have their turn, and the next pass tries again."""
        if not isinstance(what, ReadVenue | Explain):
            # What was read before an order changed says nothing about after it.
            now.venue.clear()
        try:
            act()
        except Exception:
            logger.exception(f"Pair trade {trade.id}: {what} failed")
            now.is_blocked = True

    def _perform(self, trade: PairTrade, action: Action, now: Pass) -> None:
        match action:
            case Ask(client_id):
                self._performer.ask(client_id, now)
            case Book(client_id):
                self._performer.book(trade, client_id, now)
            case Enter():
                self._performer.enter(trade, action, now)
            case ReadVenue():
                self._missing.read_venue(trade, now)
            case Explain(leg):
                self._missing.explain(trade, leg, now)
            case Leave(leg):
                self._missing.leave(trade, leg, now)

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
