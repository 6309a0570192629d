"""A consistent copy of a bot's database as one SQLite file, taken while the bot runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from pairbot_ext.backup.databases import Contents, Database, contents, known_tables
from pairbot_ext.backup.tables import compare_rows, copy_rows, shared_tables
from pairbot_ext.support.errors import PairbotError

PAGES_PER_STEP, STEP_PAUSE_SECS = 256, 0.01
"""Of a database without write-ahead log: a step keeps its writers waiting, a pause lets them through."""


def take(source: Database, target: Path) -> Contents:
    """Write everything `source` holds into the new SQLite file `target`; returns what that is.

    SQLite's online backup, or one REPEATABLE READ transaction of PostgreSQL: either is the database at one
    instant, whatever its bot writes meanwhile.

    :raises PairbotError: the database cannot be read, or is damaged; OSError, sqlite3.Error: `target` cannot
        be written.
    """
    source.check_there()
    if source.file is None:
        return _copy_server(source, target)
    _copy_file(source.file, target)
    with reading(target) as connection:
        return contents(connection)


def _copy_file(source: Path, target: Path) -> None:
    try:
        origin = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
        with closing(origin):
            is_logged = origin.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            with closing(sqlite3.connect(target)) as copy:
                # Behind a write-ahead log nobody waits for a reader: all in one step.
                origin.backup(copy, pages=-1 if is_logged else PAGES_PER_STEP, sleep=STEP_PAUSE_SECS)
                # The copy is one file: its log would be a second.
                copy.execute("PRAGMA journal_mode=DELETE")
                found = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if "full" in str(error) or "I/O" in str(error):
            raise
        raise PairbotError(
            f"the database {source} cannot be read: {error}",
            remedy="Is it a SQLite file, and may you read it and its folder?",
        ) from error
    if found != ("ok",):
        raise PairbotError(f"the database {source} is damaged: {found[0]}", remedy="Keep it, and look closer")


def _copy_server(source: Database, target: Path) -> Contents:
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with source.engine() as engine, engine.connect().execution_options(**options) as origin:
        tables = shared_tables(origin, known_tables(), source.shown)
        with writing(target) as copy:
            copy_rows(origin, copy, tables)
            compare_rows(origin, copy, tables)
        return contents(origin)


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A SQLite file of ours."""
    engine = create_engine(f"sqlite:///{path.resolve().as_uri()}?mode=ro&uri=true", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@contextmanager
def writing(path: Path) -> Iterator[Connection]:
    """One transaction of a SQLite file."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
