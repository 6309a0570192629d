"""Point-in-time selection: one epoch per step, each from candles closed before it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from pairbot_ext.candles.files import candle_length, floor_to_candle
from pairbot_ext.scan.pipeline import Progress, ScanOptions, ScanResult, scan_window
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.universe import FormationData, Window, cut_window
from pairbot_ext.stats.candles import Columns
from pairbot_ext.stats.shared_products import SharedProducts, SharedWindow
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks.runner import run
from pairbot_ext.tasks.work import Row, Rows
from pairbot_ext.tasks.workers import Workers


@dataclass(frozen=True, slots=True)
class Schedule:
    """When epochs begin and what each looks back on.

    :ivar start: `valid_from` of the first epoch, on the candle grid.
    :ivar end: no epoch begins at or after it.
    """

    timeframe: str
    start: datetime
    end: datetime
    formation_candles: int
    step_candles: int

    @property
    def step(self) -> timedelta:
        """Time from one epoch to the next; each epoch is valid for exactly so long, the last one too."""
        return self.step_candles * candle_length(self.timeframe)

    def windows(self) -> list[Window]:
        """Formation window of every epoch, oldest first; epoch k is valid from its window's end.

        :raises DataError: no epoch fits between start and end.
        """
        start = floor_to_candle(self.start, self.timeframe)
        count = max(0, -((start - self.end) // self.step))
        if not count:
            raise DataError(
                "the walk-forward has no epoch",
                value=f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}",
                remedy="Give --timerange a start before its end",
            )
        return [
            Window(self.timeframe, self.formation_candles, start + number * self.step)
            for number in range(count)
        ]


@dataclass(frozen=True, slots=True)
class Market:
    """The candles of all windows at once, for the sums they share.

    :ivar start: open time of the first candle of the first window.
    :ivar symbols: the series of `products`, in order.
    """

    start: datetime
    symbols: tuple[str, ...]
    products: SharedProducts

    @staticmethod
    def of(candles: Mapping[str, Columns], windows: Sequence[Window]) -> Market:
        """The market of these windows, all of one length and timeframe."""
        step = windows[0].candle
        start, end = min(window.start for window in windows), max(window.end for window in windows)
        symbols = tuple(sorted(symbol for symbol, stored in candles.items() if len(stored)))
        size = -((start - end) // step)
        log_prices = np.full((size, len(symbols)), np.nan)
        begin, length = np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "ns"), np.timedelta64(step)
        for column, symbol in enumerate(symbols):
            place, off = np.divmod(candles[symbol].date.astype("datetime64[ns]") - begin, length)
            inside = (place >= 0) & (place < size) & (off == np.timedelta64(0))
            with np.errstate(divide="ignore", invalid="ignore"):
                log_prices[place[inside], column] = np.log(candles[symbol].close[inside])
        origin = int(start.timestamp() // step.total_seconds())
        return Market(start, symbols, SharedProducts(log_prices, origin, windows[0].candles))

    def window(self, data: FormationData) -> SharedWindow:
        """Where a window of it lies."""
        first = round((data.window.start - self.start) / data.window.candle)
        place = {symbol: column for column, symbol in enumerate(self.symbols)}
        return SharedWindow(self.products, first, np.array([place[symbol] for symbol in data.symbols]))


def walk_forward(
    frames: Mapping[str, pd.DataFrame],
    windows: Sequence[Window],
    options: ScanOptions,
    *,
    funding: Mapping[str, pd.DataFrame] | None = None,
    workers: Workers | None = None,
    store: Path | None = None,
    progress: Progress | None = None,
) -> list[ScanResult]:
    """Scan every window as it would be by itself; windows that overlap share their sums.

    :param workers: who scans, default this thread. The result does not depend on it.
    :param store: folder that keeps each window's result as it comes; an interrupted run goes on there.
    :param progress: called with (windows done, in all).
    :raises DataError: a window has fewer than two usable symbols.
    """
    candles = {symbol: Columns.of(frame) for symbol, frame in frames.items()}
    shared = {"frames": candles, "funding": dict(funding or {}), "options": options}
    rows = run(
        scan_one,
        [(window.timeframe, window.candles, window.end) for window in windows],
        shared=shared | {"market": Market.of(candles, windows)},
        workers=workers,
        store=store,
        progress=progress,
    )
    return [_result_of(row, window, options.rule) for window, (row,) in zip(windows, rows, strict=True)]


def scan_all(
    candles: Mapping[str, Columns], windows: Sequence[Window], options: ScanOptions
) -> Iterator[ScanResult]:
    """As `walk_forward`, here and without funding: for a study that looks at one market after the other."""
    market = Market.of(candles, windows)
    for window in windows:
        data = cut_window(candles, window, {})
        yield scan_window(replace(data, shared=market.window(data)), options)


def scan_one(
    timeframe: str,
    candles: int,
    end: datetime,
    *,
    frames: Mapping[str, Columns],
    funding: Mapping[str, pd.DataFrame],
    options: ScanOptions,
    market: Market,
) -> Rows:
    """One window's result as a row: the table's columns as arrays under ``pairs.`` and their names."""
    data = cut_window(frames, Window(timeframe, candles, end), funding)
    result = scan_window(replace(data, shared=market.window(data)), options)
    columns = {
        f"pairs.{name}": values.to_numpy() if is_numeric_dtype(values) else values.tolist()
        for name, values in result.table.items()
    }
    row = {
        "window_end": end.isoformat(),
        "symbols": list(result.symbols),
        "rejected": list(result.rejected),
        "rejected_because": list(result.rejected.values()),
        "steps": list(result.steps),
        "columns": [str(name) for name in result.table],
    }
    return [row | columns]


def _result_of(row: Row, window: Window, rule: Rule) -> ScanResult:
    """What `scan_one` made a row of."""
    table = pd.DataFrame({name: row[f"pairs.{name}"] for name in row["columns"]})
    rejected = dict(zip(row["rejected"], row["rejected_because"], strict=True))
    return ScanResult(window, rule, tuple(row["symbols"]), rejected, table, tuple(row["steps"]))
