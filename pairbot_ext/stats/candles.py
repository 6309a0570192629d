"""Which candles are real. Freqtrade fills gaps in the data, and a filled candle looks like a quiet one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairbot_ext.stats.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Columns:
    """One symbol's candles as plain arrays of one length, oldest first; slices are views.

    :ivar date: open times, UTC, datetime64[ns].
    """

    date: NDArray[np.datetime64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    @staticmethod
    def of(frame: pd.DataFrame) -> Columns:
        """The columns of a frame as Freqtrade keeps candles."""
        names = ("open", "high", "low", "close", "volume")
        date = frame["date"].to_numpy("datetime64[ns]")
        return Columns(date, *(frame[name].to_numpy(np.float64) for name in names))

    def __len__(self) -> int:
        return len(self.date)

    def cut(self, begin: int, stop: int) -> Columns:
        """Candles begin to stop, the end not included."""
        part = slice(begin, stop)
        return Columns(
            self.date[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume[part],
        )

    def filled(self) -> NDArray[np.bool_]:
        """Where nothing was traded and the price stood still; shape (T,)."""
        return _filled(self.open, self.high, self.low, self.close, self.volume)


def unusable(close: FloatArray) -> NDArray[np.bool_]:
    """Where a close is NaN, infinite or not positive; shape of `close`."""
    return ~np.isfinite(close) | (close <= 0.0)


def missing_candles(frame: pd.DataFrame) -> pd.Series:
    """Mark the candles that carry no market information.

    Freqtrade (``ohlcv_fill_up_missing_data``) fills a gap with zero volume and open = high = low = close =
    the previous close. A spread over such a candle compares a live price with a stale one, so it must give
    no z and no entry. A candle without a usable close (NaN, infinite, not positive) is missing too.

    :param frame: candles with the columns ``open, high, low, close, volume``, any index.
    :return: boolean Series on the frame's index, True where the candle is missing.
    """
    names = ("open", "high", "low", "close", "volume")
    opened, high, low, close, volume = (frame[name].to_numpy(dtype=np.float64) for name in names)
    missing = unusable(close) | _filled(opened, high, low, close, volume)
    return pd.Series(missing, index=frame.index, name="missing", dtype=bool)


def _filled(
    opened: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray
) -> NDArray[np.bool_]:
    return (opened == close) & (high == close) & (low == close) & ~(volume > 0.0)


def log_close(frame: pd.DataFrame) -> pd.Series:
    """Natural log of the close, NaN on missing candles (see :func:`missing_candles`); frame's index."""
    close = frame["close"].astype("float64").mask(missing_candles(frame))
    return pd.Series(np.log(close.to_numpy()), index=frame.index, name="log_close")
