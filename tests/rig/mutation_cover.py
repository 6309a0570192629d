"""What is kept between two runs: which test runs which lines, and which test killed which mutant.

Both hold as long as the package and the test's own file are what they were: new tests elsewhere cost only
their own measurement and the survivors.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutants import COPIED, REPO_ROOT

KEPT = REPO_ROOT / ".mutants"
TESTS = (
    "tests/model", "tests/journal/test_registry.py", "tests/pairtrade", "tests/orders/test_guard.py",
    "tests/orders/test_settling.py", "tests/orders/test_unclear_answers.py", "tests/orders/test_dry_run.py",
    "tests/recovery/test_reconciler.py", "tests/recovery/test_schedule.py", "tests/recovery/test_people.py",
    "tests/recovery/test_restart_and_recovery.py", "tests/recovery/test_venue_away.py",
    "tests/recovery/test_silence.py", "tests/desk/test_hearing.py",
)  # fmt: skip
"""What is asked of the order path; longer rehearsals would notice more, and take hours."""


@dataclass(frozen=True)
class Timed:
    """One test on the unchanged code.

    :param secs: of a processor. :param lines: of each module of the order path.
    """

    secs: float
    lines: Mapping[str, frozenset[int]]


OWN = ("test_", "mutation", "mutants", "order_path_mutants")
"""Files whose change leaves what was measured as it is."""
Cover = Mapping[str, Timed]


def test_files() -> list[str]:
    """The files of `TESTS`."""
    found: list[str] = []
    for name in TESTS:
        path = REPO_ROOT / name
        paths = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
        found += [each.relative_to(REPO_ROOT).as_posix() for each in paths]
    return found


def stamp(paths: Iterable[Path]) -> str:
    """A name for the content of these files."""
    known = hashlib.sha256()
    for path in sorted(paths):
        known.update(str(path.relative_to(REPO_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return known.hexdigest()[:16]


def common_stamp() -> str:
    """Of everything but the tests themselves."""
    files = [
        path
        for name in COPIED
        for path in ([REPO_ROOT / name] if (REPO_ROOT / name).is_file() else (REPO_ROOT / name).rglob("*.py"))
    ]
    return stamp(path for path in files if not path.name.startswith(OWN))


def stamps() -> dict[str, str]:
    """Of each test file."""
    return {file: stamp([REPO_ROOT / file]) for file in test_files()}


def read(name: str, common: str) -> dict[str, object]:
    """What an earlier run of the same code has left; empty without one."""
    path = KEPT / name
    document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return document.get("content", {}) if document.get("common") == common else {}


def write(name: str, common: str, content: object) -> None:
    """Keep it."""
    KEPT.mkdir(exist_ok=True)
    (KEPT / name).write_text(json.dumps({"common": common, "content": content}), encoding="utf-8")


def cover(common: str, measure: Callable[[Sequence[str], Path], None]) -> Cover:
    """Every test with its lines; what has changed since the last run is measured anew."""
    now = stamps()
    kept = {
        file: entry for file, entry in read("cover.json", common).items() if entry["stamp"] == now.get(file)
    }
    due = [file for file in now if file not in kept]
    if due:
        with tempfile.TemporaryDirectory() as name:
            result = Path(name) / "cover.json"
            measure(due, result)
            found = json.loads(result.read_text(encoding="utf-8"))
        for file in due:
            tests = {test: entry for test, entry in found.items() if test.split("::")[0] == file}
            kept[file] = {"stamp": now[file], "tests": tests}
        write("cover.json", common, kept)
    return {
        name: Timed(entry["secs"], {file: frozenset(lines) for file, lines in entry["lines"].items()})
        for each in kept.values()
        for name, entry in each["tests"].items()
    }
