"""A bot's desk. Imported by a bot alone: Freqtrade's own brings a web server with it."""

import logging

from freqtrade.enums import RunMode
from freqtrade.strategy import IStrategy

from pairbot_ext.desk.trade_desk import TradeDesk
from pairbot_ext.host import private, releases
from pairbot_ext.host.bridge import Bridge
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.preflight import Report, check_live
from pairbot_ext.settings import Settings
from pairbot_ext.signals.rules import PairRules

logger = logging.getLogger(__name__)


def start_bot(
    strategy: IStrategy, settings: Settings, rules: PairRules, wrong: str | None
) -> tuple[TradeDesk, Report | None]:
    """The desk, and what a live start was judged by. Raises PairbotError.

    :param wrong: why nothing may be entered although open pairs are managed; None where nothing is wrong.
    """
    private.check(private.BOT)
    logger.info(f"PairsArb: {releases.described()}")
    Bridge.of(strategy).refuse_orders()
    report = check_live(strategy) if strategy.config.get("runmode") is RunMode.LIVE else None
    desk = TradeDesk.start(strategy, rules, settings.leverage)
    if report is not None and not report.is_passed:
        desk.entries.refused_because = RefusedError("preflight", report.total)
    if wrong is not None:
        desk.entries.refused_because = RefusedError("start", wrong)
    return desk, report
