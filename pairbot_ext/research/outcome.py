"""What a simulated backtest made: its legs in Freqtrade's columns, and equity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pairbot_ext.model.sizing import Leg
from pairbot_ext.research.account import Terms
from pairbot_ext.research.market import Market
from pairbot_ext.stats.arrays import FloatArray


@dataclass(frozen=True)
class ClosedLeg:
    """One closed leg. Rows are of the market's grid, money is in quote currency.

    :param fee: of one fill, a ratio. :param funding: received; negative when paid.
    """

    symbol: str
    pair_id: str
    leg: Leg
    is_short: bool
    amount: float
    stake: float
    opened: int
    closed: int
    open_price: float
    close_price: float
    fee: float
    funding: float
    reason: str
    leverage: int
    beta: float
    half_life_candles: float

    @property
    def notional(self) -> float:
        """At the entry fill."""
        return self.amount * self.open_price

    @property
    def fees(self) -> float:
        """Of both fills."""
        return self.amount * (self.open_price + self.close_price) * self.fee

    @property
    def gross(self) -> float:
        """What the price alone made."""
        move = self.amount * (self.close_price - self.open_price)
        return -move if self.is_short else move

    @property
    def profit(self) -> float:
        """Net of fees and funding."""
        return self.gross - self.fees + self.funding


@dataclass(frozen=True)
class Outcome:
    """One simulated backtest. :param legs: in the order of closing."""

    market: Market
    terms: Terms
    legs: tuple[ClosedLeg, ...]

    @property
    def final_balance(self) -> float:
        """Quote currency."""
        return self.terms.wallet + sum(leg.profit for leg in self.legs)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """One row per leg with the columns of a backtest export, as `report.pairing` reads them."""
        time = self.market.time
        return pd.DataFrame(
            {
                "pair": [leg.symbol for leg in self.legs],
                "enter_tag": [leg.pair_id for leg in self.legs],
                "is_short": [leg.is_short for leg in self.legs],
                "amount": [leg.amount for leg in self.legs],
                "stake_amount": [leg.stake for leg in self.legs],
                "leverage": [float(leg.leverage) for leg in self.legs],
                "open_date": pd.DatetimeIndex([time(leg.opened) for leg in self.legs], tz="UTC"),
                "close_date": pd.DatetimeIndex([time(leg.closed) for leg in self.legs], tz="UTC"),
                "open_rate": [leg.open_price for leg in self.legs],
                "close_rate": [leg.close_price for leg in self.legs],
                "fee_open": [leg.fee for leg in self.legs],
                "fee_close": [leg.fee for leg in self.legs],
                "profit_abs": [leg.profit for leg in self.legs],
                "funding_fees": [leg.funding for leg in self.legs],
                "exit_reason": [str(leg.reason) for leg in self.legs],
            }
        )

    @cached_property
    def pair_trades(self) -> pd.DataFrame:
        """One row per pair trade in the order of opening: rows of opening and close, N_A + N_B, and gross,
        fees, funding and net in quote currency and in bp of that notional."""
        pairs: dict[tuple[str, int], list[ClosedLeg]] = {}
        for leg in self.legs:
            pairs.setdefault((leg.pair_id, leg.opened), []).append(leg)
        rows = []
        for (pair_id, opened), legs in sorted(pairs.items(), key=lambda item: (item[0][1], item[0][0])):
            notional = sum(leg.notional for leg in legs)
            gross, fees = sum(leg.gross for leg in legs), sum(leg.fees for leg in legs)
            funding = sum(leg.funding for leg in legs)
            net = gross - fees + funding
            rows.append(
                {
                    "pair_id": pair_id,
                    "opened_row": opened,
                    "closed_row": max(leg.closed for leg in legs),
                    "opened": self.market.time(opened),
                    "closed": self.market.time(max(leg.closed for leg in legs)),
                    "is_short_spread": legs[0].is_short == (legs[0].leg is Leg.A),
                    "legs": len(legs),
                    "reason": legs[0].reason,
                    "notional": notional,
                    "gross": gross,
                    "fees": fees,
                    "funding": funding,
                    "net": net,
                    "net_bp": 1e4 * net / notional,
                }
            )
        return pd.DataFrame(rows)

    @cached_property
    def equity(self) -> FloatArray:
        """Wallet with open legs at the close of each candle, quote currency. Shape (n,)."""
        market, path = self.market, np.full(self.market.grid.size, float(self.terms.wallet))
        for leg in self.legs:
            held = slice(leg.opened, leg.closed)
            move = leg.amount * (market.close[leg.symbol][held] - leg.open_price)
            path[held] += (-move if leg.is_short else move) - leg.notional * leg.fee
            path[leg.closed :] += leg.profit
        return path
