"""What one strategy object needs while it runs: settings, pairs file, candles, the book, the desk.

Freqtrade may build several strategies in one process (hyperopt, /reload_config), so nothing of this lives in
a module.
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from freqtrade.enums.runmode import NON_UTIL_MODES, OPTIMIZE_MODES, TRADE_MODES
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.strategy import IStrategy

from pairbot_ext.host import access
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.registry import coins_of
from pairbot_ext.model.sizing import Leg
from pairbot_ext.pairs import Pair
from pairbot_ext.pairs.accept import validity
from pairbot_ext.runtime.backtest_start import Sight, start_backtest
from pairbot_ext.runtime.banner import banner, plot_config, untested_releases
from pairbot_ext.runtime.candles import SeenCandles
from pairbot_ext.runtime.columns import indicator_columns
from pairbot_ext.runtime.funding import FundingRates
from pairbot_ext.runtime.identity import identify
from pairbot_ext.runtime.port import Desk
from pairbot_ext.runtime.stand_in import open_symbols, watch_file
from pairbot_ext.runtime.tuning import begin_tuning, window_parameter
from pairbot_ext.runtime.untradable import Untradable
from pairbot_ext.settings import Settings, parse_settings
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.signals.rules import PairRules
from pairbot_ext.startup.checks import (
    check_candles,
    check_has_pairs,
    check_market,
    check_pairs_source,
    check_start,
    check_trading_mode,
    required_startup_candles,
)
from pairbot_ext.support.clock import SystemClock, as_datetime
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import protect

if TYPE_CHECKING:
    # Of a bot alone, and imported by it: Freqtrade's bot brings a web server with it.
    from pairbot_ext.control.attach import Control
    from pairbot_ext.control.service import PairsNow
    from pairbot_ext.desk.trade_desk import TradeDesk
    from pairbot_ext.runtime.bot_start import BotStart
    from pairbot_ext.runtime.renewals import Renewals

logger = logging.getLogger(__name__)


class PairsRuntime:
    """Serves one `PairsArb`.

    :param timeframe: of the strategy, where the config names none.
    :raises OperationalException: where settings or pairs file are bad; Freqtrade stops with exit code 2.
    """

    def __init__(self, config: Mapping[str, Any], timeframe: str) -> None:
        try:
            self.settings: Settings = parse_settings(config.get("pairbot"))
            self._open_symbols = open_symbols(config)
            self._watcher = watch_file(config, self.settings, timeframe, self._open_symbols)
            identify(config, self._watcher.current)
            if config.get("runmode") in TRADE_MODES:
                # Before Telegram comes up: a token it refuses is in its error message.
                protect(config=config)
                # Freqtrade refuses a short strategy on spot with an ImportError and a traceback.
                check_trading_mode(config)
                from pairbot_ext.recovery.silence import wait_out

                # The strategy is made before the exchange is asked anything.
                wait_out(config, SystemClock())
            if config.get("runmode") in OPTIMIZE_MODES:
                # Backtesting reads whitelist and candles before `start`, and would fail in its own words.
                effective = {**config, "timeframe": config.get("timeframe") or timeframe}
                check_market(effective, self._watcher.current)
                check_pairs_source(effective, self.settings)
                check_has_pairs(self._watcher.current, self.settings)
                check_candles(effective, self._watcher.current)
            self._tuning = begin_tuning(config, self._watcher.current)
            self.window_candles = window_parameter(self.settings, self._watcher.current)
        except PairbotError as error:
            raise OperationalException(str(error)) from error
        self._told_validity: str | None = None
        self._start: BotStart | None = None
        self._strategy: IStrategy | None = None
        self._candles, self._funding = SeenCandles(), FundingRates()
        self._book: SignalBook | None = None
        self._overrides: dict[str, float] = {}
        self._untradable = Untradable()
        self._desk: Desk | None = None
        self._bot: TradeDesk | None = None
        self._last_book: SignalBook | None = None
        self._control: Control | None = None
        self._renewals: Renewals | None = None

    @property
    def strategy(self) -> IStrategy:
        """The strategy served; only after `start`."""
        assert self._strategy is not None
        return self._strategy

    @property
    def desk(self) -> Desk:
        """Decides entries and exits. Raises PairbotError before `start`: people may be sooner."""
        if self._desk is None:
            raise PairbotError("PairsArb is still starting, nothing is decided yet")
        return self._desk

    @property
    def book(self) -> SignalBook:
        """Spreads and entries on the candles seen last."""
        if self._book is None:
            self._book = SignalBook(
                self._watcher.current,
                self.settings,
                int(self.timeframe.total_seconds()),
                self._candles.frames,
                steps=self._candles.steps,
                funding=self._funding.rates(self.strategy, self._watcher.current),
                fee=self.settings.taker_fee_bp / 1e4,
                overrides=self._overrides,
                disabled=self._untradable.pair_ids,
                is_out_now=self._is_out_now if self._bot is not None else None,
            )
            self._last_book = self._book
        return self._book

    def _is_out_now(self, book: SignalBook, pair: Pair) -> bool:
        """Whether a bot could not enter this pair now: it takes no part in the arbiter's choice."""
        assert self._bot is not None
        gate, now = self._bot.pairs, as_datetime(self._bot.clock.now_ms())
        since = gate.disarmed_since(*pair.symbols)
        has_come_back = since is None or book.has_recovered(
            coins_of(*pair.symbols), since, book.newest_candle
        )
        return gate.is_out(pair.id, *pair.symbols, has_come_back, now)

    def _learn_names(self) -> None:
        """What the file calls its pairs: locks given under a name belong to its coins."""
        if self._bot is not None:
            for epoch in self._watcher.current.epochs:
                for pair in epoch.pairs:
                    self._bot.registry.learn(pair.id, *pair.symbols)

    @property
    def timeframe(self) -> timedelta:
        """Length of a candle."""
        return timedelta(seconds=timeframe_to_seconds(self.strategy.timeframe))

    @property
    def is_trading(self) -> bool:
        """Whether there is a bot (dry-run or live) that opens leg B itself."""
        return self.strategy.config.get("runmode") in TRADE_MODES

    def startup_candles(self, timeframe: str) -> int:
        """For `startup_candle_count`. Raises OperationalException."""
        try:
            return required_startup_candles(self._watcher.current, self.settings, timeframe)
        except PairbotError as error:
            raise OperationalException(str(error)) from error

    def start(self, strategy: IStrategy, overrides: Mapping[str, float]) -> None:
        """Check the effective settings, build the desk, say what will be traded.

        :raises OperationalException: naming the setting that would let one leg live alone.
        """
        self._strategy = strategy
        self._overrides = dict(overrides)
        if not self.is_trading:
            self._read_again(strategy)
        # Started again (a second backtest of one strategy object), with other parameters perhaps.
        self._book = None
        history = self.startup_candles(strategy.timeframe)
        rules = PairRules(lambda: self.book, self.settings, self.timeframe, history)
        if self.is_trading:
            from pairbot_ext.host.logfile import open_log_file

            # Freqtrade has taken these out of the configuration.
            protect(*access.credentials_of(strategy))
            open_log_file(strategy.config, self.settings.log)
        try:
            wrong = self._check(strategy, overrides)
            if self.is_trading:
                from pairbot_ext.runtime.bot_start import BotStart

                self._start = BotStart(strategy, self.settings, rules, wrong)
                self._desk = self._bot = self._start.desk
            else:
                sight = Sight(self._watcher.current, lambda: self.book, lambda: self._untradable.pair_ids)
                self._desk = start_backtest(strategy, self.settings, rules, self._candles, sight)
        except PairbotError as error:
            raise OperationalException(str(error)) from error
        self._learn_names()
        if self._bot is not None:
            from pairbot_ext.control.attach import Control
            from pairbot_ext.page import make_page
            from pairbot_ext.runtime.renewals import Renewals

            self._renewals = Renewals(self.settings.pairs_path(), self._bot.journal)
            self._control = Control(self._bot, self._pairs_now, make_page)
            self._control.attach()
        knows_markets = strategy.config.get("runmode") in NON_UTIL_MODES
        if self._start is not None:
            self._tell(self._start.news or untested_releases())
        if wrong is not None:
            then = "Open pairs are managed, nothing is entered; correct it and /reload_config"
            self._tell([f"PairsArb: {wrong}. {then}"])
        self._tell(
            [
                *banner(self._watcher.current, self.settings, strategy, overrides),
                *(self.untradable_pairs() if knows_markets else []),
            ]
        )

    def _read_again(self, strategy: IStrategy) -> None:
        # A second backtest of one strategy object (the web server's) is of the file as it is now.
        change = self._watcher.poll()
        if change is not None and change.pairs_file is None:
            raise OperationalException(change.message)
        identify(strategy.config, self._watcher.current)

    def _check(self, strategy: IStrategy, overrides: Mapping[str, float]) -> str | None:
        """Whatever is wrong at a start, open pairs are managed. Returns what is wrong where pairs are open,
        None where nothing is. Raises PairbotError."""
        try:
            check_start(strategy, self._watcher.current, self.settings, overrides)
        except PairbotError as error:
            if not self._open_symbols:
                raise
            return str(error)
        return self._watcher.refused

    def _pairs_now(self) -> "PairsNow":
        """For threads beside the loop: every part is replaced whole when it changes."""
        from pairbot_ext.control.service import PairsNow

        return PairsNow(
            pairs_file=self._watcher.current,
            path=self.settings.pairs_file,
            book=self._last_book,
            untradable=self._untradable.pair_ids,
            candle_secs=int(self.timeframe.total_seconds()),
        )

    def _tell(self, messages: list[str]) -> None:
        """To the log, and to the operator where there is one (outside trade modes Freqtrade drops it)."""
        for message in messages:
            logger.info(message)
            # Telegram takes it for Markdown, and refuses an underscore that stands alone: a file's name.
            self.strategy.dp.send_msg(f"`{message.replace('`', chr(39))}`", always_send=True)

    def on_loop_start(self, now: datetime) -> None:
        """Start of a candle in a backtest, of a loop in a bot."""
        # First: Freqtrade swallows exceptions here, and none of the rest may cost a pass of the recovery.
        self.desk.on_loop_start(now)
        if self._control is not None:
            # Telegram comes up in a thread of its own, perhaps after this strategy.
            self._control.attach()
        if self.is_trading:
            self._note_returns()
            if self._start is not None:
                self._tell(self._start.look())
            self._tell([*self.poll_pairs_file(), *self.untradable_pairs(), *self._judge_validity(now)])
            self._tell(self._candles.fresh_steps())
            if self._renewals is not None:
                self._tell(self._renewals.look(self._watcher.current, now))
            self._note_late_candles()

    def _note_returns(self) -> None:
        """By the models of the file in force, before another may take its place."""
        book = self._last_book
        if book is not None and self._bot is not None:
            self._bot.pairs.note_returns(
                lambda coins, since: book.has_come_back(coins, since, book.newest_candle)
            )

    def _note_late_candles(self) -> None:
        """Where a candle has come a loop later than its mate's, have the mates analysed again."""
        late = self._candles.late(self.strategy)
        if late:
            mates = self._candles.mates_of(late, self._watcher.current)
            self._candles.forget()
            access.analyse_again(self.strategy, mates)

    def cleanup(self) -> None:
        """Half-open pair trades are finished or parked, the final statistics are logged."""
        if self._control is not None:
            self._control.close()
        if self._desk is not None:
            self._desk.cleanup()

    def override_thresholds(self, overrides: Mapping[str, float]) -> None:
        """Take over parameters that hyperopt has changed since the last call."""
        if dict(overrides) != self._overrides:
            self._overrides = dict(overrides)
            if self._tuning is not None:
                self._tuning.note(self._overrides)
            if self._book is not None:
                self._book.apply_overrides(self._overrides)

    def plot_config(self) -> dict[str, Any]:
        """For FreqUI and `freqtrade plot-dataframe`."""
        return plot_config(self._watcher.current.pair_ids())

    def poll_pairs_file(self) -> list[str]:
        """Take a rewritten pairs file over. Returns what the operator should be told."""
        change = self._watcher.poll()
        if change is None:
            return []
        if change.pairs_file is not None:
            self._book = None
            self._learn_names()
            needed = self.startup_candles(self.strategy.timeframe) - self.settings.rearm_lookback_candles
            if needed > self.strategy.startup_candle_count:
                return [
                    f"{change.message}. It needs {needed} candles before the first decision, "
                    f"{self.strategy.startup_candle_count} are loaded: use /reload_config"
                ]
        return [change.message]

    def _judge_validity(self, now: datetime) -> list[str]:
        """Once a day while no selection is in force, or only one that is older than its data were long. Where
        a newer file is refused meanwhile, the old one is entered no more."""
        assert self._bot is not None
        current = self._watcher.current
        text, day = validity(current, now), now.date().isoformat()
        refused = self._start.refused if self._start is not None else None
        if refused is None and self._watcher.refused is not None and text is not None and current.epochs:
            refused = RefusedError(
                "pairs_file", f"{text}; the file on disk is refused: {self._watcher.refused}"
            )
        self._bot.entries.refused_because = refused
        if text is None or day == self._told_validity:
            return []
        self._told_validity = day
        return [text]

    def untradable_pairs(self) -> list[str]:
        """Disable the pairs with a leg the venue does not trade (now). One message per change."""
        messages = self._untradable.look(self._watcher.current, self._is_traded)
        if messages:
            self._book = None
        return messages

    def _is_traded(self, symbol: str) -> bool:
        market = self.strategy.dp.market(symbol)
        return market is not None and market.get("active") is not False

    def symbols(self) -> list[str]:
        """Every symbol whose candles are needed."""
        return list(self._watcher.current.pairs)

    def informative_pairs(self, timeframe: str) -> list[tuple[Any, ...]]:
        """For `informative_pairs`, the one callback Freqtrade calls without a net: an exception in it would
        end the process and leave open pairs alone."""
        try:
            return self._funding.informative(
                self.symbols(), timeframe, self._watcher.current, self.is_trading
            )
        except Exception:
            logger.exception("The symbols of the pairs file are not known now, only the whitelist is read")
            return []

    def given(self, frames: Mapping[str, pd.DataFrame]) -> AbstractContextManager[None]:
        """Meanwhile the candles of these symbols are not asked for."""
        return self._candles.given(frames)

    def update(self, symbol: str, frame: pd.DataFrame) -> None:
        """Take over the candles Freqtrade is about to analyse; the book is built anew where something is."""
        if self._candles.update(self.strategy, symbol, frame, self.symbols()):
            self._book = None

    def indicators(self, symbol: str, dates: pd.Series) -> dict[str, np.ndarray]:
        """Columns for `populate_indicators`: `spread_<id>`, `z_<id>` of its pairs, thresholds."""
        return indicator_columns(self.book, symbol, self._rows(dates))

    def entries(self, symbol: str, dates: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Side (1, -1, 0) and pair id for each of `dates`. A bot opens leg B itself: only leg A then."""
        rows = self._rows(dates)
        side, tags = self.book.entries(symbol, (Leg.A,) if self.is_trading else tuple(Leg))
        return side[rows], tags[rows]

    def _rows(self, dates: pd.Series) -> np.ndarray:
        return ((dates - self.book.grid.start) // self.book.grid.step).to_numpy(dtype=np.int64)
