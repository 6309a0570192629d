"""What a selection that is renewed changes: the file it makes, when a person is asked first, what is said.

Pure. The files beside the pairs file are `renewal_files`' business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from pairbot_ext.pairs.files import content_hash
from pairbot_ext.pairs.renewal_models import ID_LENGTH, Note, Proposal
from pairbot_ext.pairs.schema import Epoch, PairsFile, Scan
from pairbot_ext.pairs.writing import build_pairs_file

NOTE_KEY = "renewal"
"""In the file's `scan` block: written with the selection in one step, neither is ever without the other."""
EPOCHS_KEPT = 2
"""The one in force and the one before: a pair trade lives for days, and what it needs is stored with it."""
MOST_NAMES = 10


def base_of(existing: PairsFile | None) -> str:
    """What a proposal was made against; empty where there was no file."""
    return "" if existing is None else content_hash(existing)


def pairs_in_force(existing: PairsFile | None, now: datetime) -> tuple[str, ...]:
    """Ids of the pairs that may be entered at `now`."""
    epoch = None if existing is None else existing.epoch_at(now)
    return () if epoch is None else tuple(pair.id for pair in epoch.pairs)


def reasons_to_ask(
    before: Sequence[str], after: Sequence[str], max_thinning: float, *, asks: bool
) -> list[str]:
    """Why a person decides; empty where the selection may be taken over.

    :param max_thinning: the share of pairs that may be lost without a question.
    """
    reasons = ["you want to be asked"] if asks else []
    if before and len(after) < (1 - max_thinning) * len(before):
        reasons.append(f"{len(after)} pairs instead of {len(before)} are more than {max_thinning:.0%} fewer")
    return reasons


def proposal_id(epoch: Epoch, at: datetime) -> str:
    """Short enough to be typed, and another one for another selection or time."""
    return hashlib.sha256(f"{epoch.model_dump_json()} {at.isoformat()}".encode()).hexdigest()[:ID_LENGTH]


def renewed(
    existing: PairsFile | None,
    epoch: Epoch,
    *,
    scan: Scan,
    exchange: str,
    timeframe: str,
    now: datetime,
    why: str,
    renewal_id: str,
) -> PairsFile:
    """The file in which `epoch` is in force from `now` on, and nothing else.

    The epoch before it ends then and stays, older ones are left out: their pair trades are managed by what is
    stored with each.

    :raises PairsFileError: the existing file is of another exchange or timeframe, or contradicts the epoch.
    """
    now = now.replace(microsecond=0)
    before = pairs_in_force(existing, now)
    started = epoch.model_copy(update={"valid_from": max(now, epoch.formation_end), "valid_to": None})
    kept = [] if existing is None else [_ended(old, now) for old in existing.epochs if old.valid_from < now]
    kept = [old for old in kept if not _contradict(old, started)][-(EPOCHS_KEPT - 1) :]
    note = Note(id=renewal_id, at=now, why=why, before=before, after=tuple(p.id for p in epoch.pairs))
    facts = scan.model_dump(mode="json", exclude_none=True)
    return build_pairs_file(
        [*kept, started],
        scan=facts | {NOTE_KEY: note.model_dump(mode="json")},
        exchange=exchange,
        timeframe=timeframe,
        generated_at=now,
    )


def _ended(epoch: Epoch, now: datetime) -> Epoch:
    end = now if epoch.valid_to is None else min(now, epoch.valid_to)
    return epoch.model_copy(update={"valid_to": end})


def _contradict(old: Epoch, new: Epoch) -> bool:
    """Whether one id names other legs in the two: a file may not hold both."""
    legs = {pair.id: pair.symbols for pair in old.pairs}
    return any(legs.get(pair.id, pair.symbols) != pair.symbols for pair in new.pairs)


def note_of(pairs_file: PairsFile) -> Note | None:
    """None where the file was not renewed, or says so in a way nobody of ours writes."""
    try:
        return Note.model_validate((pairs_file.scan.model_extra or {}).get(NOTE_KEY))
    except ValidationError:
        return None


# -- what is said -------------------------------------------------------------------------------------


def renewal_text(note: Note, scan: Scan) -> str:
    """One message: what changed and why."""
    return (
        f"PairsArb: the pairs were renewed on {note.at:%Y-%m-%d %H:%M} UTC ({note.id}: {note.why}). "
        f"{change_text(note.before, note.after)} {chosen_text(scan)}"
    )


def proposal_text(proposal: Proposal) -> str:
    """One message: what would change, why it is asked, and how to answer."""
    return (
        f"PairsArb: a new selection waits for you ({'; '.join(proposal.reasons)}). "
        f"{change_text(proposal.before, proposal.after)} {chosen_text(proposal.scan)} "
        f"/pairs_accept {proposal.id} takes it; without it the pairs in force stay, and it expires on "
        f"{proposal.expires_at:%Y-%m-%d %H:%M} UTC."
    )


def change_text(before: Sequence[str], after: Sequence[str]) -> str:
    """The two selections beside each other."""
    new = [pair for pair in after if pair not in before]
    gone = [pair for pair in before if pair not in after]
    kept = [pair for pair in after if pair in before]
    parts = [f"{len(after)} pairs instead of {len(before)}."]
    parts += [f"New: {_names(new)}."] if new else []
    parts += [f"Gone: {_names(gone)}; their open pair trades go on."] if gone else []
    parts += [f"Kept, with the new model: {_names(kept)}."] if kept else []
    return " ".join(parts)


def chosen_text(scan: Scan) -> str:
    """How they were chosen, and what chance alone gives."""
    text = f"Chosen by the rule: {scan.rule}"
    if scan.combinations is not None:
        text += f"; {scan.combinations} combinations tested"
    if scan.expected_false_positives is not None:
        text += f", about {scan.expected_false_positives:.1f} of them pass p < 0.05 by chance alone"
    return text + "."


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
