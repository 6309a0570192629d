"""Watches pair trades change: tells the operator, counts for the final statistics, remembers stops."""

import logging
from collections.abc import Callable

from pairbot_ext.execution.broker import Broker
from pairbot_ext.execution.clock import Clock, as_datetime
from pairbot_ext.execution.decide import Facts
from pairbot_ext.execution.journal import Journal
from pairbot_ext.execution.messages import pair_text
from pairbot_ext.execution.plan import EntryPlan
from pairbot_ext.execution.preflight import RefusedError
from pairbot_ext.execution.records import PairTrade
from pairbot_ext.execution.states import Goal, PairState
from pairbot_ext.execution.statistics import RunStatistics
from pairbot_ext.signals import ExitReason
from pairbot_ext.sizing import Leg

logger = logging.getLogger(__name__)


class Watch:
    """See the module.

    :param currency: of the profits.
    """

    def __init__(self, journal: Journal, broker: Broker, clock: Clock, currency: str) -> None:
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self.currency = currency
        self.statistics = RunStatistics(clock.now_ms())
        self.facts_of: Callable[[PairTrade], Facts]
        self.stopped_ms: dict[str, int] = {}

    def load_stops(self) -> None:
        """When each pair was stopped last, from the journal."""
        self.stopped_ms = self._journal.last_closed_ms(ExitReason.STOP)

    def refused(self, plan: EntryPlan, refused: RefusedError) -> None:
        """A signal was not taken."""
        self.statistics.refused[refused.code] += 1
        self._journal.add_event(None, "refused", pair=plan.pair_id, code=refused.code, why=str(refused))

    def changed(self, before: PairTrade, after: PairTrade) -> None:
        """A pair trade has changed its state, goal or reason. A fault in here must not stop the legs."""
        try:
            self._changed(before, after)
        except Exception:
            logger.exception(f"Pair trade {after.id}: the operator could not be told of {after.state}")

    def _changed(self, before: PairTrade, after: PairTrade) -> None:
        facts = self.facts_of(after)
        headline = self._headline(before, after, facts)
        if headline is not None:
            is_warning = after.state not in (PairState.HEDGED, PairState.CLOSED)
            self._broker.tell(pair_text(after, facts, headline), is_warning=is_warning)

    def _headline(self, before: PairTrade, after: PairTrade, facts: Facts) -> str | None:
        is_new = before.state is not after.state
        match after.state:
            case PairState.HEDGED if not before.was_hedged:
                self.statistics.hedged += 1
                self._count_naked(facts, after.hedged_ms)
                return "opened, both legs hedged"
            case PairState.CLOSED if is_new:
                self.statistics.closed += 1
                profit = self._profit(facts)
                self.statistics.pnl += profit
                if after.reason == ExitReason.STOP:
                    self.stopped_ms[after.plan.pair_id] = after.closed_ms or self._clock.now_ms()
                return f"closed ({after.reason}), profit {profit:.4f} {self.currency}"
            case PairState.ABORTED if is_new:
                self.statistics.aborted += 1
                self._count_naked(facts, after.closed_ms)
                self.statistics.pnl += self._profit(facts)
                now = self._clock.now_ms()
                self._lock_both(after, now)
                return f"not opened: {after.reason}"
            case PairState.UNKNOWN if is_new:
                return "an order's fate is unknown"
            case PairState.NEEDS_OPERATOR if is_new:
                return f"NEEDS YOU: {after.reason}"
        if before.goal is Goal.OPEN and after.goal is Goal.CLOSE and after.reason.startswith("leg "):
            return f"{after.reason}, its mate follows"
        if after.was_hedged and after.goal is Goal.OPEN and after.reason and before.reason != after.reason:
            return f"{after.reason}, it is trimmed"
        return None

    def _lock_both(self, trade: PairTrade, now_ms: int) -> None:
        for symbol in trade.symbols:
            self._broker.lock(symbol, as_datetime(now_ms), "pairbot: pair not opened")

    def _count_naked(self, facts: Facts, until_ms: int | None) -> None:
        filled = [order.settled_ms for order in facts.leg_a.entries if order.filled and order.settled_ms]
        if filled and until_ms is not None:
            self.statistics.naked_secs.append((until_ms - min(filled)) / 1000)

    def _profit(self, facts: Facts) -> float:
        """Of both legs by Freqtrade's own accounts: fees and funding included."""
        profit = 0.0
        for leg in Leg:
            order_ids = [order.order_id for order in facts[leg].orders if order.order_id and order.filled]
            profit += self._broker.profit(facts[leg].orders[0].symbol, order_ids) if order_ids else 0.0
        return profit
