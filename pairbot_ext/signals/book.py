"""All pairs on all candles: spreads, z, and the entries that survive the arbiter.

The book is given candles and answers questions; it fetches nothing and knows nothing of Freqtrade. It is
rebuilt whenever a candle arrives. Every value at a candle depends on that candle and earlier ones only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd

from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.registry import Coins, coins_of
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.thresholds import Thresholds
from pairbot_ext.pairs import Pair, PairsFile
from pairbot_ext.settings import Settings
from pairbot_ext.signals.arbiter import Candidate, arbitrate, contested_rows, expected_edge
from pairbot_ext.signals.forward import Course, out_on_paper
from pairbot_ext.signals.grid import PriceGrid, build_grid
from pairbot_ext.signals.paths import SpreadPath, effective_thresholds, spread_path
from pairbot_ext.signals.zpath import entry_direction, is_armed
from pairbot_ext.stats.arrays import BoolArray, FloatArray, IntArray


class SignalBook:
    """Spreads and entries of every pair of the pairs file on the given candles.

    :param fee: one fill's fee as a ratio, for the arbiter.
    :param steps: candles with which a symbol's prices become another series; None: found here.
    :param grid: `frames` aligned already, where many books are made of the same candles.
    :param funding: rates by symbol, see `grid.build_grid`; without, models that read them enter nothing.
    :param overrides: thresholds that replace every pair's own, by name (entry, exit, stop, max_half_lives).
    :param disabled: ids of pairs that are not entered.
    :param is_out_now: whether a pair could not be entered on the newest candle anyway, as a bot knows it.
        Without a bot all pairs are run forward on paper.
    """

    def __init__(
        self,
        pairs_file: PairsFile,
        settings: Settings,
        timeframe_secs: int,
        frames: Mapping[str, pd.DataFrame],
        *,
        fee: float,
        steps: Mapping[str, Sequence[pd.Timestamp]] | None = None,
        grid: PriceGrid | None = None,
        funding: Mapping[str, pd.DataFrame] | None = None,
        overrides: Mapping[str, float] | None = None,
        disabled: frozenset[str] = frozenset(),
        is_out_now: Callable[["SignalBook", Pair], bool] | None = None,
    ) -> None:
        self._is_out_now = is_out_now
        self._settings = settings
        self._fee = fee
        self.pairs_file = pairs_file
        self.grid = grid or build_grid(frames, timeframe_secs, settings.volatility_gate, steps, funding)
        self.paths = [
            path
            for epoch in pairs_file.epochs
            for pair in epoch.pairs
            if (
                path := spread_path(
                    self.grid, epoch, pair, settings.rolling_window_candles, is_disabled=pair.id in disabled
                )
            )
            is not None
        ]
        self._overrides: dict[str, float] = {}
        self._of_symbol: dict[str, list[int]] = {}
        self._of_pair: dict[str, list[int]] = {}
        for number, path in enumerate(self.paths):
            self._of_pair.setdefault(path.pair.id, []).append(number)
            for symbol in path.pair.symbols:
                self._of_symbol.setdefault(symbol, []).append(number)
        self._directions: list[IntArray] = []
        self.apply_overrides(overrides or {})

    def apply_overrides(self, overrides: Mapping[str, float]) -> None:
        """Decide the entries anew with these thresholds (hyperopt changes them every epoch)."""
        self._overrides = dict(overrides)
        candidates = [self._candidate(path) for path in self.paths]
        if candidates and contested_rows(candidates).any():
            out = self._out(candidates)
            candidates = [replace(each, is_out=rows) for each, rows in zip(candidates, out, strict=True)]
        wins = arbitrate(candidates)
        self._directions = [
            np.where(win, candidate.direction, 0) for candidate, win in zip(candidates, wins, strict=True)
        ]

    def thresholds(self, pair: Pair) -> Thresholds | None:
        """The pair's own thresholds with the overrides in force, or None where these contradict each other:
        hyperopt draws such ones, and then the pair is not entered. None too where its model finds no level
        that is worth its cost."""
        try:
            return effective_thresholds(pair, self._overrides)
        except ValueError:
            return None

    def entries(self, symbol: str, legs: Sequence[Leg] = tuple(Leg)) -> tuple[IntArray, "np.ndarray"]:
        """What `symbol` should do on each grid row.

        :param legs: in which roles an entry is wanted (a trading bot enters leg B itself).
        :return: side, 1 long / -1 short / 0, shape (n,); and the pair id, object array of shape (n,), None
            where there is no entry.
        """
        side = np.zeros(self.grid.size, np.int64)
        tags = np.full(self.grid.size, None, dtype=object)
        for number in self._of_symbol.get(symbol, ()):
            path, direction = self.paths[number], self._directions[number]
            leg = Leg.A if symbol == path.pair.leg_a else Leg.B
            if leg in legs:
                rows = np.flatnonzero(direction)
                side[rows] = direction[rows] if leg is Leg.A else -direction[rows]
                tags[rows] = path.pair.id
        return side, tags

    def plan(self, pair_id: str, candle: datetime) -> EntryPlan | None:
        """The plan of the entry that `pair_id` won on `candle`, or None where it won none."""
        row = self.grid.row(candle)
        if row is None:
            return None
        for number in self._of_pair.get(pair_id, ()):
            path, direction = self.paths[number], self._directions[number]
            if direction[row] != 0:
                thresholds = self.thresholds(path.pair)
                assert thresholds is not None  # without them the pair has no direction
                at = row - path.first_row
                model = EntryModel(
                    alpha=float(path.alpha[at]),
                    beta=float(path.beta[at]),
                    mu=float(path.mu[at]),
                    sigma=float(path.sigma[at]),
                    half_life_candles=float(path.half_life_candles[at]),
                )
                return EntryPlan(
                    pair_id=pair_id,
                    leg_a=path.pair.leg_a,
                    leg_b=path.pair.leg_b,
                    direction=int(direction[row]),
                    model=model,
                    thresholds=thresholds,
                    candle=candle,
                    z=float(path.z[at]),
                    candle_secs=int(self.grid.step.total_seconds()),
                )
        return None

    def signal_rows(self, number: int) -> IntArray:
        """The rows on whose candle the path of this number has won an entry. Shape (k,)."""
        return np.flatnonzero(self._directions[number])

    def z(self, plan: EntryPlan, candle: datetime) -> float:
        """z of an open pair trade's own model on `candle`; NaN where a leg's candle is missing or unknown."""
        row = self.grid.row(candle)
        if row is None or plan.leg_a not in self.grid.log_close or plan.leg_b not in self.grid.log_close:
            return float("nan")
        if self.grid.steps:
            made = self.grid.rows_closed_by(plan.candle + self.grid.step)
            if np.any(self.grid.split_rows((plan.leg_a, plan.leg_b), made) <= row):
                return float("nan")
        return float(plan.model.z(self.grid.log_close[plan.leg_a][row], self.grid.log_close[plan.leg_b][row]))

    def window(self, plan: EntryPlan, candle: datetime, rows: int) -> tuple[FloatArray, FloatArray]:
        """Log closes of both legs on the `rows` candles that end with `candle`, fewer where the grid begins
        later; NaN where a candle is missing. Empty where the grid lacks the candle or a leg."""
        row = self.grid.row(candle)
        if row is None or plan.leg_a not in self.grid.log_close or plan.leg_b not in self.grid.log_close:
            return np.empty(0), np.empty(0)
        span = slice(max(0, row + 1 - rows), row + 1)
        return self.grid.log_close[plan.leg_a][span], self.grid.log_close[plan.leg_b][span]

    def close(self, symbol: str, candle: datetime) -> float:
        """Close of one candle, quote currency; NaN where it is missing or unknown."""
        row = self.grid.row(candle)
        closes = self.grid.log_close.get(symbol)
        return float("nan") if row is None or closes is None else float(np.exp(closes[row]))

    def missing_candles(self, symbol: str, newest: datetime) -> float:
        """For how many candles up to `newest` the symbol has had none that was traded; infinite for a symbol
        without any."""
        closes = self.grid.log_close.get(symbol)
        seen = np.flatnonzero(np.isfinite(closes)) if closes is not None else np.empty(0)
        if seen.size == 0:
            return float("inf")
        return (newest - self.grid.start) / self.grid.step - float(seen[-1])

    @property
    def newest_candle(self) -> datetime:
        """Open time of the last candle known."""
        return self.grid.start + (self.grid.size - 1) * self.grid.step

    def has_recovered(self, coins: Coins, since: datetime, candle: datetime) -> bool:
        """Whether a pair that was left may be entered again: |z| <= exit was seen, or it is long ago."""
        # A backtest leaves on the full candle, a bot some seconds after it.
        left_on = self.grid.start + (since - self.grid.start) // self.grid.step * self.grid.step
        is_forgotten = candle - left_on >= self._settings.rearm_lookback_candles * self.grid.step
        return is_forgotten or self.has_come_back(coins, since, candle)

    def has_come_back(self, coins: Coins, since: datetime, until: datetime) -> bool:
        """Whether |z| <= exit has been seen on a candle in (since, until], by the model in force on it: of
        these coins, whatever the pair is called in that epoch and whichever of them is leg A."""
        first, last = self.grid.rows_closed_by(since), self.grid.rows_closed_by(until + self.grid.step)
        for path in self.paths:
            thresholds = self.thresholds(path.pair)
            if coins_of(*path.pair.symbols) == coins and thresholds is not None:
                rows = slice(max(first - path.first_row, 0), max(last - path.first_row, 0))
                if ((np.abs(path.z[rows]) <= thresholds.exit) & path.in_force[rows]).any():
                    return True
        return False

    def of_symbol(self, symbol: str) -> list[SpreadPath]:
        """The paths of which it is a leg, in the order of the file."""
        return [self.paths[number] for number in self._of_symbol.get(symbol, ())]

    def columns(self, symbol: str) -> dict[str, FloatArray]:
        """Indicator columns of one symbol, each of shape (n,): `spread_<id>` and `z_<id>` of its pairs."""
        columns: dict[str, FloatArray] = {}
        for path in self.of_symbol(symbol):
            rows = slice(path.first_row, path.first_row + path.z.size)
            for name, values in (("spread", path.spread), ("z", path.z)):
                key = f"{name}_{path.pair.id}"
                if key not in columns:
                    columns[key] = np.full(self.grid.size, np.nan)
                columns[key][rows] = values
        return columns

    def count_signals(self, first: datetime, last: datetime) -> int:
        """How many (pair, candle) entries there are on candles that close in [first, last]."""
        rows = slice(max(self.grid.rows_closed_by(first) - 1, 0), self.grid.rows_closed_by(last))
        return sum(int(np.count_nonzero(direction[rows])) for direction in self._directions)

    def _out(self, candidates: Sequence[Candidate]) -> list[BoolArray]:
        """Where each pair could not be entered anyway."""
        if self._is_out_now is None:
            courses = [self._course(path, each) for path, each in zip(self.paths, candidates, strict=True)]
            return out_on_paper(courses, self._settings.rearm_lookback_candles)
        newest = np.arange(self.grid.size) == self.grid.size - 1
        return [newest & self._is_out_now(self, path.pair) for path in self.paths]

    def _course(self, path: SpreadPath, candidate: Candidate) -> Course:
        thresholds = self.thresholds(path.pair) or Thresholds(1.0, 0.0, 2.0, 1.0)
        without = self._settings.max_hold_hours_without_half_life * 3600 / self.grid.step.total_seconds()
        half_lives = thresholds.max_half_lives * path.half_life_candles
        return Course(
            candidate,
            thresholds,
            self.grid.log_close[path.pair.leg_a],
            self.grid.log_close[path.pair.leg_b],
            first_row=path.first_row,
            alpha=path.alpha,
            beta=path.beta,
            mu=path.mu,
            sigma=path.sigma,
            z=np.where(path.in_force, path.z, np.nan),
            most_candles=np.where(np.isfinite(half_lives), half_lives, without),
        )

    def _candidate(self, path: SpreadPath) -> Candidate:
        direction = np.zeros(self.grid.size, np.int64)
        edge = np.full(self.grid.size, -np.inf)
        thresholds = self.thresholds(path.pair)
        if thresholds is None:
            return Candidate(path.pair.symbols, direction, edge)
        armed = is_armed(path.z, thresholds, self._settings.rearm_lookback_candles)
        rows = slice(path.first_row, path.first_row + path.z.size)
        direction[rows] = np.where(path.may_enter, entry_direction(path.z, thresholds, armed), 0)
        edge[rows] = expected_edge(
            path.z, path.sigma, path.beta, thresholds, self._fee, self._settings.spread_bp / 1e4
        )
        return Candidate(path.pair.symbols, direction, edge)
