"""What must not be overwritten is not, what is not whole is not restored, and the reason is said."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from disks import small_disk
from journals import PAIR_TRADE, PLAN, SIZING, crash, make_journal, send_exit
from postgres import Server
from sqlalchemy import create_engine, text

from pairbot_ext.backup import databases
from pairbot_ext.cli import main
from pairbot_ext.journal.intentfile import intent_file_path
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.states import PairState

Said = Callable[[], str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a configuration and an empty database of Freqtrade's and ours."""
    monkeypatch.chdir(tmp_path)
    Path("user_data").mkdir()
    config = {
        "dry_run": True, "stake_currency": "USDT", "exchange": {"name": "binance"},
        "db_url": "sqlite:///trades.sqlite",
    }  # fmt: skip
    Path("config.json").write_text(json.dumps(config))
    make("sqlite:///trades.sqlite")
    return tmp_path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What was printed last as an error."""
    return lambda: capsys.readouterr().err


def make(url: str, *, is_open: bool = False) -> None:
    """The tables of a bot, with a pair trade in them."""
    engine = create_engine(url)
    journal = journal_of(url)
    for table in databases.known_tables():
        table.create(engine, checkfirst=True)
    trade = journal.add_pair_trade(PAIR_TRADE, PLAN, SIZING, dry_run=True)
    if not is_open:
        journal.change_pair_trade(trade.id, state=PairState.CLOSED)
        journal.flush()
    journal.close()
    engine.dispose()


def journal_of(url: str) -> Journal:
    """As a bot opens it."""
    engine = create_engine(url)
    return make_journal(engine, intent_file_path(engine.url, Path("user_data")))


def backed_up() -> Path:
    """A good backup."""
    assert main(["backup", "good.zip"]) == 0
    return Path("good.zip")


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A backup whose manifest says something else, with the right hash."""
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    document = json.loads(parts["manifest.json"])
    change(document)
    parts["manifest.json"] = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
        packed.comment = hashlib.sha256(parts["manifest.json"]).hexdigest().encode()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_early(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_others(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("../../evil.sh", "rm")


def a_text(path: Path) -> None:
    path.write_text("pairs: none")


def spoilt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


def exchanged(path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["files"]["trades.sqlite"][0] = "0" * 64

    changed(path, change)


def newer_format(path: Path) -> None:
    changed(path, lambda document: document.update(format=99))


def newer_journal(path: Path) -> None:
    changed(path, lambda document: document["contents"].update(version=99))


def without_manifest_s_word(path: Path) -> None:
    changed(path, lambda document: document.pop("contents"))


def leading_out(path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["files"]["../trades.sqlite"] = document["files"]["trades.sqlite"]

    changed(path, change)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "no whole backup"),
        (cut_early, "no whole backup"),
        (emptied, "no whole backup"),
        (of_others, "no whole backup"),
        (a_text, "no whole backup"),
        (spoilt, "good.zip"),
        (exchanged, "is not what was backed up"),
        (newer_format, "newer version"),
        (newer_journal, "schema version 99"),
        (without_manifest_s_word, "no backup of pairbot"),
        (leading_out, "holds other files"),
    ],
)
def test_what_is_not_whole_or_not_ours_is_not_restored(
    folder: Path, said: Said, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(backed_up())
    before = Path("trades.sqlite").read_bytes()
    assert main(["restore", "good.zip"]) == 2
    assert words in said()
    assert Path("trades.sqlite").read_bytes() == before
    assert sorted(os.listdir()) == [
        "config.json", "good.zip", "trades.sqlite", "trades.sqlite.pairbot-intents", "user_data",
    ]  # fmt: skip


def test_open_pairs_are_never_overwritten(folder: Path, said: Said) -> None:
    backed_up()
    make("sqlite:///open.sqlite", is_open=True)
    assert main(["restore", "good.zip", "--db-url", "sqlite:///open.sqlite"]) == 2
    assert PAIR_TRADE in said()


def test_what_was_closed_is_kept_beside(folder: Path) -> None:
    backed_up()
    with closing(sqlite3.connect("trades.sqlite")) as old:
        old.execute("CREATE TABLE mine (id INTEGER)")
        old.commit()
    assert main(["restore", "good.zip"]) == 0
    [kept] = folder.glob("trades.sqlite.before-restore-*")
    with closing(sqlite3.connect(kept)) as old:
        assert old.execute("SELECT count(*) FROM mine").fetchone() == (0,)


@pytest.mark.parametrize("arguments", [["restore", "good.zip"], ["movedb", "--to", "sqlite:///x.sqlite"]])
def test_a_bot_that_runs_is_left_alone(folder: Path, said: Said, arguments: list[str]) -> None:
    backed_up()
    running = journal_of("sqlite:///trades.sqlite")
    try:
        assert main(arguments) == 2
    finally:
        crash(running)
    assert "another bot has this bot's database open" in said()
    assert not Path("x.sqlite").exists()


def test_orders_that_wait_beside_the_database_are_not_left_behind(folder: Path, said: Said) -> None:
    make("sqlite:///open.sqlite", is_open=True)
    journal = journal_of("sqlite:///open.sqlite")
    journal.is_degraded = True
    send_exit(journal)
    crash(journal)
    assert main(["movedb", "--from", "sqlite:///open.sqlite", "--to", "sqlite:///x.sqlite"]) == 2
    assert "1 orders wait in" in said()


def test_a_database_of_a_newer_version_is_neither_kept_nor_moved(folder: Path, said: Said) -> None:
    with closing(sqlite3.connect("trades.sqlite")) as newer:
        newer.execute("UPDATE pairbot_schema SET version = 99")
        newer.commit()
    assert main(["backup", "b.zip"]) == 2
    assert "schema version 99" in said()
    assert main(["movedb", "--to", "sqlite:///x.sqlite"]) == 2
    assert "schema version 99" in said()
    assert not Path("x.sqlite").exists()
    assert not Path("b.zip").exists()


def test_columns_that_only_another_version_knows_are_not_lost_on_the_way(folder: Path, said: Said) -> None:
    with closing(sqlite3.connect("trades.sqlite")) as newer:
        newer.execute("ALTER TABLE trades ADD COLUMN from_the_future TEXT")
        newer.commit()
    assert main(["movedb", "--to", "sqlite:///x.sqlite"]) == 2
    assert "from_the_future" in said()
    assert main(["backup", "b.zip"]) == 0, "the file is kept as it is"
    Path("trades.sqlite").unlink()
    assert main(["restore", "b.zip"]) == 2
    assert "from_the_future" in said()


def test_a_value_no_other_database_takes_is_named_and_nothing_is_moved(
    folder: Path, said: Said, postgres: Server
) -> None:
    with closing(sqlite3.connect("trades.sqlite")) as old:
        old.execute(
            "INSERT INTO pairbot_events (at_ms, kind, detail) VALUES (1, ?, '{}')", ("much too long" * 9,)
        )
        old.commit()
    url = postgres.new_database()
    assert main(["movedb", "--to", url]) == 2
    assert "table pairbot_events" in said()
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0
    engine.dispose()


def test_a_server_s_database_that_is_not_empty_is_left_alone(
    folder: Path, said: Said, postgres: Server
) -> None:
    url = postgres.new_database()
    assert main(["movedb", "--to", url]) == 0
    assert main(["movedb", "--to", url]) == 2
    assert "is not empty" in said()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://bot:s3cret-word@127.0.0.1:9/trades",
        "postgresql+nothing://bot:s3cret-word@127.0.0.1:9/trades",
        "mysql://bot:s3cret-word@127.0.0.1/trades",
        "bot:s3cret-word@nowhere",
        "postgresql://bot:s3cret-word@host:port/trades",
    ],
)
@pytest.mark.parametrize(
    "command", [["backup", "b.zip", "--db-url"], ["movedb", "--to"], ["movedb", "--from"]]
)
def test_a_password_in_a_url_is_never_said(
    folder: Path, capsys: pytest.CaptureFixture[str], url: str, command: list[str]
) -> None:
    assert main([*command, url]) == 2
    streams = capsys.readouterr()
    assert "s3cret" not in streams.out + streams.err
    assert "pairbot" in streams.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["backup", "/proc/backup.zip"],
        ["backup", "config.json/b.zip"],
        ["restore", "good.zip", "--db-url", "sqlite:////proc/trades.sqlite"],
        ["movedb", "--to", "sqlite:////proc/trades.sqlite"],
    ],
)
def test_a_folder_that_cannot_be_written_is_said(folder: Path, said: Said, arguments: list[str]) -> None:
    backed_up()
    assert main(arguments) == 2
    assert "/proc" in (words := said()) or "config.json" in words
    assert "Traceback" not in words


def test_what_is_there_is_not_overwritten_by_a_backup(folder: Path, said: Said) -> None:
    Path("mine.zip").write_text("mine")
    assert main(["backup", "mine.zip"]) == 2
    assert "was not overwritten" in said()
    assert Path("mine.zip").read_text() == "mine"


def test_a_full_disk_leaves_everything_as_it_was(folder: Path, said: Said) -> None:
    backed_up()
    with closing(sqlite3.connect("trades.sqlite")) as old:
        old.execute("CREATE TABLE heavy (content BLOB)")
        old.execute("INSERT INTO heavy VALUES (randomblob(3000000))")
        old.commit()
    with small_disk(folder / "small", 1024 * 1024):
        assert main(["backup", "small/b.zip"]) == 2
        assert "cannot be written" in said()
        assert os.listdir("small") == []
    assert main(["backup", "heavy.zip"]) == 0
    with closing(sqlite3.connect("trades.sqlite")) as old:
        old.execute("DROP TABLE heavy")
        old.executemany(
            "INSERT INTO pairbot_events (at_ms, kind, detail) VALUES (1, 'x', ?)", [("y" * 999,)] * 999
        )
        old.commit()
    with small_disk(folder / "smaller", 2560 * 1024):
        # The intent file fits, the databases do not.
        assert main(["restore", "heavy.zip", "--db-url", "sqlite:///smaller/trades.sqlite"]) == 2
        assert "No space left" in said()
        assert os.listdir("smaller") == []
        assert main(["movedb", "--to", "sqlite:///smaller/trades.sqlite"]) == 2
        assert "No space left" in said()
        assert os.listdir("smaller") == []


def insert(database: sqlite3.Connection, table: str, values: dict[str, Any]) -> None:
    """A row of Freqtrade's; what it must have and does not matter here is 1."""
    for _, name, kind, is_needed, _, is_key in database.execute(f"PRAGMA table_info({table})").fetchall():
        if is_needed and not is_key and name not in values:
            values[name] = 1 if kind != "VARCHAR" else "x"
    places = ", ".join("?" * len(values))
    database.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", list(values.values()))


def test_tables_that_freqtrade_left_behind_are_missed_aloud(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect("trades.sqlite")) as half:
        trade = {
            "id": 1, "exchange": "binance", "pair": "ADA/USDT:USDT", "is_open": 1, "enter_tag": "ADA_ALGO",
            "open_date": "2026-02-02 00:00:00.000000",
        }  # fmt: skip
        insert(half, "trades", trade)
        insert(half, "orders", {"ft_trade_id": 1, "ft_pair": "ADA/USDT:USDT", "order_id": "77"})
        half.commit()
    assert main(["backup", "b.zip"]) == 0
    assert "knows nothing of ADA/USDT:USDT (ADA_ALGO)" in capsys.readouterr().out
    assert main(["movedb", "--to", "sqlite:///x.sqlite"]) == 0
    assert "knows nothing of ADA/USDT:USDT (ADA_ALGO)" in capsys.readouterr().out
