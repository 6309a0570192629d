"""Candles of all symbols on one regular grid: gaps are missing, steps of the price split a series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from pairbot_ext.settings import VolatilityGate
from pairbot_ext.stats.arrays import BoolArray, FloatArray, IntArray
from pairbot_ext.stats.candles import log_close
from pairbot_ext.stats.steps import price_steps

FUNDING_KNOWN_FOR = timedelta(days=1)
"""After the last rate: the longest interval between two settlements is 8 hours."""


@dataclass(frozen=True)
class PriceGrid:
    """Log closes of all symbols on one regular grid of candles.

    :param start: open time of row 0.
    :param step: the timeframe.
    :param size: number of rows, n.
    :param log_close: per symbol, shape (n,), NaN where a candle is missing.
    :param volatile: per symbol, shape (n,), True where the volatility gate vetoes an entry.
    :param steps: per symbol that has any, rows with which its prices become another series.
    :param funding: per symbol whose rates are known, shape (n,): sum of those settled since the candle before
        opened, up to this candle's open; NaN where it is not known.
    """

    start: datetime
    step: timedelta
    size: int
    log_close: Mapping[str, FloatArray]
    volatile: Mapping[str, BoolArray]
    steps: Mapping[str, IntArray] = field(default_factory=dict)
    funding: Mapping[str, FloatArray] = field(default_factory=dict)

    def split_rows(self, symbols: Sequence[str], first: int) -> IntArray:
        """Rows from `first` on with which a symbol's prices become another series."""
        if not self.steps:
            return np.empty(0, np.int64)
        rows = np.concatenate([np.empty(0, np.int64), *(self.steps[s] for s in symbols if s in self.steps)])
        return rows[rows >= first]

    def row(self, candle: datetime) -> int | None:
        """The row of the candle that opens at `candle`, or None where the grid does not hold it."""
        offset, rest = divmod(candle - self.start, self.step)
        return offset if not rest and 0 <= offset < self.size else None

    def rows_closed_by(self, when: datetime) -> int:
        """How many leading rows have closed at or before `when`."""
        return min(max((when - self.start) // self.step, 0), self.size)

    def candle(self, row: int) -> datetime:
        """Open time of a row."""
        return self.start + row * self.step


def build_grid(
    frames: Mapping[str, pd.DataFrame],
    timeframe_secs: int,
    gate: VolatilityGate | None = None,
    splits: Mapping[str, Sequence[pd.Timestamp]] | None = None,
    funding: Mapping[str, pd.DataFrame] | None = None,
) -> PriceGrid:
    """Align candle frames (columns date, open, high, low, close, volume) on their union of dates.

    A candle that Freqtrade filled in (zero volume, O=H=L=C) is missing. Frames may begin and end at
    different times; empty ones are left out.

    :param splits: the price steps of these frames, where they are known already.
    :param funding: rates as Freqtrade stores them, columns date and funding_rate.
    """
    step = timedelta(seconds=timeframe_secs)
    present = {symbol: frame for symbol, frame in frames.items() if not frame.empty}
    if not present:
        return PriceGrid(datetime.fromtimestamp(0, UTC), step, 0, {}, {})
    start = min(frame["date"].iloc[0] for frame in present.values()).to_pydatetime()
    end = max(frame["date"].iloc[-1] for frame in present.values()).to_pydatetime()
    size = (end - start) // step + 1
    closes: dict[str, FloatArray] = {}
    volatile: dict[str, BoolArray] = {}
    for symbol, frame in present.items():
        rows = ((frame["date"] - start) // step).to_numpy(dtype=np.int64)
        closes[symbol] = np.full(size, np.nan)
        closes[symbol][rows] = log_close(frame).to_numpy()
        if gate is not None:
            volatile[symbol] = np.ones(size, np.bool_)
            volatile[symbol][rows] = ~(_natr_percent(frame, gate.period_candles) <= gate.max_natr_percent)
    if splits is None:
        splits = price_steps(present, pd.Timedelta(step))
    steps = {
        symbol: np.array([(date.to_pydatetime() - start) // step for date in dates], np.int64)
        for symbol, dates in splits.items()
    }
    opens = pd.date_range(start, periods=size, freq=step)
    settled = {symbol: _settled(rates, opens, step) for symbol, rates in (funding or {}).items()}
    return PriceGrid(start, step, size, closes, volatile, steps, settled)


def _settled(rates: pd.DataFrame, opens: pd.DatetimeIndex, step: timedelta) -> FloatArray:
    """Sum of the rates stamped after the open before, up to each open; NaN before the first and a day after
    the last. Shape (n,)."""
    known = rates.loc[np.isfinite(rates["funding_rate"].to_numpy(np.float64))]
    # A settlement may be stamped some milliseconds late.
    stamps = pd.DatetimeIndex(known["date"]).floor("min")
    rows = opens.searchsorted(stamps, side="left")
    sums = np.zeros(opens.size)
    inside = (rows < opens.size) & (stamps > opens[0] - step)
    np.add.at(sums, rows[inside], known["funding_rate"].to_numpy(np.float64)[inside])
    if not len(stamps):
        return np.full(opens.size, np.nan)
    unknown = (opens < stamps[0]) | (opens > stamps[-1] + FUNDING_KNOWN_FOR)
    return np.where(np.asarray(unknown), np.nan, sums)


def _natr_percent(frame: pd.DataFrame, period_candles: int) -> FloatArray:
    """Normalised average true range, per cent of the close. NaN until the period is full. Shape (rows,).

    TA-Lib smooths it recursively from the first candle, so the average is taken over the window alone: the
    same candles give the same value wherever the series begins.
    """
    import talib

    true_range = talib.TRANGE(*(frame[column].to_numpy(np.float64) for column in ("high", "low", "close")))
    average = pd.Series(true_range).rolling(period_candles).apply(np.mean, raw=True).to_numpy()
    return 100.0 * average / frame["close"].to_numpy(np.float64)
