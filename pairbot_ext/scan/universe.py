"""Candles of one formation window for many symbols; unusable series are rejected with a reason.

statsmodels' `coint` answers p = 0 for a series with NaN and a meaningless p for a constant one, so a bad
series that slips through here would be ranked first. Nothing is ever filled: a filled candle is an invented
price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairbot_ext.candles.files import candle_length
from pairbot_ext.pairs import is_symbol
from pairbot_ext.stats.candles import Columns, unusable
from pairbot_ext.stats.regression import MIN_STD
from pairbot_ext.stats.shared_products import SharedWindow
from pairbot_ext.stats.steps import steps_between
from pairbot_ext.support.errors import DataError

FloatArray = NDArray[np.float64]
Candles = pd.DataFrame | Columns
"""A frame as Freqtrade keeps it, or its columns, made once where many windows are cut from it."""
_NO_SYMBOL = "a pairs file cannot name it: perpetuals only, named like ADA/USDT:USDT"


@dataclass(frozen=True, slots=True)
class Window:
    """A formation window: `candles` candles of `timeframe`, the last one closed by `end`.

    :ivar start: open time of the first candle, UTC.
    :ivar end: close time of the last candle (exclusive end), UTC, on the timeframe's grid.
    """

    timeframe: str
    candles: int
    end: datetime

    @property
    def candle(self) -> timedelta:
        """Length of one candle."""
        return candle_length(self.timeframe)

    @property
    def start(self) -> datetime:
        """Open time of the first candle."""
        return self.end - self.candles * self.candle

    def describe(self) -> str:
        """Start and end as the reader writes them."""
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class FormationData:
    """The usable series of one window.

    :ivar symbols: N symbols in alphabetical order.
    :ivar log_prices: log closes, shape (T, N), all finite.
    :ivar quote_volume: traded volume over the window in quote currency, shape (N,).
    :ivar first_candle: open time of each symbol's first stored candle.
    :ivar mean_funding: mean funding rate per hour over the window, shape (N,), NaN where none is stored.
    :ivar rejected: reason for every symbol that is not usable.
    :ivar shared: the window in a walk-forward, whose windows share their sums.
    """

    window: Window
    symbols: tuple[str, ...]
    log_prices: FloatArray
    quote_volume: FloatArray
    first_candle: tuple[datetime, ...]
    mean_funding: FloatArray
    rejected: Mapping[str, str]
    shared: SharedWindow | None = None

    def only(self, columns: Sequence[int], rejected: Mapping[str, str]) -> FormationData:
        """The given columns alone, with the reasons for the others."""
        keep = list(columns)
        return replace(
            self,
            symbols=tuple(self.symbols[column] for column in keep),
            log_prices=self.log_prices[:, keep],
            quote_volume=self.quote_volume[keep],
            first_candle=tuple(self.first_candle[column] for column in keep),
            mean_funding=self.mean_funding[keep],
            rejected=dict(rejected),
            shared=self.shared.only(keep) if self.shared is not None else None,
        )


def cut_window(
    frames: Mapping[str, Candles],
    window: Window,
    funding: Mapping[str, pd.DataFrame] | None = None,
) -> FormationData:
    """The window's candles of every usable symbol.

    A symbol is usable if each candle of the window exists once on the timeframe's grid, was traded, has a
    finite positive close, and the price moved.

    :raises DataError: fewer than two symbols are usable; the message counts the reasons.
    """
    grid = _open_times(window)
    rejected: dict[str, str] = {}
    columns: list[FloatArray] = []
    volumes: list[float] = []
    symbols: list[str] = []
    stored = {symbol: _columns(candles) for symbol, candles in frames.items()}
    cuts: dict[str, Columns] = {}
    for symbol in sorted(stored):
        found = _on_grid(stored[symbol], window, grid) if is_symbol(symbol) else _NO_SYMBOL
        if isinstance(found, str):
            rejected[symbol] = found
        else:
            cuts[symbol] = found
    series = {symbol: (cut.date, cut.open, cut.close) for symbol, cut in cuts.items()}
    for symbol, steps in steps_between(series, pd.Timedelta(window.candle)).items():
        del cuts[symbol]
        rejected[symbol] = f"price step at {steps[0]:%Y-%m-%d %H:%M} no market makes: two series, not one"
    for symbol, cut in cuts.items():
        symbols.append(symbol)
        columns.append(np.log(cut.close))
        volumes.append(float(cut.close @ cut.volume))
    if len(symbols) < 2:
        reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in list(rejected.items())[:4])
        raise DataError(
            f"a pair needs two symbols with usable candles over {window.describe()}",
            value=f"{len(symbols)} of {len(frames)}; {reasons}",
            remedy="Choose another --end or --formation, or fetch the candles with `pairbot download`",
        )
    return FormationData(
        window=window,
        symbols=tuple(symbols),
        log_prices=np.column_stack(columns),
        quote_volume=np.array(volumes),
        first_candle=tuple(_utc(stored[symbol].date[0]) for symbol in symbols),
        mean_funding=np.array([_mean_funding((funding or {}).get(symbol), window) for symbol in symbols]),
        rejected=rejected,
    )


def _columns(candles: Candles) -> Columns:
    return candles if isinstance(candles, Columns) else Columns.of(candles)


def _open_times(window: Window) -> NDArray[np.datetime64]:
    """Open times of the window's candles, shape (T,)."""
    start = np.datetime64(window.start.astimezone(UTC).replace(tzinfo=None), "ns")
    return start + np.arange(window.candles) * np.timedelta64(window.candle)


def _utc(when: np.datetime64) -> datetime:
    return pd.Timestamp(when, tz="UTC").to_pydatetime()


def _mean_funding(rates: pd.DataFrame | None, window: Window) -> float:
    """Funding of the window per hour, as a ratio of notional; NaN where no rate of the window is stored."""
    if rates is None:
        return float("nan")
    date = rates["date"].to_numpy("datetime64[ns]")
    start, end = (
        np.datetime64(when.astimezone(UTC).replace(tzinfo=None)) for when in (window.start, window.end)
    )
    inside = (date >= start) & (date < end)
    hours = (window.end - window.start).total_seconds() / 3600
    return (
        float(np.nansum(rates["funding_rate"].to_numpy(np.float64)[inside])) / hours
        if inside.any()
        else float("nan")
    )


def _on_grid(candles: Columns, window: Window, grid: NDArray[np.datetime64]) -> Columns | str:
    """The window's candles, or why they cannot be used."""
    if not len(candles):
        return "no candles: its file is missing, empty or unreadable"
    candle = np.timedelta64(window.candle)
    first, last, start, end = candles.date[0], candles.date[-1] + candle, grid[0], grid[-1] + candle
    if first > start:
        return f"too short: candles begin {_minute(first)}, the window {_minute(start)}"
    if last < end:
        return f"too short: candles end {_minute(last)}, the window {_minute(end)}"
    begin, stop = np.searchsorted(candles.date, [start, end])
    inside = candles.cut(begin, stop)
    if not np.array_equal(inside.date, grid):
        on_grid = np.isin(inside.date, grid)
        if not on_grid.all():
            return f"{int((~on_grid).sum())} candles lie off the {window.timeframe} grid: wrong timeframe?"
        absent = np.setdiff1d(grid, inside.date)
        return f"{len(absent)} of {window.candles} candles missing, the first {_minute(absent[0])}"
    if bad := int(unusable(inside.close).sum()):
        return f"{bad} closes are NaN, infinite or not positive"
    if untraded := int(inside.filled().sum()):
        return f"{untraded} of {window.candles} candles are zero-volume fills"
    std = float(np.log(inside.close).std())
    if std < MIN_STD:
        return f"constant price: standard deviation of its log {std:.2g}, least {MIN_STD:g}"
    return inside


def _minute(when: np.datetime64) -> str:
    return f"{_utc(when):%Y-%m-%d %H:%M}"
