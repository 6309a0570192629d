"""The journal on PostgreSQL alone: connections that are dropped, a server that crashes, its transactions."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journals import PAIR_TRADE, PLAN, SIZING, crash, fill, make_journal, make_order, send_exit, stored
from postgres import Server
from sqlalchemy import create_engine, text

from pairbot_ext.journal.journal import Journal, JournalUnavailableError
from pairbot_ext.model.states import Role


@pytest.fixture
def on_server(postgres: Server, tmp_path: Path) -> Iterator[Callable[[], Journal]]:
    """Starts a bot's journal on a server of which every session can be ended."""
    engine = create_engine(postgres.new_database())
    journals: list[Journal] = []

    def start() -> Journal:
        journals.append(make_journal(engine, tmp_path / "intents.dat"))
        return journals[-1]

    yield start
    for journal in journals:
        crash(journal)
    engine.dispose()


def test_a_dropped_connection_is_no_failed_database(on_server: Callable[[], Journal]) -> None:
    journal = on_server()
    engine = create_engine(journal._engine.url)
    with engine.connect() as connection:
        journal.add_pair_trade(PAIR_TRADE, PLAN, SIZING, dry_run=False)
        # What a firewall does to idle connections.
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        connection.rollback()
    engine.dispose()
    order = journal.add_order(make_order(Role.ENTRY))
    assert not journal.is_degraded
    assert stored(journal._engine)[order.client_id] == order


def test_a_server_that_crashes_and_comes_back(postgres: Server, on_server: Callable[[], Journal]) -> None:
    journal = on_server()
    journal.add_pair_trade(PAIR_TRADE, PLAN, SIZING, dry_run=False)
    postgres.stop()
    try:
        with pytest.raises(JournalUnavailableError):
            journal.add_order(make_order(Role.ENTRY))
        order = send_exit(journal)
        fill(journal, order)
        assert order.attempt == 1, "durable in the intent file"
        assert not journal.recover()
    finally:
        postgres.start()
    assert journal.recover()
    assert stored(journal._engine)[order.client_id] == journal.order(order.client_id)
    journal.add_order(make_order(Role.ENTRY))


def test_a_transaction_of_freqtrades_neither_holds_ours_up_nor_ends_it(
    on_server: Callable[[], Journal],
) -> None:
    journal = on_server()
    freqtrades = create_engine(journal._engine.url)
    with freqtrades.begin() as connection:
        connection.execute(text("CREATE TABLE trades (id INTEGER PRIMARY KEY, amount FLOAT)"))
        connection.execute(text("INSERT INTO trades VALUES (1, 10.0)"))
    with freqtrades.connect() as connection:
        connection.execute(text("UPDATE trades SET amount = 20.0"))
        journal.add_pair_trade(PAIR_TRADE, PLAN, SIZING, dry_run=False)
        order = journal.add_order(make_order(Role.ENTRY))
        connection.rollback()
    assert order.client_id in stored(freqtrades), "a rollback of Freqtrade's does not undo ours"
    with freqtrades.connect() as connection:
        assert connection.execute(text("SELECT amount FROM trades")).scalar_one() == 10.0, (
            "nor ours commit its"
        )
    freqtrades.dispose()


def test_a_commit_waits_for_the_servers_disk(postgres: Server, tmp_path: Path) -> None:
    # Whatever the server's default: an intent is durable before the order leaves (I1).
    engine = create_engine(postgres.new_database())
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    engine.dispose()
    journal = make_journal(engine, tmp_path / "intents.dat")
    with journal._engine.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "500ms"
    journal.close()
