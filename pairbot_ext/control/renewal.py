"""The selection that waits for a person, as it is shown, and what accepting it does."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from pairbot_ext.control.refusals import NotNowError
from pairbot_ext.control.views import ActionView, ProposalView
from pairbot_ext.pairs import Epoch, PairsFile
from pairbot_ext.pairs.renewal import base_of, change_text, note_of, proposal_text, renewal_text
from pairbot_ext.pairs.renewal_files import ProposalError, accept_proposal, read_failure, read_proposal
from pairbot_ext.support.errors import PairsFileError

logger = logging.getLogger(__name__)


def epoch_at(file: PairsFile, now: datetime) -> tuple[Epoch | None, bool]:
    """The epoch in force; else the next, else the last; and whether it is in force."""
    for epoch in file.epochs:
        if epoch.is_valid_at(now):
            return epoch, True
    coming = [epoch for epoch in file.epochs if epoch.valid_from > now]
    chosen = coming[0] if coming else (file.epochs[-1] if file.epochs else None)
    return chosen, False


def renewal_fields(path: str, file: PairsFile, now: datetime) -> dict[str, Any]:
    """Those of `ScanView` that tell of renewals. What cannot be read beside the pairs file is logged."""
    note = note_of(file)
    fields: dict[str, Any] = {"renewed": None if note is None else renewal_text(note, file.scan)}
    try:
        proposal, failure = read_proposal(Path(path)), read_failure(Path(path))
    except PairsFileError as error:
        logger.warning(f"What waits for an answer cannot be shown: {error}")
        return fields
    if failure is not None:
        fields["renewal_failed"] = failure.error
    if proposal is not None and proposal.is_open(now) and proposal.base == base_of(file):
        fields["proposal"] = ProposalView(
            id=proposal.id,
            proposed_at_ms=int(proposal.proposed_at.timestamp() * 1000),
            expires_at_ms=int(proposal.expires_at.timestamp() * 1000),
            reasons=proposal.reasons,
            before=proposal.before,
            after=proposal.after,
            combinations=proposal.scan.combinations,
            expected_false_positives=proposal.scan.expected_false_positives,
            text=proposal_text(proposal),
        )
    return fields


def accept(path: str, proposal_id: str, by: str, now: datetime) -> ActionView:
    """Put the selection in force that waits under this id; the bot takes it over in its next loop.

    :raises NotNowError: none waits under it, it has expired, or the pairs file has changed since.
    """
    try:
        fresh = accept_proposal(Path(path), proposal_id.lower(), by, now)
    except ProposalError as error:
        raise NotNowError(error.what, value=error.value, remedy=error.remedy) from error
    note = note_of(fresh)
    assert note is not None
    return ActionView(result=f"Accepted: {change_text(note.before, note.after)}")
