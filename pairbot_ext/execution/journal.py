"""The journal: what was meant, what was sent, what became of it.

Every change is committed in a transaction of its own before the caller goes on, and kept in memory: while
the bot runs it is the only writer, so reads never touch the database. Where the database cannot be written,
opening anything new is refused (JournalUnavailableError) and what makes a position smaller goes to the intent
file instead (I1, I5).
"""

import json
import logging
import threading
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pairbot_ext.errors import PairbotError
from pairbot_ext.execution.clock import Clock
from pairbot_ext.execution.intentfile import IntentFile
from pairbot_ext.execution.plan import EntryPlan
from pairbot_ext.execution.records import Event, OrderRecord, PairTrade, Sizing
from pairbot_ext.execution.schema import migrate
from pairbot_ext.execution.states import Goal, OrderStatus, PairState, Role
from pairbot_ext.execution.store import (
    Write,
    event_write,
    journal_engine,
    order_of,
    order_write,
    pair_trade_of,
    setting_write,
    trade_write,
)
from pairbot_ext.execution.tables import OrderRow, PairTradeRow, SettingRow
from pairbot_ext.sizing import Leg

logger = logging.getLogger(__name__)


class JournalUnavailableError(PairbotError):
    """The journal cannot be written: nothing new may be opened."""


class Journal:
    """Pair trades, orders and events; see the module."""

    def __init__(self, engine: Engine, clock: Clock, intent_file: IntentFile) -> None:
        self._engine = journal_engine(engine)
        self._clock = clock
        self._file = intent_file
        self._lock = threading.RLock()
        self._trades: dict[str, PairTrade] = {}
        self._orders: dict[str, OrderRecord] = {}
        self._unsaved_trades: set[str] = set()
        self._unsaved_orders: set[str] = set()
        self._unsaved_events: list[Event] = []
        self._settings: dict[str, str] = {}
        self.is_degraded = False

    def open(self) -> None:
        """Create or migrate the tables, then load every pair trade that is not final. Raises PairbotError."""
        migrate(self._engine)
        with Session(self._engine) as session:
            final = [state.value for state in PairState if state.is_final]
            rows = session.scalars(select(PairTradeRow).where(PairTradeRow.state.not_in(final))).all()
            self._trades = {row.id: pair_trade_of(row) for row in rows}
            orders = session.scalars(select(OrderRow).where(OrderRow.pair_trade_id.in_(self._trades))).all()
            self._orders = {row.client_id: self._as_left_behind(order_of(row)) for row in orders}
            self._settings = {row.key: row.value for row in session.scalars(select(SettingRow))}
        for order in self._file.open():
            self._orders[order.client_id] = self._as_left_behind(order)
            self._adopt_goal(order)
        self.recover()

    def _as_left_behind(self, order: OrderRecord) -> OrderRecord:
        """An intent of an earlier process may have been sent: only the venue can tell."""
        if order.status.is_settled:
            return order
        sent_ms = order.sent_ms or self._clock.now_ms()
        return replace(order, status=OrderStatus.UNKNOWN, sent_ms=sent_ms)

    def _adopt_goal(self, order: OrderRecord) -> None:
        """An exit found in the intent file says where its pair trade was heading."""
        trade = self._trades.get(order.pair_trade_id)
        if trade is not None and trade.goal is Goal.OPEN and order.role in (Role.EXIT, Role.UNWIND):
            goal = Goal.CLOSE if order.role is Role.EXIT else Goal.ABORT
            self._trades[trade.id] = replace(trade, goal=goal, reason=trade.reason or order.reason)
            self._unsaved_trades.add(trade.id)

    # -- reading -----------------------------------------------------------------------------------

    def pair_trade(self, pair_trade_id: str) -> PairTrade | None:
        """One pair trade; None where it is unknown or final since the bot started."""
        with self._lock:
            return self._trades.get(pair_trade_id)

    def open_pair_trades(self) -> list[PairTrade]:
        """Every pair trade that is not final, oldest first."""
        with self._lock:
            trades = [trade for trade in self._trades.values() if not trade.state.is_final]
        return sorted(trades, key=lambda trade: (trade.created_ms, trade.id))

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

    def next_attempt(self, pair_trade_id: str, leg: Leg, role: Role) -> int:
        """The number of the next order of this leg and role, from 1."""
        with self._lock:
            taken = [
                order.attempt
                for order in self._orders.values()
                if (order.pair_trade_id, order.leg, order.role) == (pair_trade_id, leg, role)
            ]
        return max(taken, default=0) + 1

    def last_closed_ms(self, reason: str) -> dict[str, int]:
        """Per pair id, when a pair trade was last closed for `reason`, epoch milliseconds."""
        last: dict[str, int] = {}
        with Session(self._engine) as session:
            rows = session.scalars(select(PairTradeRow).where(PairTradeRow.reason == reason)).all()
            for row in rows:
                last[row.pair_id] = max(last.get(row.pair_id, 0), row.closed_ms or row.updated_ms)
        return last

    def setting(self, key: str) -> Any | None:
        """What `set_setting` has stored, in this run or an earlier one; None where there is nothing."""
        with self._lock:
            text = self._settings.get(key)
        return None if text is None else json.loads(text)

    # -- writing -----------------------------------------------------------------------------------

    def add_pair_trade(
        self, pair_trade_id: str, plan: EntryPlan, sizing: Sizing, *, dry_run: bool
    ) -> PairTrade:
        """Store a new pair trade, PLANNED. Raises JournalUnavailableError."""
        now = self._clock.now_ms()
        trade = PairTrade(
            id=pair_trade_id,
            plan=plan,
            sizing=sizing,
            state=PairState.PLANNED,
            goal=Goal.OPEN,
            was_hedged=False,
            reason="",
            dry_run=dry_run,
            created_ms=now,
            updated_ms=now,
        )
        with self._lock:
            event = Event(trade.id, now, "planned", {"pair": plan.pair_id, "z": round(plan.z, 4)})
            self._commit_or_refuse(trade_write(trade), event_write(event))
            self._trades[trade.id] = trade
        return trade

    def change_pair_trade(self, pair_trade_id: str, **changes: Any) -> PairTrade:
        """Change fields. Stored with the next order or `flush`, and retried where the database cannot be
        written: state and goal can be derived again from the orders, so no order waits for them."""
        with self._lock:
            trade = replace(self._trades[pair_trade_id], updated_ms=self._clock.now_ms(), **changes)
            self._trades[pair_trade_id] = trade
            self._unsaved_trades.add(pair_trade_id)
        return trade

    def add_order(self, order: OrderRecord) -> None:
        """Make an intent durable (I1).

        :raises JournalUnavailableError: where it would make a position larger and the database cannot be
            written, or where not even the intent file can.
        """
        with self._lock:
            try:
                if self.is_degraded and order.reduce_only:
                    raise SQLAlchemyError("the database could not be written a moment ago")
                self._commit(order_write(order))
            except SQLAlchemyError as error:
                self._degrade(error)
                if not order.reduce_only:
                    raise JournalUnavailableError(
                        f"the journal cannot be written: {_short(error)}",
                        remedy="Nothing new is opened until it can; exits go on through the intent file",
                    ) from error
                self._put_file(order)
            self._orders[order.client_id] = order

    def change_order(self, client_id: str, **changes: Any) -> OrderRecord:
        """Store what became of an order. Never raises for a database that cannot be written: what the venue
        has answered is a fact, kept in memory and in the intent file until it can be stored."""
        with self._lock:
            order = replace(self._orders[client_id], **changes)
            self._orders[client_id] = order
            try:
                if self.is_degraded:
                    raise SQLAlchemyError("the database could not be written a moment ago")
                self._commit(order_write(order))
            except SQLAlchemyError as error:
                self._degrade(error)
                self._unsaved_orders.add(client_id)
                self._put_file(order, must=False)
        return order

    def add_event(self, pair_trade_id: str | None, kind: str, **detail: Any) -> None:
        """Append a line to the history. Stored with the next change or `flush`: no order waits for it."""
        with self._lock:
            self._unsaved_events.append(Event(pair_trade_id, self._clock.now_ms(), kind, detail))

    def set_setting(self, key: str, value: Any) -> None:
        """Store a setting at once.

        :param value: anything JSON can hold; None is what a setting is that was never set.
        :raises JournalUnavailableError: the database cannot be written; the setting is what it was.
        """
        write = setting_write(key, value, self._clock.now_ms())
        with self._lock:
            self._commit_or_refuse(write)
            self._settings[key] = write.values["value"]

    def forget_final(self, older_than_ms: int) -> None:
        """Drop pair trades from memory that became final before then (they stay in the database)."""
        with self._lock:
            done = {
                trade.id
                for trade in self._trades.values()
                if trade.state.is_final
                and trade.updated_ms < older_than_ms
                and trade.id not in self._unsaved_trades
            }
            if not done or self.is_degraded or not self._file.is_empty:
                return
            self._trades = {key: trade for key, trade in self._trades.items() if key not in done}
            self._orders = {
                key: order for key, order in self._orders.items() if order.pair_trade_id not in done
            }

    def recover(self) -> bool:
        """Try to write what could not be written. Returns whether the journal is whole."""
        with self._lock:
            self.is_degraded = False
            self.flush()
            waiting = self._unsaved_orders | {key for key in self._orders if self._file.has(key)}
            for client_id in sorted(waiting):
                if self.is_degraded:
                    break
                try:
                    self._commit(order_write(self._orders[client_id]))
                except SQLAlchemyError as error:
                    self._degrade(error)
                else:
                    self._unsaved_orders.discard(client_id)
                    self._file.drop(client_id)
            return not self.is_degraded

    def close(self) -> None:
        """Store what is queued and release the intent file."""
        with self._lock:
            self.recover()
            self._file.close()

    # -- the database ------------------------------------------------------------------------------

    def _commit(self, *writes: Write) -> None:
        """Store `writes` and what is queued in one transaction."""
        queued = [trade_write(self._trades[key]) for key in sorted(self._unsaved_trades)]
        queued += [event_write(event) for event in self._unsaved_events]
        with self._engine.begin() as connection:
            for write in (*writes, *queued):
                write.run(connection)
        self._unsaved_trades.clear()
        self._unsaved_events.clear()

    def _commit_or_refuse(self, *writes: Write) -> None:
        try:
            self._commit(*writes)
        except SQLAlchemyError as error:
            self._degrade(error)
            raise JournalUnavailableError(
                f"the journal cannot be written: {_short(error)}",
                remedy="Nothing new is opened until it can",
            ) from error

    def flush(self) -> None:
        """Store what is queued."""
        if self.is_degraded or not (self._unsaved_trades or self._unsaved_events):
            return
        try:
            self._commit()
        except SQLAlchemyError as error:
            self._degrade(error)

    def _degrade(self, error: Exception) -> None:
        if not self.is_degraded:
            logger.error(f"The journal cannot be written, entries stop, exits go on: {_short(error)}")
        self.is_degraded = True

    def _put_file(self, order: OrderRecord, *, must: bool = True) -> None:
        try:
            self._file.put(order)
        except OSError as error:
            logger.error(f"The intent file cannot be written either: {error}")
            if must:
                raise JournalUnavailableError(
                    f"neither the database nor the intent file can be written: {error}",
                    remedy="Free the disk; until then close positions on the venue by hand",
                ) from error


def signed_fill(order: OrderRecord) -> Decimal:
    """What the order did to its leg: positive where it made it bigger, base currency."""
    return order.filled if order.role.increases else -order.filled


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
