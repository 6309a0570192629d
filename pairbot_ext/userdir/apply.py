"""Carrying a plan out, and taking what was written out again: each file whole or not at all (I18)."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.userdir.manifest import NAME, Manifest, digest_of
from pairbot_ext.userdir.plan import Plan, Step


def apply(plan: Plan) -> None:
    """Make folders and files, the manifest last: stopped before it, the next init finds its own files.

    :raises PairbotError: a file stands in the way, or something cannot be written; nothing is left half.
    """
    if plan.foreign:
        names = ", ".join(each.name for each in plan.foreign)
        raise PairbotError(
            f"{names} in {plan.userdir} is there already and was not written by pairbot init; nothing was "
            f"written",
            remedy="Move it away, or name another folder with --userdir",
        )
    made: list[Path] = []
    try:
        for folder in plan.folders:
            folder.mkdir(parents=True, exist_ok=True)
            made.append(folder)
        for file in plan.files:
            if file.step in (Step.CREATE, Step.REPLACE):
                path = plan.userdir / file.name
                _write(path, file.wanted)
                if file.step is Step.CREATE:
                    made.append(path)
        _write(plan.userdir / NAME, json.dumps(plan.manifest.document(), indent=1) + "\n")
    except OSError as error:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise PairbotError(
            f"{error.filename or plan.userdir} cannot be written: {error.strerror or error}",
            remedy="Correct the rights, or name another folder with --userdir. Nothing new was left there",
        ) from error


def remove(userdir: Path, manifest: Manifest) -> tuple[list[str], list[str]]:
    """Take out what was written and is still as it was written, and the folders made for it that are empty.

    :returns: names of what was removed, names of what was kept because its owner changed it.
    :raises PairbotError: something cannot be removed.
    """
    removed: list[str] = []
    kept: list[str] = []
    try:
        for name, digest in manifest.written.items():
            path = userdir / name
            if not path.is_file():
                continue
            if digest_of(path.read_bytes().decode("utf-8", errors="replace")) == digest:
                path.unlink()
                removed.append(name)
            else:
                kept.append(name)
        (userdir / NAME).unlink(missing_ok=True)
    except OSError as error:
        raise PairbotError(
            f"{error.filename} cannot be removed: {error.strerror or error}", remedy="Correct the rights"
        ) from error
    for name in reversed(manifest.folders):
        with suppress(OSError):
            # Only an empty one goes.
            (userdir / name).rmdir()
    return removed, kept


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
