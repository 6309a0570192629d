"""How the preflight tests look at one check."""

from __future__ import annotations

from collections.abc import Callable

from pairbot_ext.preflight import CHECKS, CheckResult, Setup, Status, run_check

MakeSetup = Callable[..., Setup]
_BY_NAME = {check.name: check for check in CHECKS}


def red(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as the one that sees a check red; every check needs one."""
    assert name in _BY_NAME, name
    return lambda test: test


def check(name: str, setup: Setup, status: Status, *words: str) -> CheckResult:
    """One check's result, which must have this status and say these words; a remedy unless it passed."""
    found = run_check(_BY_NAME[name], setup)
    assert found.status is status, found.line()
    for word in words:
        assert word in found.text, found.line()
    assert bool(found.remedy) is (status is not Status.PASS), found.line()
    return found
