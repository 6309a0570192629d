"""What Freqtrade's own accounts say of the open legs, read once for everybody who looks.

Money changes with an order, which the journal knows of, and when funding is settled. So the accounts are read
again when the journal has changed, once more when that has settled, and every half minute.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from freqtrade.persistence import Trade
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pairbot_ext.desk.audible import Audible
from pairbot_ext.host.bridge import Bridge
from pairbot_ext.journal.journal import Journal
from pairbot_ext.journal.ledger import PairStatus, read_money, status_of
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.voice.messages import finite

logger = logging.getLogger(__name__)

KEPT_SECS = 30.0
SETTLES_SECS = 1.0
"""Freqtrade books a fill a moment after the journal has heard of it."""


@dataclass(frozen=True)
class ProfitLine:
    """What a trade makes if it is closed at a price, fees and funding included: a line in that price.

    :param per_price: quote currency per unit of price. :param fixed: quote currency.
    """

    per_price: float
    fixed: float

    def at(self, price: float) -> float:
        """Closed at `price`, quote currency."""
        return self.fixed + self.per_price * price


@dataclass(frozen=True)
class Accounts:
    """The open pair trades with their money, and the profit line of each open leg by symbol."""

    statuses: tuple[PairStatus, ...] = ()
    lines: Mapping[str, ProfitLine] = field(default_factory=dict)


class AccountReader:
    """See the module. Asked from several threads."""

    def __init__(self, journal: Journal, bridge: Bridge) -> None:
        self._journal = journal
        self._bridge = bridge
        self._lock = threading.Lock()
        self._accounts = Accounts()
        self._changes = -1
        self._changed_at = -math.inf
        self._read_at = -math.inf

    def now(self) -> Accounts:
        """The accounts as they are known; what cannot be read is left out."""
        with self._lock:
            now, changes = time.monotonic(), self._journal.changes
            if changes != self._changes:
                self._changes, self._changed_at = changes, now
            elif now - self._read_at < self._kept_secs:
                return self._accounts
            self._accounts, is_whole = self._read()
            # What could not be read is tried again as what has just changed.
            self._read_at = now if is_whole else now - KEPT_SECS + SETTLES_SECS
            return self._accounts

    @property
    def _kept_secs(self) -> float:
        return SETTLES_SECS if self._read_at - self._changed_at < SETTLES_SECS else KEPT_SECS

    def _read(self) -> tuple[Accounts, bool]:
        trades = self._journal.open_pair_trades()
        if not trades:
            return Accounts(), True
        orders = {trade.id: list(self._journal.orders_of(trade.id)) for trade in trades}
        ids = [each.order_id for several in orders.values() for each in several if each.order_id]
        money: dict[tuple[str, str], Row[Any]] = {}
        lines: dict[str, ProfitLine] = {}
        is_whole = True
        try:
            with Session(self._bridge.engine) as session:
                money = read_money(session, ids)
            lines = {trade.pair: profit_line(trade) for trade in Trade.get_open_trades()}
        except SQLAlchemyError:
            is_whole = False
            logger.warning("Freqtrade's accounts cannot be read: profit and funding are left out")
        statuses = tuple(status_of(trade, orders[trade.id], money) for trade in trades)
        return Accounts(statuses, lines), is_whole


def profit_line(trade: Trade) -> ProfitLine:
    """Of Freqtrade's own calculation at two prices."""
    first = float(trade.open_rate)
    one, two = (float(trade.calculate_profit(rate).total_profit) for rate in (first, 2 * first))
    per_price = (two - one) / first
    return ProfitLine(per_price, one - per_price * first)


class LivePrices:
    """Prices the bot has seen last, and what Freqtrade's trades would make at them (`views.Market`)."""

    def __init__(
        self,
        bridge: Bridge,
        audible: Audible,
        book: SignalBook | None,
        lines: Mapping[str, ProfitLine],
        now: datetime,
    ) -> None:
        self._bridge = bridge
        self._audible = audible
        self._book = book
        self._lines = lines
        self._now = now

    def price(self, symbol: str) -> float | None:
        """See Market."""
        known = self._audible.price(symbol)
        return self._bridge.last_rate(symbol) if known is None else (known.bid + known.ask) / 2

    def source(self, symbol: str) -> tuple[str | None, float | None]:
        """See Market."""
        known = self._audible.price(symbol)
        if known is None:
            return "REST", None
        return str(known.source), self._audible.age_secs(known)

    def profit(self, symbol: str, price: float) -> float | None:
        """See Market."""
        line = self._lines.get(symbol)
        return None if line is None else line.at(price)

    def z(self, plan: EntryPlan, price_a: float | None, price_b: float | None) -> float | None:
        """See Market."""
        if price_a and price_b:
            return plan.model.z(math.log(price_a), math.log(price_b))
        if self._book is None or not (rows := self._book.grid.rows_closed_by(self._now)):
            return None
        return finite(self._book.z(plan, self._book.grid.candle(rows - 1)))
