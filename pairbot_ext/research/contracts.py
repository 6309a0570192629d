"""What a venue's contracts allow, as Freqtrade's backtesting asks for it: steps, minima, brackets.

The same arithmetic as Freqtrade's `Exchange` (2026.9) on plain numbers, so that a study needs no exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from math import inf, isfinite
from typing import Any

import numpy as np
import pandas as pd

from pairbot_ext.host.access import leverage_tiers
from pairbot_ext.model.sizing import MarketLimits
from pairbot_ext.sim.market.candles import CandleArrays
from pairbot_ext.sim.market.replay import observed_spec
from pairbot_ext.sim.symbols import binance_id
from pairbot_ext.support.errors import DataError

LIQUIDATION_BUFFER = 0.05
"""Freqtrade closes so much of the way from the entry to the liquidation price before the venue would."""
AMOUNT_RESERVE = 0.05
"""Freqtrade's default `amount_reserve_percent`."""
STAKE_STOPLOSS = 0.05
"""The stop-loss Freqtrade assumes when it asks for the smallest stake of an entry."""


@dataclass(frozen=True)
class Bracket:
    """One leverage bracket; notionals in quote currency, as in Freqtrade's leverage tiers."""

    min_notional: float
    max_notional: float
    max_leverage: float
    maintenance_ratio: float
    maintenance_amount: float


@dataclass(frozen=True)
class Contract:
    """The rules of one linear contract of size 1.

    :param amount_step: base currency. :param min_amount, max_amount: base currency.
    :param min_cost, max_cost: quote currency; 0 and infinite where the venue states none.
    :param price_tick: of today; used where a month's candles show no decimals.
    :param brackets: ascending; empty where the venue has none for it.
    """

    symbol: str
    amount_step: Decimal
    min_amount: float
    max_amount: float
    min_cost: float
    max_cost: float
    price_tick: float
    brackets: tuple[Bracket, ...]

    @cached_property
    def step(self) -> float:
        """The amount step as a float."""
        return float(self.amount_step)

    def max_leverage(self, stake: float) -> float | None:
        """Of the bracket a stake falls in; None where the venue takes no such stake."""
        if not self.brackets:
            return 1.0
        prior = 0.0
        for bracket in self.brackets:
            least = bracket.min_notional / (prior or bracket.max_leverage)
            most = bracket.max_notional / bracket.max_leverage
            prior = bracket.max_leverage
            if stake == 0 or least <= stake <= most or (stake < least and stake <= most):
                return bracket.max_leverage
        return None

    def limits(self, stake: float) -> MarketLimits | None:
        """For the package's own size checks; None where the venue takes no such stake."""
        leverage = self.max_leverage(stake)
        if leverage is None:
            return None
        return MarketLimits(self.amount_step, Decimal(str(self.min_amount)), self.min_cost, leverage)

    def least_stake(self, price: float, leverage: float, reserve: float = AMOUNT_RESERVE) -> float:
        """Smallest stake Freqtrade lets an entry have, quote currency."""
        margin = 1.0 + reserve
        stop = max(min(margin / (1.0 - STAKE_STOPLOSS), 1.5), 1.0)
        return max(self.min_cost * stop, self.min_amount * price * margin) / leverage

    def largest_stake(self, price: float, leverage: float) -> float:
        """Largest stake of one entry, quote currency."""
        limits = [self.max_cost, self.max_amount * price]
        limits += [b.max_notional for b in reversed(self.brackets) if leverage <= b.max_leverage][:1]
        return min(limits) / leverage

    def liquidation_price(self, price: float, amount: float, is_short: bool, leverage: float) -> float:
        """Where Freqtrade books a liquidation of an isolated position, not rounded; 0 for never."""
        stake = amount * price / leverage
        bracket = next((b for b in reversed(self.brackets) if stake >= b.min_notional), None)
        if bracket is None:
            return 0.0
        side = -1.0 if is_short else 1.0
        margin = stake + bracket.maintenance_amount - side * amount * price
        raw = margin / (amount * bracket.maintenance_ratio - side * amount)
        buffer = abs(price - raw) * LIQUIDATION_BUFFER
        return max(raw - buffer if is_short else raw + buffer, 0.0)


def contracts_of(exchange: Any, symbols: Iterable[str]) -> dict[str, Contract]:
    """The contracts of a Freqtrade exchange object.

    :raises DataError: a contract whose size is not 1.
    """
    found = {}
    for symbol in symbols:
        market = exchange.markets.get(symbol)
        if market is None:
            continue
        if float(market.get("contractSize") or 1.0) != 1.0:
            raise DataError(
                f"A contract of {symbol} is not one coin",
                value=market["contractSize"],
                remedy="Only contracts of size 1 are simulated: use `freqtrade backtesting`",
            )
        amount, cost = market["limits"]["amount"], market["limits"]["cost"]
        tiers = leverage_tiers(exchange, symbol)
        found[symbol] = Contract(
            symbol=symbol,
            amount_step=Decimal(str(market["precision"]["amount"])),
            min_amount=float(amount["min"] or 0.0),
            max_amount=_or_inf(amount["max"]),
            min_cost=float(cost["min"] or 0.0),
            max_cost=_or_inf(cost["max"]),
            price_tick=float(market["precision"]["price"]),
            brackets=tuple(
                Bracket(
                    float(tier["minNotional"]),
                    _or_inf(tier["maxNotional"]),
                    float(tier["maxLeverage"]),
                    float(tier["maintenanceMarginRate"]),
                    float(tier["maintAmt"] or 0.0),
                )
                for tier in tiers
            ),
        )
    return found


def observed_contracts(frames: Mapping[str, pd.DataFrame]) -> dict[str, Contract]:
    """Binance's contracts as `pairbot exchange` and `pairbot offline` serve them on these candles: recorded
    where there is a recording, else steps as the candles show them. No network is used.

    :param frames: by symbol, Freqtrade's candles; one without a row has no contract.
    :raises DataError: Freqtrade's leverage table has no such contract.
    """
    found = {}
    for symbol, frame in frames.items():
        columns = (frame[name].to_numpy(np.float64) for name in ("open", "high", "low", "close", "volume"))
        spec = observed_spec(binance_id(symbol), CandleArrays(*columns))
        found[symbol] = Contract(
            symbol=symbol,
            amount_step=spec.amount_step,
            min_amount=float(spec.min_amount),
            max_amount=float(spec.max_amount),
            min_cost=float(spec.min_notional),
            max_cost=inf,
            price_tick=float(spec.price_tick),
            brackets=tuple(
                Bracket(
                    float(each.notional_floor),
                    float(each.notional_cap),
                    float(each.initial_leverage),
                    float(each.maint_margin_ratio),
                    float(each.cum),
                )
                for each in spec.brackets
            ),
        )
    return found


def _or_inf(value: float | None) -> float:
    number = inf if value is None else float(value)
    return number if isfinite(number) else inf
