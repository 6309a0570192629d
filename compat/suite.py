"""What is run on each release, and what became of it."""

from __future__ import annotations

import os
import subprocess
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from compat.environments import CACHE, ROOT, Combination

CONTRACT = (
    "tests/host/test_private.py",
    "tests/host/test_contract_bot.py",
    "tests/host/test_contract_client.py",
    "tests/host/test_contract_exchange.py",
    "tests/control/test_telegram.py::test_looking",
    "tests/control/test_telegram.py::test_menu_and_keyboard",
)
"""Every private name on the real classes: that it is there, with its parameters, and what it does."""
CORE = (
    "tests/host/test_gates_in_the_bot.py",
    "tests/host/test_refused_start.py",
    "tests/host/test_spare_copies.py",
    "tests/host/test_strangers.py",
    "tests/orders/test_guard.py",
    "tests/pairtrade/test_booking.py",
    "tests/desk/test_happy_path.py",
    "tests/recovery/test_reconciler.py",
    "tests/recovery/test_restart_and_recovery.py",
    "tests/journal/test_journal.py",
    "tests/journal/test_registry.py",
    "tests/rehearse/test_drill.py::test_a_calm_day_opens_and_closes",
    "tests/rehearse/test_replay.py::test_without_latency_and_faults_it_is_the_backtest_to_the_cent",
)
"""The core suite: whole pair trades in a real bot, orders, booking, recovery, journal, a real process, a drill,
and a replay beside a backtest."""


@dataclass(frozen=True)
class Outcome:
    """What a run of the tests came to.

    :param cpu_secs: processor time of all processes. :param failed: test ids, errors included.
    """

    passed: int
    skipped: int
    failed: tuple[str, ...]
    wall_secs: float
    cpu_secs: float

    @property
    def is_green(self) -> bool:
        """Whether something was run and nothing failed."""
        return self.passed > 0 and not self.failed


def run(each: Combination, what: str, tests: tuple[str, ...]) -> Outcome:
    """Run tests in the environment of a release; its output is kept beside it."""
    report, output = (CACHE / f"{each.name}.{what}.{ending}" for ending in ("xml", "out"))
    report.unlink(missing_ok=True)
    command = [str(each.python), "-m", "pytest", "-q", "-ra", "--tb=short", "-n0", "-p", "no:cacheprovider"]
    begun = time.monotonic()
    with output.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [*command, f"--junitxml={report}", *tests],
            cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        # Of this child and its own, while others run beside it.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall, cpu = time.monotonic() - begun, used.ru_utime + used.ru_stime
    if not report.exists():
        return Outcome(0, 0, (f"pytest ended with {process.returncode}: see {output.name}",), wall, cpu)
    passed, skipped, failed = _counted(report)
    return Outcome(passed, skipped, failed, wall, cpu)


def _counted(report: Path) -> tuple[int, int, tuple[str, ...]]:
    passed = skipped = 0
    failed = []
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, skipped, tuple(failed)
