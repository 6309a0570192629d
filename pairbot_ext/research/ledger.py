"""The trial ledger: every configuration ever tried on a data directory, one JSON line each.

It is appended to and never rewritten. A line is one write, forced to the disk; a line that a crash cut short
is skipped by readers and ended by the next writer, so that nothing that was counted is ever lost.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pairbot_ext.pairs import PairsFile
from pairbot_ext.support.errors import DataError

NAME = "pairbot-trials.jsonl"


class TrialLedger:
    """The ledger beside a user's data.

    :param path: need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, datadir: Path) -> TrialLedger:
        """The one of a data directory."""
        return cls(datadir / NAME)

    def count(self) -> int:
        """How many different configurations have been tried."""
        return len({trial["key"] for trial in self._trials()})

    def tried(self, command: str) -> list[dict[str, Any]]:
        """The configurations one command has tried, in that order."""
        return [trial["tried"] for trial in self._trials() if trial.get("command") == command]

    def add(self, command: str, configurations: Iterable[Mapping[str, Any]], now: datetime) -> int:
        """Note what was tried, and return how many different configurations that makes.

        :param configurations: JSON values; the same one counts once, however often it is tried.
        :raises DataError: the ledger cannot be written.
        """
        known = {trial["key"] for trial in self._trials()}
        lines = []
        for configuration in configurations:
            key = key_of(configuration)
            if key not in known:
                known.add(key)
                trial = {"at": now.isoformat(), "command": command, "key": key, "tried": configuration}
                lines.append(json.dumps(trial, sort_keys=True) + "\n")
        if lines:
            try:
                self._append(lines)
            except OSError as error:
                raise DataError(
                    f"the trial ledger {self.path} cannot be written: {error.strerror}",
                    remedy="Without it nobody knows how often was tried: give --ledger FILE",
                ) from error
        return len(known)

    def _append(self, lines: Iterable[str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(handle).st_size
            is_torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            for number, line in enumerate(lines):
                os.write(handle, (("\n" if is_torn and not number else "") + line).encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def _trials(self) -> list[dict[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DataError(
                f"the trial ledger {self.path} cannot be read: {error.strerror}", remedy="Give --ledger FILE"
            ) from error
        found = []
        for line in text.splitlines():
            try:
                trial = json.loads(line)
            except ValueError:
                continue
            if isinstance(trial, dict) and isinstance(trial.get("key"), str):
                found.append(trial)
        return found


def trial_of(pairs_file: PairsFile) -> dict[str, Any]:
    """What a trial of a given pairs file says of its pairs: the same for the same epochs."""
    return {"pairs": key_of({"epochs": json.loads(pairs_file.model_dump_json())["epochs"]})}


def key_of(configuration: Mapping[str, Any]) -> str:
    """The same for the same configuration."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:16]
