"""The bot with a database that cannot be written: entries stop, exits and unwinds go out, nothing is lost.

The storage fails for real: another connection's lock, SQLite's own page limit, a file system without a free
byte (where one may be mounted), a kernel that refuses every write.
"""

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from disks import small_disk
from harness import Rig, rig
from postgres import Server
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext import cli
from pairbot_ext.journal.ledger import read_ledger
from pairbot_ext.journal.reader import NOT_DURABLE_FROM
from pairbot_ext.journal.tables import JOURNAL_TABLES
from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.preflight.database import read_known
from pairbot_ext.support.errors import PairbotError

TWO = ("ADAUSDT", "ALGOUSDT")
DISK_BYTES = 12 * 1024 * 1024

Failure = Callable[[Rig], AbstractContextManager[None]]


@contextmanager
def locked(made: Rig) -> Iterator[None]:
    """Another process is in a write transaction, and stays there."""
    connection = sqlite3.connect(made.directory / "trades.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


@contextmanager
def unreadable(made: Rig) -> Iterator[None]:
    """Another process holds the database so that nobody else may even read it."""
    connection = sqlite3.connect(made.directory / "trades.sqlite", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


@contextmanager
def capped(made: Rig) -> Iterator[None]:
    """SQLite answers "database or disk is full" to every write that needs a new page."""
    for engine in (made.desk.journal._engine, made.desk._bridge.engine):
        with engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    yield


@contextmanager
def full(made: Rig) -> Iterator[None]:
    """Not one byte is free on the file system of the database and the intent file."""
    filler = made.directory / "filler"
    with filler.open("wb", buffering=0) as handle:
        for size in (1024 * 1024, 4096, 1):
            with suppress(OSError):
                while handle.write(bytes(size)):
                    pass
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def refused(made: Rig) -> Iterator[None]:
    """No file can be written at all, the intent file neither."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


FAILURES = {"locked": locked, "unreadable": unreadable, "capped": capped, "full": full, "refused": refused}


@pytest.fixture
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A live bot whose directory can be broken; Freqtrade's own wait on a lock is short."""
    directory = tmp_path / "bot"
    with ExitStack() as stack:
        if "full" in request.node.name:
            stack.enter_context(small_disk(directory, DISK_BYTES))
        url = f"sqlite:///{directory / 'trades.sqlite'}?timeout=0.05"
        yield stack.enter_context(rig(directory, symbols=TWO, db_url=url))


def before_sending(made: Rig, leg: str, role: str, then: Callable[[], Any]) -> None:
    """Call `then` when the next such order is about to leave, its intent durable."""
    send = made.desk.port.send

    def hooked(order: Any, *client: Any) -> Any:
        if (order.leg, order.role) == (leg, role):
            made.desk.port.send = send
            then()
        return send(order, *client)

    made.desk.port.send = hooked


def everything_is_in_the_database(made: Rig) -> None:
    """Every order the venue has seen has its row, with what the venue filled of it."""
    rows = {order.client_id: order for order in made.orders()}
    sent = [record.params["newClientOrderId"] for record in made.posts()]
    assert len(sent) == len(set(sent)), "no id was used twice"
    assert set(sent) <= set(rows)
    for client_id in sent:
        filled = sum(abs(each.amount) for each in made.executed() if each.client_id == client_id)
        assert rows[client_id].filled == filled, client_id
    assert made.desk.journal._file.is_empty
    assert not made.desk.journal.is_degraded


@pytest.mark.parametrize("failure", ["locked", "full", "refused"])
def test_nothing_new_is_opened(made: Rig, failure: str) -> None:
    made.want()
    with FAILURES[failure](made), suppress(SQLAlchemyError):
        made.loop()
    assert not made.posts()
    # Once it can be written again, trading goes on.
    made.script.wishes.clear()
    made.restart()
    made.next_candle()
    made.open()
    assert made.states()[-1] == "HEDGED"
    everything_is_in_the_database(made)


@pytest.mark.parametrize("failure", ["locked", "unreadable", "capped", "full"])
def test_exits_go_out_through_the_intent_file(made: Rig, failure: str) -> None:
    made.open()
    made.script.exits["ADA-ALGO"] = "pair_stop"
    with FAILURES[failure](made):
        # Freqtrade's own commit raises: the process would end here.
        with suppress(SQLAlchemyError):
            made.loop(2)
        assert not made.positions(), "both exits are out"
        # What still fits into a page that exists is durable in the database.
        assert failure == "capped" or not made.desk.journal._file.is_empty, "their intents are in the file"
    made.script.exits.clear()
    made.restart()
    made.loop()
    made.check_flat()
    everything_is_in_the_database(made)


def test_a_running_bot_stores_what_was_sent_during_a_short_lock(made: Rig) -> None:
    # Locked when the exits are meant, free again when the second has left: no restart in between.
    made.open()
    made.script.exits["ADA-ALGO"] = "pair_stop"
    with ExitStack() as lock:
        lock.enter_context(locked(made))
        before_sending(made, "B", "x", lock.close)
        made.loop()
    assert not made.positions()
    made.script.exits.clear()
    made.loop()
    made.check_flat()
    everything_is_in_the_database(made)


def test_the_operator_is_told_before_the_process_ends(made: Rig) -> None:
    made.open()
    made.script.exits["ADA-ALGO"] = "pair_stop"
    with locked(made):
        # What Freqtrade's worker does with an exception it does not know.
        with pytest.raises(SQLAlchemyError):
            made.loop()
        with suppress(SQLAlchemyError):
            made.stop()
    told = [text for text in made.told if "database c" in text]
    assert len(told) == 1, made.told
    assert "nothing new is opened" in told[0]
    assert "trades.sqlite.pairbot-intents" in told[0]
    assert "Free the disk" in told[0]


@pytest.mark.parametrize("failure", ["locked", "full"])
def test_unwinds_go_out_through_the_intent_file(made: Rig, failure: str) -> None:
    # Leg B is refused, and what the venue says of it can no longer be stored.
    made.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    made.want()
    with ExitStack() as stack:
        before_sending(made, "B", "e", lambda: stack.enter_context(FAILURES[failure](made)))
        with suppress(SQLAlchemyError):
            made.loop(2)
        assert [record.params["newClientOrderId"][15:18] for record in made.posts()] == ["-A-", "-B-", "-A-"]
        assert not made.positions(), "leg A is closed"
        assert not made.desk.journal._file.is_empty, "and the intent of that is in the file"
    made.script.wishes.clear()
    made.restart()
    made.loop(2)
    assert made.states() == ["ABORTED"]
    made.check_flat()
    everything_is_in_the_database(made)


def test_exits_go_out_where_nothing_can_be_written(made: Rig) -> None:
    # I5 before I1: what only makes positions smaller is sent without a durable intent.
    made.open()
    made.script.exits["ADA-ALGO"] = "pair_stop"
    with refused(made):
        with suppress(SQLAlchemyError):
            made.loop()
        assert not made.positions()
    exits = [ClientOrderId.parse(record.params["newClientOrderId"]) for record in made.posts()][2:]
    assert [each.attempt >= NOT_DURABLE_FROM for each in exits if each] == [True, True]
    made.script.exits.clear()
    # The process ends too: no memory and no file knows of them, the venue does.
    made.restart()
    made.set_mark()
    made.loop(3, pause_secs=31)
    made.check_flat()
    assert not made.posts()[4:], "nothing was sent for a position that is gone"


def test_a_second_bot_on_the_same_database_does_not_start(made: Rig) -> None:
    from pairbot_ext.journal.intentfile import IntentFile, intent_file_path
    from pairbot_ext.journal.journal import Journal
    from pairbot_ext.support.clock import SystemClock

    engine = create_engine(made.desk.journal._engine.url)
    # Its user data lie elsewhere, its database is the same.
    other = Journal(engine, SystemClock(), IntentFile(intent_file_path(engine.url, Path("/elsewhere"))))
    with pytest.raises(PairbotError, match="another bot has this bot's database open"):
        other.open()
    made.stop()
    other.open()
    other.close()
    engine.dispose()


def test_a_reload_leaks_nothing(made: Rig) -> None:
    # /reload_config: the worker cleans up and builds a new bot in the same process.
    files = Path("/proc/self/fd")
    if not files.is_dir():
        pytest.skip("needs /proc")

    def mine() -> list[str]:
        targets = [os.readlink(file) for file in files.iterdir() if file.exists()]
        return sorted(target for target in targets if str(made.directory) in target and "sqlite" in target)

    made.open()
    old = made.desk.journal
    made.stop()
    assert old._engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    assert not [name for name in mine() if name.endswith(".pairbot-intents")]
    made.start()
    made.loop()
    assert len([name for name in mine() if name.endswith(".pairbot-intents")]) == 1
    assert made.states() == ["HEDGED"]


# -- PostgreSQL ------------------------------------------------------------------------------------


@pytest.fixture
def on_server(tmp_path: Path, postgres: Server) -> Iterator[Rig]:
    """A live bot whose trades and journal are in a PostgreSQL database."""
    with rig(tmp_path, symbols=TWO, db_url=postgres.new_database()) as made:
        yield made


@contextmanager
def tables_locked(made: Rig) -> Iterator[None]:
    """Another session holds the journal's tables."""
    engine = create_engine(made.desk.journal._engine.url)
    with engine.connect() as connection:
        for table in JOURNAL_TABLES:
            connection.execute(text(f"LOCK TABLE {table.name} IN EXCLUSIVE MODE"))
        yield
    engine.dispose()


def test_a_pair_trade_on_postgresql(on_server: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    on_server.open()
    on_server.check_rest()
    assert on_server.states() == ["HEDGED"]
    on_server.restart()
    on_server.loop()
    on_server.check_rest()
    on_server.close()
    on_server.check_flat()
    everything_is_in_the_database(on_server)
    # What `pairbot status` and preflight read of it.
    [status] = read_ledger(on_server.desk.journal._engine)
    assert status.trade.state == "CLOSED"
    assert status.profit is not None
    assert [leg.held for leg in status.legs] == [0, 0]
    assert read_known(on_server.bot.config["db_url"]).is_empty
    assert cli.main(["status", "--db-url", on_server.bot.config["db_url"]]) == 0
    assert f"{status.trade.id}" in capsys.readouterr().out


def test_locked_tables_on_postgresql_stop_entries_and_no_exits(on_server: Rig) -> None:
    on_server.want()
    with tables_locked(on_server):
        on_server.loop(3)
    assert not on_server.posts()
    assert len([text for text in on_server.told if "database cannot be written" in text]) == 1
    on_server.script.wishes.clear()
    on_server.loop()
    assert len([text for text in on_server.told if "database can be written again" in text]) == 1
    on_server.next_candle()
    on_server.open()
    on_server.script.exits["ADA-ALGO"] = "pair_stop"
    with tables_locked(on_server):
        on_server.loop()
        assert not on_server.positions()
    on_server.script.exits.clear()
    on_server.loop(2)
    on_server.check_flat()
    everything_is_in_the_database(on_server)
