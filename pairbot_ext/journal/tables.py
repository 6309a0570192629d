"""The journal's own tables in Freqtrade's database.

They subclass Freqtrade's `ModelBase`, so `init_db` creates them beside `trades`; the journal creates them
itself where Freqtrade's database was initialised before this module was imported. Types are chosen to mean
the same in SQLite and PostgreSQL: exact decimals and enums as text, times as epoch milliseconds.
"""

from decimal import Decimal
from typing import Any, cast

from freqtrade.persistence.base import ModelBase
from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Table, Text, TypeDecorator
from sqlalchemy.orm import Mapped, mapped_column


class DecimalText(TypeDecorator[Decimal]):
    """A Decimal kept digit for digit: SQLite has no exact numeric type."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:  # noqa: ARG002 - SQLAlchemy's hook
        """To the database."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Any) -> Decimal | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else Decimal(value)


class PairTradeRow(ModelBase):
    """One round trip of a pair."""

    __tablename__ = "pairbot_pair_trades"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    pair_id: Mapped[str] = mapped_column(String(64), index=True)
    leg_a: Mapped[str] = mapped_column(String(32))
    leg_b: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16), index=True)
    goal: Mapped[str] = mapped_column(String(8))
    was_hedged: Mapped[bool] = mapped_column(Boolean, default=False)
    reason: Mapped[str] = mapped_column(Text, default="")
    plan: Mapped[str] = mapped_column(Text)
    """The EntryPlan as JSON."""
    sizing: Mapped[str] = mapped_column(Text)
    """The Sizing as JSON: planned amounts, steps, prices, leverage."""
    dry_run: Mapped[bool] = mapped_column(Boolean)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    updated_ms: Mapped[int] = mapped_column(BigInteger)
    hedged_ms: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    closed_ms: Mapped[int | None] = mapped_column(BigInteger, nullable=True)


class OrderRow(ModelBase):
    """One order: its intent, and what became of it."""

    __tablename__ = "pairbot_orders"

    client_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    pair_trade_id: Mapped[str] = mapped_column(String(12), index=True)
    """No foreign key: the exit of a trade that is no pair trade is journalled too."""
    leg: Mapped[str] = mapped_column(String(1))
    role: Mapped[str] = mapped_column(String(1))
    attempt: Mapped[int] = mapped_column(Integer)
    symbol: Mapped[str] = mapped_column(String(32))
    side: Mapped[str] = mapped_column(String(4))
    order_type: Mapped[str] = mapped_column(String(8))
    amount: Mapped[Decimal] = mapped_column(DecimalText)
    price: Mapped[float | None] = mapped_column(nullable=True)
    leverage: Mapped[float] = mapped_column()
    reduce_only: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(String(255), default="")
    status: Mapped[str] = mapped_column(String(12), index=True)
    refusal: Mapped[str | None] = mapped_column(String(16), nullable=True)
    error: Mapped[str | None] = mapped_column(Text, nullable=True)
    order_id: Mapped[str | None] = mapped_column(String(128), nullable=True)
    filled: Mapped[Decimal] = mapped_column(DecimalText, default=Decimal(0))
    average: Mapped[float | None] = mapped_column(nullable=True)
    intent_ms: Mapped[int] = mapped_column(BigInteger)
    sent_ms: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    answered_ms: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    settled_ms: Mapped[int | None] = mapped_column(BigInteger, nullable=True)

    __table_args__ = (Index("ix_pairbot_orders_symbol_order", "symbol", "order_id"),)


class EventRow(ModelBase):
    """What happened to a pair trade, in order; append-only."""

    __tablename__ = "pairbot_events"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    pair_trade_id: Mapped[str | None] = mapped_column(String(12), nullable=True, index=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(32), index=True)
    detail: Mapped[str] = mapped_column(Text, default="{}")


class SettingRow(ModelBase):
    """Something the operator has set and a restart must not forget."""

    __tablename__ = "pairbot_settings"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    """As JSON."""
    changed_ms: Mapped[int] = mapped_column(BigInteger)


class SchemaRow(ModelBase):
    """The schema version the tables are at: one row."""

    __tablename__ = "pairbot_schema"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    version: Mapped[int] = mapped_column(Integer)


JOURNAL_TABLES = tuple(
    cast(Table, row.__table__) for row in (SchemaRow, PairTradeRow, OrderRow, EventRow, SettingRow)
)
"""Of the newest schema version; `schema` leads older databases to it."""
