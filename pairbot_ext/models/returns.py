"""Returns of the legs over windows, given to TA-Lib one window at a time.

TA-Lib carries running sums along from the first candle it is given, so the same candles would give other last
digits in a bot that was started yesterday; window by window they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.rolling import MIN_PRESENT_SHARE


def over_windows(
    log_prices: Sequence[FloatArray],
    first: int,
    window: int,
    indicator: Callable[..., FloatArray],
) -> FloatArray:
    """The indicator of the steps of log prices over the last `window` candles of each row from `first` on.

    :param log_prices: of one or two legs, shape (n,) each. Steps with a missing candle are left out.
    :param indicator: of TA-Lib: arrays of one length and `timeperiod` in, an array out.
    :return: shape (n - first,), NaN where a tenth of the steps is missing or the rows do not reach back.
    """
    steps = [np.concatenate([[np.nan], np.diff(each)]) for each in log_prices]
    present = np.logical_and.reduce([np.isfinite(each) for each in steps])
    out = np.full(log_prices[0].size - first, np.nan)
    for row in range(max(first, window), log_prices[0].size):
        part = slice(row + 1 - window, row + 1)
        is_there = present[part]
        count = int(is_there.sum())
        if count >= max(MIN_PRESENT_SHARE * window, 2):
            known = [each[part] if count == window else each[part][is_there] for each in steps]
            out[row - first] = indicator(*known, timeperiod=count)[-1]
    return out
