"""What the pictures of a walk-forward show, as arrays: the page and the sheet draw the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pairbot_ext.research.placebos import count_nets
from pairbot_ext.research.walkforward import WalkForward
from pairbot_ext.stats.arrays import FloatArray

WEEKS_OF_A_MONTH = 5


def _span(result: WalkForward) -> slice:
    """Rows of the market from the first epoch to the last close."""
    grid = result.outcome.market.grid
    first = grid.rows_closed_by(result.weekly.index[0].to_pydatetime())
    last = int(result.trades["closed_row"].max()) + 1
    return slice(max(first, 0), max(last, first + 1))


def times(result: WalkForward) -> pd.DatetimeIndex:
    """Open times of the candles that are drawn. Shape (m,)."""
    market, span = result.outcome.market, _span(result)
    return pd.date_range(market.time(span.start), periods=span.stop - span.start, freq=market.step)


def equity_and_fall(result: WalkForward) -> tuple[FloatArray, FloatArray]:
    """The wallet with open legs marked to market, and how far it lies below its highest. Shape (m,) each."""
    equity = result.outcome.equity[_span(result)]
    return equity, equity - np.maximum.accumulate(equity)


def open_pairs(result: WalkForward) -> tuple[FloatArray, FloatArray]:
    """Open pairs, and the notional of all legs over the wallet. Shape (m,) each."""
    size, span = result.outcome.market.grid.size, _span(result)
    count, notional = np.zeros(size), np.zeros(size)
    trades = result.trades
    for opened, closed, each in zip(
        trades["opened_row"], trades["closed_row"], trades["notional"], strict=True
    ):
        count[int(opened) : int(closed)] += 1
        notional[int(opened) : int(closed)] += float(each)
    return count[span], notional[span] / result.outcome.terms.wallet


def calendar(result: WalkForward) -> tuple[list[str], FloatArray]:
    """Months, and each week's net in bp of the wallet. Shape (weeks of a month, months)."""
    months = [f"{when:%Y-%m}" for when in result.weekly.index]
    order = list(dict.fromkeys(months))
    grid = np.full((WEEKS_OF_A_MONTH, len(order)), np.nan)
    for month, (when, value) in zip(months, result.weekly.items(), strict=True):
        grid[(when.day - 1) // 7, order.index(month)] = 1e4 * value  # type: ignore[attr-defined]
    return order, grid


def strategy_counts(result: WalkForward) -> FloatArray:
    """Pair trades in each bin of `placebos.NET_EDGES`."""
    return count_nets(result.trades["net_bp"].to_numpy(np.float64))


def shares(counts: FloatArray) -> FloatArray:
    """Of all in each bin; zeros where there is none."""
    return counts / max(float(counts.sum()), 1.0)
