"""A drill in a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from pairbot_ext.rehearse.drill import Drill
from pairbot_ext.rehearse.outcome import Result
from pairbot_ext.rehearse.scenarios import curated

MOST_ROWS = 200
_COLOURS = {"flat": "", "hedged": "", "operator": "yellow", "open": "red", "refused": "red"}


def listing() -> str:
    """Every scenario with its name, by group."""
    lines: list[str] = []
    group = ""
    for scenario in curated():
        if scenario.group != group:
            group = scenario.group
            lines += ["", group]
        lines.append(f"  {scenario.name:<26} {scenario.title}")
    return "\n".join(lines[1:])


class Progress:
    """How many have been played, on standard error."""

    def __init__(self, *, quiet: bool, doing: str = "rehearsing") -> None:
        self._bar = RichProgress(
            TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty(),
        )  # fmt: skip
        self._task = self._bar.add_task("")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, done: int, wanted: int) -> None:
        """So many of so many."""
        self._bar.update(self._task, completed=done, total=wanted)


def show(drill: Drill, *, with_messages: bool = False, console: Console | None = None) -> None:
    """The headline, what is assumed, the table, and what of it needs a person's eyes."""
    # Wider than a terminal rather than a column of single letters.
    console = console or Console(width=max(Console().width, 150))
    style = "bold green" if drill.is_passed and not drill.exceeded else "bold yellow"
    console.print(escape(drill.headline()), style=style if drill.is_passed else "bold red", soft_wrap=True)
    for text in drill.setup.assumed:
        console.print(f"Assumed: {escape(text)}", style="dim", soft_wrap=True)
    if not drill.results:
        return
    console.print(_table(_worth_a_row(drill.results)))
    for result in drill.results:
        if result.broken or result.outcome in ("operator", "open", "refused") or with_messages:
            _explain(console, result)


def _worth_a_row(results: list[Result]) -> list[Result]:
    """All of them, or of very many what was broken, beyond a limit, or among the worst, in their order."""
    if len(results) <= MOST_ROWS:
        return results
    worst = sorted(results, key=lambda each: (not each.broken, not each.exceeded, -each.loss))[:MOST_ROWS]
    names = {each.name for each in worst}
    return [each for each in results if each.name in names]


def _table(results: list[Result]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head, right in (
        ("scenario", False), ("pair", False), ("outcome", False), ("alone s", True), ("unhedged", True),
        ("loss", True), ("% stake", True), ("profit", True), ("orders", True), ("how", False),
    ):  # fmt: skip
        table.add_column(
            head,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=head != "how",
            min_width=40 if head == "how" else None,
        )
    for each in results:
        mark = "[red]broken[/red] " if each.broken else "[yellow]limit[/yellow] " if each.exceeded else ""
        colour = _COLOURS[each.outcome]
        outcome = f"[{colour}]{each.outcome}[/{colour}]" if colour else each.outcome
        table.add_row(
            escape(each.name), escape(each.pair), outcome, f"{each.alone_secs:.1f}", f"{each.exposure:.0f}",
            f"{each.loss:.2f}", f"{each.loss_percent:.1f}", f"{each.profit:+.2f}", str(each.orders),
            mark + escape(_short(each.story)),
        )  # fmt: skip
    return table


def _short(text: str) -> str:
    return text if len(text) <= 90 else text[:87] + "..."


def _explain(console: Console, result: Result) -> None:
    console.print(f"\n{escape(result.name)}: {escape(result.title)}", style="bold", soft_wrap=True)
    for text in result.broken:
        console.print(f"  broken: {escape(text)}", style="red", soft_wrap=True)
    for text in result.exceeded:
        console.print(f"  limit: {escape(text)}", style="yellow", soft_wrap=True)
    for secs, text in result.messages:
        console.print(f"  {secs:8.1f} s  {escape(text)}", soft_wrap=True)
    console.print(f"  What to do: {escape(result.then)}", soft_wrap=True)
