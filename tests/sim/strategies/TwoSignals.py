"""A plain two-signal strategy, as a user might write it without this package: one leg long, one leg short."""

from typing import Any

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class TwoSignals(IStrategy):
    """Long ADA, short ALGO while `wanted`; out of both when it is not."""

    can_short = True
    timeframe = "1h"
    startup_candle_count = 1
    stoploss = -0.9
    minimal_roi = {"0": 10}  # noqa: RUF012 (Freqtrade's convention)
    process_only_new_candles = False
    order_types = {  # noqa: RUF012 (Freqtrade's convention)
        "entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False,
    }  # fmt: skip
    wanted = True

    def leverage(self, *_: Any, **__: Any) -> float:
        return 2.0

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        if self.wanted:
            side = "enter_long" if metadata["pair"].startswith("ADA") else "enter_short"
            dataframe.loc[dataframe.index[-1], side] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        if not self.wanted:
            dataframe.loc[dataframe.index[-1], ["exit_long", "exit_short"]] = 1
        return dataframe
