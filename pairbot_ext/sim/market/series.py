"""Candles of one symbol on their time grid, and the price path inside each of them.

A candle file says where a price opened, how far it went and where it closed, not when. The path supplied
here is fixed: a rising candle visits its low first and then its high, a falling one its high first, with
straight lines between. Whatever is asked before a candle closes (the last price, the running candle, finer
candles) is read off that path up to the asking time, so it agrees with the finished candle and shows
nothing of the rest of it. With a `TickPath` the lines are not straight but wander.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from pairbot_ext.sim.market.base import Kline
from pairbot_ext.sim.market.candles import CandleArrays
from pairbot_ext.sim.market.paths import FloatArray
from pairbot_ext.sim.market.ticks import TickPath
from pairbot_ext.support.errors import DataError

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
INTERVAL_MS = {
    "1m": MINUTE_MS, "3m": 3 * MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS, "2h": 2 * HOUR_MS, "4h": 4 * HOUR_MS, "6h": 6 * HOUR_MS, "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS, "1d": DAY_MS, "3d": 3 * DAY_MS, "1w": 7 * DAY_MS,
}  # fmt: skip
_MONDAY_MS = 4 * DAY_MS  # epoch day 0 was a Thursday; weekly candles open on Mondays
TURNS = (0.3, 0.7)  # shares of a candle's time at which its path reaches the first and the second extreme
_KEPT_PATHS = 4
_TRADE_NOTIONAL = Decimal(250)  # USDT per trade, to give candles a plausible number of trades


@dataclass(frozen=True)
class _Piece:
    """What happened in a stretch of time."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    def then(self, later: _Piece) -> _Piece:
        return _Piece(
            self.open,
            max(self.high, later.high),
            min(self.low, later.low),
            later.close,
            self.volume + later.volume,
        )


def interval_ms(interval: str) -> int:
    """Length of a candle interval such as "1m" or "1h" in milliseconds.

    :raises DataError: Binance or this simulation does not know it ("1M" has no fixed length).
    """
    if interval not in INTERVAL_MS:
        raise DataError(
            "Unknown candle interval", value=interval, remedy=f"Use one of {', '.join(INTERVAL_MS)}"
        )
    return INTERVAL_MS[interval]


def floor_to(stamp_ms: int, interval: int) -> int:
    """Opening of the candle of length `interval` that contains `stamp_ms`."""
    offset = _MONDAY_MS if interval == INTERVAL_MS["1w"] else 0
    return (stamp_ms - offset) // interval * interval + offset


class CandleSeries:
    """Candles of one length, ascending, gaps allowed; every question carries the time it is asked at.

    :param open_ms: opening times in epoch ms, ascending, multiples of `candle_ms`; shape (n,), n ≥ 1.
    :param candle_ms: length of one candle.
    :param grid: prices inside a candle are rounded to multiples of it; finished candles are given as they
        are.
    :param amount_step: volumes inside a candle are rounded down to multiples of it.
    :param turns: when the path of a candle reaches its first and its second extreme, as shares of its time.
    """

    def __init__(
        self,
        open_ms: Sequence[int] | np.ndarray,
        candle_ms: int,
        candles: CandleArrays,
        *,
        grid: Decimal,
        amount_step: Decimal,
        turns: tuple[float, float] = TURNS,
    ) -> None:
        self._open_ms = [int(stamp) for stamp in open_ms]
        if not self._open_ms or len(self._open_ms) != len(candles):
            raise DataError(
                "A candle series needs as many opening times as candles", value=len(self._open_ms)
            )
        self.candle_ms = candle_ms
        self._candles = candles
        self._grid = grid
        self._step = amount_step
        self._turns = turns
        self._finished: dict[int, _Piece] = {}
        self._klines: dict[tuple[int, int], Kline] = {}
        self._ticks: TickPath | None = None
        self._vertices: dict[int, tuple[FloatArray, FloatArray]] = {}

    def ticking(self, ticks: TickPath) -> CandleSeries:
        """The same candles with a price that wanders between their knots."""
        other = copy.copy(self)
        other._ticks, other._vertices, other._klines = ticks, {}, {}
        return other

    @property
    def first_ms(self) -> int:
        """Opening of the first candle."""
        return self._open_ms[0]

    @property
    def end_ms(self) -> int:
        """End of the last candle: from here on the price stands still."""
        return self._open_ms[-1] + self.candle_ms

    def price(self, now_ms: int) -> Decimal:
        """The last price at `now_ms`: on the candle's path, else the last close (before all: first open)."""
        index = self._index(now_ms)
        if index < 0:
            return self._whole(0).open
        share = (now_ms - self._open_ms[index]) / self.candle_ms
        return self._whole(index).close if share >= 1 else self._path(index, share)

    def klines(
        self, interval: int, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int
    ) -> list[Kline]:
        """At most `limit` candles of `interval` ms as known at `now_ms`, selected as `Market.klines` says."""
        if max(interval, self.candle_ms) % min(interval, self.candle_ms):
            raise DataError(
                f"Candles of {self.candle_ms // MINUTE_MS} minutes cannot be served in this interval",
                value=f"{interval // MINUTE_MS} minutes",
                remedy="Use a multiple or a divisor of the recorded timeframe",
            )
        last = floor_to(min(now_ms, self.end_ms - 1), interval)
        if end_ms is not None:
            last = min(last, floor_to(end_ms, interval))
        first = floor_to(self.first_ms, interval)
        if start_ms is not None:
            first = max(first, floor_to(start_ms + interval - 1, interval))
            stamps: Iterator[int] = iter(range(first, last + 1, interval))
        else:
            stamps = iter(range(last, first - 1, -interval))
        found: list[Kline] = []
        for stamp in stamps:
            if len(found) >= limit:
                break
            kline = self._candle(stamp, interval, now_ms)
            if kline is not None:
                found.append(kline)
        return found if start_ms is not None else found[::-1]

    def _candle(self, open_ms: int, interval: int, now_ms: int) -> Kline | None:
        known = self._klines.get((open_ms, interval))
        if known is not None and open_ms + interval <= now_ms + 1:
            return known
        piece = self._between(open_ms, min(open_ms + interval, now_ms + 1))
        if piece is None:
            return None
        kline = _kline(open_ms, interval, piece)
        if open_ms + interval <= now_ms + 1:
            self._klines[open_ms, interval] = kline
        return kline

    def _index(self, stamp_ms: int) -> int:
        return bisect_right(self._open_ms, stamp_ms) - 1

    def _between(self, from_ms: int, to_ms: int) -> _Piece | None:
        """What happened in [from_ms, to_ms), None where no candle covers any of it."""
        piece: _Piece | None = None
        index = max(0, self._index(from_ms))
        while index < len(self._open_ms) and (opened := self._open_ms[index]) < to_ms:
            begin, end = max(from_ms, opened), min(to_ms, opened + self.candle_ms)
            if begin < end:
                part = self._part(index, begin - opened, end - opened)
                piece = part if piece is None else piece.then(part)
            index += 1
        return piece

    def _part(self, index: int, begin: int, end: int) -> _Piece:
        """A stretch of one candle, in ms since its opening."""
        whole = self._whole(index)
        if (begin, end) == (0, self.candle_ms) or (whole.volume == 0 and whole.high == whole.low):
            return whole
        start, stop = begin / self.candle_ms, end / self.candle_ms
        # A stretch that ends inside the candle ends with the price of its last millisecond, as `price`
        # gives it.
        last = whole.close if end == self.candle_ms else self._path(index, (end - 1) / self.candle_ms)
        inner = [
            price
            for turn, price in zip(self._turns, self._extremes(index), strict=True)
            if start <= turn <= (stop if end == self.candle_ms else (end - 1) / self.candle_ms)
        ]
        first = self._path(index, start)
        inner += self._turned(index, start, stop if end == self.candle_ms else (end - 1) / self.candle_ms)
        return _Piece(
            open=first,
            high=max(first, last, *inner),
            low=min(first, last, *inner),
            close=last,
            volume=self._floor(whole.volume, stop) - self._floor(whole.volume, start),
        )

    def _floor(self, volume: Decimal, share: float) -> Decimal:
        return volume if share >= 1 else volume * Decimal(str(share)) // self._step * self._step

    def _whole(self, index: int) -> _Piece:
        piece = self._finished.get(index)
        if piece is None:
            table = self._candles
            values = (
                column[index] for column in (table.open, table.high, table.low, table.close, table.volume)
            )
            piece = self._finished[index] = _Piece(*(Decimal(repr(float(value))) for value in values))
        return piece

    def _extremes(self, index: int) -> tuple[Decimal, Decimal]:
        whole = self._whole(index)
        return (whole.low, whole.high) if whole.close >= whole.open else (whole.high, whole.low)

    def _path(self, index: int, share: float) -> Decimal:
        whole = self._whole(index)
        knots = (whole.open, *self._extremes(index), whole.close)
        times = (0.0, *self._turns, 1.0)
        leg = 0 if share < times[1] else 1 if share < times[2] else 2
        if share == times[leg]:
            return knots[leg]
        if self._ticks is not None:
            return self._rounded(float(np.interp(share, *self._wandering(index))), whole)
        weight = Decimal((share - times[leg]) / (times[leg + 1] - times[leg]))
        return self._rounded(knots[leg] + (knots[leg + 1] - knots[leg]) * weight, whole)

    def _rounded(self, price: Decimal | float, whole: _Piece) -> Decimal:
        rounded = (Decimal(price) / self._grid).to_integral_value(ROUND_HALF_EVEN) * self._grid
        # Recorded prices may lie off the grid; the path must not leave the candle for that.
        return min(max(rounded, whole.low), whole.high)

    def _wandering(self, index: int) -> tuple[FloatArray, FloatArray]:
        found = self._vertices.get(index)
        if found is None:
            assert self._ticks is not None
            whole = self._whole(index)
            knots = [float(price) for price in (whole.open, *self._extremes(index), whole.close)]
            opened = self._open_ms[index]
            found = self._ticks.vertices(opened, self.candle_ms, (0.0, *self._turns, 1.0), knots)
            # Questions come about the running candle, or candle by candle.
            while len(self._vertices) >= _KEPT_PATHS:
                del self._vertices[next(iter(self._vertices))]
            self._vertices[index] = found
        return found

    def _turned(self, index: int, start: float, stop: float) -> list[Decimal]:
        """The highest and the lowest price at which the path turns within [start, stop]."""
        if self._ticks is None:
            return []
        shares, prices = self._wandering(index)
        within = prices[np.searchsorted(shares, start) : np.searchsorted(shares, stop, side="right")]
        whole = self._whole(index)
        return (
            [self._rounded(float(price), whole) for price in (within.min(), within.max())]
            if len(within)
            else []
        )


def _kline(open_ms: int, interval: int, piece: _Piece) -> Kline:
    quote_volume = piece.volume * (piece.high + piece.low + 2 * piece.close) / 4
    return Kline(
        open_ms=open_ms,
        open=piece.open,
        high=piece.high,
        low=piece.low,
        close=piece.close,
        volume=piece.volume,
        close_ms=open_ms + interval - 1,
        quote_volume=quote_volume,
        trades=0 if piece.volume == 0 else max(1, int(quote_volume / _TRADE_NOTIONAL)),
    )
