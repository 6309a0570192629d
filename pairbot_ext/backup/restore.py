"""What `pairbot restore` does: a backup becomes a bot's database again, where nothing can be lost by it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Table, inspect

from pairbot_ext.backup.archive import (
    CONFIG,
    DATABASE,
    INTENTS,
    PAIRS,
    Manifest,
    Opened,
    opened,
    place,
    same_content,
)
from pairbot_ext.backup.databases import Contents, Database, contents, known_tables
from pairbot_ext.backup.snapshot import reading
from pairbot_ext.backup.tables import compare_rows, copy_rows, set_sequences, shared_tables
from pairbot_ext.journal.intentfile import IntentFile
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.support.disk import sync_folder
from pairbot_ext.support.errors import PairbotError


@dataclass(frozen=True)
class Restored:
    """What was put where.

    :param replaced: where the database that was there before is kept; None where there was none.
    :param notes: sentences about pairs file and configuration.
    """

    manifest: Manifest
    replaced: Path | None
    notes: tuple[str, ...]


def restore(
    archive: Path, target: Database, now: datetime, pairs_file: Path | None, config_file: Path | None
) -> Restored:
    """Put a backup in place. A database that is there is replaced only where nothing is open in it, and kept
    beside (SQLite); on a server it must be empty.

    :param pairs_file: where the bot looks for it; one that is there stays, the backup's is put beside it.
    :param config_file: where the configuration without secrets goes; None: nowhere.
    :raises PairbotError: the backup is not whole or newer, a bot runs on the database, something is open in
        it, or it cannot be written. Nothing was changed then.
    """
    folder = target.file.resolve().parent if target.file is not None else None
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        with opened(archive, folder) as found:
            found.manifest.contents.check_version(str(archive))
            waiting = _waiting(found)
            # A restore that died after handing them over is made again.
            with target.held({order.client_id for order in waiting}) as intents:

                def hand_over() -> None:
                    for order in waiting:
                        intents.put(order)

                if target.file is not None:
                    replaced = _into_file(found, target.file.resolve(), target.shown, now, hand_over)
                else:
                    replaced = None
                    _into_server(found, target, hand_over)
            notes = _beside(found, pairs_file, config_file)
    except (OSError, sqlite3.Error) as error:
        raise PairbotError(
            f"the backup cannot be restored to {target.shown}: {getattr(error, 'strerror', None) or error}",
            remedy="What was there before is still there: free the disk, or make the folder writable",
        ) from error
    return Restored(found.manifest, replaced, tuple(notes))


def _refuse_open(found: Contents, shown: str) -> None:
    if found.is_open:
        raise PairbotError(
            f"the database {shown} has open pair trades or trades; it was not overwritten",
            value=", ".join((*found.open_pairs, *found.open_trades)),
            remedy="Close them first, or restore to another db_url",
        )


def _into_file(
    found: Opened, path: Path, shown: str, now: datetime, hand_over: Callable[[], None]
) -> Path | None:
    copy = found.folder / DATABASE
    with reading(copy) as connection:
        _check_columns(connection, found)
    kept = None
    if path.exists():
        _settle(path, shown)
        with reading(path) as connection:
            old = contents(connection)
        old.check_version(shown)
        _refuse_open(old, shown)
        kept = path.with_name(f"{path.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
        _keep(path, kept)
    hand_over()
    place(copy, path)
    if not same_content(copy, path):
        raise PairbotError(f"{path} is not what was written to it", remedy="Look at the disk, restore again")
    return kept


def _check_columns(connection: Connection, found: Opened) -> None:
    """A column nobody knows is of a newer version; a missing one is added at the next start."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for table in known_tables():
        if table.name in there:
            has = {column["name"] for column in inspector.get_columns(table.name)}
            if unknown := sorted(has - {column.name for column in table.columns}):
                raise PairbotError(
                    f"the backup's table {table.name} has columns that the installed versions do not know",
                    value=", ".join(unknown),
                    remedy=f"It was made with {_versions(found.manifest)}: install those",
                )


def _versions(manifest: Manifest) -> str:
    return ", ".join(f"{name} {version}" for name, version in manifest.versions.items())


def _settle(path: Path, shown: str) -> None:
    """What SQLite keeps beside a database belongs to it, and would be taken for the new one's."""
    try:
        with closing(sqlite3.connect(path, timeout=1)) as old:
            old.execute("SELECT count(*) FROM sqlite_master").fetchone()
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.DatabaseError as error:
        raise PairbotError(
            f"{path} is there and cannot be read as a database: {error}; it was not overwritten",
            remedy="Move it away, or restore to another db_url",
        ) from error
    for name in ("-wal", "-journal"):
        beside = path.with_name(path.name + name)
        if beside.exists() and beside.stat().st_size:
            raise PairbotError(
                f"another program has the database {shown} open: {beside.name} is not empty",
                remedy="Stop it, then restore",
            )


def _keep(path: Path, kept: Path) -> None:
    """Under both names at first: at no moment is there no database."""
    try:
        os.link(path, kept)
        sync_folder(path.parent)
    except OSError:
        # Not every file system has two names for a file.
        place(path, kept)


def _waiting(found: Opened) -> list[OrderRecord]:
    """Orders that waited for their database: they will again, and the next start asks the venue for them."""
    part = found.file(INTENTS)
    if part is None:
        return []
    old = IntentFile(part, slots=0)
    try:
        return old.open()
    finally:
        old.close()


def _into_server(found: Opened, target: Database, hand_over: Callable[[], None]) -> None:
    with target.engine() as engine, reading(found.folder / DATABASE) as source:
        tables = shared_tables(source, known_tables(), "the backup")
        with engine.begin() as connection:
            fill(source, connection, tables, target.shown)
            # Last before the commit: an order that waits for nothing is asked for, one that is lost is not.
            hand_over()


def fill(source: Connection, connection: Connection, tables: Sequence[Table], shown: str) -> dict[str, int]:
    """Copy `tables` into an empty database in the caller's transaction, and prove it.

    :raises PairbotError: the target is not empty, or a row did not arrive as it was.
    """
    before = contents(connection)
    before.check_version(shown)
    _refuse_open(before, shown)
    known = {table.name for table in known_tables()}
    if filled := [name for name, rows in before.rows.items() if rows and name in known]:
        raise PairbotError(
            f"the database {shown} is not empty; it was not changed",
            value=", ".join(filled),
            remedy="Name an empty database",
        )
    copied = copy_rows(source, connection, tables)
    set_sequences(connection, tables)
    compare_rows(source, connection, tables)
    return copied


def _beside(found: Opened, pairs_file: Path | None, config_file: Path | None) -> list[str]:
    """Pairs file and configuration: nothing that is there is overwritten (I18)."""
    notes = []
    for name, wanted in ((PAIRS, pairs_file), (CONFIG, config_file)):
        part = found.file(name)
        if part is None or wanted is None:
            continue
        if wanted.exists() and same_content(part, wanted):
            notes.append(f"{wanted} is what was backed up")
            continue
        to = wanted if not wanted.exists() else _free_name(wanted)
        place(part, to)
        notes.append(
            f"Wrote {to}" if to == wanted else f"{wanted} differs and stays; the backup's is in {to}"
        )
    return notes


def _free_name(path: Path) -> Path:
    number = 1
    while (free := path.with_name(f"{path.name}.from-backup-{number}")).exists():
        number += 1
    return free
