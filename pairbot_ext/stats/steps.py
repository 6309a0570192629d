"""Price steps no market makes: a new unit, a wrong tick, another contract.

A market trades without pause, so a candle opens where the one before it closed. A gap of a third between
the two is no trade anybody made, unless the whole universe has it (an exchange that was down). A crash moves
within its candle and is none.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairbot_ext.stats.arrays import FloatArray

LEAST_GAP = 0.3
"""Of the logarithms of open and close before: 35 % up, 26 % down."""
MOST_SHARE = 0.5
"""Of the universe: a gap that more symbols have at once is the market's."""


def price_steps(frames: Mapping[str, pd.DataFrame], candle: pd.Timedelta) -> dict[str, list[pd.Timestamp]]:
    """Candles (open time) at which a symbol's prices have become another series.

    :param frames: columns date, open, close, oldest first.
    :param candle: its length; over a hole in the data no gap is judged.
    """
    series = {
        symbol: (
            frame["date"].to_numpy("datetime64[ns]"),
            frame["open"].to_numpy(np.float64),
            frame["close"].to_numpy(np.float64),
        )
        for symbol, frame in frames.items()
    }
    return steps_between(series, candle)


def steps_between(
    series: Mapping[str, tuple[NDArray[np.datetime64], FloatArray, FloatArray]], candle: pd.Timedelta
) -> dict[str, list[pd.Timestamp]]:
    """The same for dates (datetime64[ns], UTC), opens and closes, each of shape (T,)."""
    found: dict[str, list[np.datetime64]] = {}
    for symbol, (date, opened, closed) in series.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = np.abs(np.log(opened[1:] / closed[:-1]))
        leaps = np.flatnonzero(~(gap <= LEAST_GAP)) + 1
        if rows := [row for row in leaps if date[row] - date[row - 1] == candle.to_timedelta64()]:
            found[symbol] = [date[row] for row in rows]
    at_once = Counter(date for dates in found.values() for date in dates)
    shared = {date for date, count in at_once.items() if count > MOST_SHARE * max(len(series), 2)}
    kept = {symbol: [date for date in dates if date not in shared] for symbol, dates in found.items()}
    return {
        symbol: [pd.Timestamp(date, tz="UTC") for date in dates] for symbol, dates in kept.items() if dates
    }
