"""What a pair trade's own model says, for all its candles at once: when it is left, and whether it holds."""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil, inf, isfinite
from weakref import WeakKeyDictionary

import numpy as np

from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.research.breaks import Relation
from pairbot_ext.research.breaks import relations as relations_of
from pairbot_ext.research.market import Market
from pairbot_ext.settings import Settings
from pairbot_ext.signals.breaks import MIN_CANDLES
from pairbot_ext.signals.paths import SpreadPath
from pairbot_ext.stats.arrays import IntArray

_KNOWN: WeakKeyDictionary[Market, dict[tuple[Hashable, ...], IntArray]] = WeakKeyDictionary()
"""What variants and placebos on one market share: `Relation` of each frozen model that was asked about."""


class Courses:
    """Asked by one simulation.

    :param history_candles: the longest window the break rules look at.
    :param delay_candles: fills come so many candles later than a backtest's.
    """

    def __init__(self, market: Market, settings: Settings, history_candles: int, delay_candles: int) -> None:
        self._market = market
        self._settings = settings
        self._history = history_candles
        self._delay = delay_candles
        self._known: dict[int, tuple[int, IntArray]] = {}

    def is_known_broken(self, number: int, signal: int) -> bool:
        """Whether the break rules forbid an entry on this signal, as far as it has been found before."""
        # Of every relation but `Relation.HOLDS`, which is 0.
        known = self._known.get(number)
        return known is not None and bool(known[1][signal - known[0]])

    def exit_row(
        self, number: int, path: SpreadPath, plan: EntryPlan, signal: int, row: int
    ) -> tuple[int, str | None]:
        """When the pair trade is closed if no leg is taken from it, and why."""
        market, levels = self._market, plan.thresholds
        most = self._most_candles(plan)
        span = slice(row, min(row + max(ceil(most) - self._delay, 1), market.grid.size))
        model = plan.model
        z = (
            market.grid.log_close[plan.leg_a][span]
            - model.alpha
            - model.beta * market.grid.log_close[plan.leg_b][span]
            - model.mu
        ) / model.sigma
        splits = market.grid.split_rows((plan.leg_a, plan.leg_b), signal + 1)
        if splits.size:
            z[max(int(splits.min()) - row, 0) :] = np.nan
        reverted = (np.abs(z) <= levels.exit) | (z * plan.direction > 0)
        stopped = np.abs(z) >= levels.stop
        late = np.arange(1, z.size + 1) + self._delay >= most
        ends = np.flatnonzero(reverted | stopped | late)
        first = int(ends[0]) if ends.size else z.size
        broken = self.relations(number, path, plan, row, row + first)
        at = np.flatnonzero(broken[:first] == Relation.BROKEN)
        found: tuple[float, str | None] = (inf, None)
        if at.size:
            found = row + 1 + int(at[0]), ExitReason.BREAK
        elif ends.size:
            why = ExitReason.STOP if stopped[first] else ExitReason.TIME
            found = row + 1 + first, ExitReason.REVERTED if reverted[first] else why
        over = self._data_end(plan, row)
        when, why_closed = found
        when += self._delay
        if over < when:
            return over, ExitReason.DATA_END
        return (int(when), why_closed) if isfinite(when) else (market.grid.size, None)

    def _data_end(self, plan: EntryPlan, row: int) -> int:
        """The candle on which a leg's series ends, before the run does or at a price step."""
        market, symbols = self._market, (plan.leg_a, plan.leg_b)
        ends = min(market.last[symbol] for symbol in symbols)
        over = max(ends, row + 1) if ends < self._market.end_row else market.grid.size
        splits = market.grid.split_rows(symbols, row + 1)
        return min(over, max(int(splits.min()) - 1, row + 1)) if splits.size else over

    def _most_candles(self, plan: EntryPlan) -> float:
        most = plan.thresholds.max_half_lives * plan.model.half_life_candles
        if isfinite(most):
            return most
        hours = self._settings.max_hold_hours_without_half_life
        return hours * 3600 / self._market.step.total_seconds()

    def _window(self, half_life_candles: float) -> int:
        settings = self._settings.risk.break_stop
        if settings is None or not isfinite(half_life_candles):
            return self._history
        return min(self._history, max(MIN_CANDLES, ceil(settings.window_half_lives * half_life_candles)))

    def relations(self, number: int, path: SpreadPath, plan: EntryPlan, first: int, stop: int) -> IntArray:
        """On rows first to stop, the end not included; a frozen model's are found once for all its trades."""
        grid = self._market.grid
        stop = min(stop, grid.size)
        settings, window = self._settings.risk.break_stop, self._window(plan.model.half_life_candles)
        logs = grid.log_close[plan.leg_a], grid.log_close[plan.leg_b]
        if not (path.pair.is_frozen and path.pair.spread_model.is_constant):
            return relations_of(*logs, plan.model, settings, (first, stop - 1), window)
        if number not in self._known:
            forced = np.flatnonzero(path.in_force)
            begin = path.first_row + int(forced[0])
            end = path.first_row + int(forced[-1]) + 2 + ceil(self._most_candles(plan)) + self._delay
            ends = begin, min(end, grid.size - 1)
            memory = _KNOWN.setdefault(self._market, {})
            key = (plan.leg_a, plan.leg_b, plan.model, repr(settings), ends, window)
            if key not in memory:
                memory[key] = relations_of(*logs, plan.model, settings, ends, window)
            self._known[number] = begin, memory[key]
        begin, found = self._known[number]
        return found[first - begin : stop - begin]
