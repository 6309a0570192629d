"""What `make compat` writes: the table of the docs, and the tested releases where the package reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from compat.environments import ROOT, Combination
from compat.suite import Outcome, Part
from pairbot_ext.host import releases

PAGE = ROOT / "docs" / "releases.md"
BEGIN, END = "<!-- written by `make compat` -->", "<!-- end of what `make compat` writes -->"
MEASURED = "The whole command"


@dataclass(frozen=True)
class Row:
    """One release. `wrong` says why its tests could not be run; None where they were."""

    combination: Combination
    outcome: Outcome | None = None
    wrong: str | None = None

    @property
    def is_green(self) -> bool:
        """Whether contract and core suite passed."""
        return self.outcome is not None and self.outcome.is_green


def shown(row: Row) -> str:
    """One line of the table."""
    each, outcome = row.combination, row.outcome
    begin = f"| {each.freqtrade} | {each.ccxt} | {each.why} "
    if outcome is None:
        return f"{begin}| not run: {row.wrong} | | | red |"
    return (
        f"{begin}| {_count(outcome.contract)} | {_count(outcome.core)} "
        f"| {outcome.cpu_secs:.0f} s | {'green' if row.is_green else 'red'} |"
    )


def _count(part: Part) -> str:
    parts = [f"{part.passed} passed"]
    if part.failed:
        parts.append(f"**{len(part.failed)} failed**")
    if part.skipped:
        parts.append(f"{part.skipped} skipped")
    return ", ".join(parts)


def table(rows: Sequence[Row]) -> str:
    """The rows, and how many of them are green."""
    green = [row for row in rows if row.is_green]
    releases_green = len({row.combination.freqtrade for row in green})
    return "\n".join(
        [
            "| Freqtrade | ccxt | why | contract | core suite | processor | |",
            "|---|---|---|---|---|---|---|",
            *(shown(row) for row in rows),
            "",
            f"{releases_green} releases of Freqtrade green, {len(green)} of {len(rows)} combinations.",
        ]
    )


def write(rows: Sequence[Row], measured: str | None, day: str) -> None:
    """The table into the page; the green ones into the package.

    :param measured: what a whole run took; None leaves the sentence of the last one.
    """
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    old, _, after = rest.partition(END)
    if measured is None:
        measured = next((line for line in old.splitlines() if line.startswith(MEASURED)), "")
    text = "\n".join([BEGIN, "", table(rows), measured, "", END])
    PAGE.write_text(f"{before}{text}{after}", encoding="utf-8")
    tested = [
        {"freqtrade": row.combination.freqtrade, "ccxt": row.combination.ccxt, "tested_on": day}
        for row in rows
        if row.is_green
    ]
    if not tested:
        # Then it is these tests that are red: what passed before has passed.
        return
    lines = ",\n".join(f" {json.dumps(each)}" for each in tested)
    releases.TABLE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
