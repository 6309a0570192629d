"""Callbacks that raise, a database that cannot be written."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from harness import Rig
from sqlalchemy.exc import SQLAlchemyError

CALLBACKS = [
    "bot_loop_start",
    "leverage",
    "custom_stake_amount",
    "custom_entry_price",
    "confirm_trade_entry",
    "order_filled",
    "custom_exit",
    "confirm_trade_exit",
]


def finish(rig: Rig) -> None:
    """Time passes, the model leaves: nothing may be left."""
    rig.gateway.faults.clear()
    rig.loop(2)
    rig.check_rest()
    rig.close()
    rig.script.exits.clear()
    rig.loop(1, pause_secs=31)
    rig.check_flat()


@pytest.mark.parametrize("name", CALLBACKS)
def test_an_exception_in_a_callback(live: Rig, name: str) -> None:
    if name in ("custom_exit", "confirm_trade_exit"):
        live.open()
        live.script.broken.add(name)
        if name == "custom_exit":
            live.close()
        else:
            live.bot.rpc._rpc._rpc_force_exit("1")
    else:
        live.script.broken.add(name)
        live.open()
    assert not live.script.broken, "the injected exception was raised"
    live.loop()
    assert set(live.states()) <= {"HEDGED", "CLOSED", "ABORTED"}
    finish(live)


@contextmanager
def locked(rig: Rig) -> Iterator[None]:
    """Another process holds the database."""
    connection = sqlite3.connect(rig.directory / "trades.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_a_locked_database_stops_entries(live: Rig) -> None:
    live.want()
    with locked(live), suppress(SQLAlchemyError):
        live.loop()
    assert not live.posts()
    # Once it can be written again, trading goes on.
    live.script.wishes.clear()
    live.restart()
    live.next_candle()
    live.open()
    assert live.states()[-1] == "HEDGED"


def test_a_locked_database_lets_exits_out(live: Rig) -> None:
    live.open()
    live.script.exits["ADA-ALGO"] = "pair_stop"
    with locked(live):
        # Freqtrade's own commit raises: the process would end here.
        with suppress(SQLAlchemyError):
            live.loop()
        assert not live.positions(), "both exits are out"
    assert not live.desk.journal._file.is_empty, "their intents are in the file"
    live.script.exits.clear()
    live.restart()
    live.loop()
    live.check_flat()
    assert live.desk.journal._file.is_empty


def test_a_full_disk_lets_exits_out(live: Rig) -> None:
    # SQLite answers "database or disk is full" to every write that needs a page.
    live.open()
    live.script.exits["ADA-ALGO"] = "pair_stop"
    engines = {live.desk.journal._engine, live.desk._bridge.engine}
    for engine in engines:
        with engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with suppress(SQLAlchemyError):
        live.loop(3)
    assert not live.positions()
    live.script.exits.clear()
    live.restart()
    live.loop()
    live.check_flat()


def test_unwinding_with_a_locked_database(live: Rig) -> None:
    # The database goes between leg A's fill and leg B's intent: nothing new is opened, leg A is closed.
    send = live.desk.port.send
    holder = locked(live)

    def lock_after_a(order: object) -> object:
        answer = send(order)
        if order.leg == "A" and order.role == "e":
            record = live.desk.journal.change_order

            def change(*args: object, **kwargs: object) -> object:
                live.desk.journal.change_order = record
                result = record(*args, **kwargs)
                holder.__enter__()
                return result

            live.desk.journal.change_order = change
        return answer

    live.desk.port.send = lock_after_a
    live.want()
    with suppress(SQLAlchemyError):
        live.loop()
    holder.__exit__(None, None, None)
    live.script.wishes.clear()
    live.restart()
    live.loop(2)
    live.check_rest()
    assert live.states()[-1] in ("HEDGED", "ABORTED")
