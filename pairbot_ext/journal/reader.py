"""What the journal knows, read from memory: its writer is the only one while the bot runs."""

import itertools
import json
import threading
from collections.abc import Collection
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from pairbot_ext.journal.tables import OrderRow, PairTradeRow
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import PairState, Role

NOT_DURABLE_FROM = 5_000
"""Attempts from here on number orders whose intent could not be made durable; an id has room for 9,999."""


class JournalReader:
    """The reading half of `Journal`, which fills the dictionaries.

    :param engine: for the little that is not kept in memory.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._trades: dict[str, PairTrade] = {}
        self._orders: dict[str, OrderRecord] = {}
        self._settings: dict[str, str] = {}
        self.changes = 0
        """Grows whenever something is changed or stored: who shows the journal looks again only then."""

    def pair_trade(self, pair_trade_id: str) -> PairTrade | None:
        """One pair trade; None where it is unknown or final since the bot started."""
        with self._lock:
            return self._trades.get(pair_trade_id)

    def open_pair_trades(self) -> list[PairTrade]:
        """Every pair trade that is not final, oldest first, then by pair: ids are random (I11)."""
        with self._lock:
            trades = [trade for trade in self._trades.values() if not trade.state.is_final]
        return sorted(trades, key=lambda trade: (trade.created_ms, trade.plan.pair_id, trade.id))

    def owner_of(self, symbol: str) -> PairTrade | None:
        """The pair trade that holds or is about to hold `symbol`, or None (there is at most one, I7)."""
        return next((trade for trade in self.open_pair_trades() if symbol in trade.symbols), None)

    def orders_of(self, pair_trade_id: str) -> tuple[OrderRecord, ...]:
        """The orders of one pair trade in the order they were meant."""
        with self._lock:
            orders = [order for order in self._orders.values() if order.pair_trade_id == pair_trade_id]
        return tuple(sorted(orders, key=lambda order: (order.intent_ms, order.leg, order.attempt)))

    def order(self, client_id: str) -> OrderRecord | None:
        """One order by its client order id."""
        with self._lock:
            return self._orders.get(client_id)

    def order_by_venue_id(self, symbol: str, order_id: str) -> OrderRecord | None:
        """One order by the venue's id."""
        with self._lock:
            return next(
                (o for o in self._orders.values() if o.symbol == symbol and o.order_id == order_id), None
            )

    def lone_orders(self) -> list[OrderRecord]:
        """Orders of symbols in no pair trade, of the last day or of this run, oldest first."""
        with self._lock:
            orders = [order for order in self._orders.values() if order.pair_trade_id not in self._trades]
        return sorted(orders, key=lambda order: order.intent_ms)

    def next_attempt(self, pair_trade_id: str, leg: Leg, role: Role) -> int:
        """The number of the next order of this leg and role, from 1."""
        with self._lock:
            taken = self._attempts(pair_trade_id, leg, role)
        number = max((number for number in taken if number < NOT_DURABLE_FROM), default=0) + 1
        return next(free for free in itertools.count(number) if free not in taken)

    def _attempts(self, pair_trade_id: str, leg: Leg, role: Role) -> set[int]:
        return {
            order.attempt
            for order in self._orders.values()
            if (order.pair_trade_id, order.leg, order.role) == (pair_trade_id, leg, role)
        }

    def knows_any(self, order_ids: Collection[str]) -> bool:
        """Whether one of these exchange order ids was ever journalled."""
        with Session(self._engine) as session:
            found = session.scalar(
                select(OrderRow.client_id).where(OrderRow.order_id.in_(order_ids)).limit(1)
            )
        return found is not None

    def left_pairs(self, *, dry_run: bool) -> list[tuple[str, str, str, str, int]]:
        """(pair id, leg A, leg B, reason, closed at) of the mode's final pair trades that held something,
        oldest first."""
        final = [state.value for state in PairState if state.is_final]
        wanted = select(PairTradeRow).where(PairTradeRow.state.in_(final), PairTradeRow.dry_run.is_(dry_run))
        with Session(self._engine) as session:
            fills = session.execute(select(OrderRow.pair_trade_id, OrderRow.filled)).all()
            held = {pair_trade_id for pair_trade_id, filled in fills if filled}
            found = [
                (row.pair_id, row.leg_a, row.leg_b, row.reason, row.closed_ms or row.updated_ms)
                for row in session.scalars(wanted)
                if row.id in held
            ]
        return sorted(found, key=lambda each: each[-1])

    def setting(self, key: str) -> Any | None:
        """What `set_setting` has stored, in this run or an earlier one; None where there is nothing."""
        with self._lock:
            text = self._settings.get(key)
        return None if text is None else json.loads(text)
