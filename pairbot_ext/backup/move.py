"""What `pairbot movedb` does: the same bot on another kind of database, open pairs and all.

Freqtrade's `convert-db` copies Freqtrade's tables alone: what a pair trade is would stay behind.
"""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pairbot_ext.backup.archive import place, same_content
from pairbot_ext.backup.databases import Contents, Database, contents, known_tables
from pairbot_ext.backup.restore import fill
from pairbot_ext.backup.snapshot import reading, take
from pairbot_ext.backup.tables import shared_tables
from pairbot_ext.support.errors import PairbotError


@dataclass(frozen=True)
class Moved:
    """What was moved.

    :param contents: of the source.
    :param rows: moved, by table.
    :param left: tables of the source that are neither Freqtrade's nor the journal's, and were not moved.
    """

    contents: Contents
    rows: dict[str, int]
    left: tuple[str, ...]


def move(source: Database, target: Database) -> Moved:
    """Copy every row of `source` into `target`: a new file, or an empty database of a server in one
    transaction that ends only when all of them were read back and are the same. Nothing of `source` is
    changed. Both bots must be stopped.

    :raises PairbotError: a bot runs on either, the target is not new, a row does not fit; the target is then
        as it was.
    """
    if source.is_same_as(target):
        raise PairbotError("both URLs name one database", value=source.shown)
    source.check_there()
    if target.file is not None and target.file.exists():
        raise PairbotError(f"{target.file} exists; it was not changed", remedy="Name a new file")
    try:
        with source.held(), target.held(), tempfile.TemporaryDirectory(prefix="pairbot-move-") as folder:
            copy = Path(folder) / "trades.sqlite"
            found = take(source, copy)
            found.check_version(source.shown)
            rows = _put(copy, target, source.shown)
    except (OSError, sqlite3.Error) as error:
        raise PairbotError(
            f"{source.shown} cannot be moved to {target.shown}: {getattr(error, 'strerror', None) or error}",
            remedy="Nothing was moved: free the disk, or make the folder writable",
        ) from error
    return Moved(found, rows, tuple(name for name in found.rows if name not in rows))


def _put(copy: Path, target: Database, shown: str) -> dict[str, int]:
    """Rows by table."""
    with reading(copy) as origin:
        tables = shared_tables(origin, known_tables(), shown)
        if target.file is None:
            with target.engine() as engine, engine.begin() as connection:
                return fill(origin, connection, tables, target.shown)
        rows = contents(origin).rows
    place(copy, target.file)
    if not same_content(copy, target.file):
        target.file.unlink()
        raise PairbotError(
            f"{target.file} is not what was written to it", remedy="Look at the disk, try again"
        )
    return rows
