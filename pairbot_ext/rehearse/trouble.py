"""What goes wrong on the bot's own machine: its database, its disk, its pairs file."""

from __future__ import annotations

import logging
import resource
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from pairbot_ext.pairs import PairsFile
from pairbot_ext.pairs.files import write_json

logger = logging.getLogger(__name__)


class Spoiling:
    """What keeps the database from being written: "locked" by another process, or a "full" disk.

    Troubles of one kind may overlap: the first of them begins it, the last one over ends it.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._begun: Counter[str] = Counter()
        self._stacks: dict[str, ExitStack] = {}

    def begin(self, how: str) -> None:
        """Nothing can be written from now on."""
        self._begun[how] += 1
        if self._begun[how] == 1:
            self._enter(how)

    def _enter(self, how: str) -> None:
        stack = self._stacks[how] = ExitStack()
        stack.enter_context(_full_disk() if how == "full" else _lock(self._database))

    def end(self, how: str) -> None:
        """One of those begun is over."""
        self._begun[how] -= 1
        if not self._begun[how]:
            self._stacks.pop(how).close()

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """The disk takes meanwhile what the rehearsal writes, and not its bot."""
        full = self._stacks.pop("full", None)
        if full is not None:
            full.close()
        try:
            yield
        finally:
            if full is not None:
                self._enter("full")


@contextmanager
def _lock(database: Path) -> Iterator[None]:
    connection = sqlite3.connect(database, isolation_level=None, timeout=0)
    with closing(connection):
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            logger.info("The bot is writing at this instant: the database cannot be taken from it")
        yield


def rewrite_pairs(path: Path, document: PairsFile, how: str) -> None:
    """Replace the pairs file: "empty", "broken" (half of it) or "tighter" (stops nearer)."""
    if how == "broken":
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        return
    plain = document.model_dump(mode="json", exclude_none=True)
    for epoch in plain["epochs"]:
        epoch.setdefault("valid_to", None)
        if how == "empty":
            epoch["pairs"] = []
        for pair in epoch["pairs"]:
            pair["stop_z"] = pair["entry_z"] + (pair["stop_z"] - pair["entry_z"]) / 2
    if how == "empty":
        plain["pairs"] = []
    write_json(path, plain)


@contextmanager
def _full_disk() -> Iterator[None]:
    """No file of this process can be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def impatient_sqlite() -> Iterator[None]:
    """SQLite waits for a lock in real time, which stands still here: it answers at once instead. Nor does it
    wait for the disk: what a process has written outlives the process, if not the machine."""

    def at_once(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", at_once)
    try:
        yield
    finally:
        event.remove(Engine, "connect", at_once)
