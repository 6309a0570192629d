"""Candles and funding of one run as arrays, prepared once and simulated as often as a study likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from pairbot_ext.candles.files import candle_length, data_format, load_funding
from pairbot_ext.settings import Settings, VolatilityGate
from pairbot_ext.signals.grid import PriceGrid, build_grid
from pairbot_ext.stats.arrays import FloatArray, IntArray
from pairbot_ext.support.errors import DataError

CANDLE_COLUMNS = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Funding:
    """Funding of one symbol.

    :param stamps: epoch seconds, ascending. Shape (m,).
    :param paid: what one coin held long has paid up to and including each stamp, after a leading 0, quote
        currency. Shape (m + 1,).
    """

    stamps: IntArray
    paid: FloatArray

    @classmethod
    def of(cls, stamps: IntArray, per_coin: FloatArray) -> Funding:
        """From rate times mark price at each stamp; unknown ones (NaN) cost nothing, as in Freqtrade."""
        return cls(stamps, np.concatenate([[0.0], np.cumsum(np.nan_to_num(per_coin))]))

    def between(self, begin: int, end: int) -> float:
        """Paid by one coin held long from `begin` to `end`, epoch seconds, both included."""
        first, last = np.searchsorted(self.stamps, begin, "left"), np.searchsorted(self.stamps, end, "right")
        return float(self.paid[last] - self.paid[first])


NO_FUNDING = Funding(np.empty(0, np.int64), np.zeros(1))


@dataclass(frozen=True, eq=False)
class Market:
    """What one backtest reads.

    :param frames: per symbol Freqtrade's candles, holes filled as Freqtrade fills them.
    :param grid: their log closes on one time axis of n candles.
    :param open, high, low, close: per symbol, shape (n,); NaN where a symbol has no row.
    :param first, last: per symbol, grid rows of the first and last candle Freqtrade trades.
    :param funding: per symbol. :param rates: funding rates as stored, columns date and funding_rate.
    """

    timeframe: str
    frames: Mapping[str, pd.DataFrame]
    grid: PriceGrid
    open: Mapping[str, FloatArray]
    high: Mapping[str, FloatArray]
    low: Mapping[str, FloatArray]
    close: Mapping[str, FloatArray]
    first: Mapping[str, int]
    last: Mapping[str, int]
    funding: Mapping[str, Funding]
    rates: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def step(self) -> timedelta:
        """Length of a candle."""
        return self.grid.step

    @property
    def end_row(self) -> int:
        """The last candle of the run: nothing is entered on it, and everything is closed."""
        return max(self.last.values(), default=-1)

    def time(self, row: int) -> datetime:
        """Open time of a row."""
        return self.grid.candle(row)


def market_of(
    frames: Mapping[str, pd.DataFrame],
    funding: Mapping[str, Funding],
    timeframe: str,
    startup_candles: int,
    gate: VolatilityGate | None = None,
    rates: Mapping[str, pd.DataFrame] | None = None,
) -> Market:
    """Prepare candles.

    :param frames: columns date, open, high, low, close, volume, without holes (Freqtrade fills them).
    :param startup_candles: of each symbol that are not traded.
    :param rates: see Market.
    """
    present = {symbol: frame for symbol, frame in frames.items() if not frame.empty}
    grid = build_grid(present, int(candle_length(timeframe).total_seconds()), gate, funding=rates)
    columns: dict[str, dict[str, FloatArray]] = {name: {} for name in CANDLE_COLUMNS}
    first, last = {}, {}
    for symbol, frame in present.items():
        rows = ((frame["date"] - grid.start) // grid.step).to_numpy(dtype=np.int64)
        for name in CANDLE_COLUMNS:
            columns[name][symbol] = np.full(grid.size, np.nan)
            columns[name][symbol][rows] = frame[name].to_numpy(np.float64)
        # Freqtrade drops the startup candles and one more, whose signal cannot be shifted in.
        first[symbol], last[symbol] = int(rows[0]) + startup_candles + 1, int(rows[-1])
    known = {symbol: funding.get(symbol, NO_FUNDING) for symbol in present}
    return Market(
        timeframe, present, grid, **columns, first=first, last=last, funding=known, rates=rates or {}
    )


def load_market(
    datadir: Path,
    symbols: Sequence[str],
    timeframe: str,
    settings: Settings,
    startup_candles: int,
    *,
    timerange: str | None = None,
) -> Market:
    """Read what `freqtrade backtesting` would read, through Freqtrade's own loader.

    :param settings: the volatility gate is part of the grid.
    :param timerange: as Freqtrade's; the startup candles before it are loaded too.
    :raises DataError: no candles there, or none inside the time range.
    """
    from freqtrade.configuration import TimeRange
    from freqtrade.data.history import get_timerange, load_data
    from freqtrade.enums import CandleType
    from freqtrade.exchange import Exchange, timeframe_to_seconds

    span = TimeRange.parse_timerange(timerange)
    form = data_format(datadir)
    frames = load_data(
        datadir, timeframe, list(symbols), timerange=span, startup_candles=startup_candles, data_format=form,
        candle_type=CandleType.FUTURES,
    )  # fmt: skip
    if not frames:
        raise DataError(
            f"no {timeframe} candles of these symbols in {datadir}",
            value=f"{', '.join(symbols[:5])}; time range {timerange or 'all'}",
            remedy="Fetch them with `pairbot download`, or give a time range inside the data",
        )
    span.adjust_start_if_necessary(timeframe_to_seconds(timeframe), startup_candles, get_timerange(frames)[0])
    rates, marks = (
        load_data(
            datadir, "1h", list(frames), timerange=span, fill_up_missing=kind is CandleType.MARK,
            data_format=form, candle_type=kind,
        )
        for kind in (CandleType.FUNDING_RATE, CandleType.MARK)
    )  # fmt: skip
    funding = {}
    for symbol in frames:
        if symbol in rates and symbol in marks and not rates[symbol].empty and not marks[symbol].empty:
            both = Exchange.combine_funding_and_mark(rates[symbol], marks[symbol])
            stamps = both["date"].dt.as_unit("s").astype("int64").to_numpy()
            funding[symbol] = Funding.of(stamps, (both["open_fund"] * both["open_mark"]).to_numpy(np.float64))
    stored = load_funding(datadir, list(frames))
    return market_of(frames, funding, timeframe, startup_candles, settings.volatility_gate, stored)
