"""What one check says, and the report of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Number = float | int | str | bool | None


class Status(StrEnum):
    """Outcome of a check. A WARN counts as passed and is listed."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    :param text: what was found, with the number.
    :param remedy: what to do; empty on PASS.
    :param numbers: the same for machines. Units are in the names.
    :param details: a row per pair, symbol or file, where the check looked at several.
    """

    status: Status
    text: str
    remedy: str = ""
    numbers: Mapping[str, Number] = field(default_factory=dict)
    details: tuple[Mapping[str, Number], ...] = ()


@dataclass(frozen=True, kw_only=True)
class CheckResult(Finding):
    """One line of the report.

    :param name: of the check, stable: scripts and the manual refer to it.
    """

    name: str

    @classmethod
    def of(cls, name: str, finding: Finding) -> CheckResult:
        """The finding of the check of that name."""
        return cls(name=name, **vars(finding))

    def line(self, width: int = 0) -> str:
        """`WARN  pairs age  generated 20.1 days ago -> Scan anew`; the name padded to `width`."""
        remedy = f" -> {self.remedy}" if self.remedy else ""
        return f"{self.status:<4}  {self.name:<{width}}  {self.text}{remedy}"

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.name,
            "status": self.status.value,
            "text": self.text,
            "remedy": self.remedy,
            "numbers": dict(self.numbers),
            "details": [dict(row) for row in self.details],
        }


@dataclass(frozen=True)
class Report:
    """Every check's result, in the order they ran."""

    results: tuple[CheckResult, ...]
    live: bool

    def of(self, status: Status) -> tuple[CheckResult, ...]:
        """The results with this status."""
        return tuple(result for result in self.results if result.status is status)

    @property
    def is_passed(self) -> bool:
        """Whether nothing failed."""
        return not self.of(Status.FAIL)

    @property
    def total(self) -> str:
        """`21/22 checks passed (2 with a warning: pairs age, Telegram); failed: clock`."""
        failed, warned = self.of(Status.FAIL), self.of(Status.WARN)
        text = f"{len(self.results) - len(failed)}/{len(self.results)} checks passed"
        if warned:
            names = ", ".join(result.name for result in warned)
            text += f" ({len(warned)} with a warning: {names})"
        if failed:
            text += f"; failed: {', '.join(result.name for result in failed)}"
        return text

    def lines(self) -> list[str]:
        """The report for a terminal: one line per check, then the total."""
        width = max((len(result.name) for result in self.results), default=0)
        return [*(result.line(width) for result in self.results), self.total]

    def for_operator(self) -> list[str]:
        """One message for the operator of a bot that has started: the total and what did not pass."""
        named = [result.line() for result in (*self.of(Status.FAIL), *self.of(Status.WARN))]
        if not self.is_passed:
            named.append("No new pair is entered until the bot has been started again without a FAIL")
        return ["\n".join([f"Preflight: {self.total}", *named])]

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "mode": "live" if self.live else "dry-run",
            "passed": self.is_passed,
            "checks": len(self.results),
            "checks_passed": len(self.results) - len(self.of(Status.FAIL)),
            "warnings": len(self.of(Status.WARN)),
            "total": self.total,
            "results": [result.to_json() for result in self.results],
        }
