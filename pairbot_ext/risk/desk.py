"""The risk desk of a trading bot: state and rules of one `TradeDesk`, and the locks people set.

State and trip live in the journal's database, locks in its registry of pairs. They are changed by a rule or
by a person, from the loop or from the RPC thread.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.journal.registry import Registry
from pairbot_ext.model.findings import Breach, Reading, Rule, above
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import PairTrade, Sizing
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.states import Goal
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.pairtrade.situation import Facts
from pairbot_ext.pairtrade.urgency import most_at_risk_first
from pairbot_ext.risk.account import ErrorRate
from pairbot_ext.risk.duration import Calm, NakedWatch
from pairbot_ext.risk.entry import EntryRules
from pairbot_ext.risk.orders import check_pair_id, with_storage
from pairbot_ext.risk.pairwatch import REASONS, PairWatch
from pairbot_ext.risk.quotes import Quotes
from pairbot_ext.risk.rules import ENDS_WITH_ITS_CAUSE, RULES, Effect, trip_of
from pairbot_ext.risk.state import BY_HAND, RELEASE, WHAT_HAPPENS, RiskMemory, RiskState, Trip, lost_journal
from pairbot_ext.risk.wallet import WalletWatch
from pairbot_ext.settings import Settings
from pairbot_ext.signals.port import Signals
from pairbot_ext.support.clock import Clock, as_datetime

logger = logging.getLogger(__name__)


class RiskDesk:
    """See the module.

    :param facts_of: what is known of a pair trade without asking the venue.
    :param close: closes both legs of a pair trade; the caller holds Freqtrade's exit lock.
    :param together: a scope in which all orders go out before anything else is asked of the venue.
    :param leverage: of the pair trades.
    :param candle_secs: length of a candle.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        broker: Broker,
        clock: Clock,
        signals: Signals,
        registry: Registry,
        facts_of: Callable[[PairTrade], Facts],
        close: Callable[[PairTrade, str], None],
        together: Callable[[], AbstractContextManager[None]],
        *,
        leverage: int,
        candle_secs: int,
    ) -> None:
        self._limits = settings.risk
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self._signals = signals
        self._registry = registry
        self._facts_of = facts_of
        self._close = close
        self._together = together
        self._memory = RiskMemory(journal, clock, dry_run=broker.is_dry_run)
        self._told: Trip | None = None
        self._unsaid: list[str] = []
        self._naked = NakedWatch(self._limits, clock, facts_of)
        self._calm = Calm(clock)
        self._snapshot: tuple[Reading, ...] = ()
        self._ended: str | None = None
        self.quotes = Quotes()
        self._errors = ErrorRate(self._limits.api_error_window_secs, self._limits.api_error_min_requests)
        self._pairs = PairWatch(self._limits, broker, self.quotes, clock)
        self.wallet = WalletWatch(self._limits, broker, self.quotes, clock, self._memory)
        self._entry = EntryRules(
            settings,
            journal,
            broker,
            clock,
            signals,
            self.wallet.equity,
            leverage=leverage,
            candle_secs=candle_secs,
        )

    def load(self) -> None:
        """Take over what an earlier run has left; once, after the journal is open."""
        self._memory.load()
        try:
            self._registry.load()
        except Exception as error:
            logger.exception("The registry of pairs cannot be read")
            self._memory.fail_closed(error)

    def hold_for_lost_journal(self, trades: list[str]) -> None:
        """Freqtrade's database holds trades of pairs that the journal has never seen: its tables were left
        behind (convert-db) or lost. What held the bot may be lost with them, so nothing is entered."""
        self._memory.change(RiskState.HALTED, lost_journal(trades, self._clock.now_ms()))
        self._journal.add_event(None, "journal_lost", trades=", ".join(trades))

    # -- for people --------------------------------------------------------------------------------

    @property
    def state(self) -> RiskState:
        """What the bot may do."""
        return self._memory.state

    @property
    def trip(self) -> Trip | None:
        """What holds the bot, or None where it is ACTIVE."""
        return self._memory.trip

    def halt(self, by: str) -> str:
        """Kill switch: close every pair within one loop, enter nothing. Returns what the operator is told.

        Where a rule holds the bot already, its trip stays what is shown.

        :param by: who wants it, e.g. "Telegram".
        """
        if self.state is RiskState.HALTED:
            return self._already()
        return self._by_hand(RiskState.HALTED, by)

    def reduce(self, by: str) -> str:
        """Exits only. Where the bot is HALTED it stays so: only `resume` releases."""
        if self.state is RiskState.HALTED:
            return f"The bot is HALTED, which is more than REDUCING. {RELEASE}"
        if self.state is RiskState.REDUCING:
            return self._already()
        return self._by_hand(RiskState.REDUCING, by)

    def _already(self) -> str:
        return f"The bot is {self.state} already: {self.trip.text if self.trip else RELEASE}"

    def resume(self, by: str) -> str:
        """Release the bot: ACTIVE again. Drawdown, daily loss and API errors count from here."""
        before, trip = self.state, self.trip
        if before is RiskState.ACTIVE:
            return "The bot is ACTIVE: there is nothing to release"
        is_stored = self._memory.change(RiskState.ACTIVE, None)
        # What has tripped is known to whoever releases it: it counts from here, or it would trip again.
        self.wallet.begin_anew()
        self._errors.clear()
        self._journal.add_event(None, "risk_resumed", by=by, before=before, rule=trip.rule if trip else None)
        return with_storage(f"ACTIVE again, released by {by}. {WHAT_HAPPENS[RiskState.ACTIVE]}", is_stored)

    def lock_pair(self, pair_id: str, by: str) -> str:
        """Enter this pair no more until `unlock_pair`; an open pair trade goes on. Raises PairbotError."""
        check_pair_id(pair_id)
        is_stored = self._registry.lock(pair_id, f"by {by} at {self._now_text()}")
        self._journal.add_event(None, "risk_pair_locked", pair=pair_id, by=by)
        return with_storage(f"Pair {pair_id} is locked: not entered again until it is unlocked", is_stored)

    def unlock_pair(self, pair_id: str, by: str) -> str:
        """The inverse of `lock_pair`, under whatever name `locked_pairs` tells. Raises PairbotError."""
        memory = self._registry.named(pair_id)
        if memory.lock is None and memory.barred is None:
            check_pair_id(pair_id)
            return f"Pair {pair_id} is not locked"
        is_stored = self._registry.unlock(pair_id)
        self._journal.add_event(None, "risk_pair_unlocked", pair=pair_id, by=by)
        return with_storage(f"Pair {pair_id} is unlocked: it may be entered again", is_stored)

    def locked_pairs(self) -> dict[str, str]:
        """{pair id: who locked it and when, or which refusal bars it}."""
        return self._registry.locked()

    def snapshot(self) -> list[Reading]:
        """Every rule with its value and its limit as of the last loop: of the bot, then pair by pair."""
        return list(self._snapshot)

    def _by_hand(self, state: RiskState, by: str) -> str:
        text = f"{state} by {by}. {WHAT_HAPPENS[state]} {RELEASE}"
        is_stored = self._memory.change(
            state, Trip(BY_HAND, None, None, "", self._clock.now_ms(), None, text)
        )
        self._journal.add_event(None, "risk_by_hand", state=state, by=by)
        return with_storage(text, is_stored)

    def _now_text(self) -> str:
        return f"{as_datetime(self._clock.now_ms()):%Y-%m-%d %H:%M:%S} UTC"

    # -- for the trade desk ------------------------------------------------------------------------

    def check_entry(self, plan: EntryPlan, now: datetime) -> None:
        """Before anything is asked of the venue. Raises RefusedError."""
        if self.state is not RiskState.ACTIVE:
            why = self.trip.text if self.trip else ""
            raise RefusedError("risk_state", f"risk state {self.state}: {why}")
        self._entry.check_plan(plan, now)

    def check_size(self, plan: EntryPlan, sizing: Sizing) -> None:
        """When both legs are sized, before anything is sent. Raises RefusedError."""
        self._entry.check_size(plan, sizing)

    def note_request(self, is_failure: bool) -> None:
        """A request to the venue has ended."""
        self._errors.note(self._clock.now_ms(), is_failure=is_failure)

    def price_stop(self, trade: PairTrade, *, lasted: str | None = None) -> str | None:
        """Why a pair is closed on the live prices read last, or None. The trip is told by `speak`.

        :param lasted: see `PairWatch.judge`.
        """
        try:
            breach = self._pairs.judge(trade, lasted=lasted)
        except Exception:
            logger.exception(f"Pair trade {trade.id} cannot be judged on live prices, which stops nothing")
            return None
        if breach is None:
            return None
        self._note_pair(trade, breach)
        return REASONS[breach.rule]

    def model_stop(self, trade: PairTrade, opened_at: datetime, now: datetime, reason: str) -> None:
        """The model has just named `reason` for closing a pair: a stop is a trip, told by `speak`."""
        try:
            breach = self._signals.exit_breach(trade.plan, opened_at, now, reason)
        except Exception:
            logger.exception(f"Pair trade {trade.id} is closed ({reason}), its numbers cannot be told")
            return
        if breach is not None:
            self._note_pair(trade, breach)

    def account_stop(self) -> None:
        """A stream has seen equity below its floor for a while. The caller holds Freqtrade's exit lock."""
        breach = None if self.state is RiskState.HALTED else self.wallet.judge_at_once()
        if breach is not None:
            self._trip(breach, None)
            self.enforce()
            self.speak()

    def on_loop(self, now: datetime) -> None:
        """Once per loop, after the reconciliation. The caller holds Freqtrade's exit lock."""
        self._memory.flush()
        self._registry.flush()
        trades = most_at_risk_first(self._journal.open_pair_trades(), self._journal, self._broker)
        with self._together():
            for trade in trades:
                try:
                    self._watch_pair(trade)
                except Exception:
                    # The next pair has its turn; what closes this one on candles is untouched.
                    logger.exception(f"The risk rules of pair trade {trade.id} failed, they are tried again")
        try:
            self._watch_account()
        except Exception:
            logger.exception("The risk rules of the account failed, they are tried again")
        self.enforce()
        self.speak()
        self._forget(trades)
        self._snapshot = tuple(self._read(now))

    def _watch_pair(self, trade: PairTrade) -> None:
        naked = self._naked.judge(trade)
        if isinstance(naked, Breach):
            self._trip(naked, trade)
            if trade.goal is Goal.OPEN:
                self._close_safely(trade, ExitReason.NAKED)
            return
        if trade.goal is not Goal.OPEN or not trade.was_hedged:
            return
        self._pairs.renew(trade)
        blind = self._pairs.blind(trade)
        if isinstance(blind, Breach):
            self._trip(blind, trade)
        reason = self.price_stop(trade)
        if reason is not None:
            self._close_safely(trade, reason)

    def _watch_account(self) -> None:
        if self.state is not RiskState.HALTED:
            breach = self.wallet.judge()
            if breach is not None:
                self._trip(breach, None)
        rate = above(
            Rule.API_ERRORS,
            self._errors.percent(self._clock.now_ms()),
            self._limits.max_api_error_percent,
            "%",
            f"requests failed in the last {self._limits.api_error_window_secs:g} s",
        )
        if isinstance(rate, Breach):
            self._trip(rate, None)
        trip = self.trip
        if trip is None or self.state is not RiskState.REDUCING or trip.rule not in ENDS_WITH_ITS_CAUSE:
            self._calm.reset()
            return
        trades = self._journal.open_pair_trades()
        is_blind = any(isinstance(self._pairs.blind(trade), Breach) for trade in trades)
        if self._calm.has_lasted(
            is_on=isinstance(rate, Breach) if trip.rule == Rule.API_ERRORS else is_blind
        ):
            self._memory.change(RiskState.ACTIVE, None)
            self._errors.clear()
            self._journal.add_event(None, "risk_ended", rule=trip.rule)
            self._ended = f"Rule {trip.rule} is kept again. {WHAT_HAPPENS[RiskState.ACTIVE]}"

    def _trip(self, breach: Breach, trade: PairTrade | None) -> None:
        """A rule that changes the state. The first of its severity holds it until it is released."""
        is_halt = RULES[breach.rule].effect is Effect.HALT
        if self.state is RiskState.HALTED or (self.state is RiskState.REDUCING and not is_halt):
            return
        trip = trip_of(breach, self._clock.now_ms(), trade.plan.pair_id if trade else None)
        self._memory.change(RiskState.HALTED if is_halt else RiskState.REDUCING, trip)
        self._journal_trip(trip, trade)

    def _note_pair(self, trade: PairTrade, breach: Breach) -> None:
        """A rule that closes one pair."""
        try:
            trip = trip_of(breach, self._clock.now_ms(), trade.plan.pair_id)
            self._journal_trip(trip, trade)
            self._unsaid.append(trip.text)
        except Exception:
            # The pair is closed all the same (I5).
            logger.exception(f"Pair trade {trade.id}: the trip of rule {breach.rule} cannot be told")

    def _journal_trip(self, trip: Trip, trade: PairTrade | None) -> None:
        logger.warning(f"RISK TRIP: {trip.text}")
        self._journal.add_event(
            trade.id if trade else None,
            "risk_trip",
            rule=trip.rule,
            value=trip.value,
            limit=trip.limit,
            unit=trip.unit,
            pair=trip.pair_id,
            state=self.state,
        )

    def speak(self) -> None:
        """Tell what has tripped since, and a change of the state once: after the exits are out, since a slow
        webhook must not hold them up. Raises nothing."""
        try:
            while self._unsaid:
                self._broker.tell(self._unsaid.pop(0), is_warning=True)
            trip = self.trip
            if trip != self._told:
                self._told = trip
                text = trip.text if trip else self._ended or "Released by hand."
                self._ended = None
                self._broker.tell(f"Risk state {self.state}: {text}", is_warning=trip is not None)
        except Exception:
            logger.exception("A risk message could not be sent")

    def _forget(self, trades: list[PairTrade]) -> None:
        ids = {trade.id for trade in trades}
        self._pairs.forget(ids, {symbol for trade in trades for symbol in trade.symbols})
        self._naked.forget(ids)

    def _read(self, now: datetime) -> list[Reading]:
        """What `snapshot` shows. A fault in here must not cost a loop."""
        try:
            now_ms, equity = self._clock.now_ms(), self.wallet.equity()
            readings = [
                *self.wallet.readings(equity),
                Reading(
                    Rule.API_ERRORS, self._errors.percent(now_ms), self._limits.max_api_error_percent, "%"
                ),
                *self._entry.readings(equity),
            ]
            for trade in self._journal.open_pair_trades():
                if trade.was_hedged:
                    readings += self._signals.gauges(trade.plan, as_datetime(trade.created_ms), now)
                    readings += self._pairs.readings(trade)
                readings.append(self._naked.reading(trade))
        except Exception:
            logger.exception("The risk rules cannot be shown")
            return list(self._snapshot)
        return readings

    def enforce(self) -> None:
        """HALTED: close what is open. The caller holds Freqtrade's exit lock."""
        if self.state is not RiskState.HALTED:
            return
        with self._together():
            for trade in most_at_risk_first(self._journal.open_pair_trades(), self._journal, self._broker):
                if trade.goal is Goal.OPEN:
                    self._close_safely(trade, ExitReason.HALTED)

    def _close_safely(self, trade: PairTrade, reason: str) -> None:
        """One pair's fault must not keep the next one open (I5)."""
        try:
            self._close(trade, reason)
        except Exception:
            logger.exception(f"Pair trade {trade.id} could not be closed ({reason}), it is tried again")
