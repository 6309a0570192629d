"""The pair-event log: JSON lines, one object per event, for programs and for looking back.

It is written by a thread of its own: a full or slow disk costs events, never a trade. Field names carry their
units; times are UTC.
"""

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairbot_ext.support.redact import scrub

logger = logging.getLogger(__name__)

FILE_NAME = "pair-events.jsonl"
THREAD_NAME = "pairbot-events"
MAX_BYTES = 5_000_000
BACKUPS = 5
MOST_WAITING = 10_000
"""Events kept while the file cannot keep up; more are dropped and counted."""
CLOSE_SECS = 2.0


def event_log_path(config: Mapping[str, Any]) -> Path:
    """Beside the log file of the `pairbot.log` block, which lies in user_data/logs unless it says so."""
    log = (config.get("pairbot") or {}).get("log") or {}
    return (Path(config["user_data_dir"]) / log.get("file", f"logs/{FILE_NAME}")).with_name(FILE_NAME)


class EventLog:
    """Appends events to a file that is rotated by size. Nothing here raises, nothing waits for the disk.

    :param max_bytes: beyond this the file is renamed to `.1`, and so on up to `backups`.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, backups: int = BACKUPS) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._writer: threading.Thread | None = None
        self._lost = 0
        self._is_failing = False

    def write(self, event: Mapping[str, Any]) -> None:
        """Queue one event."""
        try:
            line = json.dumps(event, default=str, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            logger.warning(f"A pair event is no JSON and is left out of {self.path}: {error}")
            return
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._lost += 1
                return
            self._waiting.append(scrub(line))
            if self._writer is None:
                self._start_writer()

    def _start_writer(self) -> None:
        """A thread that writes what is queued and ends: events are rare, bots in tests are many."""
        writer = threading.Thread(target=self._drain, name=THREAD_NAME, daemon=True)
        self._writer = writer
        try:
            writer.start()
        except RuntimeError:
            # No thread can be started: the next event tries again.
            self._writer = None

    def _drain(self) -> None:
        while True:
            with self._lock:
                lines, self._waiting = self._waiting, []
                if not lines:
                    self._writer = None
                    return
            try:
                self._append(lines)
            except OSError as error:
                self._lost += len(lines)
                if not self._is_failing:
                    logger.warning(f"The pair-event log {self.path} cannot be written: {error}")
                self._is_failing = True
            else:
                self._is_failing = False

    def _append(self, lines: list[str]) -> None:
        if self._lost:
            lines = [json.dumps({"event": "events_lost", "count": self._lost}), *lines]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{line}\n" for line in lines)
        if self.path.exists() and self.path.stat().st_size + len(text) > self._max_bytes:
            self._rotate()
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)
        self._lost = 0

    def _rotate(self) -> None:
        for number in range(self._backups - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))

    def close(self) -> None:
        """Wait until what is queued is written, CLOSE_SECS at most."""
        with self._lock:
            if self._waiting and self._writer is None:
                self._start_writer()
            writer = self._writer
        if writer is not None:
            writer.join(CLOSE_SECS)
