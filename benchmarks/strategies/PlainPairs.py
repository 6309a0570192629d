# ruff: noqa: RUF012, ARG002
"""The baseline: what Freqtrade does with two signals and no engine between them."""

from datetime import datetime
from typing import Any

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from pandas import DataFrame


class PlainPairs(IStrategy):
    INTERFACE_VERSION = 3
    can_short = True
    timeframe = "1h"
    process_only_new_candles = False
    startup_candle_count = 2
    minimal_roi = {}
    stoploss = -0.99
    order_types = {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.script = config["desk_script"]

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe = dataframe.assign(enter_long=0, enter_short=0, enter_tag=None)
        side = self.script.plain_wish(metadata["pair"])
        if side is not None:
            dataframe.loc[dataframe.index[-1], f"enter_{side}"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def leverage(self, pair: str, **kwargs: Any) -> float:
        return 2.0

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, current_profit: float,
        **kwargs: Any,
    ) -> str | None:  # fmt: skip
        return next(iter(self.script.exits.values()), None)
