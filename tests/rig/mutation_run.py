"""One mutant after the other against the tests that run its lines, in a copy of the checkout.

What never changes (Freqtrade, ccxt, pandas) is imported once, and each mutant gets a fork of that process.
Nothing of this package or its tests is imported before the fork.
"""

from __future__ import annotations

import importlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import pytest
from mutants import REPO_ROOT
from mutation_cover import Cover
from mutation_sample import CodeMutant

OF_OTHERS = (
    "ccxt.async_support", "freqtrade.freqtradebot", "freqtrade.rpc.telegram", "hypothesis", "pyarrow",
    "statsmodels.api", "time_machine",
)  # fmt: skip
FIRST_RED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
QUICK_SECS = 0.1
LOST_SECS = 30
"""Of the time limit: starting and collecting."""
SLOWNESS = 4
"""How much longer than measured tests may take before the mutant counts as one that never ends: seconds of a
processor, which a busy machine does not change."""
WAITING = 10
"""How much longer still by the wall's clock: tests that wait for each other use no processor."""
LIMIT_EXIT, FOREIGN_EXIT = 90, 91


@dataclass(frozen=True)
class Outcome:
    """What came of one mutant.

    :param is_killed: a test went red, or the tests did not end.
    :param by: the first red test; empty where none is.
    """

    is_killed: bool
    by: str
    secs: float


def preload() -> None:
    """Import what no mutant changes."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in OF_OTHERS:
        importlib.import_module(name)


def tests_for(mutant: CodeMutant, cover: Cover, budget_secs: float) -> tuple[list[str], float]:
    """Tests that run the mutant's lines, and how long they take: every quick one, then of each test file in
    turn its shortest, until the budget is spent. Of one file together, as they share a bot; files with little
    to run first."""
    by_file: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for name, test in cover.items():
        if mutant.lines.intersection(test.lines.get(mutant.file, ())):
            by_file[name.split("::")[0]].append((test.secs, name))
    queues = [sorted(tests) for tests in by_file.values()]
    quick = [each for queue in queues for each in queue if each[0] <= QUICK_SECS]
    turns = (each for turn in zip_longest(*queues) for each in turn if each and each[0] > QUICK_SECS)
    chosen: dict[str, list[str]] = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)
    for secs, name in chain(quick, turns):
        if not spent or sum(spent.values()) + secs <= budget_secs:
            file = name.split("::")[0]
            chosen[file].append(name)
            spent[file] += secs
    files = sorted(chosen, key=lambda file: spent[file])
    return [name for file in files for name in chosen[file]], sum(spent.values())


def outcome_of(mutant: CodeMutant, root: Path, tests: Sequence[str], usual_secs: float) -> Outcome:
    """Put the mutant into the copy at `root`, run these tests until one is red, and take it out again.

    :param usual_secs: how long they take on the unchanged code.
    """
    path, log = root / mutant.file, root.parent / "log.txt"
    original = path.read_bytes()
    began = time.monotonic()
    try:
        path.write_text(mutant.code, encoding="utf-8")
        _forget_compiled(path)
        exit_code = _forked(root, tests, log, LOST_SECS + int(SLOWNESS * usual_secs))
    finally:
        path.write_bytes(original)
        _forget_compiled(path)
    secs = time.monotonic() - began
    if exit_code == 0:
        return Outcome(False, "", secs)
    if exit_code in (LIMIT_EXIT, -signal.SIGXCPU, -signal.SIGKILL):
        return Outcome(True, "", secs)
    text = log.read_text(encoding="utf-8", errors="replace")
    red = FIRST_RED.search(text)
    if red is None and "while loading conftest" not in text:
        raise SystemExit(f"pytest failed to run ({exit_code}) on {mutant.key}\n{text[-3000:]}")
    return Outcome(True, red[1] if red else "tests/conftest.py", secs)


def _forget_compiled(path: Path) -> None:
    """Python takes compiled code for current where length and second of the text are the same."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def _forked(root: Path, tests: Sequence[str], log: Path, limit_secs: int) -> int:
    scratch = root.parent / "scratch"
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (limit_secs, limit_secs + 5))
            _redirect(log)
            os._exit(_run(root, tests, scratch))
        finally:
            os._exit(LIMIT_EXIT + 9)
    deadline = time.monotonic() + WAITING * limit_secs
    exit_code = LIMIT_EXIT
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            exit_code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.05)
    else:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    return exit_code


def _redirect(log: Path) -> None:
    with log.open("wb") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)


def _run(root: Path, tests: Sequence[str], scratch: Path) -> int:
    os.chdir(root)
    os.environ.update(PYTHONPATH=str(root), PAIRBOT_MUTANT="1")
    sys.path[:] = [
        str(root),
        *(entry for entry in sys.path if not Path(entry).is_relative_to(REPO_ROOT / "tests")),
    ]
    options = (
        "-q",
        "-x",
        "-rfE",
        "--tb=line",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--basetemp",
        str(scratch),
    )
    exit_code = int(pytest.main([*options, *tests]))
    package = sys.modules.get("pairbot_ext")
    if package is not None and not Path(str(package.__file__)).is_relative_to(root):
        return FOREIGN_EXIT
    sys.stdout.flush()
    return exit_code


def covered(files: Sequence[str], result: Path) -> None:
    """Run these test files on the unchanged code, and write what each test runs. Ends the command where one
    is red: a red test proves nothing about a mutant."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "mutation_coverage", "-p", "no:cacheprovider", *files],
        cwd=REPO_ROOT,
        env=os.environ
        | {"PYTHONPATH": f"{REPO_ROOT}:{REPO_ROOT / 'tests/rig'}", "MUTATION_COVERAGE": str(result)},
        check=False,
    )
    if done.returncode:
        raise SystemExit("the tests are not green without any mutant: nothing was tried")
