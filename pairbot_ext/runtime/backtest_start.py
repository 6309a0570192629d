"""A backtest's desk, and what its last lines say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from freqtrade.enums import RunMode
from freqtrade.strategy import IStrategy

from pairbot_ext.backtest.desk import BacktestDesk
from pairbot_ext.backtest.funnel import Funnel, tell_at_the_end
from pairbot_ext.backtest.shadow import ShadowPairs
from pairbot_ext.candles.files import load_funding
from pairbot_ext.candles.funding import coverage, gaps_said
from pairbot_ext.host.gates import spare_copies
from pairbot_ext.pairs import PairsFile
from pairbot_ext.runtime.backtest_port import StrategyPort
from pairbot_ext.runtime.candles import SeenCandles
from pairbot_ext.settings import Settings
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.signals.rules import PairRules
from pairbot_ext.startup.checks import ANALYSIS_MODES

MOST_STEPS = 5


@dataclass(frozen=True)
class Sight:
    """What the strategy sees of its pairs.

    :param untradable: ids of pairs with a leg that is not in the market list.
    """

    pairs_file: PairsFile
    book: Callable[[], SignalBook]
    untradable: Callable[[], frozenset[str]]

    def dropped(self, candles: SeenCandles) -> dict[str, str]:
        """Pairs that cannot trade in this backtest, and why."""
        untradable, found = self.untradable(), {}
        for epoch in self.pairs_file.epochs:
            for pair in epoch.pairs:
                missing = [symbol for symbol in pair.symbols if symbol not in candles.frames]
                if pair.id in untradable:
                    found[pair.id] = f"{' or '.join(missing or pair.symbols)} is not in the market list"
                elif missing:
                    found[pair.id] = f"{' and '.join(missing)} has no candles"
        return found


def start_backtest(
    strategy: IStrategy, settings: Settings, rules: PairRules, candles: SeenCandles, sight: Sight
) -> BacktestDesk:
    """The desk of one backtest."""
    stake, runmode = strategy.config.get("stake_amount"), strategy.config.get("runmode")
    shadow = ShadowPairs(rules, sight.pairs_file.pair_ids, lambda: candles.spans)
    desk = BacktestDesk(
        StrategyPort(strategy, settings.leverage),
        rules,
        settings,
        lambda: candles.spans,
        max_open_trades=strategy.max_open_trades,
        fixed_stake=None if stake == "unlimited" else float(stake or 0.0),
        shadow=shadow if runmode in ANALYSIS_MODES else None,
    )
    if runmode is RunMode.BACKTEST:
        desk.funnel = Funnel(
            sight.pairs_file,
            lambda first, last: sight.book().count_signals(first, last),
            lambda: sight.dropped(candles),
            lambda: [*_steps_said(candles), *_funding_said(Path(strategy.config["datadir"]), candles)],
        )
        folder = strategy.config.get("exportdirectory")
        is_written = strategy.config.get("export") not in (None, "none") and folder is not None
        tell_at_the_end(desk.funnel, Path(str(folder)) if is_written else None)
    spare_copies(strategy)
    return desk


def _funding_said(datadir: Path, candles: SeenCandles) -> list[str]:
    """Where Freqtrade charged nothing because it had no rate."""
    symbols, spans = sorted(candles.frames), candles.spans.values()
    if not spans:
        return []
    known = coverage(load_funding(datadir, symbols), symbols)
    return gaps_said(known, min(span.first for span in spans), max(span.last for span in spans))


def _steps_said(candles: SeenCandles) -> list[str]:
    said = [
        f"{symbol}: price step at {when:%Y-%m-%d %H:%M} UTC no market makes; its series is split there, "
        "no trade is held into it"
        for symbol, dates in sorted(candles.steps.items())
        for when in dates
    ]
    more = len(said) - MOST_STEPS
    return [*said[:MOST_STEPS], *([f"and {more} more price steps"] if more > 0 else [])]
