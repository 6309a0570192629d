"""Which candles are real. Freqtrade fills gaps in the data, and a filled candle looks like a quiet one."""

from __future__ import annotations

import numpy as np
import pandas as pd


def missing_candles(frame: pd.DataFrame) -> pd.Series:
    """Mark the candles that carry no market information.

    Freqtrade (``ohlcv_fill_up_missing_data``) fills a gap with zero volume and open = high = low = close =
    the previous close. A spread over such a candle compares a live price with a stale one, so it must give
    no z and no entry. A candle without a usable close (NaN, infinite, not positive) is missing too.

    :param frame: candles with the columns ``open, high, low, close, volume``, any index.
    :return: boolean Series on the frame's index, True where the candle is missing.
    """
    close = frame["close"].to_numpy(dtype=np.float64)
    volume = frame["volume"].to_numpy(dtype=np.float64)
    flat = np.ones(len(frame), dtype=bool)
    for column in ("open", "high", "low"):
        flat &= frame[column].to_numpy(dtype=np.float64) == close
    unusable = ~np.isfinite(close) | (close <= 0.0)
    return pd.Series(unusable | (flat & ~(volume > 0.0)), index=frame.index, name="missing", dtype=bool)


def log_close(frame: pd.DataFrame) -> pd.Series:
    """Natural log of the close, NaN on missing candles (see :func:`missing_candles`); frame's index."""
    close = frame["close"].astype("float64").mask(missing_candles(frame))
    return pd.Series(np.log(close.to_numpy()), index=frame.index, name="log_close")
