"""The course of one pair over the last candles: prices, spread and z, for a picture and for the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.thresholds import Thresholds
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.signals.paths import SpreadPath
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.support.clock import as_datetime
from pairbot_ext.support.errors import DataError

CANDLES = 240
MOST_CANDLES = 1000
"""An old pair trade is shown from its entry, but not beyond this."""


@dataclass(frozen=True)
class Course:
    """Arrays have shape (n,), NaN where a candle is missing.

    :param when: close of each candle, UTC.
    :param log_prices: of leg A and leg B.
    :param spread: u - mu, log units. :param z: the same over sigma.
    """

    legs: tuple[str, str]
    limits: Thresholds
    when: list[datetime]
    log_prices: tuple[FloatArray, FloatArray]
    spread: FloatArray
    z: FloatArray


def course_of(book: SignalBook, pair_id: str, trade: PairTrade | None, now: datetime) -> Course:
    """The last candles, from before the entry of an open pair trade on.

    :param trade: the open pair trade, whose own model is shown; None shows the file's.
    :raises DataError: there are no candles of the pair.
    """
    end = book.grid.rows_closed_by(now)
    first = max(0, end - CANDLES)
    if trade is not None:
        opened = as_datetime(trade.created_ms)
        first = max(0, end - MOST_CANDLES, min(first, book.grid.rows_closed_by(opened) - 20))
    path = next((each for each in reversed(book.paths) if each.pair.id == pair_id), None)
    if trade is not None:
        legs, limits = trade.symbols, trade.plan.thresholds
    elif path is not None:
        legs = path.pair.symbols
        limits = book.thresholds(path.pair) or path.pair.own_thresholds
    else:
        raise DataError(f"there are no candles of pair {pair_id} to draw", remedy="Is it in the pairs file?")
    if first >= end or any(symbol not in book.grid.log_close for symbol in legs):
        raise DataError(f"there are no candles of pair {pair_id} to draw", remedy="Ask after the next candle")
    log_a, log_b = (book.grid.log_close[symbol][first:end] for symbol in legs)
    if trade is not None:
        model = trade.plan.model
        spread = log_a - model.alpha - model.beta * log_b - model.mu
        z = spread / model.sigma
    else:
        assert path is not None
        z = _rows(path, path.z, first, end)
        spread = _rows(path, path.spread, first, end)
    when = [book.grid.candle(row) + book.grid.step for row in range(first, end)]
    return Course(legs, limits, when, (log_a, log_b), spread, z)


def _rows(path: SpreadPath, values: FloatArray, first: int, end: int) -> FloatArray:
    """Values of the rows [first, end), NaN before the model begins and after it ends."""
    found = np.full(end - first, np.nan)
    start, stop = max(first, path.first_row), min(end, path.first_row + values.size)
    if start < stop:
        found[start - first : stop - first] = values[start - path.first_row : stop - path.first_row]
    return found
