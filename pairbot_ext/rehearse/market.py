"""A market made of the user's own pairs: each spread follows its model, and stands beyond its entry threshold
on the last closed candle. From there on prices stay where a scenario puts them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from math import exp, log
from typing import Any

import numpy as np

from pairbot_ext.sim.market.base import Book, Kline
from pairbot_ext.sim.market.books import BookShape, build_book
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.market.series import interval_ms

HISTORY_CANDLES = 2_600
"""More than Freqtrade loads at a start."""
_RAMP_CANDLES = 12
_HOURLY_VOLATILITY = 0.004
_HOUR_MS = 3_600_000
_VOLUME_USDT = 2_000_000.0


@dataclass(frozen=True)
class Legs:
    """One pair as the market sees it; symbols by the venue's id, the model as in the pairs file.

    :param half_life_candles: of the spread, candles. :param entry_z, exit_z, stop_z: the pair's thresholds.
    """

    pair_id: str
    leg_a: str
    leg_b: str
    beta: float
    alpha: float
    mu: float
    sigma: float
    half_life_candles: float
    entry_z: float
    exit_z: float
    stop_z: float

    @property
    def signal_z(self) -> float:
        """Where a signal is seen: beyond the entry, well before the stop."""
        return self.entry_z + min(0.5, 0.4 * (self.stop_z - self.entry_z))

    def price_a(self, price_b: float, z: float) -> float:
        """Leg A's price at which the pair's z is `z`, quote."""
        return exp(self.alpha + self.mu + self.beta * log(price_b) + self.sigma * z)


class RehearsalMarket(FixedMarket):
    """Implements `sim.market.base.Market`; see the module.

    :param pairs: leg B of each is a random walk, its leg A follows by the model; two pairs may share a leg B.
    :param prices_b: where each leg B stands at the start, quote.
    :param timeframe: of the candles the pairs live on. :param start_ms: epoch ms.
    :param signs: which way each pair's spread stands out at the start, 1 or -1, by pair id.
    """

    def __init__(
        self,
        pairs: Sequence[Legs],
        prices_b: Mapping[str, float],
        *,
        timeframe: str,
        start_ms: int,
        seed: int,
        signs: Mapping[str, int],
        shape: BookShape,
    ) -> None:
        self.pairs = {pair.pair_id: pair for pair in pairs}
        self.candle_ms = interval_ms(timeframe)
        self._first_ms = (start_ms // self.candle_ms - HISTORY_CANDLES) * self.candle_ms
        rng = np.random.default_rng(seed)
        paths = _log_paths(pairs, prices_b, signs, self.candle_ms, rng)
        names = list(paths)
        super().__init__({name: Decimal(repr(exp(paths[name][-1]))) for name in names})
        self._closes = {name: np.exp(path) for name, path in paths.items()}
        self.prices = {name: self._on_tick(name, float(self._closes[name][-1])) for name in names}
        self._moves: dict[str, list[tuple[int, Decimal]]] = {
            name: [(start_ms, price)] for name, price in self.prices.items()
        }
        self._path_klines: dict[tuple[str, int, int], Kline] = {}
        self._shape = shape
        self.shapes: dict[str, BookShape] = {}
        """Books that look otherwise than the others', by symbol."""

    def _on_tick(self, symbol: str, price: float) -> Decimal:
        tick = self._symbols[symbol].price_tick
        steps = (Decimal(repr(price)) / tick).to_integral_value(ROUND_HALF_EVEN)
        return max(steps, Decimal(1)) * tick

    # -- what a scenario does ----------------------------------------------------------------------

    def put(self, symbol: str, price: float, now_ms: int) -> None:
        """The price is there from now on."""
        self.prices[symbol] = self._on_tick(symbol, price)
        self._moves[symbol].append((now_ms, self.prices[symbol]))

    def move(self, symbol: str, percent: float, now_ms: int) -> None:
        """The price jumps by so many percent."""
        self.put(symbol, float(self.prices[symbol]) * (1 + percent / 100), now_ms)

    def put_z(self, pair_id: str, z: float, now_ms: int) -> None:
        """Leg A goes where the pair's z is this."""
        pair = self.pairs[pair_id]
        self.put(pair.leg_a, pair.price_a(float(self.prices[pair.leg_b]), z), now_ms)

    # -- Market ------------------------------------------------------------------------------------

    def book(self, symbol: str, now_ms: int) -> Book:
        """See Market."""
        return self._book(symbol, now_ms, None)

    def best(self, symbol: str, now_ms: int) -> Book:
        """See Market."""
        return self._book(symbol, now_ms, 1)

    def _book(self, symbol: str, now_ms: int, levels: int | None) -> Book:
        shape = self.shapes.get(symbol, self._shape)
        return build_book(self._symbols[symbol], self.prices[symbol], now_ms, shape, levels)

    def klines(self, symbol: str, interval: str, start_ms: Any, end_ms: Any, limit: int, now_ms: int,
               *, mark: bool) -> list[Kline]:  # noqa: ARG002 # fmt: skip
        """The path up to the start, then the prices a scenario has put."""
        length = interval_ms(interval)
        last = min(now_ms, now_ms if end_ms is None else end_ms) // length * length
        first = last - (limit - 1) * length
        if start_ms is not None:
            first = -(-start_ms // length) * length
            last = min(last, first + (limit - 1) * length)
        first = max(first, self._first_ms + self.candle_ms)
        return [self._known_kline(symbol, stamp, length, now_ms) for stamp in range(first, last + 1, length)]

    def _known_kline(self, symbol: str, open_ms: int, length: int, now_ms: int) -> Kline:
        """The candles of the path before the start stay what they are."""
        if open_ms + length > self._moves[symbol][0][0]:
            return self._kline(symbol, open_ms, length, now_ms)
        key = symbol, open_ms, length
        if key not in self._path_klines:
            self._path_klines[key] = self._kline(symbol, open_ms, length, now_ms)
        return self._path_klines[key]

    def _kline(self, symbol: str, open_ms: int, length: int, now_ms: int) -> Kline:
        end_ms = min(open_ms + length, now_ms + 1)
        first, last = self._price_at(symbol, open_ms - 1), self._price_at(symbol, end_ms - 1)
        low = bisect_right(self._moves[symbol], open_ms, key=lambda move: move[0])
        high = bisect_right(self._moves[symbol], end_ms - 1, key=lambda move: move[0])
        seen = [first, last, *(price for _, price in self._moves[symbol][low:high])]
        volume = Decimal(round(_VOLUME_USDT * length / _HOUR_MS / float(last)) + 1)
        return Kline(
            open_ms,
            first,
            max(seen),
            min(seen),
            last,
            volume,
            open_ms + length - 1,
            volume * last,
            trades=1000,
        )

    def _price_at(self, symbol: str, at_ms: int) -> Decimal:
        moves = self._moves[symbol]
        if at_ms >= moves[0][0]:
            return moves[bisect_right(moves, at_ms, key=lambda move: move[0]) - 1][1]
        row = min(max((at_ms - self._first_ms) // self.candle_ms, 0), HISTORY_CANDLES - 1)
        return self._on_tick(symbol, float(self._closes[symbol][row]))


def _log_paths(
    pairs: Sequence[Legs],
    prices_b: Mapping[str, float],
    signs: Mapping[str, int],
    candle_ms: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Log closes by symbol, each of shape (HISTORY_CANDLES,)."""
    volatility = _HOURLY_VOLATILITY * (candle_ms / _HOUR_MS) ** 0.5
    paths: dict[str, np.ndarray] = {}
    for pair in pairs:
        if pair.leg_b not in paths:
            steps = np.cumsum(rng.normal(0, volatility, HISTORY_CANDLES))
            paths[pair.leg_b] = log(prices_b[pair.leg_b]) + steps - steps[-1]
        z = _spread(pair, signs[pair.pair_id], rng)
        paths[pair.leg_a] = pair.alpha + pair.mu + pair.beta * paths[pair.leg_b] + pair.sigma * z
    return paths


def _spread(pair: Legs, sign: int, rng: np.random.Generator) -> np.ndarray:
    """z of a pair: mean-reverting at its half-life, inside its thresholds, and out at the end."""
    keep = 0.5 ** (1.0 / max(pair.half_life_candles, 1.0))
    inside = 0.9 * pair.entry_z
    noise = rng.normal(0, (1 - keep**2) ** 0.5, HISTORY_CANDLES)
    z = np.zeros(HISTORY_CANDLES)
    for row in range(1, HISTORY_CANDLES):
        z[row] = min(max(keep * z[row - 1] + noise[row], -inside), inside)
    z[-_RAMP_CANDLES:] = np.linspace(z[-_RAMP_CANDLES - 1], sign * inside, _RAMP_CANDLES)
    z[-1] = sign * pair.signal_z
    return z
