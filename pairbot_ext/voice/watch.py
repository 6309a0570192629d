"""Watches pair trades change: tells the operator, counts for the final statistics.

The lines to grep the log for: SIGNAL RECEIVED, REJECTED (with the reason), TRADE EXECUTED, ROLLBACK.
"""

import logging
from collections.abc import Callable

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal, PairState
from pairbot_ext.pairtrade.situation import Facts
from pairbot_ext.support.clock import Clock, as_datetime
from pairbot_ext.voice.eventlog import EventLog
from pairbot_ext.voice.messages import PairEvent, pair_document, pair_text, plan_document
from pairbot_ext.voice.statistics import RunStatistics

logger = logging.getLogger(__name__)


TOLD_AT = 3
"""A refusal is told when it comes so many times in a row."""
ORDINARY = frozenset(
    {
        *("z_moved", "depth", "slots", "money", "locked", "just_closed", "stopped", "symbol_taken"),
        *("paused", "risk_state", "pair_locked", "pair_barred", "known_refusal", "unknown_order"),
        *("journal", "weight", "risk_max_pairs", "risk_gross_exposure", "risk_coin_exposure"),
        *("risk_funding", "risk_break_half_life", "risk_break_beta", "risk_break_test"),
        *("preflight", "start", "pairs_file"),
    }
)
"""Refusals of markets, limits and states: they were told, or nobody has to do anything about them."""


class Watch:
    """See the module.

    :param currency: of the profits.
    """

    def __init__(
        self, journal: Journal, broker: Broker, clock: Clock, currency: str, events: EventLog
    ) -> None:
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self.currency = currency
        self.events = events
        self.statistics = RunStatistics(clock.now_ms())
        self._repeats: dict[str, tuple[str, int]] = {}
        self.facts_of: Callable[[PairTrade], Facts]

    def received(self, plan: EntryPlan) -> None:
        """A pair wants to be entered."""
        self.statistics.received += 1
        direction = "short" if plan.side(Leg.A) == "short" else "long"
        logger.info(
            f"SIGNAL RECEIVED: pair {plan.pair_id} {direction} spread, z {plan.z:+.3f} (entry "
            f"{plan.thresholds.entry:g}) on candle {plan.candle:%Y-%m-%d %H:%M}",
            extra={"event": PairEvent.SIGNAL, "pair": plan.pair_id},
        )
        self.events.write(plan_document(plan, PairEvent.SIGNAL, self._clock.now_ms()))

    def refused(self, plan: EntryPlan, refused: RefusedError) -> None:
        """A signal was not taken."""
        self.statistics.refused[refused.code] += 1
        logger.info(
            f"REJECTED: pair {plan.pair_id} is not entered ({refused.code}): {refused}",
            extra={"event": PairEvent.REFUSED, "pair": plan.pair_id, "code": refused.code},
        )
        document = plan_document(plan, PairEvent.REFUSED, self._clock.now_ms())
        self.events.write(document | {"code": refused.code, "reason": str(refused)})
        self._journal.add_event(None, "refused", pair=plan.pair_id, code=refused.code, why=str(refused))
        self._tell_of_repeat(plan, refused)

    def _tell_of_repeat(self, plan: EntryPlan, refused: RefusedError) -> None:
        """A refusal that is not the market's way and comes again and again is told, once."""
        code, count = self._repeats.get(plan.pair_id, ("", 0))
        count = count + 1 if code == refused.code else 1
        self._repeats[plan.pair_id] = (refused.code, count)
        if count == TOLD_AT and refused.code not in ORDINARY:
            self._broker.tell(
                f"Pair {plan.pair_id} has been refused {count} times in a row ({refused.code}): {refused}. "
                "It is tried again on each candle with a signal",
                is_warning=True,
            )

    def changed(self, before: PairTrade, after: PairTrade) -> None:
        """A pair trade has changed its state, goal or reason. A fault in here must not stop the legs."""
        try:
            self._changed(before, after)
        except Exception:
            logger.exception(f"Pair trade {after.id}: the operator could not be told of {after.state}")

    def _changed(self, before: PairTrade, after: PairTrade) -> None:
        facts = self.facts_of(after)
        event, headline = self._told(before, after, facts)
        if headline is not None:
            text = pair_text(after, facts, headline)
            self._log(event, after, facts, text)
            is_warning = after.state not in (PairState.HEDGED, PairState.CLOSED)
            self._broker.tell(text, is_warning=is_warning)
        elif event is PairEvent.ROLLBACK:
            logger.warning(f"ROLLBACK: {pair_text(after, facts, after.reason)}", extra=_fields(event, after))
        self.events.write(pair_document(before, after, facts, event, self._clock.now_ms()))

    def _log(self, event: PairEvent, trade: PairTrade, facts: Facts, text: str) -> None:
        fields = _fields(event, trade)
        match event:
            case PairEvent.OPENED | PairEvent.CLOSED:
                logger.info(f"TRADE EXECUTED: {text}", extra=fields)
            case PairEvent.NOT_OPENED if any(leg.reduces for leg in facts.legs):
                logger.warning(f"ROLLBACK finished: {text}", extra=fields)
            case PairEvent.NOT_OPENED:
                logger.warning(f"REJECTED: {text}", extra=fields)
            case _:
                logger.warning(f"Pair trade {trade.id}, {event}: {text}", extra=fields)

    def _told(self, before: PairTrade, after: PairTrade, facts: Facts) -> tuple[PairEvent, str | None]:
        """What has happened, and the operator's headline where it is worth a message."""
        is_new = before.state is not after.state
        match after.state:
            case PairState.HEDGED if not before.was_hedged:
                self.statistics.hedged += 1
                self._count_naked(facts, after.hedged_ms)
                return PairEvent.OPENED, "opened, both legs hedged"
            case PairState.HEDGED if before.state in (PairState.NEEDS_OPERATOR, PairState.UNKNOWN):
                return PairEvent.RECOVERED, "in order again, both legs hedged"
            case PairState.CLOSED if is_new:
                profit = self._profit(facts)
                self.statistics.closed += 1
                self.statistics.pnl += profit
                return PairEvent.CLOSED, f"closed ({after.reason}), profit {profit:.4f} {self.currency}"
            case PairState.ABORTED if is_new:
                self.statistics.pnl += self._profit(facts)
                self.statistics.aborted += 1
                self._count_naked(facts, after.closed_ms)
                now = self._clock.now_ms()
                self._lock_both(after, now)
                return PairEvent.NOT_OPENED, f"not opened: {after.reason}"
            case PairState.UNKNOWN if is_new:
                return PairEvent.UNKNOWN, "an order's fate is unknown"
            case PairState.NEEDS_OPERATOR if is_new or before.reason != after.reason:
                return PairEvent.NEEDS_OPERATOR, f"NEEDS YOU: {facts.stuck or after.reason}"
            case PairState.UNWINDING if is_new:
                return PairEvent.ROLLBACK, None
        if before.goal is Goal.OPEN and after.goal is Goal.CLOSE and after.reason.startswith("leg "):
            return PairEvent.MATE_FOLLOWS, f"{after.reason}, its mate follows"
        if after.was_hedged and after.goal is Goal.OPEN and after.reason and before.reason != after.reason:
            return PairEvent.TRIMMED, f"{after.reason}, it is trimmed"
        return PairEvent.STATE, None

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


def _fields(event: PairEvent, trade: PairTrade) -> dict[str, str]:
    """Of a log line about a pair trade, for whoever logs as JSON (`host.jsonlog`)."""
    return {"event": event, "pair": trade.plan.pair_id, "pair_trade": trade.id, "state": trade.state}
