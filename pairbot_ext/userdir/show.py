"""A plan as it is shown before it is carried out: files, and diffs without secrets."""

from __future__ import annotations

import difflib
from typing import Any

from pairbot_ext.support.redact import hide, secrets_of
from pairbot_ext.userdir.overlay import read_own
from pairbot_ext.userdir.plan import File, Plan, Step

_SAYS = {
    Step.CREATE: "new",
    Step.SAME: "as it should be",
    Step.REPLACE: "brought up to date, you have not changed it",
    Step.KEEP: "kept as it is",
    Step.MERGE: "KEPT, and what pairbot init would write has changed: merge by hand what you want of it",
    Step.FOREIGN: "IN THE WAY: there already, and not from pairbot init",
}


def lines(plan: Plan) -> list[str]:
    """For people."""
    told = [f"{plan.userdir}" + ("" if plan.userdir.is_dir() else " (new)")]
    own = ", ".join(str(path) for path in plan.configs)
    told.append(
        f"  builds on {own}" if own else "  builds on no configuration of yours: pairbot.json stands alone"
    )
    if plan.folders and plan.userdir.is_dir():
        told.append(f"  new folders: {', '.join(path.name for path in plan.folders)}")
    for file in plan.files:
        told.append(f"  {file.name}: {_SAYS[file.step]}")
    for file in plan.files:
        if file.step in (Step.REPLACE, Step.MERGE):
            told += ["", *difference(file)]
    is_new = any(file.step is Step.CREATE for file in plan.files)
    if plan.settings and is_new:
        told += ["", "Your settings that are others for the bot of pairs (your files stay as they are):"]
        told += [f"  {line}" for line in plan.settings]
    told += ["", *plan.notes] if plan.notes and is_new else []
    secrets = secrets_of(read_own(plan.configs))
    return [hide(line, secrets) for line in told]


def difference(file: File) -> list[str]:
    """A unified diff from the file that is there to the one that would be written."""
    now = (file.found or "").replace("\r\n", "\n").splitlines()
    return list(
        difflib.unified_diff(
            now,
            file.wanted.splitlines(),
            f"{file.name} (now)",
            f"{file.name} (pairbot init)",
            lineterm="",
            n=1,
        )
    )


def as_json(plan: Plan) -> dict[str, Any]:
    """For programs."""
    secrets = secrets_of(read_own(plan.configs))
    return {
        "userdir": str(plan.userdir),
        "configs": [str(path) for path in plan.configs],
        "files": {file.name: file.step.value for file in plan.files},
        "folders": [str(path) for path in plan.folders],
        "settings": [hide(line, secrets) for line in plan.settings],
        "notes": [hide(note, secrets) for note in plan.notes],
        "done": plan.is_done,
    }
