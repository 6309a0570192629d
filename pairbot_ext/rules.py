"""What a pair trade's own numbers say, asked in the same words by the backtest and by the bot."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pairbot_ext.book import SignalBook
from pairbot_ext.execution.plan import EntryPlan
from pairbot_ext.settings import Settings
from pairbot_ext.signals import ExitReason, exit_reason


class PairRules:
    """Entry plans, exits and the memory of stops on the candles known now.

    :param book: gives the current book, which is replaced whenever a candle arrives.
    """

    def __init__(self, book: Callable[[], SignalBook], settings: Settings, timeframe: timedelta) -> None:
        self._book = book
        self._settings = settings
        self.timeframe = timeframe

    def candle_start(self, now: datetime) -> datetime:
        """Open time of the candle that is running at `now`."""
        anchor = self._book().grid.start
        return anchor + (now - anchor) // self.timeframe * self.timeframe

    def last_closed(self, now: datetime) -> datetime:
        """Open time of the last candle that has closed at `now`."""
        return self.candle_start(now) - self.timeframe

    def entry_plan(self, pair_id: str, now: datetime) -> EntryPlan | None:
        """The plan of the entry this pair has won on the last closed candle, or None.

        None too where that candle has not arrived on both legs: an older signal is not taken for a fresh one.
        """
        return self._book().plan(pair_id, self.last_closed(now))

    def close(self, symbol: str, now: datetime) -> float:
        """Last close, NaN where that candle is missing or has not arrived."""
        return self._book().close(symbol, self.last_closed(now))

    def model_exit(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> ExitReason | None:
        """What the model at entry says about leaving on the last closed candle.

        None until a candle has closed after the one the pair was opened on.
        """
        if self.candle_start(now) <= self.candle_start(opened_at):
            return None
        return exit_reason(
            plan.thresholds,
            plan.direction,
            self._book().z(plan, self.last_closed(now)),
            (self.candle_start(now) - self.candle_start(opened_at)) / self.timeframe,
            plan.model.half_life_candles,
        )

    def has_recovered(self, pair_id: str, stopped_at: datetime, candle: datetime) -> bool:
        """Whether a pair that was stopped may be entered again: |z| <= exit was seen, or it is long ago."""
        is_forgotten = candle - stopped_at >= self._settings.rearm_lookback_candles * self.timeframe
        return is_forgotten or self._book().has_come_back(pair_id, stopped_at, candle)
