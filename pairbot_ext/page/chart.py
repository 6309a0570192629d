"""The numbers behind the charts of one pair: prices, spread, z, and where its pair trades begin and end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.control.course import course_of
from pairbot_ext.control.refusals import NotNowError
from pairbot_ext.control.service import PairsNow
from pairbot_ext.desk.trade_desk import TradeDesk
from pairbot_ext.journal.ledger import PairStatus, read_ledger
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.support.clock import as_datetime
from pairbot_ext.voice.messages import finite

MOST_TRADES = 50


def chart_of(desk: TradeDesk, pairs: PairsNow, pair_id: str) -> dict[str, Any]:
    """A document: candle closes (epoch s) with prices, spread and z, null where a candle is missing; entries
    and exits on them. Raises PairbotError."""
    if pairs.book is None:
        raise NotNowError("no candle has been analysed yet", remedy="Ask again after the next candle")
    now = as_datetime(desk.clock.now_ms())
    trade = next((each for each in desk.journal.open_pair_trades() if each.plan.pair_id == pair_id), None)
    course = course_of(pairs.book, pair_id, trade, now)
    try:
        past = read_ledger(desk.bridge.engine, pair_id=pair_id, last=MOST_TRADES)
    except SQLAlchemyError:
        past = []
    first_ms = int(course.when[0].timestamp() * 1000) if course.when else 0
    return {
        "pair": pair_id,
        "legs": list(course.legs),
        "candle_secs": pairs.candle_secs,
        "entry_z": course.limits.entry,
        "exit_z": course.limits.exit,
        "stop_z": course.limits.stop,
        "times": [_secs(when) for when in course.when],
        "price_a": _prices(course.log_prices[0]),
        "price_b": _prices(course.log_prices[1]),
        "spread": _plain(course.spread, 6),
        "z": _plain(course.z, 4),
        "trades": [_mark(each) for each in past if (each.trade.closed_ms or first_ms) >= first_ms],
    }


def _secs(when: datetime) -> int:
    return int(when.timestamp())


def _prices(log_prices: FloatArray) -> list[float | None]:
    return [None if value != value else float(f"{value:.8g}") for value in np.exp(log_prices)]


def _plain(values: FloatArray, digits: int) -> list[float | None]:
    return [None if value != value else round(float(value), digits) for value in values]


def _mark(status: PairStatus) -> dict[str, Any]:
    trade = status.trade
    return {
        "id": trade.id,
        "state": trade.state,
        "reason": trade.reason,
        "opened_ms": trade.hedged_ms or trade.created_ms,
        "closed_ms": trade.closed_ms,
        "was_hedged": trade.was_hedged,
        "direction": trade.plan.direction,
        "z_at_entry": finite(trade.plan.z),
        "profit": finite(status.profit),
    }
