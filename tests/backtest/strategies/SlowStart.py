"""A strategy that trades nothing and needs more candles before its first decision than PairsArb."""

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class SlowStart(IStrategy):
    """Second in a --strategy-list."""

    INTERFACE_VERSION = 3
    can_short = True
    timeframe = "1h"
    startup_candle_count = 260
    minimal_roi: dict[str, float] = {"0": 10.0}  # noqa: RUF012
    stoploss = -0.99

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe
