"""What a pair trade's own numbers say, asked in the same words by the backtest and by the bot."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta

from pairbot_ext.model.findings import Breach, Reading, Rule, Verdict
from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.registry import Coins
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.settings import Settings
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.signals.breaks import (
    MIN_CANDLES,
    PairHealth,
    break_readings,
    break_verdict,
    pair_health,
)
from pairbot_ext.signals.zpath import exit_reason

_HealthKey = tuple[datetime, int, str, EntryModel]
MOST_KEPT = 100_000
"""Readings of a pair's relation: some 30 MB."""


class PairRules:
    """Entry plans, exits and the memory of stops on the candles known now.

    :param book: gives the current book, which is replaced whenever a candle arrives.
    :param history_candles: the longest window the break rules look at: a bot has no more, so that a backtest
        must not use more.
    """

    def __init__(
        self,
        book: Callable[[], SignalBook],
        settings: Settings,
        timeframe: timedelta,
        history_candles: int,
    ) -> None:
        self._book = book
        self._settings = settings
        self.timeframe = timeframe
        self._history_candles = history_candles
        self._known_of: tuple[SignalBook, datetime] | None = None
        self._health: dict[_HealthKey, PairHealth | None] = {}
        self._exits: dict[tuple[EntryPlan, datetime], ExitReason | None] = {}

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
        self._forget_older(now)
        key = (plan, opened_at)
        if key not in self._exits:
            reason = exit_reason(
                plan.thresholds,
                plan.direction,
                self._book().z(plan, self.last_closed(now)),
                self._held_candles(opened_at, now),
                self._most_candles(plan),
            )
            if reason is None and isinstance(self._break(plan, now), Breach):
                reason = ExitReason.BREAK
            self._exits[key] = reason
        return self._exits[key]

    def exit_breach(self, plan: EntryPlan, opened_at: datetime, now: datetime, reason: str) -> Breach | None:
        """The rule behind a stop that `model_exit` has named; None where it named none."""
        levels = plan.thresholds
        match reason:
            case ExitReason.STOP:
                z = abs(self._book().z(plan, self.last_closed(now)))
                return Breach(Rule.Z_STOP, z, levels.stop, "", "|z| of the last closed candle")
            case ExitReason.TIME:
                held, most = self._held_candles(opened_at, now), self._most_candles(plan)
                return Breach(Rule.TIME_STOP, held, most, "candles", "time held")
            case ExitReason.BREAK:
                verdict = self._break(plan, now)
                return verdict if isinstance(verdict, Breach) else None
        return None

    def entry_breach(self, plan: EntryPlan, now: datetime) -> Verdict:
        """The break rule that forbids entering this plan, or that has no numbers; None where it may be."""
        return self._break(plan, now)

    def gauges(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> list[Reading]:
        """What the rules on closed candles read of an open pair trade."""
        z = abs(self._book().z(plan, self.last_closed(now)))
        seen = None if math.isnan(z) else z
        note = "" if seen is not None else "a leg's last candle is missing"
        most = self._most_candles(plan)
        held = self._held_candles(opened_at, now)
        return [
            Reading(Rule.Z_STOP, seen, plan.thresholds.stop, "", plan.pair_id, note),
            Reading(Rule.TIME_STOP, held, most, "candles", plan.pair_id),
            *break_readings(
                self._settings.risk.break_stop,
                self._health_of(plan, now),
                self._half_life(plan),
                plan.model.beta,
                plan.pair_id,
            ),
        ]

    def _held_candles(self, opened_at: datetime, now: datetime) -> float:
        return (self.candle_start(now) - self.candle_start(opened_at)) / self.timeframe

    def _half_life(self, plan: EntryPlan) -> float:
        return plan.half_life_candles(self.timeframe.total_seconds())

    def _most_candles(self, plan: EntryPlan) -> float:
        """The time stop. A spread without a half-life is the one that needs it most."""
        most = plan.thresholds.max_half_lives * self._half_life(plan)
        if math.isfinite(most):
            return most
        return timedelta(hours=self._settings.max_hold_hours_without_half_life) / self.timeframe

    def _break(self, plan: EntryPlan, now: datetime) -> Verdict:
        return break_verdict(
            self._settings.risk.break_stop,
            self._health_of(plan, now),
            self._half_life(plan),
            plan.model.beta,
        )

    def _health_of(self, plan: EntryPlan, now: datetime) -> PairHealth | None:
        settings = self._settings.risk.break_stop
        if settings is None:
            return None
        book, candle = self._forget_older(now)
        half_life = self._half_life(plan)
        rows = self._history_candles
        if math.isfinite(half_life):
            rows = min(rows, max(MIN_CANDLES, math.ceil(settings.window_half_lives * half_life)))
        key = (candle, rows, plan.pair_id, plan.model)
        if key not in self._health:
            if len(self._health) >= MOST_KEPT:
                self._health.clear()
            self._health[key] = pair_health(*book.window(plan, candle, rows), plan.model)
        return self._health[key]

    def _forget_older(self, now: datetime) -> tuple[SignalBook, datetime]:
        """Book and last closed candle. Both legs of a pair ask on each candle, a bot in each loop: an answer
        is found once per candle, and anew when a candle has arrived (a leg's may come late)."""
        known_of = self._book(), self.last_closed(now)
        if known_of != self._known_of:
            # The book of a hyperopt stays, and with it what was read of models that did not change.
            if self._known_of is None or known_of[0] is not self._known_of[0]:
                self._health = {}
            self._known_of, self._exits = known_of, {}
        return known_of

    def missing_candles(self, plan: EntryPlan, now: datetime) -> dict[str, float]:
        """See Signals."""
        newest = self.last_closed(now)
        return {symbol: self._book().missing_candles(symbol, newest) for symbol in (plan.leg_a, plan.leg_b)}

    def has_recovered(self, coins: Coins, left_at: datetime, candle: datetime) -> bool:
        """Whether a pair that was left may be entered again: |z| <= exit was seen, or it is long ago."""
        return self._book().has_recovered(coins, left_at, candle)
