"""Where a leg is taken from its pair: liquidation, or the distant stop-loss that stands in for it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from pairbot_ext.research.contracts import Contract
from pairbot_ext.research.market import Market

STOPLOSS = 0.99
"""Of the margin: `PairsArb.stoploss`."""
_NEAR = 2e-3
"""A level is rounded to the tick only where a candle comes so near to it, a ratio."""


class Hit(NamedTuple):
    """The candle that takes a leg, what is booked and why; the market's size as row for never."""

    row: int
    price: float
    reason: str


def first_hit(
    market: Market,
    contract: Contract,
    price: float,
    amount: float,
    is_short: bool,
    leverage: int,
    row: int,
    until: int,
) -> Hit:
    """The first candle from `row` up to `until` on which Freqtrade takes this leg."""
    never = Hit(market.grid.size, 0.0, "")
    symbol = contract.symbol
    span = slice(row, min(until, market.last[symbol]) + 1)
    side = 1.0 if is_short else -1.0
    stop = price * (1.0 + side * STOPLOSS / leverage)
    liquidation = contract.liquidation_price(price, amount, is_short, leverage)
    reached = market.high[symbol][span] if is_short else market.low[symbol][span]
    nearest = min(stop, liquidation or np.inf) if is_short else max(stop, liquidation)
    near = reached >= nearest * (1 - _NEAR) if is_short else reached <= nearest * (1 + _NEAR)
    if not near.any():
        return never
    tick = tick_at(market, contract, row)
    stop = rounded(stop, tick, up=not is_short)
    liquidation = rounded(liquidation, tick)
    with np.errstate(invalid="ignore"):
        is_stop = reached >= stop if is_short else reached <= stop
        is_hit = is_stop | (
            (reached >= liquidation) & (liquidation > 0) if is_short else reached <= liquidation
        )
    at = np.flatnonzero(is_hit)
    if not at.size:
        return never
    where, first = row + int(at[0]), int(at[0])
    level, reason = (stop, "stop_loss") if is_stop[first] else (liquidation, "liquidation")
    # A candle that begins beyond the level is filled at its open.
    low, high = market.low[symbol][where], market.high[symbol][where]
    is_beyond = level < low if is_short else level > high
    return Hit(where, float(market.open[symbol][where]) if is_beyond else level, reason)


def tick_at(market: Market, contract: Contract, row: int) -> float:
    """The price tick Freqtrade uses for a trade opened on this candle: the finest seen in its month."""
    ticks = _ticks(_Frame(market.frames[contract.symbol]))
    known = ticks[ticks.index <= pd.Timestamp(market.time(row))].dropna().to_numpy(np.float64)
    return float(known[-1]) if known.size else contract.price_tick


class _Frame:
    """A frame as a key: the same object, the same ticks."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def __hash__(self) -> int:
        return id(self.frame)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frame) and other.frame is self.frame


@lru_cache(maxsize=64)
def _ticks(frame: _Frame) -> pd.Series:
    from freqtrade.data.btanalysis.historic_precision import get_tick_size_over_time

    return get_tick_size_over_time(frame.frame[["date", "open", "high", "low", "close"]].copy())


def rounded(price: float, tick: float, *, up: bool | None = None) -> float:
    """A price on the tick, as Freqtrade rounds it: to the nearest, or up or down as a stop-loss."""
    from freqtrade.exchange import ROUND_DOWN, ROUND_UP, price_to_precision
    from freqtrade.exchange.exchange_utils import ROUND, TICK_SIZE

    mode = ROUND if up is None else ROUND_UP if up else ROUND_DOWN
    return float(price_to_precision(price, tick, TICK_SIZE, rounding_mode=mode))
