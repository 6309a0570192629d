"""What `make compat` writes: the table of the docs, and the tested releases where the package reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from compat.environments import ROOT, Combination
from compat.suite import Outcome
from pairbot_ext.host import releases

PAGE = ROOT / "docs" / "releases.md"
BEGIN, END = "<!-- written by `make compat` -->", "<!-- end of what `make compat` writes -->"


@dataclass(frozen=True)
class Row:
    """One release. `wrong` says why its tests could not be run; None where they were."""

    combination: Combination
    contract: Outcome | None = None
    core: Outcome | None = None
    wrong: str | None = None

    @property
    def is_green(self) -> bool:
        """Whether contract and core suite passed."""
        return all(each is not None and each.is_green for each in (self.contract, self.core))


def shown(row: Row) -> str:
    """One line of the table."""
    each = row.combination
    if row.contract is None or row.core is None:
        return f"| {each.freqtrade} | {each.ccxt} | {each.why} | not run: {row.wrong} | | | red |"
    wall, cpu = (
        sum(getattr(part, name) for part in (row.contract, row.core)) for name in ("wall_secs", "cpu_secs")
    )
    verdict = "green" if row.is_green else "red"
    return (
        f"| {each.freqtrade} | {each.ccxt} | {each.why} | {_count(row.contract)} | {_count(row.core)} "
        f"| {wall:.0f} s, {cpu:.0f} s | {verdict} |"
    )


def _count(outcome: Outcome) -> str:
    parts = [f"{outcome.passed} passed"]
    if outcome.failed:
        parts.append(f"**{len(outcome.failed)} failed**")
    if outcome.skipped:
        parts.append(f"{outcome.skipped} skipped")
    return ", ".join(parts)


def table(rows: Sequence[Row], *, day: str, wall_secs: float, cpu_secs: float, jobs: int) -> str:
    """The whole part between the markers."""
    green = [row for row in rows if row.is_green]
    freqtrades = {row.combination.freqtrade for row in green}
    return "\n".join(
        [
            BEGIN,
            "",
            "| Freqtrade | ccxt | why | contract | core suite | wall, processor | |",
            "|---|---|---|---|---|---|---|",
            *(shown(row) for row in rows),
            "",
            f"{len(freqtrades)} releases of Freqtrade green, {len(green)} of {len(rows)} combinations. "
            f"Measured on {day}: {wall_secs / 60:.0f} min of wall clock, {cpu_secs / 60:.0f} min of "
            f"processor time, {jobs} at a time, environments included.",
            "",
            END,
        ]
    )


def write(rows: Sequence[Row], text: str, day: str) -> None:
    """The table into the page; the green ones into the package."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{text}{after}", encoding="utf-8")
    tested = [
        {"freqtrade": row.combination.freqtrade, "ccxt": row.combination.ccxt, "tested_on": day}
        for row in rows
        if row.is_green
    ]
    lines = ",\n".join(f" {json.dumps(each)}" for each in tested)
    releases.TABLE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
