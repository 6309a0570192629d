"""Which candles of a symbol a backtest trades."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd


@dataclass(frozen=True)
class DataSpan:
    """The candles Freqtrade trades of one symbol: none before `first`, and no entry from `last` on.

    :param steps: candles with which the prices become another series: no trade is held into one.
    """

    first: datetime
    last: datetime
    steps: tuple[datetime, ...] = ()

    def is_split_within(self, begin: datetime, end: datetime) -> bool:
        """Whether the series becomes another one on a candle in [begin, end]."""
        return any(begin <= step <= end for step in self.steps)


def data_span(
    frame: pd.DataFrame, startup_candles: int, timeframe: timedelta, steps: tuple[datetime, ...] = ()
) -> DataSpan:
    """Freqtrade drops the startup candles of each frame and one more, whose signal cannot be shifted in."""
    begin = frame["date"].iloc[0].to_pydatetime()
    return DataSpan(begin + (startup_candles + 1) * timeframe, frame["date"].iloc[-1].to_pydatetime(), steps)
