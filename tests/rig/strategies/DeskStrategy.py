# ruff: noqa: RUF012 - a strategy declares its settings as Freqtrade reads them
"""The smallest strategy a `TradeDesk` can work for: signals come from a script the test writes."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from freqtrade.persistence import Order, Trade
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from pairbot_ext.desk.trade_desk import TradeDesk
from pairbot_ext.host.gates import fail_closed
from pairbot_ext.model.entry_ask import EntryAsk, OrderAsk, StakeAsk
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.orders.dryport import DryFault, DryFaultKind, DryPort


class FileScript:
    """Signals from a JSON file: wishes {pair: direction}, exits {pair: reason}, pairs {pair: plan}."""

    clock = None
    rng = None
    leverage = 2

    def __init__(self, path: Path) -> None:
        self._path = path
        self._raised: set[tuple[str, int]] = set()
        self._bent = 0

    def _read(self) -> dict[str, Any]:
        return json.loads(self._path.read_text())

    def call(self, name: str) -> None:
        """Every callback passes here: what is named under "broken" raises once per number."""
        number = self._read()["broken"].get(name)
        if number is not None and (name, number) not in self._raised:
            self._raised.add((name, number))
            raise RuntimeError(f"injected into {name}")

    def interfere(self, order: OrderRecord) -> DryFault | None:
        """Rehearsed faults of the dry-run port, one after the other."""
        faults = self._read()["dry_faults"][self._bent :]
        if not faults or (faults[0]["leg"], faults[0]["role"]) != (order.leg, order.role):
            return None
        self._bent += 1
        fault = {name: value for name, value in faults[0].items() if name not in ("leg", "role")}
        return DryFault(**{**fault, "kind": DryFaultKind(fault["kind"])})

    def wish(self, symbol: str) -> tuple[str, str] | None:
        """Leg A's entry column."""
        script = self._read()
        for pair_id, direction in script["wishes"].items():
            if script["pairs"][pair_id]["leg_a"] == symbol:
                return ("long" if direction > 0 else "short"), pair_id
        return None

    def entry_plan(self, pair_id: str, now: datetime) -> EntryPlan | None:
        """See desk.Signals."""
        script = self._read()
        if pair_id not in script["wishes"]:
            return None
        return EntryPlan.from_json({**script["pairs"][pair_id], "candle": now.isoformat()})

    def model_exit(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> str | None:
        """See desk.Signals."""
        return self._read()["exits"].get(plan.pair_id)

    def entry_breach(self, plan: EntryPlan, now: datetime) -> None:
        """See desk.Signals: a script has no candles to judge."""

    def exit_breach(self, plan: EntryPlan, opened_at: datetime, now: datetime, reason: str) -> None:
        """See desk.Signals."""

    def gauges(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> list[Any]:
        """See desk.Signals."""
        return []

    def missing_candles(self, plan: EntryPlan, now: datetime) -> dict[str, float]:
        """See desk.Signals: a script has its candles in its head."""
        return {}

    def has_recovered(self, coins: tuple[str, str], left_at: datetime, candle: datetime) -> bool:
        """See desk.Signals."""
        return True


class DeskStrategy(IStrategy):
    INTERFACE_VERSION = 3
    can_short = True
    timeframe = "1h"
    process_only_new_candles = False
    startup_candle_count = 2
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

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.refused_symbols: set[str] = set()
        # In a process of its own the test speaks through a file.
        self.script = config.get("desk_script") or FileScript(Path(config["desk_script_file"]))

    def ft_bot_start(self, **kwargs: Any) -> None:
        super().ft_bot_start(**kwargs)
        self.desk = TradeDesk.start(
            self, self.script, self.script.leverage, clock=self.script.clock, rng=self.script.rng
        )
        if isinstance(self.script, FileScript):
            # The cases follow each other faster than any market does.
            limiter = self.desk.limiter
            limiter.rules = replace(limiter.rules, entry_share=1_000.0, wait_share=1_000.0)
        if isinstance(self.desk.port, DryPort) and isinstance(self.script, FileScript):
            self.desk.port.interfere = self.script.interfere

    def ft_bot_cleanup(self) -> None:
        super().ft_bot_cleanup()
        if hasattr(self, "desk"):
            self.script.last_words = self.desk.cleanup()

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        self.refused_symbols.clear()
        self.script.call("bot_loop_start")
        self.desk.on_loop_start(current_time)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe = dataframe.assign(enter_long=0, enter_short=0, enter_tag=None)
        wish = self.script.wish(metadata["pair"])
        if wish is not None:
            side, tag = wish
            dataframe.loc[dataframe.index[-1], [f"enter_{side}", "enter_tag"]] = (1, tag)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    @fail_closed(1.0)
    def leverage(
        self, pair: str, current_time: datetime, current_rate: float, proposed_leverage: float,
        max_leverage: float, entry_tag: str | None, side: str, **kwargs: Any,
    ) -> float:  # fmt: skip
        self.script.call("leverage")
        return self.desk.leverage(max_leverage)

    @fail_closed(0.0)
    def custom_stake_amount(
        self, pair: str, current_time: datetime, current_rate: float, proposed_stake: float,
        min_stake: float | None, max_stake: float, leverage: float, entry_tag: str | None, side: str,
        **kwargs: Any,
    ) -> float:  # fmt: skip
        self.script.call("custom_stake_amount")
        ask = StakeAsk(
            pair, current_time, entry_tag, side, current_rate, proposed_stake, min_stake or 0.0, max_stake,
            leverage,
        )  # fmt: skip
        return self.desk.stake(ask)

    def custom_entry_price(
        self, pair: str, trade: Trade | None, current_time: datetime, proposed_rate: float,
        entry_tag: str | None, side: str, **kwargs: Any,
    ) -> float:  # fmt: skip
        self.script.call("custom_entry_price")
        return self.desk.entry_price(EntryAsk(pair, current_time, entry_tag, side, proposed_rate))

    @fail_closed(False)
    def confirm_trade_entry(
        self, pair: str, order_type: str, amount: float, rate: float, time_in_force: str,
        current_time: datetime, entry_tag: str | None, side: str, **kwargs: Any,
    ) -> bool:  # fmt: skip
        self.script.call("confirm_trade_entry")
        if pair in self.refused_symbols:
            return False
        ask = OrderAsk(pair, current_time, entry_tag, side, rate, amount, order_type)
        return self.desk.confirm_entry(ask)

    def confirm_trade_exit(
        self, pair: str, trade: Trade, order_type: str, amount: float, rate: float, time_in_force: str,
        exit_reason: str, current_time: datetime, **kwargs: Any,
    ) -> bool:  # fmt: skip
        self.script.call("confirm_trade_exit")
        return self.desk.confirm_exit(trade)

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, current_profit: float,
        **kwargs: Any,
    ) -> str | None:  # fmt: skip
        self.script.call("custom_exit")
        return self.desk.exit_reason(trade, current_time)

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        self.script.call("order_filled")
        self.desk.on_order_filled(trade, order, current_time)
