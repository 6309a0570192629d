"""Records as rows: how the journal's records are written to the database and read back."""

import json
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, create_engine
from sqlalchemy.pool import StaticPool

from pairbot_ext.execution.plan import EntryPlan
from pairbot_ext.execution.records import Event, OrderRecord, PairTrade, Sizing
from pairbot_ext.execution.states import Goal, OrderStatus, PairState, Refusal, Role
from pairbot_ext.execution.tables import EventRow, OrderRow, PairTradeRow, SettingRow
from pairbot_ext.sizing import Leg

SQLITE_BUSY_TIMEOUT_SECS = 0.5
"""How long a locked SQLite file may hold up an order; SQLAlchemy's default of 5 s would be paid per write."""


def journal_engine(engine: Engine) -> Engine:
    """The engine the journal writes through: the database of `engine`, with a short wait on locks."""
    if engine.dialect.name != "sqlite" or isinstance(engine.pool, StaticPool):
        return engine
    return create_engine(
        engine.url, connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_TIMEOUT_SECS}
    )


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


def order_write(order: OrderRecord) -> Write:
    """The row of an order."""
    values = dict(vars(order))
    values.update(leg=order.leg.value, role=order.role.value, status=order.status.value)
    values["refusal"] = None if order.refusal is None else order.refusal.value
    values["reason"] = order.reason[:255]
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
        "reason": trade.reason,
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
