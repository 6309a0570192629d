"""The journal's schema: older databases are led to the newest version, or left as they were."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from freqtrade.persistence.base import ModelBase
from journals import PAIR_TRADE, PLAN, SIZING, crash, locked, make_journal, make_order
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.orm import Session

from pairbot_ext.journal.journal import JournalUnavailableError
from pairbot_ext.journal.schema import MIGRATIONS, SCHEMA_VERSION, migrate
from pairbot_ext.journal.store import order_of, order_write, pair_trade_of, trade_write
from pairbot_ext.journal.tables import JOURNAL_TABLES, OrderRow, PairTradeRow
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.states import Goal, PairState, Role
from pairbot_ext.support.errors import PairbotError

VERSION_1 = """
CREATE TABLE pairbot_schema (id INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (id));
CREATE TABLE pairbot_pair_trades (
    id VARCHAR(12) NOT NULL, pair_id VARCHAR(64) NOT NULL, leg_a VARCHAR(32) NOT NULL,
    leg_b VARCHAR(32) NOT NULL, state VARCHAR(16) NOT NULL, goal VARCHAR(8) NOT NULL,
    was_hedged BOOLEAN NOT NULL, reason TEXT NOT NULL, "plan" TEXT NOT NULL, sizing TEXT NOT NULL,
    dry_run BOOLEAN NOT NULL, created_ms BIGINT NOT NULL, updated_ms BIGINT NOT NULL, hedged_ms BIGINT,
    closed_ms BIGINT, PRIMARY KEY (id)
);
CREATE INDEX ix_pairbot_pair_trades_pair_id ON pairbot_pair_trades (pair_id);
CREATE INDEX ix_pairbot_pair_trades_state ON pairbot_pair_trades (state);
CREATE TABLE pairbot_orders (
    client_id VARCHAR(36) NOT NULL, pair_trade_id VARCHAR(12) NOT NULL, leg VARCHAR(1) NOT NULL,
    role VARCHAR(1) NOT NULL, attempt INTEGER NOT NULL, symbol VARCHAR(32) NOT NULL,
    side VARCHAR(4) NOT NULL, order_type VARCHAR(8) NOT NULL, amount VARCHAR(40) NOT NULL,
    price DOUBLE PRECISION, leverage DOUBLE PRECISION NOT NULL, reduce_only BOOLEAN NOT NULL,
    reason VARCHAR(255) NOT NULL, status VARCHAR(12) NOT NULL, refusal VARCHAR(16), error TEXT,
    order_id VARCHAR(128), filled VARCHAR(40) NOT NULL, average DOUBLE PRECISION,
    intent_ms BIGINT NOT NULL, sent_ms BIGINT, answered_ms BIGINT, settled_ms BIGINT,
    PRIMARY KEY (client_id)
);
CREATE INDEX ix_pairbot_orders_pair_trade_id ON pairbot_orders (pair_trade_id);
CREATE INDEX ix_pairbot_orders_status ON pairbot_orders (status);
CREATE INDEX ix_pairbot_orders_symbol_order ON pairbot_orders (symbol, order_id);
CREATE TABLE pairbot_events (
    id {serial} NOT NULL, pair_trade_id VARCHAR(12), at_ms BIGINT NOT NULL, kind VARCHAR(32) NOT NULL,
    detail TEXT NOT NULL, PRIMARY KEY (id)
);
CREATE INDEX ix_pairbot_events_kind ON pairbot_events (kind);
CREATE INDEX ix_pairbot_events_pair_trade_id ON pairbot_events (pair_trade_id);
INSERT INTO pairbot_schema (id, version) VALUES (1, 1);
INSERT INTO pairbot_events (pair_trade_id, at_ms, kind, detail) VALUES ('old', 7, 'planned', '{{}}');
"""
"""What the first released version of the journal created, and an event it wrote."""


@pytest.fixture
def engine(db_url: str) -> Iterator[Engine]:
    """An empty database."""
    engine = create_engine(db_url)
    yield engine
    engine.dispose()


@pytest.fixture
def version_1(engine: Engine) -> Engine:
    """A database of the first version with an open pair trade and its order."""
    serial = "SERIAL" if engine.dialect.name == "postgresql" else "INTEGER"
    with engine.begin() as connection:
        for statement in VERSION_1.format(serial=serial).split(";"):
            if statement.strip():
                connection.execute(text(statement))
    fill(engine)
    return engine


def fill(engine: Engine) -> None:
    """A pair trade and an order, by rows the first version could have written."""
    trade = PairTrade(PAIR_TRADE, PLAN, SIZING, PairState.A_SENT, Goal.OPEN, False, "", True, 5, 6)
    with engine.begin() as connection:
        trade_write(trade).run(connection)
        order_write(make_order(Role.ENTRY)).run(connection)


def rows(engine: Engine) -> tuple[list[object], list[object], list[tuple[object, ...]]]:
    """Pair trades and orders as records, events as they are."""
    with Session(engine) as session:
        return (
            [pair_trade_of(row) for row in session.query(PairTradeRow)],
            [order_of(row) for row in session.query(OrderRow)],
            [tuple(row) for row in session.execute(text("SELECT kind, at_ms FROM pairbot_events"))],
        )


def version_of(engine: Engine) -> int:
    """What the database says of itself."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT version FROM pairbot_schema")).scalar_one())


def test_there_is_a_step_from_every_version() -> None:
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA_VERSION))


def test_an_empty_database_gets_the_newest_tables(engine: Engine) -> None:
    assert migrate(engine) == SCHEMA_VERSION
    assert version_of(engine) == SCHEMA_VERSION
    assert {table.name for table in JOURNAL_TABLES} <= set(inspect(engine).get_table_names())


def test_a_second_open_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    before = inspect(engine).get_table_names()
    assert migrate(engine) == SCHEMA_VERSION
    assert inspect(engine).get_table_names() == before
    assert version_of(engine) == SCHEMA_VERSION


@pytest.mark.parametrize("freqtrade_came_first", [False, True])
def test_version_1_is_migrated_in_place(
    version_1: Engine, tmp_path: Path, freqtrade_came_first: bool
) -> None:
    # Freqtrade's init_db creates every declared table that is missing before the journal is opened.
    if freqtrade_came_first:
        ModelBase.metadata.create_all(version_1)
    before = rows(version_1)
    assert all(before)
    journal = make_journal(version_1, tmp_path / "intents.dat")
    assert version_of(version_1) == SCHEMA_VERSION
    assert rows(version_1) == before
    assert [trade.id for trade in journal.open_pair_trades()] == [PAIR_TRADE]
    journal.set_setting("paused", True)
    journal.close()
    again = make_journal(version_1, tmp_path / "intents.dat")
    assert again.setting("paused") is True
    again.close()


def test_a_newer_version_is_refused_and_left_alone(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE pairbot_schema SET version = {SCHEMA_VERSION + 5}"))
    with pytest.raises(PairbotError) as caught:
        migrate(engine)
    assert f"schema version {SCHEMA_VERSION + 5}" in str(caught.value)
    assert f"knows {SCHEMA_VERSION}" in str(caught.value)
    assert version_of(engine) == SCHEMA_VERSION + 5


def _add_note(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE pairbot_events ADD COLUMN note TEXT"))


def _fail(connection: Connection) -> None:
    connection.execute(text("UPDATE pairbot_events SET kind = 'lost'"))
    connection.execute(text("DROP TABLE pairbot_orders"))
    connection.execute(text("SELECT nothing FROM nowhere"))


def test_a_failing_migration_leaves_the_old_database(version_1: Engine, tmp_path: Path) -> None:
    # The first step succeeds, the second destroys before it fails: both are undone.
    before = rows(version_1)
    tables = inspect(version_1).get_table_names()
    with pytest.raises(PairbotError, match="cannot be opened"):
        migrate(version_1, 3, {**MIGRATIONS, 2: _fail})
    assert version_of(version_1) == 1
    assert rows(version_1) == before
    assert inspect(version_1).get_table_names() == tables
    # And it is still one that can be migrated.
    journal = make_journal(version_1, tmp_path / "intents.dat")
    assert version_of(version_1) == SCHEMA_VERSION
    assert [trade.id for trade in journal.open_pair_trades()] == [PAIR_TRADE]
    journal.close()


def test_an_interrupted_migration_leaves_the_old_database(version_1: Engine) -> None:
    # Ctrl+C is no SQLAlchemyError.
    def interrupt(connection: Connection) -> None:
        _add_note(connection)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(version_1, 3, {**MIGRATIONS, 2: interrupt})
    assert version_of(version_1) == 1
    assert "note" not in {column["name"] for column in inspect(version_1).get_columns("pairbot_events")}


def test_several_versions_are_climbed_in_order(version_1: Engine) -> None:
    climbed: list[int] = []

    def step(number: int) -> None:
        climbed.append(number)

    steps = {1: MIGRATIONS[1], 2: lambda c: (step(2), _add_note(c))[0], 3: lambda c: step(3)}
    assert migrate(version_1, 4, steps) == 1
    assert climbed == [2, 3]
    assert version_of(version_1) == 4
    assert "note" in {column["name"] for column in inspect(version_1).get_columns("pairbot_events")}
    climbed.clear()
    assert migrate(version_1, 4, steps) == 4
    assert not climbed, "what is done is not done again"


def test_tables_that_are_not_the_versions_are_refused(version_1: Engine) -> None:
    with version_1.begin() as connection:
        connection.execute(text("ALTER TABLE pairbot_events RENAME COLUMN detail TO details"))
    with pytest.raises(PairbotError, match=r"pairbot_events .* lacks .*detail"):
        migrate(version_1)
    assert version_of(version_1) == 1


def test_settings_survive_a_restart(engine: Engine, tmp_path: Path) -> None:
    journal = make_journal(engine, tmp_path / "intents.dat")
    assert journal.setting("risk") is None
    journal.set_setting("risk", {"day": "2026-02-02", "start_equity": 1000.25, "symbols": ["ADA", "ÄÖ"]})
    journal.set_setting("risk", {"day": "2026-02-03", "start_equity": 990.5, "symbols": []})
    journal.set_setting("paused", None)
    # Nothing is flushed or closed: it was committed at once.
    crash(journal)
    again = make_journal(engine, tmp_path / "intents.dat")
    assert again.setting("risk") == {"day": "2026-02-03", "start_equity": 990.5, "symbols": []}
    assert again.setting("paused") is None
    again.close()


def test_a_setting_is_a_copy(engine: Engine, tmp_path: Path) -> None:
    journal = make_journal(engine, tmp_path / "intents.dat")
    value = {"symbols": ["ADA"]}
    journal.set_setting("risk", value)
    value["symbols"].append("XRP")
    journal.setting("risk")["symbols"].append("DOGE")  # type: ignore[index]
    assert journal.setting("risk") == {"symbols": ["ADA"]}
    for no_json in ({1, 2}, float("nan")):
        with pytest.raises((TypeError, ValueError)):
            journal.set_setting("risk", no_json)
    assert journal.setting("risk") == {"symbols": ["ADA"]}
    journal.close()


def test_a_setting_that_cannot_be_stored_is_not_set(engine: Engine, tmp_path: Path) -> None:
    journal = make_journal(engine, tmp_path / "intents.dat")
    journal.set_setting("paused", True)
    with locked(engine), pytest.raises(JournalUnavailableError, match=r"locked|lock timeout"):
        journal.set_setting("paused", False)
    assert journal.setting("paused") is True
    journal.set_setting("paused", False)
    assert journal.setting("paused") is False
    journal.close()
