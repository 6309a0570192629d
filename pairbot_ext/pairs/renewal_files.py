"""The files a renewal keeps beside the pairs file, each replaced in one step, each readable by itself.

| beside `pairs.json` | holds |
|---|---|
| `pairs.json.proposed.json` | the selection that waits for a person |
| `pairs.json.failed.json` | why the last renewal did not come about; gone when one has |
| `pairs.json.epochs/` | the files that were in force before, the newest of them |
| `.pairs.json.lock` | held while one of them is changed |

A process may die between any two steps: the pairs file is the old or the new one, a proposal that was made
against another file counts no more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pairbot_ext.pairs.defaults import FILES_KEPT
from pairbot_ext.pairs.files import load_pairs_file, problem_text, write_json, write_pairs_file
from pairbot_ext.pairs.renewal import base_of, renewed
from pairbot_ext.pairs.renewal_models import Failure, Proposal
from pairbot_ext.pairs.schema import PairsFile
from pairbot_ext.pairs.writing import check_replaceable, overlay_path, write_scan
from pairbot_ext.support.documents import plain, read_document
from pairbot_ext.support.errors import PairsFileError

_KEPT = re.compile(r"\d{8}T\d{6}Z\.json")
_ERROR_CHARACTERS = 600

T = TypeVar("T", bound=BaseModel)


class ProposalError(PairsFileError):
    """There is no such proposal, or it counts no more. Nothing was changed."""


def proposal_path(path: Path) -> Path:
    """`pairs.json` -> `pairs.json.proposed.json`."""
    return path.with_name(path.name + ".proposed.json")


def failure_path(path: Path) -> Path:
    """`pairs.json` -> `pairs.json.failed.json`."""
    return path.with_name(path.name + ".failed.json")


def epochs_folder(path: Path) -> Path:
    """`pairs.json` -> `pairs.json.epochs/`."""
    return path.with_name(path.name + ".epochs")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time changes the pairs file and what lies beside it. Raises PairsFileError."""
    # Not at the top: a backtest imports this room where fcntl does not exist.
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise PairsFileError(
            f"the folder of pairs file {path} cannot be written: {error.strerror or error}",
            remedy="Make it writable for whoever renews the pairs",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def existing_file(path: Path) -> PairsFile | None:
    """The pairs file; None where there is none. Raises PairsFileError for one that cannot be read or is not
    ours: it is not replaced then."""
    check_replaceable(path)
    return load_pairs_file(path) if path.exists() and path.stat().st_size else None


def read_proposal(path: Path) -> Proposal | None:
    """Of the pairs file `path`, expired or not; None where none waits. Raises PairsFileError."""
    return _read(proposal_path(path), Proposal)


def read_failure(path: Path) -> Failure | None:
    """Why the last renewal of `path` did not come about; None where it did. Raises PairsFileError."""
    return _read(failure_path(path), Failure)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        document = read_document(
            path, "renewal file", PairsFileError, "Delete it: the next scan writes it anew"
        )
        return kind.model_validate(document)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise PairsFileError(
            f"renewal file {path} cannot be read: {problem_text(error.errors()[0])}",
            remedy="Delete it: the next scan writes it anew",
        ) from error


def put(path: Path, pairs_file: PairsFile, files_kept: int = FILES_KEPT) -> None:
    """Put a renewed file in force; the one before is kept first. Call it under `locked`.

    :raises PairsFileError: it cannot be written; the file that was there stays in force.
    """
    try:
        _keep(path, files_kept)
        if path.exists() and not overlay_path(path).exists():
            # The bot's own configuration names the file.
            write_pairs_file(path, pairs_file)
        else:
            write_scan(path, pairs_file)
        proposal_path(path).unlink(missing_ok=True)
        failure_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error


def propose(path: Path, proposal: Proposal) -> None:
    """Keep a selection until a person has answered; it replaces an older one. Under `locked`."""
    try:
        write_json(proposal_path(path), proposal.model_dump(mode="json", exclude_none=True))
        failure_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error


def note_failure(path: Path, error: str, now: datetime) -> Failure:
    """Keep why a renewal did not come about, where the bot finds it. Under `locked`."""
    try:
        before = read_failure(path)
    except PairsFileError:
        before = None
    failure = Failure(
        since=now if before is None else before.since,
        attempts=1 if before is None else before.attempts + 1,
        error=plain(error, _ERROR_CHARACTERS),
    )
    try:
        write_json(failure_path(path), failure.model_dump(mode="json"))
    except OSError as problem:
        raise _not_written(path, problem) from problem
    return failure


def accept_proposal(path: Path, proposal_id: str, by: str, now: datetime) -> PairsFile:
    """Put the selection that waits in force, from now on.

    :raises ProposalError: none waits under this id, it has expired, or the pairs file is another one than it
        was made against.
    :raises PairsFileError: the file cannot be written.
    """
    with locked(path):
        proposal = read_proposal(path)
        if proposal is None or proposal.id != proposal_id:
            waiting = "none waits" if proposal is None else f"{proposal.id} waits"
            raise ProposalError(
                "no new selection waits under this id", value=f"{plain(proposal_id, 20)!r}, {waiting}"
            )
        if not proposal.is_open(now):
            raise ProposalError(
                "the new selection has expired",
                value=f"{proposal.expires_at:%Y-%m-%d %H:%M} UTC",
                remedy="Scan anew",
            )
        existing = existing_file(path)
        if base_of(existing) != proposal.base:
            raise ProposalError("the pairs file has changed since this was proposed", remedy="Scan anew")
        fresh = renewed(
            existing, proposal.epoch, scan=proposal.scan, exchange=proposal.exchange,
            timeframe=proposal.timeframe, now=now, why=f"accepted by {plain(by, 60)}",
            renewal_id=proposal.id,
        )  # fmt: skip
        put(path, fresh)
        return fresh


def _keep(path: Path, files_kept: int) -> None:
    """Copy what is in force into the folder of what was, named by when it was made."""
    existing = existing_file(path)
    if existing is None:
        return
    folder = epochs_folder(path)
    write_json(
        folder / f"{existing.generated_at:%Y%m%dT%H%M%SZ}.json",
        existing.model_dump(mode="json", exclude_none=True),
    )
    for old in sorted(each for each in folder.iterdir() if _KEPT.fullmatch(each.name))[:-files_kept]:
        with suppress(FileNotFoundError):
            old.unlink()


def _not_written(path: Path, error: OSError) -> PairsFileError:
    return PairsFileError(
        f"pairs file {path} or what lies beside it cannot be written: {error.strerror or error}",
        remedy="What was in force stays in force: free the disk, or make the folder writable",
    )
