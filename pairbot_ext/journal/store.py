"""Records as rows: how the journal's records are written to the database and read back."""

import json
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from pairbot_ext.journal.tables import EventRow, OrderRow, PairTradeRow, SchemaRow, SettingRow
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import Event, OrderRecord, PairTrade, Sizing
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal, OrderStatus, PairState, Refusal, Role
from pairbot_ext.support.errors import PairbotError

SQLITE_BUSY_TIMEOUT_SECS = 0.5
"""How long a locked SQLite file may hold up an order; SQLAlchemy's default of 5 s would be paid per write."""
POSTGRESQL_CONNECT_SECS = 2
POSTGRESQL_OPTIONS = "-c lock_timeout=500 -c statement_timeout=2000 -c synchronous_commit=on"
"""Times in ms. A server that commits without waiting for its disk makes no intent durable (I1)."""
_ADVISORY_LOCK = int.from_bytes(b"pairbot", "big")
"""Of this database; other programs' locks have other numbers."""


def journal_engine(engine: Engine) -> Engine:
    """The engine the journal writes through: the database of `engine`, with a short wait on locks and
    connections of its own, so that no transaction of Freqtrade's holds ours up or is committed by it. An
    in-memory database has one connection for all: there it is `engine` itself."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        if isinstance(engine.pool, StaticPool):
            return engine
        return create_engine(
            url, connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_TIMEOUT_SECS}
        )
    if engine.dialect.name == "postgresql" and engine.dialect.driver in ("psycopg", "psycopg2"):
        options = f"{url.query.get('options', '')} {POSTGRESQL_OPTIONS}".strip()
        return create_engine(
            url, connect_args={"connect_timeout": POSTGRESQL_CONNECT_SECS, "options": options}, pool_size=2
        )
    return create_engine(url, pool_size=2)


def hold_database(engine: Engine) -> Connection | None:
    """Keep a second bot from a database on a server, which may run on another machine: a PostgreSQL advisory
    lock, held as long as the connection returned (it is lost when the server restarts). None for SQLite,
    where the lock on the intent file beside the database does it.

    :raises PairbotError: another bot holds it, or the server cannot be asked.
    """
    if engine.dialect.name != "postgresql":
        return None
    shown = engine.url.render_as_string()
    try:
        connection = engine.connect()
        # Out of the pool: closing it ends the session, and the lock with it.
        connection.detach()
        is_held = connection.scalar(select(func.pg_try_advisory_lock(_ADVISORY_LOCK)))
        connection.commit()
    except SQLAlchemyError as error:
        raise PairbotError(
            f"the journal in {shown} cannot be opened: {str(error).splitlines()[0]}",
            remedy="Check that the server runs and lets this user in",
        ) from error
    if not is_held:
        connection.close()
        raise PairbotError(
            f"another bot has this bot's database {shown} open",
            remedy="Stop that bot, or give this one a database of its own (db_url)",
        )
    return connection


@dataclass(frozen=True)
class Write:
    """One row to store. With a key it replaces the row that has it, without it is appended."""

    table: Table
    values: dict[str, Any]
    key: str | None = None

    def run(self, connection: Connection) -> None:
        """Plain statements: the order path waits for them."""
        if self.key is not None:
            column = self.table.c[self.key]
            changed = connection.execute(
                self.table.update().where(column == self.values[self.key]).values(self.values)
            )
            if changed.rowcount:
                return
        connection.execute(self.table.insert().values(self.values))


NO_CHANGE = Write(cast(Table, SchemaRow.__table__), {"id": 1}, "id")
"""Proves that the database can be written."""


def storable(text: str) -> str:
    """`text` as every database takes it: PostgreSQL refuses NUL, no driver encodes a lone surrogate. One
    such character in a venue's message would otherwise keep everything queued behind it from being stored."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def order_write(order: OrderRecord) -> Write:
    """The row of an order."""
    values = dict(vars(order))
    values.update(leg=order.leg.value, role=order.role.value, status=order.status.value)
    values["refusal"] = None if order.refusal is None else order.refusal.value
    values["reason"] = storable(order.reason)[:255]
    values["error"] = None if order.error is None else storable(order.error)
    return Write(cast(Table, OrderRow.__table__), values, "client_id")


def trade_write(trade: PairTrade) -> Write:
    """The row of a pair trade."""
    values = {
        "id": trade.id,
        "pair_id": trade.plan.pair_id,
        "leg_a": trade.plan.leg_a,
        "leg_b": trade.plan.leg_b,
        "state": trade.state.value,
        "goal": trade.goal.value,
        "was_hedged": trade.was_hedged,
        "reason": storable(trade.reason),
        "plan": json.dumps(trade.plan.to_json()),
        "sizing": json.dumps(trade.sizing.to_json()),
        "dry_run": trade.dry_run,
        "created_ms": trade.created_ms,
        "updated_ms": trade.updated_ms,
        "hedged_ms": trade.hedged_ms,
        "closed_ms": trade.closed_ms,
    }
    return Write(cast(Table, PairTradeRow.__table__), values, "id")


def event_write(event: Event) -> Write:
    """The row of an event, appended."""
    values = {
        "pair_trade_id": event.pair_trade_id,
        "at_ms": event.at_ms,
        "kind": event.kind,
        "detail": event.detail_json,
    }
    return Write(cast(Table, EventRow.__table__), values)


def setting_write(key: str, value: Any, changed_ms: int) -> Write:
    """The row of a setting. Raises TypeError where `value` is no JSON."""
    values = {"key": key, "value": json.dumps(value, allow_nan=False), "changed_ms": changed_ms}
    return Write(cast(Table, SettingRow.__table__), values, "key")


def order_of(row: OrderRow) -> OrderRecord:
    """The record of a stored order."""
    return OrderRecord(
        client_id=row.client_id,
        pair_trade_id=row.pair_trade_id,
        leg=Leg(row.leg),
        role=Role(row.role),
        attempt=row.attempt,
        symbol=row.symbol,
        side=row.side,
        order_type=row.order_type,
        amount=row.amount,
        price=row.price,
        leverage=row.leverage,
        reduce_only=row.reduce_only,
        reason=row.reason,
        status=OrderStatus(row.status),
        refusal=None if row.refusal is None else Refusal(row.refusal),
        error=row.error,
        order_id=row.order_id,
        filled=row.filled,
        average=row.average,
        intent_ms=row.intent_ms,
        sent_ms=row.sent_ms,
        answered_ms=row.answered_ms,
        settled_ms=row.settled_ms,
    )


def pair_trade_of(row: PairTradeRow) -> PairTrade:
    """The record of a stored pair trade."""
    return PairTrade(
        id=row.id,
        plan=EntryPlan.from_json(json.loads(row.plan)),
        sizing=Sizing.from_json(json.loads(row.sizing)),
        state=PairState(row.state),
        goal=Goal(row.goal),
        was_hedged=row.was_hedged,
        reason=row.reason,
        dry_run=row.dry_run,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        hedged_ms=row.hedged_ms,
        closed_ms=row.closed_ms,
    )
