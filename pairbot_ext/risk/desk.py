"""The risk desk of a trading bot: state, locks and rules of one `TradeDesk`.

State, trip and pair locks live in the journal's database. They are changed by a rule or by a person, from the
loop or from the RPC thread, and released only by a person.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from pairbot_ext.errors import PairbotError
from pairbot_ext.execution.broker import Broker
from pairbot_ext.execution.clock import Clock, as_datetime
from pairbot_ext.execution.journal import Journal
from pairbot_ext.execution.plan import EntryPlan
from pairbot_ext.execution.preflight import RefusedError
from pairbot_ext.execution.records import PairTrade
from pairbot_ext.execution.states import Goal
from pairbot_ext.risk.state import BY_HAND, RELEASE, WHAT_HAPPENS, RiskMemory, RiskState, Trip
from pairbot_ext.signals import ExitReason

logger = logging.getLogger(__name__)

_PAIR_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Reading:
    """One rule, for display.

    :param value: now, in `unit`; None where it is not known (then `note` says why).
    :param limit: what is allowed; None where the rule is switched off.
    :param pair_id: the pair the value belongs to, or None for the whole bot.
    """

    rule: str
    value: float | None
    limit: float | None
    unit: str
    pair_id: str | None = None
    note: str = ""


class RiskDesk:
    """See the module.

    :param close: closes both legs of a pair trade; the caller holds Freqtrade's exit lock.
    """

    def __init__(
        self,
        journal: Journal,
        broker: Broker,
        clock: Clock,
        close: Callable[[PairTrade, str], None],
    ) -> None:
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self._close = close
        self._memory = RiskMemory(journal, clock)
        self._told: Trip | None = None

    def load(self) -> None:
        """Take over what an earlier run has left; once, after the journal is open."""
        self._memory.load()

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

        :param by: who wants it, e.g. "Telegram".
        """
        return self._by_hand(RiskState.HALTED, by)

    def reduce(self, by: str) -> str:
        """Exits only. Where the bot is HALTED it stays so: only `resume` releases."""
        if self.state is RiskState.HALTED:
            return f"The bot is HALTED, which is more than REDUCING. {RELEASE}"
        return self._by_hand(RiskState.REDUCING, by)

    def resume(self, by: str) -> str:
        """Release the bot: ACTIVE again."""
        before, trip = self.state, self.trip
        if before is RiskState.ACTIVE:
            return "The bot is ACTIVE: there is nothing to release"
        is_stored = self._memory.change(RiskState.ACTIVE, None)
        self._journal.add_event(None, "risk_resumed", by=by, before=before, rule=trip.rule if trip else None)
        return _with_storage(f"ACTIVE again, released by {by}. {WHAT_HAPPENS[RiskState.ACTIVE]}", is_stored)

    def lock_pair(self, pair_id: str, by: str) -> str:
        """Enter this pair no more until `unlock_pair`; an open pair trade goes on. Raises PairbotError."""
        _check_pair_id(pair_id)
        is_stored = self._memory.lock(pair_id, f"by {by} at {self._now_text()}")
        self._journal.add_event(None, "risk_pair_locked", pair=pair_id, by=by)
        return _with_storage(f"Pair {pair_id} is locked: not entered again until it is unlocked", is_stored)

    def unlock_pair(self, pair_id: str, by: str) -> str:
        """The inverse of `lock_pair`. Raises PairbotError."""
        _check_pair_id(pair_id)
        if pair_id not in self._memory.locks:
            return f"Pair {pair_id} is not locked"
        is_stored = self._memory.unlock(pair_id)
        self._journal.add_event(None, "risk_pair_unlocked", pair=pair_id, by=by)
        return _with_storage(f"Pair {pair_id} is unlocked: it may be entered again", is_stored)

    def locked_pairs(self) -> dict[str, str]:
        """{pair id: who locked it and when}."""
        return self._memory.locks

    def snapshot(self) -> list[Reading]:
        """Every rule with its value now and its limit, in the order of the configuration."""
        return []

    def _by_hand(self, state: RiskState, by: str) -> str:
        text = f"{state} by {by}. {WHAT_HAPPENS[state]} {RELEASE}"
        is_stored = self._memory.change(
            state, Trip(BY_HAND, None, None, "", self._clock.now_ms(), None, text)
        )
        self._journal.add_event(None, "risk_by_hand", state=state, by=by)
        return _with_storage(text, is_stored)

    def _now_text(self) -> str:
        return f"{as_datetime(self._clock.now_ms()):%Y-%m-%d %H:%M:%S} UTC"

    # -- for the trade desk ------------------------------------------------------------------------

    def check_entry(self, plan: EntryPlan) -> None:
        """Before anything is asked of the venue. Raises RefusedError."""
        if self.state is not RiskState.ACTIVE:
            why = self.trip.text if self.trip else ""
            raise RefusedError("risk_state", f"risk state {self.state}: {why}")
        reason = self._memory.locks.get(plan.pair_id)
        if reason is not None:
            raise RefusedError("pair_locked", f"pair {plan.pair_id} was locked {reason}")

    def on_loop(self) -> None:
        """Once per loop, after the reconciliation. The caller holds Freqtrade's exit lock."""
        self._memory.flush()
        self._announce()
        self.enforce()

    def _announce(self) -> None:
        """Tell a change of the state once, and what still holds the bot after a restart."""
        if self.trip == self._told:
            return
        text = self.trip.text if self.trip else "Released by hand."
        self._told = self.trip
        self._broker.tell(f"Risk state {self.state}: {text}", is_warning=self.trip is not None)

    def enforce(self) -> None:
        """HALTED: close what is open. The caller holds Freqtrade's exit lock."""
        if self.state is not RiskState.HALTED:
            return
        for trade in self._journal.open_pair_trades():
            if trade.goal is Goal.OPEN:
                self._close_safely(trade, ExitReason.HALTED)

    def _close_safely(self, trade: PairTrade, reason: str) -> None:
        """One pair's fault must not keep the next one open (I5)."""
        try:
            self._close(trade, reason)
        except Exception:
            logger.exception(f"Pair trade {trade.id} could not be closed ({reason}), it is tried again")


def _check_pair_id(pair_id: str) -> None:
    if not _PAIR_ID.fullmatch(pair_id):
        raise PairbotError(
            "this is no pair id", value=repr(pair_id[:80]), remedy="Use an id of the pairs file, e.g. AI_ALGO"
        )


def _with_storage(text: str, is_stored: bool) -> str:
    if is_stored:
        return text
    return f"{text}. The database cannot be written: it holds now, and would be forgotten by a restart"
