"""Journals without a bot: records to put into them, and a clock to stamp them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pairbot_ext.journal.intentfile import IntentFile
from pairbot_ext.journal.journal import Journal
from pairbot_ext.journal.store import order_of
from pairbot_ext.journal.tables import JOURNAL_TABLES, OrderRow
from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.records import LegSizing, OrderRecord, Sizing
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, OrderStatus, Role
from pairbot_ext.model.thresholds import SHORT_SPREAD, Thresholds

PAIR_TRADE = "0a1b2c3d4e5f"
PLAN = EntryPlan(
    pair_id="ADA-ALGO",
    leg_a="ADA/USDT:USDT",
    leg_b="ALGO/USDT:USDT",
    direction=SHORT_SPREAD,
    model=EntryModel(alpha=0.5, beta=1.2, mu=0.0, sigma=0.02, half_life_candles=20.0),
    thresholds=Thresholds(entry=2.0, exit=0.3, stop=4.0, max_half_lives=4.0),
    candle=datetime(2026, 2, 2, tzinfo=UTC),
    z=2.5,
)
_LEG = LegSizing(
    amount=Decimal("248"), step=Decimal("1"), tick=Decimal("0.0001"), min_notional=5.0, price=0.732
)
SIZING = Sizing(leg_a=_LEG, leg_b=replace(_LEG, amount=Decimal("1032.3")), leverage=2, slippage_cap=0.001)


class StepClock:
    """Every look at it is a millisecond later."""

    def __init__(self, now_ms: int = 1_770_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Epoch ms."""
        self._now_ms += 1
        return self._now_ms

    def sleep(self, secs: float) -> None:
        """In place of time.sleep."""
        self._now_ms += round(secs * 1000)


def make_order(
    role: Role = Role.EXIT, attempt: int = 1, *, leg: Leg = Leg.A, trade: str = PAIR_TRADE, **more: Any
) -> OrderRecord:
    """An intent of one leg of PLAN."""
    symbol = PLAN.symbol(leg)
    values: dict[str, Any] = {
        "side": "sell" if role.increases == (leg is Leg.A) else "buy",
        "order_type": "limit" if role.increases else "market",
        "amount": SIZING[leg].amount,
        "price": 0.7321 if role.increases else None,
        "leverage": 2.0,
        "reduce_only": not role.increases,
        "reason": "" if role.increases else "pair_stop",
        "status": OrderStatus.INTENT,
        "intent_ms": 1_770_000_000_000 + attempt,
    }
    client_id = str(ClientOrderId(trade, leg, role, attempt))
    identity = {"client_id": client_id, "pair_trade_id": trade, "leg": leg, "role": role}
    return OrderRecord(**identity, attempt=attempt, symbol=symbol, **(values | more))


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Another program holds the journal's tables: a real lock, of a connection of its own."""
    other = create_engine(engine.url, poolclass=NullPool)
    with other.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
        else:
            for table in JOURNAL_TABLES:
                connection.exec_driver_sql(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE")
        yield


def crash(journal: Journal) -> None:
    """What a dead process leaves: nothing is flushed, the kernel takes files, locks and connections."""
    journal.release()


def make_journal(engine: Engine, path: Path) -> Journal:
    """An opened journal of a database, its intent file at `path`."""
    journal = Journal(engine, StepClock(), IntentFile(path))
    journal.open()
    return journal


def fill(journal: Journal, order: OrderRecord, order_id: str = "8389765") -> OrderRecord:
    """The venue has filled an order completely."""
    return journal.change_order(
        order.client_id, status=OrderStatus.FILLED, filled=order.amount, order_id=order_id, settled_ms=9
    )


def stored(engine: Engine) -> dict[str, OrderRecord]:
    """Every order in the database."""
    with Session(engine) as session:
        return {row.client_id: order_of(row) for row in session.scalars(select(OrderRow))}


def send_exit(journal: Journal, leg: Leg = Leg.A, role: Role = Role.EXIT) -> OrderRecord:
    """The intent of the next exit."""
    return journal.add_order(make_order(role, journal.next_attempt(PAIR_TRADE, leg, role), leg=leg))
