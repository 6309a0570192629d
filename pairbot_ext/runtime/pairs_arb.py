"""Pair trading on Binance USDⓈ-M futures: two legs, opened and closed as one pair trade.

The strategy is thin: every decision is made in the rooms of this package. What lies in a strategies folder
inherits from it (`strategies/PairsArb.py`, `pairbot init`), so that package and strategy are of one version.
"""

from copy import deepcopy
from datetime import datetime
from typing import Any

from freqtrade.persistence import Order, Trade
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy
from freqtrade.strategy.parameters import BaseParameter
from pandas import DataFrame, concat

from pairbot_ext import __version__
from pairbot_ext.host.gates import fail_closed, reads_only
from pairbot_ext.model.entry_ask import EntryAsk, OrderAsk, StakeAsk
from pairbot_ext.runtime.strategy import PairsRuntime

OFF = -1.0
"""Default of the threshold parameters: the pairs file's own thresholds rule."""


class PairsArb(IStrategy):
    """Enter a pair where its spread is far from its mean, leave it where it has come back."""

    INTERFACE_VERSION = 3
    can_short = True
    timeframe = "1h"
    process_only_new_candles = True
    use_exit_signal = True
    exit_profit_only = False
    minimal_roi: dict[int, float] = {}
    stoploss = -0.99
    order_types = {
        "entry": "limit",
        "exit": "market",
        "force_entry": "limit",
        "force_exit": "market",
        "emergency_exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }
    order_time_in_force = {"entry": "IOC", "exit": "GTC"}

    # Set by hyperopt or PairsArb.json only; then they replace those of all pairs. The window's range is of
    # the settings.
    entry_z = DecimalParameter(1.0, 3.0, default=OFF, decimals=2, space="buy")
    exit_z = DecimalParameter(0.0, 0.9, default=OFF, decimals=2, space="sell")
    stop_z = DecimalParameter(3.1, 6.0, default=OFF, decimals=2, space="sell")
    max_half_lives = DecimalParameter(1.0, 8.0, default=OFF, decimals=1, space="sell")
    window_candles = IntParameter(240, 1440, default=int(OFF), space="buy")
    max_half_life_hours = IntParameter(2, 96, default=int(OFF), space="buy")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Freqtrade stores what it loads in the class's own parameters, and reads a strategy's file anew for
        each bot and backtest: one class must not inherit what was loaded for another."""
        super().__init_subclass__(**kwargs)
        for name, value in vars(PairsArb).items():
            if name not in vars(cls) and isinstance(value, BaseParameter | dict):
                setattr(cls, name, deepcopy(value))

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.pairs = PairsRuntime(config, self.timeframe)
        self.startup_candle_count = self.pairs.startup_candles(config.get("timeframe") or self.timeframe)
        self.window_candles = self.pairs.window_candles
        self.refused_symbols: set[str] = set()

    def version(self) -> str:
        """What `/show_config` shows as the strategy's."""
        return __version__

    def ft_bot_start(self, **kwargs: Any) -> None:
        super().ft_bot_start(**kwargs)
        self.pairs.start(self, self._overrides())

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        self.refused_symbols.clear()
        self.pairs.on_loop_start(current_time)

    def informative_pairs(self) -> list[tuple[Any, ...]]:
        return self.pairs.informative_pairs(self.timeframe)

    def advise_all_indicators(self, data: dict[str, DataFrame]) -> dict[str, DataFrame]:
        # Only here does Freqtrade give all symbols' candles at once; asked for one, it reads the file anew.
        with self.pairs.given(data):
            return super().advise_all_indicators(data)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        self.pairs.update(metadata["pair"], dataframe)
        columns = self.pairs.indicators(metadata["pair"], dataframe["date"])
        # In one piece: column by column costs a bot of many pairs most of its time after a candle.
        return concat([dataframe, DataFrame(columns, index=dataframe.index)], axis=1)

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        self.pairs.override_thresholds(self._overrides())
        side, tags = self.pairs.entries(metadata["pair"], dataframe["date"])
        return dataframe.assign(
            enter_long=(side == 1).astype(int), enter_short=(side == -1).astype(int), enter_tag=tags
        )

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        # Exits are never columns: a column cannot know which pair or epoch the open trade belongs to.
        return dataframe

    @fail_closed(1.0)
    def leverage(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_leverage: float,
        max_leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        return self.pairs.desk.leverage(max_leverage)

    @fail_closed(0.0)
    def custom_stake_amount(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        return self.pairs.desk.stake(
            StakeAsk(
                pair,
                current_time,
                entry_tag,
                side,
                current_rate,
                proposed_stake=proposed_stake,
                min_stake=min_stake or 0.0,
                max_stake=max_stake,
                leverage=leverage,
            )
        )

    @fail_closed(False)
    def confirm_trade_entry(
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: datetime,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> bool:
        if pair in self.refused_symbols:
            return False
        return self.pairs.desk.confirm_entry(
            OrderAsk(pair, current_time, entry_tag, side, rate, amount=amount, order_type=order_type)
        )

    @fail_closed(None)
    def custom_entry_price(
        self,
        pair: str,
        trade: Trade | None,
        current_time: datetime,
        proposed_rate: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        return self.pairs.desk.entry_price(EntryAsk(pair, current_time, entry_tag, side, proposed_rate))

    @reads_only
    def custom_exit(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs: Any,
    ) -> str | None:
        return self.pairs.desk.exit_reason(trade, current_time)

    @reads_only
    def confirm_trade_exit(
        self,
        pair: str,
        trade: Trade,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        exit_reason: str,
        current_time: datetime,
        **kwargs: Any,
    ) -> bool:
        return self.pairs.desk.confirm_exit(trade)

    @reads_only
    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        self.pairs.desk.on_order_filled(trade, order, current_time)

    def ft_bot_cleanup(self) -> None:
        # Freqtrade has no callback at shutdown.
        self.pairs.cleanup()
        super().ft_bot_cleanup()

    @property
    def plot_config(self) -> dict[str, Any]:
        """Spread and z of every pair of the plotted symbol; columns a symbol does not have are left out."""
        return self.pairs.plot_config()

    def _overrides(self) -> dict[str, float]:
        parameters = {
            "entry": self.entry_z,
            "exit": self.exit_z,
            "stop": self.stop_z,
            "max_half_lives": self.max_half_lives,
            "window_candles": self.window_candles,
            "max_half_life_hours": self.max_half_life_hours,
        }
        return {name: float(p.value) for name, p in parameters.items() if p.value != OFF}
