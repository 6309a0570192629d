"""Running the demo's commands: each is shown as a user would type it, its output goes to a file."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pairbot_ext.support.errors import PairbotError

_TAIL_LINES = 15


@dataclass(frozen=True)
class Workplace:
    """Where the demo works.

    :param root: the repository: holds config.json and strategies/PairsArb.py.
    :param folder: everything the demo writes, emptied of earlier results at the start.
    """

    root: Path
    folder: Path

    def shown(self, path: Path) -> str:
        """`path` as a user in the repository would type it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def find_workplace(folder: Path | None) -> Workplace:
    """The repository in the working directory, and the demo's folder in it (default user_data/demo).

    :raises PairbotError: the working directory is not the repository.
    """
    root = Path.cwd()
    for needed in ("config.json", "strategies/PairsArb.py"):
        if not (root / needed).is_file():
            raise PairbotError(
                f"The demo runs the repository's own strategy, and {needed} is not in this directory",
                value=root,
                remedy="Change into the cloned repository and run it there (or `make demo`)",
            )
    return Workplace(root, (folder or root / "user_data" / "demo").resolve())


def pairbot_command(*arguments: str) -> list[str]:
    """The `pairbot` of this Python environment, whatever the PATH says."""
    return [sys.executable, "-m", "pairbot_ext.cli", *arguments]


def run_step(
    console: Console, workplace: Workplace, name: str, arguments: Sequence[str], *, timeout_secs: float
) -> float:
    """Run one `pairbot` command, its output going to `<folder>/<name>.log`; returns the seconds it took.

    :raises PairbotError: it failed or did not end in time; the end of its output is in the message.
    """
    log = workplace.folder / f"{name}.log"
    console.print(f"  $ pairbot {shlex.join(arguments)}", style="dim", highlight=False, soft_wrap=True)
    began = time.monotonic()
    with log.open("wb") as output, console.status(f"{name} ..."):
        try:
            code = subprocess.run(
                pairbot_command(*arguments),
                cwd=workplace.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"COLUMNS": "140"},
                timeout=timeout_secs,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise PairbotError(
                f"`pairbot {arguments[0]}` did not end within {timeout_secs:.0f} s",
                remedy=f"Its output is in {workplace.shown(log)}",
            ) from None
    if code != 0:
        raise PairbotError(
            f"`pairbot {arguments[0]}` failed",
            value=f"exit code {code}",
            remedy=f"Its output is in {workplace.shown(log)}; it ends:\n{tail(log)}",
        )
    return time.monotonic() - began


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a text file."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
