"""A bot with an open pair is backed up while it runs, lost and put back: it closes its pair all the same."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from harness import Rig, rig
from journals import make_journal, make_order
from postgres import Server
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from pairbot_ext.backup.backup import Wanted, back_up
from pairbot_ext.backup.databases import Database, known_tables
from pairbot_ext.cli import main
from pairbot_ext.journal.ledger import PairStatus, read_ledger
from pairbot_ext.support.redact import without_secret_values

TWO = ("ADAUSDT", "ALGOUSDT")
KEY = "marked-secret-key-of-an-exchange"


def ledger(url: str) -> list[PairStatus]:
    """What the journal and Freqtrade's accounts say together."""
    engine = create_engine(url)
    try:
        return read_ledger(engine)
    finally:
        engine.dispose()


def url_of(made: Rig) -> str:
    """The bot's database."""
    return str(made.bot.config["db_url"])


def command(made: Rig, *arguments: str) -> int:
    """A command of another process beside the bot, with the bot's own configuration."""
    return main([*arguments, "-c", str(made.directory / "config.json")])


def lose(made: Rig) -> None:
    """The machine is gone with everything the bot had on it."""
    made.kill()
    for path in made.directory.glob("trades.sqlite*"):
        path.unlink()


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A live bot in a folder whose name has to be quoted in many places."""
    folder = tmp_path / "бот später #1"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    exchange = {"name": "binance", "key": KEY, "secret": KEY[::-1], "pair_whitelist": []}
    # Freqtrade's own wait on a lock is short.
    url = f"sqlite:///{folder / 'trades.sqlite'}?timeout=0.05"
    with rig(folder, symbols=TWO, exchange=exchange, db_url=url) as made:
        yield made


def test_what_was_backed_up_while_it_ran_goes_on_elsewhere(bot: Rig, tmp_path: Path) -> None:
    bot.open()
    backup = tmp_path / "sicher ünd.zip"
    assert command(bot, "backup", str(backup)) == 0
    bot.loop()
    before = ledger(url_of(bot))
    lose(bot)
    assert command(bot, "restore", str(backup)) == 0
    assert ledger(url_of(bot)) == before
    bot.start()
    bot.loop(2)
    assert bot.states() == ["HEDGED"]
    bot.check_rest()
    bot.close()
    assert bot.states() == ["CLOSED"]
    bot.check_flat()


def test_it_keeps_the_configuration_and_none_of_its_secrets(bot: Rig, tmp_path: Path) -> None:
    backup = tmp_path / "backup.zip"
    assert command(bot, "backup", str(backup)) == 0
    with zipfile.ZipFile(backup) as packed:
        everything = b"".join(packed.read(name) for name in packed.namelist())
        config = json.loads(packed.read("config.json"))
    assert KEY.encode() not in everything
    assert KEY[::-1].encode() not in everything
    assert config["exchange"]["name"] == "binance"
    assert config["stake_amount"] == 100
    assert backup.stat().st_mode & 0o077 == 0


def test_no_kind_of_secret_is_kept() -> None:
    kept = without_secret_values(
        {
            "db_url": "postgresql://bot:s3cret-1@host/db",
            "telegram": {"token": "s2", "chat_id": "77"},
            "webhook": {"url": "https://hooks.example/s3cret-3", "enabled": True},
            "exchange": {"key": "s4", "password": "", "ccxt_config": {"headers": {"X-MBX-APIKEY": "s5"}}},
            "api_server": {
                "jwt_secret_key": "s6",
                "username": "me",
                "CORS_origins": ["https://a:s3cret-7@b"],
            },
        }
    )
    text = json.dumps(kept)
    assert [secret for secret in ("s3cret", '"s2"', '"s4"', '"s5"', '"s6"') if secret in text] == []
    assert (kept["telegram"]["chat_id"], kept["api_server"]["username"]) == ("77", "me")
    assert kept["exchange"]["password"] == ""


def test_exits_that_wait_for_their_database_are_backed_up_with_it(bot: Rig, tmp_path: Path) -> None:
    bot.open()
    backup = tmp_path / "backup.zip"
    with closing(sqlite3.connect(bot.directory / "trades.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with suppress(OperationalError):
            bot.close()
        assert bot.desk.journal.is_degraded
        assert not bot.positions()
        assert command(bot, "backup", str(backup)) == 0
    lose(bot)
    assert command(bot, "restore", str(backup)) == 0
    # Killed after it had handed the orders over, before the database was there.
    (bot.directory / "trades.sqlite").unlink()
    assert command(bot, "restore", str(backup)) == 0
    bot.script.exits.clear()
    bot.clock.sleep(10)
    bot.start()
    bot.loop(2)
    assert bot.states() == ["CLOSED"]
    bot.check_flat()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_is_restored_into_either_kind(
    bot: Rig, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    bot.open()
    assert command(bot, "backup", str(tmp_path / "first.zip")) == 0
    url = new_database(kind, tmp_path, request)
    before = ledger(url_of(bot))
    bot.kill()
    assert command(bot, "restore", str(tmp_path / "first.zip"), "--db-url", url) == 0
    assert ledger(url) == before
    assert command(bot, "backup", str(tmp_path / "second.zip"), "--db-url", url) == 0
    third = f"sqlite:///{tmp_path / 'third.sqlite'}"
    assert command(bot, "restore", str(tmp_path / "second.zip"), "--db-url", third) == 0
    assert ledger(third) == before


def test_an_open_pair_is_moved_to_a_server_and_back(bot: Rig, tmp_path: Path, postgres: Server) -> None:
    first, second = url_of(bot), postgres.new_database()
    bot.open()
    bot.kill()
    before, content = ledger(first), (bot.directory / "trades.sqlite").read_bytes()
    assert command(bot, "movedb", "--to", second) == 0
    assert (bot.directory / "trades.sqlite").read_bytes() == content, "the source is as it was"
    assert ledger(second) == before
    bot.extra["db_url"] = second
    bot.start()
    bot.loop(2)
    bot.check_rest()
    bot.close()
    bot.next_candle()
    bot.script.exits.clear()
    bot.open()
    assert bot.states() == ["CLOSED", "HEDGED"], "new rows get numbers of their own"
    bot.kill()
    after, back = ledger(second), f"sqlite:///{tmp_path / 'back.sqlite'}"
    assert command(bot, "movedb", "--from", second, "--to", back) == 0
    assert ledger(back) == after
    bot.extra["db_url"] = back
    bot.start()
    bot.loop()
    bot.check_rest()
    bot.close()
    bot.check_flat()
    assert bot.states() == ["CLOSED", "CLOSED"]


def new_database(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """An empty one."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'another one.sqlite'}"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


def test_a_folder_gets_backups_named_by_their_time_and_keeps_the_newest(bot: Rig, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "pairbot-backup-of-mine.zip").write_text("not made so")
    for _ in range(3):
        bot.clock.sleep(60)
        assert command(bot, "backup", str(tmp_path / "kept"), "--keep", "2") == 0
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "pairbot-backup-20260202T010205Z.zip",
        "pairbot-backup-20260202T010305Z.zip",
        "pairbot-backup-of-mine.zip",
    ]


@pytest.mark.parametrize("arguments", [["new/"], ["new/deep/"], ["new", "--keep", "3"]])
def test_a_folder_that_is_not_there_is_made(bot: Rig, tmp_path: Path, arguments: list[str]) -> None:
    assert command(bot, "backup", f"{tmp_path}/{arguments[0]}", *arguments[1:]) == 0
    made = [path.name for path in (tmp_path / arguments[0]).iterdir()]
    assert made == ["pairbot-backup-20260202T010005Z.zip"]


@pytest.mark.parametrize("arguments", [["taken/"], ["taken", "--keep", "3"], ["taken"]])
def test_a_file_is_no_folder(bot: Rig, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "taken").write_text("something else")
    assert command(bot, "backup", f"{tmp_path}/{arguments[0]}", *arguments[1:]) == 2
    assert (tmp_path / "taken").read_text() == "something else"


def test_a_backup_is_the_database_of_one_instant(
    db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot writes an order and its event in one transaction, all the time: no backup has one without the
    other, and no write has to wait longer than the journal does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_data").mkdir()
    engine = create_engine(db_url)
    for table in known_tables():
        table.create(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=wal")
    journal = make_journal(engine, tmp_path / "intents.dat")
    is_over, written = Event(), count(1)

    def write() -> None:
        while not is_over.is_set():
            order = make_order(attempt=next(written))
            journal.add_event(order.pair_trade_id, "sent", order=order.client_id)
            journal.add_order(order)

    with ThreadPoolExecutor(1) as writer:
        work = writer.submit(write)
        wanted = Wanted(Database.at(db_url, tmp_path / "user_data"), None, None)
        rows = [back_up(wanted, tmp_path / f"{n}.zip", datetime.now(UTC))[1].contents.rows for n in range(4)]
        is_over.set()
        work.result()
    assert not journal.is_degraded
    journal.close()
    engine.dispose()
    assert [each["pairbot_orders"] - each["pairbot_events"] for each in rows] == [0] * 4
    assert rows[0]["pairbot_orders"] < rows[-1]["pairbot_orders"], "it went on meanwhile"
