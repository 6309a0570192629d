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
from pairbot_ext.userdir.apply import apply
from pairbot_ext.userdir.options import OVERLAY
from pairbot_ext.userdir.plan import make_plan

_TAIL_LINES = 15


@dataclass(frozen=True)
class Workplace:
    """Where the demo works.

    :param root: the working directory.
    :param folder: a userdir with everything the demo writes, emptied of earlier results at the start.
    """

    root: Path
    folder: Path

    @property
    def config(self) -> Path:
        """What `pairbot init` makes of the folder."""
        return self.folder / OVERLAY

    def prepare(self) -> None:
        """`pairbot init` of the folder. Raises PairbotError where a file of somebody else is in the way."""
        apply(make_plan(self.folder, (), self.root))

    def shown(self, path: Path) -> str:
        """`path` as a user in the working directory would type it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def find_workplace(folder: Path | None) -> Workplace:
    """The demo's folder, a userdir of its own in any directory (default user_data/demo).

    :raises PairbotError: it cannot be written, or a file of somebody else is in the way.
    """
    root = Path.cwd()
    workplace = Workplace(root, (folder or root / "user_data" / "demo").resolve())
    workplace.prepare()
    return workplace


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
