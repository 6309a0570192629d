"""Which pairs may be entered, asked before the arbiter gives shared coins away, and again before leg A.

The memory is the journal's registry; what a pair trade's end means for the next one is decided here
(I13, I17).
"""

from collections.abc import Callable
from datetime import datetime

import ccxt

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.journal.registry import Registry
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import PairTrade, Sizing
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.registry import MOST_REFUSED_OPENINGS, Coins, coins_of, leaves_armed
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, PairState, Refusal
from pairbot_ext.signals.port import Signals
from pairbot_ext.support.clock import Clock, as_datetime
from pairbot_ext.venue.protocol import Venue


class PairGate:
    """See the module."""

    def __init__(
        self,
        registry: Registry,
        journal: Journal,
        broker: Broker,
        signals: Signals,
        clock: Clock,
        venue: Venue,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._broker = broker
        self._signals = signals
        self._clock = clock
        self._venue = venue

    def check(self, plan: EntryPlan) -> None:
        """The last look before leg A. Raises RefusedError."""
        memory = self._registry.of(plan.leg_a, plan.leg_b)
        lock = memory.lock or self._registry.named(plan.pair_id).lock
        if lock is not None:
            raise RefusedError("pair_locked", f"pair {plan.pair_id} was locked {lock}")
        if memory.barred is not None:
            raise RefusedError("pair_barred", f"pair {plan.pair_id} is barred: {memory.barred}")
        if memory.disarmed_ms is not None:
            since = as_datetime(memory.disarmed_ms)
            if not self._signals.has_recovered(coins_of(plan.leg_a, plan.leg_b), since, plan.candle):
                raise RefusedError(
                    "stopped", f"left at {since} ({memory.disarmed_by}) and not back inside exit_z since"
                )
            self._registry.rearm(plan.leg_a, plan.leg_b)

    def rehearse(self, plan: EntryPlan, sizing: Sizing) -> None:
        """A pair whose last opening was refused asks the venue about both legs before leg A is sent: what is
        refused for good costs no second round of fees (I17). Raises RefusedError."""
        if not self._registry.of(plan.leg_a, plan.leg_b).refused_openings:
            return
        for leg in (Leg.B, Leg.A):
            size, side = sizing[leg], "buy" if plan.side(leg) == "long" else "sell"
            try:
                self._broker.rehearse(plan.symbol(leg), side, float(size.amount), size.price)
            except ccxt.BaseError as error:
                if self._venue.refusal_of(error) is not Refusal.HARD:
                    raise RefusedError("venue_unreadable", f"the venue could not be read: {error}") from error
                text = self._refused(plan, str(error))
                if text is not None:
                    self._broker.tell(text, is_warning=True)
                raise RefusedError(
                    "known_refusal", f"the venue refuses leg {leg}'s order still: {error}"
                ) from error

    def is_out(self, pair_id: str, leg_a: str, leg_b: str, has_come_back: bool, now: datetime) -> bool:
        """Whether a pair takes no part in the arbitration of shared coins: it could not be entered anyway.

        :param has_come_back: since it was left, where it is disarmed.
        """
        memory = self._registry.of(leg_a, leg_b)
        if memory.lock or memory.barred or self._registry.named(pair_id).lock:
            return True
        if memory.disarmed_ms is not None and not has_come_back:
            return True
        for symbol in (leg_a, leg_b):
            if self._journal.owner_of(symbol) is not None or self._broker.has_open_trade(symbol):
                return True
            if any(self._broker.lock_reason(symbol, side, now) for side in ("long", "short")):
                return True
        return False

    def note_returns(self, has_come_back: Callable[[Coins, datetime], bool]) -> None:
        """Keep in mind which spreads have come back since their pair was left. It is seen by the model in
        force on that candle; a later pairs file knows another one, and a restart perhaps no candle of it."""
        for coins, disarmed_ms in self._registry.disarmed().items():
            if has_come_back(coins, as_datetime(disarmed_ms)):
                self._registry.came_back(*coins, self._clock.now_ms())

    def disarmed_since(self, leg_a: str, leg_b: str) -> datetime | None:
        """When a pair was left without its spread having come back; None where it is armed."""
        disarmed_ms = self._registry.of(leg_a, leg_b).disarmed_ms
        return None if disarmed_ms is None else as_datetime(disarmed_ms)

    def ended(self, before: PairTrade, after: PairTrade) -> str | None:
        """A pair trade has changed. Returns what the operator should be told of its pair, or None."""
        plan = after.plan
        if after.state is PairState.HEDGED and not before.was_hedged:
            self._registry.opened(plan.leg_a, plan.leg_b)
        if not after.state.is_final or before.state is after.state:
            return None
        orders = self._journal.orders_of(after.id)
        if after.state is PairState.CLOSED and leaves_armed(after.reason):
            self._registry.rearm(plan.leg_a, plan.leg_b)
        elif any(order.filled for order in orders):
            at_ms = after.closed_ms or self._clock.now_ms()
            self._registry.disarm(plan.leg_a, plan.leg_b, plan.pair_id, after.reason, at_ms)
        if after.state is not PairState.ABORTED:
            return None
        refused = [
            order
            for order in orders
            if order.status is OrderStatus.REJECTED and order.refusal is Refusal.HARD and order.error
        ]
        return self._refused(plan, str(refused[-1].error)) if refused else None

    def _refused(self, plan: EntryPlan, error: str) -> str | None:
        lifted_by = self._venue.lasting_refusal(error)
        count = self._registry.count_refusal(plan.leg_a, plan.leg_b, plan.pair_id)
        if lifted_by is None and count < MOST_REFUSED_OPENINGS:
            return None
        why = lifted_by or f"the venue has refused it {count} times in a row; look at the reason"
        self._registry.bar(plan.leg_a, plan.leg_b, plan.pair_id, f"{why} ({error[:160]})")
        return (
            f"Pair {plan.pair_id} is not entered again: {why}. The venue said: {error[:200]}. "
            f"Released by /pair_unlock {plan.pair_id}"
        )
