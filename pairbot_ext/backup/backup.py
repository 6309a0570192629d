"""What `pairbot backup` does: one file with all a bot needs to go on elsewhere, made while it runs."""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.backup.archive import CONFIG, DATABASE, INTENTS, PAIRS, Manifest, opened, write_archive
from pairbot_ext.backup.databases import Database
from pairbot_ext.backup.snapshot import take
from pairbot_ext.journal.intentfile import IntentFile
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import without_secret_values

_NAME = "pairbot-backup-{:%Y%m%dT%H%M%SZ}.zip"
_NAMED = re.compile(r"pairbot-backup-\d{8}T\d{6}Z\.zip")


@dataclass(frozen=True)
class Wanted:
    """What is backed up.

    :param pairs_file: None where there is none to keep.
    :param config: as the user wrote it; its secrets are left out. None where it is not kept.
    """

    database: Database
    pairs_file: Path | None
    config: Mapping[str, Any] | None


def back_up(
    wanted: Wanted, target: Path, now: datetime, *, is_folder: bool = False, keep: int | None = None
) -> tuple[Path, Manifest]:
    """Write a backup, then read it again. Returns its file and what is in it.

    :param target: a new file, or where `is_folder` a folder, made if need be, that gets one named after
        `now`, UTC.
    :param keep: of a folder: remove all but so many of the newest backups that were named so.
    :raises PairbotError: the file exists, cannot be written, or the database cannot be read.
    """
    folder, path = (target, target / _NAME.format(now)) if is_folder else (target.parent, target)
    if path.exists():
        raise PairbotError(
            f"{path} exists; it was not overwritten", remedy="Choose another name, or a folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pairbot-backup-", dir=folder) as work:
            _write(wanted, path, Path(work), now)
        with opened(path, folder) as again:
            manifest = again.manifest
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise PairbotError(
            f"the backup {path} cannot be written: {getattr(error, 'strerror', None) or error}",
            remedy="Free the disk, or choose a folder you may write to; nothing was left there",
        ) from error
    if is_folder and keep is not None:
        for old in sorted(each for each in folder.iterdir() if _NAMED.fullmatch(each.name))[:-keep]:
            old.unlink(missing_ok=True)
    return path, manifest


def _write(wanted: Wanted, path: Path, work: Path, now: datetime) -> None:
    parts: dict[str, Path] = {}
    # Before the database: what moves from the one to the other meanwhile is in both, not in neither.
    if (waiting := _waiting_intents(wanted.database.intent_path, work / INTENTS)) is not None:
        parts[INTENTS] = waiting
    parts[DATABASE] = work / DATABASE
    found = take(wanted.database, parts[DATABASE])
    found.check_version(wanted.database.shown)
    if wanted.pairs_file is not None and wanted.pairs_file.is_file():
        parts[PAIRS] = work / PAIRS
        parts[PAIRS].write_bytes(wanted.pairs_file.read_bytes())
    if wanted.config is not None:
        parts[CONFIG] = work / CONFIG
        text = json.dumps(without_secret_values(wanted.config), indent=2, ensure_ascii=False, default=str)
        parts[CONFIG].write_text(text + "\n", encoding="utf-8")
    write_archive(path, parts, found, wanted.database.url.get_backend_name(), now)


def _waiting_intents(intents: Path, copy: Path) -> Path | None:
    """The intent file where orders wait in it. Its bot goes on writing: a half that is torn in the copy was
    not durable when the copy was made (`intentfile`)."""
    if not intents.is_file():
        return None
    copy.write_bytes(intents.read_bytes())
    file = IntentFile(copy, slots=0)
    waiting = file.open()
    file.close()
    return copy if waiting else None
