"""Pair trades while no loop runs: the bot is stopped, or on its way out."""

import logging
from collections.abc import Callable

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.states import PairState
from pairbot_ext.pairtrade.coordinator import Coordinator
from pairbot_ext.pairtrade.urgency import most_at_risk_first
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

SHUTDOWN_BUDGET_MS = 15_000
"""How long a shutdown works on pair trades that are half open before it parks them for the next start."""
LOCK_TIMEOUT_SECS = 5
"""Longest wait at shutdown for a thread of the RPC that is sending an exit."""


class Standstill:
    """Half-open pair trades are still finished; open ones are unattended, and the operator knows.

    :param enforce_risk: closes what the risk state wants closed.
    """

    def __init__(
        self,
        bridge: Bridge,
        broker: Broker,
        journal: Journal,
        coordinator: Coordinator,
        clock: Clock,
        enforce_risk: Callable[[], None],
    ) -> None:
        self._bridge = bridge
        self._broker = broker
        self._journal = journal
        self._coordinator = coordinator
        self._clock = clock
        self._enforce_risk = enforce_risk
        self._is_stopped = False

    def is_over(self) -> None:
        """The loop runs again."""
        self._is_stopped = False

    def work(self) -> None:
        """Freqtrade is STOPPED. Raises nothing: Freqtrade has no net here, it would end the process."""
        try:
            self._finish_half_open()
        except Exception:
            logger.exception("Half-open pair trades could not be finished while stopped, it is tried again")

    def shut_down(self) -> None:
        """Finish or park what is half open, within SHUTDOWN_BUDGET_MS."""
        deadline_ms = self._clock.now_ms() + SHUTDOWN_BUDGET_MS
        while (half_open := self._half_open()) and self._clock.now_ms() < deadline_ms:
            # The RPC's threads are still there; Ctrl+C may have met the holder of the lock, which is then us.
            is_held = self._bridge.exit_lock.acquire(timeout=LOCK_TIMEOUT_SECS)
            try:
                self._finish(half_open)
            finally:
                if is_held:
                    self._bridge.exit_lock.release()
            if self._half_open():
                self._clock.sleep(0.5)
        for trade in self._half_open():
            text = f"Pair trade {trade.id} of {trade.plan.pair_id} is parked in state {trade.state}"
            logger.warning(f"{text}: the next start goes on with it")
            self._broker.tell(f"{text}: start the bot again soon, or use pairbot flatten", is_warning=True)

    def _finish_half_open(self) -> None:
        open_trades = self._journal.open_pair_trades()
        if not self._is_stopped:
            self._is_stopped = True
            if open_trades:
                names = ", ".join(f"{trade.plan.pair_id} ({trade.state})" for trade in open_trades)
                self._broker.tell(
                    f"The bot is stopped: {len(open_trades)} pair trades are not supervised: {names}. "
                    "Half-open ones are still finished; nothing else is closed until /start",
                    is_warning=True,
                )
        half_open = [trade for trade in open_trades if trade.state is not PairState.HEDGED]
        with self._bridge.exit_lock:
            # The kill switch works in a stopped bot too.
            self._enforce_risk()
            self._finish(half_open)

    def _finish(self, half_open: list[PairTrade]) -> None:
        """One pass over each half-open pair trade; a fault in it does not keep the next from its own (I5)."""
        with self._bridge.deferred():
            for trade in most_at_risk_first(half_open, self._journal, self._broker):
                try:
                    self._coordinator.advance(trade.id, may_explain=True)
                except Exception:
                    logger.exception(f"Pair trade {trade.id} could not be finished, it is tried again")

    def _half_open(self) -> list[PairTrade]:
        resting = (PairState.HEDGED, PairState.NEEDS_OPERATOR)
        return [trade for trade in self._journal.open_pair_trades() if trade.state not in resting]
