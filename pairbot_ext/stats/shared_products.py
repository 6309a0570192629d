"""Sums that overlapping windows share: products of steps over stretches of the time axis.

A walk-forward's windows of 60 days begin a week apart: 53 days of each are in the one before. The products of
``lag_products`` are sums over candles of steps, which know no mean and no window: they are made once for each
stretch of a fixed grid and added up for each window, with what lies before its first and after its last whole
stretch. The grid is one of absolute time, so that a window's sums are the same to the last bit whatever other
windows there are. Levels, edges and what belongs to a single series are taken from the window itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.lag_products import IndexArray, LagProducts, default_max_lag, directed_products

MEMORY_MIB = 256.0
STRETCH_CANDLES = 128

Key = tuple[int, bytes, bytes]


class SharedProducts:
    """The products of windows of equal length over one market.

    A window's result depends neither on other windows nor on what was asked for before, nor on the memory.

    :param log_prices: shape (T, N), oldest first. What is not finite may not be part of a window asked for.
    :param origin: number of its first candle on the absolute grid (open time over length of a candle).
    :param candles: candles of a window.
    :param memory_mib: what the kept products may take. Where not even those of one window fit, none are kept.
    """

    def __init__(
        self, log_prices: FloatArray, origin: int, candles: int, memory_mib: float = MEMORY_MIB
    ) -> None:
        self.max_lag = default_max_lag(candles)
        self.candles = candles
        steps = np.diff(log_prices, axis=0)
        self._steps = np.where(np.isfinite(steps), steps, 0.0)
        self._origin = origin
        self._limit = memory_mib * 2**20
        self._kept: OrderedDict[Key, FloatArray] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __getstate__(self) -> dict[str, object]:
        """Without what is kept: another process makes its own."""
        return self.__dict__ | {"_kept": OrderedDict(), "_bytes": 0, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    def of_window(
        self, first: int, columns: IndexArray
    ) -> Callable[[IndexArray, IndexArray], FloatArray] | None:
        """What gives ``LagProducts`` of a window its products; None where too much would have to be kept.

        :param first: row of its first candle. ``columns``: the window's series, as places in the market.
        """
        start, stop = first + self.max_lag, first + self.candles - 1
        whole = range(-(-(self._origin + start) // STRETCH_CANDLES), (self._origin + stop) // STRETCH_CANDLES)
        if not whole or len(whole) * (self.max_lag + 1) * columns.size**2 * 8 > self._limit:
            return None
        ends = [(start, self._row(whole.start)), (self._row(whole.stop), stop)]

        def directed(rows: IndexArray, others: IndexArray) -> FloatArray:
            a, b = columns[rows], columns[others]
            total = np.zeros((self.max_lag + 1, a.size, b.size))
            for number in whole:
                total += self._stretch(number, a, b)
            for begin, end in ends:
                total += directed_products(self._steps, a, b, begin, end, self.max_lag)
            return total

        return directed

    def _row(self, number: int) -> int:
        return number * STRETCH_CANDLES - self._origin

    def _stretch(self, number: int, rows: IndexArray, columns: IndexArray) -> FloatArray:
        key = (number, rows.tobytes(), columns.tobytes())
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        span = self._row(number), self._row(number + 1)
        found = directed_products(self._steps, rows, columns, *span, self.max_lag)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = found
                self._bytes += found.nbytes
            while self._bytes > self._limit:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= oldest.nbytes
        return found


@dataclass(frozen=True, slots=True)
class SharedWindow:
    """One window of a walk-forward: where it lies in the market whose products it shares.

    :ivar first: row of its first candle.
    :ivar columns: places of its series, shape (N,).
    """

    products: SharedProducts
    first: int
    columns: IndexArray

    def only(self, keep: Sequence[int]) -> SharedWindow:
        """The window with some of its series."""
        return SharedWindow(self.products, self.first, self.columns[list(keep)])

    def source(self, log_prices: FloatArray, members: IndexArray) -> LagProducts:
        """The products of some of its series.

        :param log_prices: shape (candles, len(members)).
        """
        shared = self.products.of_window(self.first, self.columns[members])
        return LagProducts(log_prices, self.products.max_lag, shared)
