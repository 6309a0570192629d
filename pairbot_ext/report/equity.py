"""Equity over time and its drawdown.

With candles, open legs are marked to every candle's close; without, the path moves only when a pair trade
closes, and the losses it carried in between do not show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairbot_ext.report.legs import LegTrade, PairTrade


@dataclass(frozen=True)
class Drawdown:
    """The deepest fall from an earlier high.

    :param amount: stake currency, positive.
    :param ratio: of the equity at the high; None where no starting balance is known.
    :param is_over: whether the high has been reached again.
    """

    amount: float
    ratio: float | None
    high_at: datetime
    low_at: datetime
    is_over: bool


@dataclass(frozen=True)
class EquityPath:
    """Net result over time, 0 at the start. Shapes (n,).

    :param net: stake currency.
    :param starting_balance: None where unknown.
    :param is_marked: whether open pair trades are in it at market prices.
    """

    when: pd.DatetimeIndex
    net: NDArray[np.float64]
    starting_balance: float | None
    is_marked: bool

    @property
    def fall(self) -> NDArray[np.float64]:
        """Distance below the high so far, 0 or negative, stake currency."""
        return self.net - np.maximum.accumulate(self.net)

    @property
    def drawdown(self) -> Drawdown | None:
        """The deepest fall; None where there is none."""
        fall = self.fall
        if not fall.size or fall.min() >= 0:
            return None
        low = int(np.argmin(fall))
        high = int(np.argmax(self.net[: low + 1]))
        balance = self.starting_balance
        return Drawdown(
            amount=-float(fall[low]),
            ratio=None if balance is None else -float(fall[low]) / (balance + float(self.net[high])),
            high_at=self.when[high].to_pydatetime(),
            low_at=self.when[low].to_pydatetime(),
            is_over=bool((self.net[low:] >= self.net[high]).any()),
        )


def realized_path(trades: Sequence[PairTrade], starting_balance: float | None = None) -> EquityPath:
    """The net of the closed pair trades, in order of closing, from 0 at the first opening."""
    closed = sorted((trade.closed, trade.profit) for trade in trades if trade.closed is not None)
    start = [min(trade.opened for trade in trades)] if closed else []
    return EquityPath(
        when=pd.DatetimeIndex([*start, *(when for when, _ in closed)]),
        net=np.cumsum([0.0] * len(start) + [profit for _, profit in closed]),
        starting_balance=starting_balance,
        is_marked=False,
    )


def marked_path(
    trades: Sequence[PairTrade],
    frames: Mapping[str, pd.DataFrame],
    step: timedelta,
    starting_balance: float | None = None,
) -> EquityPath | None:
    """The net with open legs at the last close, one value per candle; None where a leg has no candles.

    Funding is booked when the leg closes, half of its fees when it opens. A leg that was reduced in parts
    counts in full until it closes.

    :param frames: candles by symbol, columns date (open time, UTC) and close.
    """
    legs = [leg for trade in trades for leg in trade.legs]
    if not legs or any(leg.symbol not in frames or frames[leg.symbol].empty for leg in legs):
        return None
    first = min(leg.opened for leg in legs)
    last = max(max(leg.closed or leg.opened for leg in legs), first + step)
    if any(leg.closed is None for leg in legs):
        last = max(last, max(frames[leg.symbol]["date"].iloc[-1].to_pydatetime() for leg in legs) + step)
    # From one candle earlier: a high of 0 before the first fee is paid.
    anchor = pd.Timestamp(first).floor(pd.Timedelta(step)) - step
    when = pd.date_range(anchor, pd.Timestamp(last).ceil(pd.Timedelta(step)), freq=pd.Timedelta(step))
    closes: dict[str, NDArray[np.float64]] = {}
    for symbol in {leg.symbol for leg in legs}:
        frame = frames[symbol]
        series = pd.Series(frame["close"].to_numpy(), index=pd.DatetimeIndex(frame["date"]) + step)
        # A missing candle leaves the last price standing; before the first candle there is none.
        closes[symbol] = series.reindex(when, method="ffill").to_numpy(np.float64)
    net = np.zeros(len(when))
    for leg in legs:
        net += _leg_path(leg, when, closes[leg.symbol])
    return EquityPath(when=when, net=net, starting_balance=starting_balance, is_marked=True)


def _leg_path(leg: LegTrade, when: pd.DatetimeIndex, close: NDArray[np.float64]) -> NDArray[np.float64]:
    """What one leg adds: 0 before it opens, its value less the entry fee while open, then its profit."""
    begin = int(when.searchsorted(pd.Timestamp(leg.opened), side="left"))
    end = len(when) if leg.closed is None else int(when.searchsorted(pd.Timestamp(leg.closed), side="left"))
    path = np.zeros(len(when))
    entry_price = leg.notional / leg.amount
    value = (close[begin:end] - entry_price) * leg.amount * (-1.0 if leg.is_short else 1.0)
    entry_fee = 0.0 if np.isnan(leg.fees) else leg.fees if leg.closed is None else leg.fees / 2
    path[begin:end] = np.nan_to_num(value) - entry_fee
    path[end:] = leg.profit
    return path
