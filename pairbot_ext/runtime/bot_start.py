"""A bot's desk. Imported by a bot alone: Freqtrade's own brings a web server with it."""

import logging

from freqtrade.enums import RunMode
from freqtrade.strategy import IStrategy

from pairbot_ext.desk.trade_desk import TradeDesk
from pairbot_ext.host import private, releases
from pairbot_ext.host.bridge import Bridge
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.states import PairState
from pairbot_ext.preflight import check_held, check_live, holds_anything
from pairbot_ext.settings import Settings
from pairbot_ext.signals.rules import PairRules

logger = logging.getLogger(__name__)

PATIENCE_MS = 60_000
"""A pair trade that is not at rest by then waits for a person, perhaps for days."""
WAITING = (
    "Preflight waits until every open pair is looked after, then it runs by itself. Nothing is entered before"
)


class BotStart:
    """A bot's desk, and how its start was judged. Raises PairbotError where it is refused.

    With real money preflight judges, which asks the venue several questions for every pair. Where nothing
    is held it comes first, and may refuse the start. Where something is held nobody else would look after
    it, and a leg may be alone: preflight waits until the venue can be read and every pair trade is at rest,
    or has not been for `PATIENCE_MS`, and nothing is entered before.

    :param wrong: why nothing may be entered although open pairs are managed; None where nothing is wrong.
    :ivar refused: why nothing is entered until the next start.
    :ivar news: what the operator is told of preflight at the start.
    """

    def __init__(self, strategy: IStrategy, settings: Settings, rules: PairRules, wrong: str | None) -> None:
        private.check(private.BOT)
        logger.info(f"PairsArb: {releases.described()}")
        Bridge.of(strategy).refuse_orders()
        self._strategy, self._wrong = strategy, wrong
        self._is_judged = strategy.config.get("runmode") is not RunMode.LIVE
        report = None
        if not self._is_judged and not holds_anything(strategy):
            report, self._is_judged = check_live(strategy), True
        self.news = [WAITING] if not self._is_judged else [] if report is None else report.for_operator()
        self.desk = TradeDesk.start(strategy, rules, settings.leverage)
        self.desk.entries.is_waiting = not self._is_judged
        self._looked_ms: int | None = None
        self._refuse(None)

    def look(self) -> list[str]:
        """In every loop. Returns what the operator is told of a preflight that has waited until now."""
        if self._is_judged or not self._is_time():
            return []
        self._is_judged = True
        report = check_held(self._strategy)
        self._refuse(None if report.is_passed else report.total)
        self.desk.entries.is_waiting = False
        return report.for_operator()

    def _is_time(self) -> bool:
        if self.desk.reconciler.unreadable_secs:
            # Every question would wait for its timeout, with the loop, and every answer be a FAIL.
            return False
        now_ms = self.desk.clock.now_ms()
        self._looked_ms = now_ms if self._looked_ms is None else self._looked_ms
        at_rest = all(trade.state is PairState.HEDGED for trade in self.desk.journal.open_pair_trades())
        return at_rest or not 0 <= now_ms - self._looked_ms < PATIENCE_MS

    def _refuse(self, preflight: str | None) -> None:
        self.refused = None if preflight is None else RefusedError("preflight", preflight)
        if self._wrong is not None:
            self.refused = RefusedError("start", self._wrong)
        self.desk.entries.refused_because = self.refused
