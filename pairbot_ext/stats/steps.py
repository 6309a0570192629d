"""Price steps no market makes: a new unit, a wrong tick, another contract.

A market trades without pause, so a candle opens where the one before it closed. A gap of a third between
the two is no trade anybody made, unless the whole universe has it (an exchange that was down). A crash moves
within its candle and is none.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

LEAST_GAP = 0.3
"""Of the logarithms of open and close before: 35 % up, 26 % down."""
MOST_SHARE = 0.5
"""Of the universe: a gap that more symbols have at once is the market's."""


def price_steps(frames: Mapping[str, pd.DataFrame], candle: pd.Timedelta) -> dict[str, list[pd.Timestamp]]:
    """Candles (open time) at which a symbol's prices have become another series.

    :param frames: columns date, open, close, oldest first.
    :param candle: its length; over a hole in the data no gap is judged.
    """
    found: dict[str, list[pd.Timestamp]] = {}
    for symbol, frame in frames.items():
        if len(frame) < 2:
            continue
        opened, closed = frame["open"].to_numpy(np.float64)[1:], frame["close"].to_numpy(np.float64)[:-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = np.abs(np.log(opened / closed))
        follows = (frame["date"].diff().iloc[1:] == candle).to_numpy()
        rows = np.flatnonzero(follows & ~(gap <= LEAST_GAP)) + 1
        if rows.size:
            found[symbol] = [frame["date"].iloc[row] for row in rows]
    at_once = pd.Series([date for dates in found.values() for date in dates], dtype=object).value_counts()
    shared = {date for date, count in at_once.items() if count > MOST_SHARE * max(len(frames), 2)}
    return {
        symbol: kept for symbol, dates in found.items() if (kept := [d for d in dates if d not in shared])
    }
