"""What is run on each release, and what became of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
import xml.etree.ElementTree as ET
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from compat.environments import CACHE, ROOT, Combination

CONTRACT = (
    "tests/host/test_private.py",
    "tests/host/test_contract_bot.py",
    "tests/host/test_contract_client.py",
    "tests/host/test_contract_exchange.py",
    "tests/control/test_telegram.py::test_what_freqtrade_s_module_keeps_to_itself",
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
"""The core suite: whole pair trades in a real bot, orders, booking, recovery, journal, a real process, a
drill, and a replay beside a backtest, to the cent."""


@dataclass(frozen=True)
class Part:
    """What became of some of the tests. `failed` holds their ids, errors included."""

    passed: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()

    @property
    def is_green(self) -> bool:
        """Whether something was run and nothing failed."""
        return self.passed > 0 and not self.failed


@dataclass(frozen=True)
class Outcome:
    """What a run of the tests came to. `cpu_secs` is processor time of all its processes."""

    contract: Part
    core: Part
    wall_secs: float
    cpu_secs: float

    @property
    def is_green(self) -> bool:
        """Whether both parts are."""
        return self.contract.is_green and self.core.is_green


def run(each: Combination) -> Outcome:
    """Run the tests in the environment of a release; output and outcome are kept beside it."""
    report, output = CACHE / f"{each.name}.xml", CACHE / f"{each.name}.out"
    report.unlink(missing_ok=True)
    kept_in(each).unlink(missing_ok=True)
    command = [str(each.python), "-m", "pytest", "-q", "-ra", "--tb=short", "-n0", "-p", "no:cacheprovider"]
    begun = time.monotonic()
    with output.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [*command, f"--junitxml={report}", *CONTRACT, *CORE],
            cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        # Of this child and its own, while others run beside it.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall, cpu = time.monotonic() - begun, used.ru_utime + used.ru_stime
    if not report.exists():
        ended = Part(failed=(f"pytest ended with {process.returncode}: see {output.name}",))
        return Outcome(ended, ended, wall, cpu)
    outcome = Outcome(*_counted(report), wall, cpu)
    kept_in(each).write_text(json.dumps(asdict(outcome)), encoding="utf-8")
    return outcome


def kept(each: Combination) -> Outcome | None:
    """The outcome of the last run on a release; None without one."""
    if not kept_in(each).exists():
        return None
    raw = json.loads(kept_in(each).read_text(encoding="utf-8"))
    parts = (Part(**{**raw[name], "failed": tuple(raw[name]["failed"])}) for name in ("contract", "core"))
    return Outcome(*parts, raw["wall_secs"], raw["cpu_secs"])


def kept_in(each: Combination) -> Path:
    """The file of `kept`."""
    return CACHE / f"{each.name}.json"


def _counted(report: Path) -> tuple[Part, Part]:
    """Contract and core suite."""
    modules = {test.partition("::")[0].removesuffix(".py").replace("/", ".") for test in CONTRACT}
    parts = {True: Part(), False: Part()}
    for case in ET.parse(report).iter("testcase"):
        part = parts[is_contract := str(case.get("classname")) in modules]
        if case.find("failure") is not None or case.find("error") is not None:
            name = f"{case.get('classname')}::{case.get('name')}"
            part = replace(part, failed=(*part.failed, name))
        elif case.find("skipped") is not None:
            part = replace(part, skipped=part.skipped + 1)
        else:
            part = replace(part, passed=part.passed + 1)
        parts[is_contract] = part
    return parts[True], parts[False]
