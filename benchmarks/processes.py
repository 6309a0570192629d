"""Whole processes in turn, A B A B …: wall clock, processor time and peak memory of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO

REPO_ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
FREQTRADE = str(Path(sys.executable).parent / "freqtrade")


# A process begins as a copy of the one that starts it, peak memory included: a small one starts it.
_LAUNCH = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
child = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(child.pid, 0)
report = [time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]
open(sys.argv[1], "w").write(json.dumps(report))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Run:
    """One finished process.

    :param cpu_secs: user and system. :param peak_mib: resident.
    """

    wall_secs: float
    cpu_secs: float
    peak_mib: float


def run_once(
    command: Sequence[str], environment: Mapping[str, str], codes: Sequence[int], cwd: Path, log: IO[bytes]
) -> Run:
    """Start and reap one process.

    :param codes: exit codes that are right.
    :raises RuntimeError: it ended with another one; the end of what it printed is in the message.
    """
    with tempfile.NamedTemporaryFile() as report:
        launched = [PYTHON, "-I", "-S", "-c", _LAUNCH, report.name, *command]
        code = subprocess.run(
            launched,
            check=False,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ).returncode
        if code not in codes:
            log.seek(0)
            said = log.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with {code}:\n{said}")
        return Run(*json.loads(Path(report.name).read_text(encoding="utf-8")))


def run_in_turn(
    commands: Mapping[str, Sequence[str]],
    *,
    repeat: int,
    codes: Sequence[int] = (0,),
    cwd: Path = REPO_ROOT,
    warm_up: bool = True,
) -> dict[str, list[Run]]:
    """Every command `repeat` times, one after the other in each round, after a round that does not count.

    Bytecode is compiled in that first round, as in an installation that has been used once.

    :param commands: by name. :param warm_up: False leaves the first round out, where runs take many minutes.
    """
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as cache:
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        path = os.pathsep.join(filter(None, [str(REPO_ROOT), inherited.get("PYTHONPATH")]))
        environment = {**inherited, "PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": path}
        for number in range(0 if warm_up else 1, repeat + 1):
            for name, command in commands.items():
                with tempfile.TemporaryFile() as log:
                    run = run_once(command, environment, codes, cwd, log)
                if number:
                    runs[name].append(run)
    return runs


def ratios(runs: Sequence[Run], of: Sequence[Run]) -> list[float]:
    """Processor time of each round's run as a multiple of the other's."""
    return [mine.cpu_secs / other.cpu_secs for mine, other in zip(runs, of, strict=True)]


def spread_of(values: Sequence[float], digits: int = 2) -> str:
    """Median with minimum and maximum."""
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def machine_said() -> str:
    """What the figures were measured on, and how busy it was."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{os.cpu_count()} processors, load {load}; median, fastest, slowest. Ratios are of processor time, "
        "round by round."
    )
