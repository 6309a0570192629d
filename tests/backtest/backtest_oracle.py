"""What PairsArb ought to do, computed a second time: slowly, with numpy, from the candles alone.

Nothing of the package's signal, sizing or backtest code is used here; only the pairs file's own data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from backtest_harness import HOUR, REARM_CANDLES, STARTUP_CANDLES, WINDOW_CANDLES, Candles

from pairbot_ext.pairs import Epoch, Pair, PairsFile

FEE = 0.0005
HOURS_WITHOUT_HALF_LIFE = 336.0
"""After these a pair is entered again only when |z| <= exit_z has been seen."""
SPREAD = 0.0002


@dataclass(frozen=True)
class Model:
    """z = (log A - alpha - beta*log B - mu)/sigma."""

    alpha: float
    beta: float
    mu: float
    sigma: float
    half_life: float

    def z(self, log_a: float, log_b: float) -> float:
        """NaN where a price is."""
        return (log_a - self.alpha - self.beta * log_b - self.mu) / self.sigma


@dataclass(frozen=True)
class Expected:
    """One pair trade, in rows of the candles."""

    pair_id: str
    coins: frozenset[str]
    direction: int
    opened: int
    closed: int
    reason: str


@dataclass(frozen=True)
class Line:
    """One pair of one epoch over all rows: its models and z, NaN or None where there is none."""

    pair: Pair
    epoch: Epoch
    models: list[Model | None]
    z: np.ndarray

    def thresholds(self) -> tuple[float, float, float]:
        """entry, exit, stop."""
        return self.pair.entry_z, self.pair.exit_z, self.pair.stop_z


def regression(log_a: np.ndarray, log_b: np.ndarray) -> Model | None:
    """OLS with intercept on the rows both legs have, and the half-life of its residual."""
    present = np.isfinite(log_a) & np.isfinite(log_b)
    if present.sum() < 0.9 * present.size:
        return None
    beta, alpha = _line_through(log_b[present], log_a[present])
    residual = log_a - alpha - beta * log_b
    sigma = np.sqrt(np.nansum(residual**2) / (present.sum() - 2))
    lagged, step = residual[:-1], np.diff(residual)
    both = np.isfinite(step)
    slope, _ = _line_through(lagged[both], step[both])
    half_life = np.inf if slope >= 0 else 0.0 if slope <= -1 else np.log(0.5) / np.log(1 + slope)
    return Model(float(alpha), float(beta), 0.0, float(sigma), float(half_life))


def _line_through(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Least squares slope and intercept."""
    slope = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    return float(slope), float(y.mean() - slope * x.mean())


_rolling: dict[tuple[int, str, str], list[Model | None]] = {}


def rolling(candles: Candles, leg_a: str, leg_b: str) -> list[Model | None]:
    """The model of every row's own window; kept, because many cases share a market."""
    key = (id(candles), leg_a, leg_b)
    if key not in _rolling:
        log_a, log_b = np.log(candles.close[leg_a]), np.log(candles.close[leg_b])
        first = WINDOW_CANDLES - 1
        _rolling[key] = [None] * first + [
            regression(log_a[row - first : row + 1], log_b[row - first : row + 1])
            for row in range(first, candles.size)
        ]
    return _rolling[key]


class Oracle:
    """Signals of every pair, and the trades they make where neither slots nor money bind."""

    def __init__(self, candles: Candles, pairs_file: PairsFile, overrides: Mapping[str, float] = {}) -> None:
        self.candles = candles
        self.pairs_file = pairs_file
        self.log = {name: np.log(values) for name, values in candles.close.items()}
        self.lines = [self._line(epoch, p) for epoch in pairs_file.epochs for p in epoch.pairs]

    def _line(self, epoch: Epoch, p: Pair) -> Line:
        log_a, log_b = self.log[p.leg_a], self.log[p.leg_b]
        size, hours = self.candles.size, p.half_life_hours
        models: list[Model | None] = [None] * size
        if p.is_frozen:
            frozen = Model(p.alpha, p.hedge_ratio, p.mu or 0.0, p.sigma, np.nan if hours is None else hours)
            for row in range(size):
                close_time = self.candles.time(row) + HOUR
                is_after = epoch.valid_to is not None and close_time >= epoch.valid_to
                if close_time >= epoch.formation_end and not is_after:
                    models[row] = frozen
        else:
            models = [
                model if model is None or hours is None else replace(model, half_life=hours)
                for model in rolling(self.candles, p.leg_a, p.leg_b)
            ]
        z = np.array([np.nan if m is None else m.z(log_a[r], log_b[r]) for r, m in enumerate(models)])
        return Line(p, epoch, models, z)

    def line(self, pair_id: str, row: int) -> Line | None:
        """The line of the epoch in force when the candle of `row` closes."""
        close_time = self.candles.time(row) + HOUR
        for line in self.lines:
            if line.pair.id == pair_id and line.epoch.is_valid_at(close_time):
                return line
        return None

    def is_armed(self, line: Line, row: int) -> bool:
        """No stop within the lookback that |z| <= exit has not followed."""
        _, exit_z, stop_z = line.thresholds()
        for back in range(row, max(row - REARM_CANDLES, -1), -1):
            if abs(line.z[back]) <= exit_z:
                return True
            if abs(line.z[back]) >= stop_z:
                return False
        return True

    def wish(self, line: Line, row: int) -> int:
        """-1 short the spread, 1 long, 0 nothing: on the close of `row`, other pairs apart."""
        entry_z, _, stop_z = line.thresholds()
        model, z = line.models[row], line.z[row]
        if model is None or not np.isfinite(z) or not model.beta > 0:
            return 0
        if not line.epoch.is_valid_at(self.candles.time(row) + HOUR):
            return 0
        if not entry_z <= abs(z) < stop_z or not self.is_armed(line, row):
            return 0
        return -1 if z > 0 else 1

    @cached_property
    def winners(self) -> list[dict[str, tuple[Line, int]]]:
        """Per row the pairs that get both their symbols: those that may have them first, of those the largest
        net edge, then file order. Who may is told by paper trades without slots, money and break rule."""
        rows = []
        busy: dict[str, int] = {}
        left: dict[frozenset[str], int] = {}
        for row in range(self.candles.size):
            wishes = []
            for place, line in enumerate(self.lines):
                if direction := self.wish(line, row):
                    model = line.models[row]
                    costs = (1 + model.beta) * (2 * FEE + SPREAD)
                    edge = (abs(line.z[row]) - line.pair.exit_z) * model.sigma - costs
                    coins = frozenset(line.pair.symbols)
                    waits = coins in left and not self.has_recovered(coins, left[coins], row)
                    is_out = waits or any(busy.get(name, -1) > row for name in coins)
                    wishes.append((is_out, -edge, place, line, direction))
            taken: set[str] = set()
            won = {}
            for is_out, _, _, line, direction in sorted(wishes, key=lambda wish: wish[:3]):
                if taken.isdisjoint(line.pair.symbols):
                    taken.update(line.pair.symbols)
                    won[line.pair.id] = (line, direction)
                if not is_out and all(busy.get(name, -1) <= row for name in line.pair.symbols):
                    closed, reason = self.closing(line, direction, row + 1)
                    busy.update(dict.fromkeys(line.pair.symbols, closed))
                    left[frozenset(line.pair.symbols)] = closed
                    if reason == "pair_reverted":
                        del left[frozenset(line.pair.symbols)]
            rows.append(won)
        return rows

    def exit(self, line: Line, direction: int, opened: int, row: int) -> str | None:
        """What the model at entry (on the close before `opened`) says on the close of `row`."""
        model = line.models[opened - 1]
        assert model is not None
        _, exit_z, stop_z = line.thresholds()
        z = model.z(self.log[line.pair.leg_a][row], self.log[line.pair.leg_b][row])
        if abs(z) <= exit_z or z * direction > 0:
            return "pair_reverted"
        if abs(z) >= stop_z:
            return "pair_stop"
        most = line.pair.max_half_lives * model.half_life
        if row + 1 - opened >= (most if np.isfinite(most) else HOURS_WITHOUT_HALF_LIFE):
            return "pair_time_stop"
        return None

    def closing(self, line: Line, direction: int, opened: int) -> tuple[int, str]:
        """Row at whose open this pair trade is closed, and why, if nothing but its own rules closes it."""
        ends = min(self.candles.last_row[name] for name in line.pair.symbols)
        last = max(self.candles.last_row.values())
        for row in range(opened + 1, last + 1):
            if reason := self.exit(line, direction, opened, row - 1):
                return row, reason
            if row >= ends and ends < last:
                return row, "pair_data_end"
        return last, "force_exit"

    def is_tradable(self, name: str, row: int) -> bool:
        """Freqtrade keeps the startup candles and one more; the last candle takes no entry."""
        first = self.candles.first_row[name] + STARTUP_CANDLES + 1
        return first <= row < self.candles.last_row[name]

    def has_recovered(self, coins: frozenset[str], stopped: int, row: int) -> bool:
        """Whether |z| <= exit was seen on a close from `stopped` to `row`, by a model in force then, or the
        stop is forgotten."""
        if row - stopped >= REARM_CANDLES:
            return True
        return any(
            abs(line.z[seen]) <= line.pair.exit_z
            for line in self.lines
            if frozenset(line.pair.symbols) == coins
            for seen in range(stopped, row + 1)
            if line.epoch.is_valid_at(self.candles.time(seen) + HOUR)
        )

    def trades(self) -> list[Expected]:
        """Every pair trade of a run in which neither slots, nor money, nor protections bind."""
        done: list[Expected] = []
        busy_until: dict[str, int] = {}
        stopped: dict[frozenset[str], int] = {}
        for row in range(1, self.candles.size):
            for trade in done:
                if trade.closed == row and trade.reason != "pair_reverted":
                    stopped[trade.coins] = row
            for pair_id, (line, direction) in self.winners[row - 1].items():
                if any(busy_until.get(name, 0) >= row for name in line.pair.symbols):
                    continue
                if not all(self.is_tradable(name, row) for name in line.pair.symbols):
                    continue
                coins = frozenset(line.pair.symbols)
                if coins in stopped and not self.has_recovered(coins, stopped[coins], row - 1):
                    continue
                closed, reason = self.closing(line, direction, row)
                done.append(Expected(pair_id, coins, direction, row, closed, reason))
                busy_until.update(dict.fromkeys(line.pair.symbols, closed))
        return sorted(done, key=lambda trade: (trade.opened, trade.pair_id))
