"""The journal: what was meant, what was sent, what became of it.

Every change is committed in a transaction of its own before the caller goes on, and kept in memory: while
the bot runs it is the only writer, so reads never touch the database. Where the database cannot be written,
opening anything new is refused (JournalUnavailableError) and what makes a position smaller goes to the intent
file instead (I1, I5).
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, and_, or_, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from pairbot_ext.journal.intentfile import IntentFile
from pairbot_ext.journal.reader import NOT_DURABLE_FROM, JournalReader
from pairbot_ext.journal.schema import migrate
from pairbot_ext.journal.store import (
    NO_CHANGE,
    Write,
    event_write,
    hold_database,
    journal_engine,
    order_of,
    order_write,
    pair_trade_of,
    setting_write,
    trade_write,
)
from pairbot_ext.journal.tables import OrderRow, PairTradeRow, SettingRow
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import Event, OrderRecord, PairTrade, Sizing
from pairbot_ext.model.states import ClientOrderId, Goal, OrderStatus, PairState, Role
from pairbot_ext.support.clock import Clock
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import scrub

logger = logging.getLogger(__name__)

DAY_MS = 86_400_000


class JournalUnavailableError(PairbotError):
    """The journal cannot be written: nothing new may be opened."""


class Journal(JournalReader):
    """Pair trades, orders, events and settings; see the module."""

    def __init__(self, engine: Engine, clock: Clock, intent_file: IntentFile) -> None:
        super().__init__(journal_engine(engine))
        self._is_engine_own = self._engine is not engine
        self._clock = clock
        self._file = intent_file
        self._unsaved_trades: set[str] = set()
        self._unsaved_orders: set[str] = set()
        self._unsaved_events: list[Event] = []
        self._holder: Connection | None = None
        self._queued_since_ms: int | None = None
        self.is_degraded = False

    def open(self) -> None:
        """Create or migrate the tables, then load every pair trade that is not final. Raises PairbotError:
        the database cannot be written, is newer than this version, or another bot has it open."""
        with self._lock:
            try:
                # The file first: its lock keeps two bots from migrating one database at once.
                left_behind = self._file.open()
                self._holder = hold_database(self._engine)
                migrate(self._engine)
                self._load(left_behind)
            except BaseException:
                self.release()
                raise
            self.recover()

    def _load(self, left_behind: list[OrderRecord]) -> None:
        in_file = [order.client_id for order in left_behind]
        with Session(self._engine) as session:
            final = [state.value for state in PairState if state.is_final]
            rows = session.scalars(select(PairTradeRow).where(PairTradeRow.state.not_in(final))).all()
            self._trades = {row.id: pair_trade_of(row) for row in rows}
            lone = OrderRow.pair_trade_id.not_in(select(PairTradeRow.id))
            wanted = or_(
                OrderRow.pair_trade_id.in_(self._trades),
                OrderRow.client_id.in_(in_file),
                and_(lone, OrderRow.intent_ms >= self._clock.now_ms() - DAY_MS),
            )
            orders = session.scalars(select(OrderRow).where(wanted)).all()
            self._orders = {row.client_id: self._as_left_behind(order_of(row)) for row in orders}
            self._settings = {row.key: row.value for row in session.scalars(select(SettingRow))}
        for order in left_behind:
            known = self._orders.get(order.client_id)
            # A crash between the commit and the freeing of the slot leaves the older news in the file.
            if known is None or not known.status.is_settled:
                self._orders[order.client_id] = self._as_left_behind(order)
            self._adopt_goal(order)

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
            self._queued()

    @property
    def intent_path(self) -> Path:
        """Where intents are kept while the database cannot be written."""
        return self._file.path

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
            self.changes += 1
        return trade

    def change_pair_trade(self, pair_trade_id: str, **changes: Any) -> PairTrade:
        """Change fields. Stored with the next order or `flush`, and retried where the database cannot be
        written: state and goal can be derived again from the orders, so no order waits for them."""
        with self._lock:
            trade = replace(self._trades[pair_trade_id], updated_ms=self._clock.now_ms(), **changes)
            self._trades[pair_trade_id] = trade
            self._unsaved_trades.add(pair_trade_id)
            self.changes += 1
            self._queued()
        return trade

    def add_order(self, order: OrderRecord) -> OrderRecord:
        """`add_orders` of one."""
        return self.add_orders([order])[0]

    def add_orders(self, orders: Sequence[OrderRecord]) -> list[OrderRecord]:
        """Make intents durable before any of them is sent (I1): in the database, all in one transaction, or,
        where they make positions smaller and the database cannot be written, in the intent file.

        Where not even that can be written, an order that makes a position smaller goes out all the same
        (I5): it can neither enlarge nor turn a position, and if the process ends too before anything can be
        written again, the reconciler finds the smaller position and its fill on the venue. Such an order is
        numbered apart, so that a later process that knows nothing of it does not use its id again.

        :returns: the orders as they are to be sent.
        :raises JournalUnavailableError: one would make a position larger and the database cannot be written.
        """
        may_use_file = all(order.reduce_only for order in orders)
        with self._lock:
            if not (self.is_degraded and may_use_file):
                try:
                    self._commit(*(order_write(order) for order in orders))
                except SQLAlchemyError as error:
                    self._degrade(error)
                    if not may_use_file:
                        raise JournalUnavailableError(
                            f"the journal cannot be written: {_short(error)}",
                            remedy="Nothing new is opened until it can; exits go on through the intent file",
                        ) from error
            if self.is_degraded and may_use_file:
                orders = [self._kept_in_file(order) for order in orders]
            self._orders |= {order.client_id: order for order in orders}
            self.changes += 1
        return list(orders)

    def _kept_in_file(self, order: OrderRecord) -> OrderRecord:
        """`order` in the intent file, or numbered apart where that cannot be written either."""
        if self._put_file(order):
            return order
        order = self._numbered_apart(order)
        self._unsaved_orders.add(order.client_id)
        self._queued()
        logger.error(
            f"{order.client_id} ({order.side} {order.amount} {order.symbol}, reduce-only) goes out "
            "without a durable intent: neither the database nor the intent file can be written. "
            "Free the disk; if the bot ends before, compare the positions on the venue"
        )
        self.add_event(order.pair_trade_id, "not_durable", order=order.client_id)
        return order

    def _numbered_apart(self, order: OrderRecord) -> OrderRecord:
        parsed = ClientOrderId.parse(order.client_id)
        if parsed is None:
            return order
        taken = self._attempts(order.pair_trade_id, order.leg, order.role)
        start = NOT_DURABLE_FROM + self._clock.now_ms() // 1000 % (10_000 - NOT_DURABLE_FROM)
        numbers = (*range(start, 10_000), *range(NOT_DURABLE_FROM, start))
        attempt = next(number for number in numbers if number not in taken)
        return replace(order, attempt=attempt, client_id=str(replace(parsed, attempt=attempt)))

    def change_order(self, client_id: str, **changes: Any) -> OrderRecord:
        """Store what became of an order. Never raises for a database that cannot be written: what the venue
        has answered is a fact, kept in memory and in the intent file until it can be stored."""
        if changes.get("error"):
            # An error of ccxt holds the request's URL, and that the signature.
            changes["error"] = scrub(changes["error"])
        with self._lock:
            order = replace(self._orders[client_id], **changes)
            self._orders[client_id] = order
            self.changes += 1
            if not self.is_degraded:
                try:
                    self._commit(order_write(order))
                except SQLAlchemyError as error:
                    self._degrade(error)
            if self.is_degraded:
                self._unsaved_orders.add(client_id)
                self._queued()
                self._put_file(order)
        return order

    def add_event(self, pair_trade_id: str | None, kind: str, **detail: Any) -> None:
        """Append a line to the history. Stored with the next change or `flush`: no order waits for it."""
        detail = {key: scrub(value) if isinstance(value, str) else value for key, value in detail.items()}
        with self._lock:
            self._unsaved_events.append(Event(pair_trade_id, self._clock.now_ms(), kind, detail))
            self._queued()

    def set_setting(self, key: str, value: Any) -> None:
        """Store a setting at once.

        :param value: anything JSON can hold; None is what a setting is that was never set.
        :raises JournalUnavailableError: the database cannot be written; the setting is what it was.
        """
        write = setting_write(key, value, self._clock.now_ms())
        with self._lock:
            self._commit_or_refuse(write)
            self._settings[key] = write.values["value"]
            self.changes += 1

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
            waiting = sorted(self._unsaved_orders | {key for key in self._orders if self._file.has(key)})
            if not (waiting or self._has_queue or self.is_degraded):
                return True
            try:
                # One transaction: a pair trade never counts as final before its orders are there. With
                # nothing to store, only a write that changes nothing tells whether the database is back.
                self._commit(*(order_write(self._orders[client_id]) for client_id in waiting), NO_CHANGE)
                self.is_degraded = False
            except SQLAlchemyError as error:
                self._degrade(error)
                return False
            self._unsaved_orders.clear()
            self._queued_since_ms = None
            for client_id in waiting:
                try:
                    self._file.drop(client_id)
                except OSError as error:
                    logger.error(f"{client_id} is in the database and cannot leave the intent file: {error}")
                    break
            return True

    def flush(self) -> None:
        """Store what is queued."""
        with self._lock:
            if self.is_degraded or not self._has_queue:
                return
            try:
                self._commit()
            except SQLAlchemyError as error:
                self._degrade(error)

    def close(self) -> None:
        """Store what is queued; release the intent file, its lock and the database connections."""
        with self._lock:
            try:
                self.recover()
            finally:
                self.release()

    # -- the database ------------------------------------------------------------------------------

    @property
    def lag_secs(self) -> float:
        """How long the oldest change has been waiting for the database; 0 where all are in it."""
        since_ms = self._queued_since_ms
        return 0.0 if since_ms is None else (self._clock.now_ms() - since_ms) / 1000

    def _queued(self) -> None:
        if self._queued_since_ms is None:
            self._queued_since_ms = self._clock.now_ms()

    @property
    def _has_queue(self) -> bool:
        return bool(self._unsaved_trades or self._unsaved_events)

    def _commit(self, *writes: Write) -> None:
        """Store `writes` and what is queued in one transaction."""
        queued = [trade_write(self._trades[key]) for key in sorted(self._unsaved_trades)]
        queued += [event_write(event) for event in self._unsaved_events]
        for is_last in (False, True):
            try:
                with self._engine.begin() as connection:
                    for write in (*writes, *queued):
                        write.run(connection)
                break
            except DBAPIError as error:
                # A server that has dropped an idle connection is no database that cannot be written. Rows
                # with a key are replaced, so a commit whose answer was lost does no harm.
                if is_last or not error.connection_invalidated:
                    raise
        self._unsaved_trades.clear()
        self._unsaved_events.clear()
        if not self._unsaved_orders:
            self._queued_since_ms = None
        self.changes += 1

    def _commit_or_refuse(self, *writes: Write) -> None:
        try:
            self._commit(*writes)
        except SQLAlchemyError as error:
            self._degrade(error)
            raise JournalUnavailableError(
                f"the journal cannot be written: {_short(error)}",
                remedy="Nothing new is opened until it can",
            ) from error

    def _degrade(self, error: Exception) -> None:
        if not self.is_degraded:
            logger.error(f"The journal cannot be written, entries stop, exits go on: {_short(error)}")
        self.is_degraded = True

    def _put_file(self, order: OrderRecord) -> bool:
        """Whether `order` is durable in the intent file now."""
        try:
            evicted = self._file.put(order)
        except OSError as error:
            logger.error(f"The intent file cannot be written either: {error}")
            return False
        if evicted is not None:
            self._unsaved_orders.add(evicted)
        return True

    def release(self) -> None:
        """Let go of file, lock and connections, as they are: what the kernel does for a dead process."""
        self._file.close()
        if self._holder is not None:
            self._holder.close()
            self._holder = None
        if self._is_engine_own:
            self._engine.dispose()


def signed_fill(order: OrderRecord) -> Decimal:
    """What the order did to its leg: positive where it made it bigger, base currency."""
    return order.filled if order.role.increases else -order.filled


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
