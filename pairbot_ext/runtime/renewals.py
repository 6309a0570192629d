"""What a bot tells of renewals: once each, over restarts, whoever died between writing and telling."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from pairbot_ext.journal.journal import Journal, JournalUnavailableError
from pairbot_ext.pairs import PairsFile
from pairbot_ext.pairs.renewal import base_of, note_of, proposal_text, renewal_text
from pairbot_ext.pairs.renewal_files import failure_path, proposal_path, read_failure, read_proposal
from pairbot_ext.pairs.renewal_models import Proposal
from pairbot_ext.support.errors import PairsFileError

logger = logging.getLogger(__name__)

TOLD = "renewal_told"
"""Setting: of each kind, which one was told last."""


class Renewals:
    """Asked every loop.

    What was told is noted a loop later: by then Freqtrade has sent it. A process that dies in between tells
    it once more; one that dies before tells it after its restart.
    """

    def __init__(self, path: Path, journal: Journal) -> None:
        self._path = path
        self._journal = journal
        self._told: dict[str, str] = dict(journal.setting(TOLD) or {})
        self._noted = dict(self._told)
        self._stamps: tuple[Any, ...] = ()
        self._proposal: Proposal | None = None
        self._failure: tuple[str, str] | None = None
        self._file: PairsFile | None = None
        self._base = ""

    def look(self, pairs_file: PairsFile, now: datetime) -> list[str]:
        """What is to be told now.

        :param pairs_file: the one in force.
        """
        self._note_told()
        self._read_again()
        if pairs_file is not self._file:
            self._file, self._base = pairs_file, base_of(pairs_file)
        told = []
        if (note := note_of(pairs_file)) is not None and self._is_new("renewed", note.id):
            told.append(renewal_text(note, pairs_file.scan))
        proposal = self._proposal
        # One that was made against another file was answered, or overtaken.
        if proposal is not None and proposal.base == self._base:
            if proposal.is_open(now):
                told += [proposal_text(proposal)] if self._is_new("proposed", proposal.id) else []
            elif self._told.get("proposed") == proposal.id and self._is_new("expired", proposal.id):
                told.append(
                    f"PairsArb: the new selection {proposal.id} has expired unanswered. "
                    "The pairs in force stay"
                )
        if self._failure is not None and self._is_new("failed", self._failure[0]):
            told.append(
                f"PairsArb: the pairs could not be renewed: {self._failure[1]}. The pairs in force stay, "
                "it is tried again"
            )
        return told

    def _is_new(self, kind: str, name: str) -> bool:
        is_new = self._told.get(kind) != name
        self._told[kind] = name
        return is_new

    def _note_told(self) -> None:
        if self._told == self._noted:
            return
        try:
            self._journal.set_setting(TOLD, self._told)
            self._noted = dict(self._told)
        except JournalUnavailableError as error:
            logger.warning(
                f"What was told of renewals cannot be noted, a restart would tell it again: {error}"
            )

    def _read_again(self) -> None:
        stamps = tuple(_stamp(path(self._path)) for path in (proposal_path, failure_path))
        if stamps == self._stamps:
            return
        self._stamps = stamps
        self._proposal, self._failure = None, None
        try:
            self._proposal = read_proposal(self._path)
            failure = read_failure(self._path)
            if failure is not None:
                self._failure = (failure.since.isoformat(), failure.error)
        except PairsFileError as error:
            logger.warning(f"What a renewal has left cannot be read: {error}")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
