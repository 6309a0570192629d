"""Sums that overlapping windows share: products of steps over the stretches between their ends.

A walk-forward's windows of 60 days begin a week apart: 53 days of each are in the one before. The products of
``lag_products`` are sums over candles of steps, which know no mean and no window; cut at every window's first
and last candle, they are made once a stretch and added up for each window. Only levels, edges and what
belongs to a single series are taken from the window itself.
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

Key = tuple[int, bytes, bytes]


class SharedProducts:
    """The products of a set of windows of equal length over one market.

    The result does not depend on which windows were asked for before, nor on the memory.

    :param log_prices: shape (T, N), oldest first. What is not finite may not be part of a window asked for.
    :param firsts: row of each window's first candle.
    :param candles: candles of a window.
    :param memory_mib: what the kept products may take. Where not even those of one window fit, none are kept.
    """

    def __init__(
        self, log_prices: FloatArray, firsts: Sequence[int], candles: int, memory_mib: float = MEMORY_MIB
    ) -> None:
        self.max_lag = default_max_lag(candles)
        self.candles = candles
        steps = np.diff(log_prices, axis=0)
        self._steps = np.where(np.isfinite(steps), steps, 0.0)
        ends = {first + self.max_lag for first in firsts} | {first + candles - 1 for first in firsts}
        self._cuts = np.array(sorted(ends), dtype=np.intp)
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
        begin, end = np.searchsorted(self._cuts, (first + self.max_lag, first + self.candles - 1))
        stretches = range(int(begin), int(end))
        if len(stretches) * (self.max_lag + 1) * columns.size**2 * 8 > self._limit:
            return None

        def directed(rows: IndexArray, others: IndexArray) -> FloatArray:
            total = self._stretch(stretches[0], columns[rows], columns[others]).copy()
            for number in stretches[1:]:
                total += self._stretch(number, columns[rows], columns[others])
            return total

        return directed

    def _stretch(self, number: int, rows: IndexArray, columns: IndexArray) -> FloatArray:
        key = (number, rows.tobytes(), columns.tobytes())
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        start, stop = self._cuts[number], self._cuts[number + 1]
        found = directed_products(self._steps, rows, columns, start, stop, self.max_lag)
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
