"""What a scan tells its reader: a rich table, or the same facts as JSON or CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from pairbot_ext.pairs import PairsFile
from pairbot_ext.scan.checks import funnel
from pairbot_ext.scan.explain import Explanation
from pairbot_ext.scan.pipeline import ScanResult, pair_id, records
from pairbot_ext.scan.rules import CANDLES_PER_HALF_LIFE, p_text, rule_info


def scan_facts(result: ScanResult) -> dict[str, Any]:
    """The numbers every report of one window carries, JSON-ready."""
    return {
        "rule": rule_info(result.rule).summary,
        "combinations": result.combinations,
        "selected": len(result.selected),
        "expected_false_positives": round(result.expected_false_positives, 2),
        "passing_textbook_p": result.passing_textbook,
        "underpowered": int(result.selected["underpowered"].sum()),
        "formation_candles": result.window.candles,
        "symbols_tested": len(result.symbols),
        "symbols_rejected": dict(result.rejected),
        "funnel": funnel(result.table, result.steps),
    }


def summary(results: Sequence[ScanResult]) -> dict[str, Any]:
    """The pairs file's `scan` block: one window's facts, or totals and the facts of every epoch."""
    if len(results) == 1:
        return scan_facts(results[0])
    facts = [scan_facts(result) for result in results]
    totals = {
        name: round(sum(fact[name] for fact in facts), 2)
        for name in (
            *("combinations", "selected", "expected_false_positives"),
            *("passing_textbook_p", "underpowered"),
        )
    }
    every = [
        {"formation_end": result.window.end.isoformat()}
        | {name: value for name, value in fact.items() if name not in ("rule", "formation_candles")}
        for result, fact in zip(results, facts, strict=True)
    ]
    common = {name: facts[0][name] for name in ("rule", "formation_candles")}
    return common | totals | {"epochs": every}


def result_json(result: ScanResult) -> dict[str, Any]:
    """The whole result: facts, and every tested pair with its reason."""
    clean = [{key: json_value(value) for key, value in row.items()} for row in records(result.table)]
    return {
        "formation_start": result.window.start.isoformat(),
        "formation_end": result.window.end.isoformat(),
        "timeframe": result.window.timeframe,
        **scan_facts(result),
        "pairs": clean,
    }


def json_value(value: object) -> object:
    """None for numbers JSON does not know."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_result(console: Console, result: ScanResult, *, limit: int) -> None:
    """Facts, rejected symbols, the selected pairs, and the next best with why they were not selected."""
    info = rule_info(result.rule)
    facts = scan_facts(result)
    length = f"{result.window.candles} candles of {result.window.timeframe}"
    console.print(f"Formation: {length}, {result.window.describe()}", highlight=False)
    console.print(f"Rule: {info.summary}", highlight=False)
    console.print(
        f"Combinations tested: {facts['combinations']} ({facts['symbols_tested']} symbols). "
        f"With p < 0.05: {facts['passing_textbook_p']}; "
        f"expected by chance alone: {facts['expected_false_positives']:.1f}. "
        f"Selected: {facts['selected']}.",
        highlight=False,
    )
    if info.warning:
        console.print(info.warning, style="yellow", highlight=False)
    for symbol, reason in result.rejected.items():
        console.print(f"Rejected {symbol}: {reason}", highlight=False)
    left = " -> ".join(f"{name} {count}" for name, count in facts["funnel"].items())
    console.print(f"Left after each step: {left}", highlight=False)
    selected = result.selected
    if selected.empty:
        console.print(
            "No tradable pair. This is a normal answer: no pair of this window passes the rule.", style="bold"
        )
    else:
        console.print(_pair_table("Selected pairs", selected))
        _print_power(console, result)
    others = result.table[result.table["reason"] != ""].head(limit)
    if not others.empty:
        console.print(_pair_table(f"Next best by p ({len(others)} of those not selected)", others, why=True))


def print_walk_forward(console: Console, results: Sequence[ScanResult]) -> None:
    """One line per epoch: how many pairs are left after each step, and which were selected."""
    rule, steps = rule_info(results[0].rule), results[0].steps
    console.print(f"Rule: {rule.summary}", highlight=False)
    if rule.warning:
        console.print(rule.warning, style="yellow", highlight=False)
    table = Table(title="Pairs left after each step, by epoch", title_justify="left")
    table.add_column("valid from, UTC", no_wrap=True)
    for name in ("symbols", "tested", "p < 0.05", *steps):
        table.add_column(name, justify="right")
    table.add_column("selected", overflow="fold", ratio=1)
    for result in results:
        counts = funnel(result.table, steps)
        ids = [pair_id(row["leg_a"], row["leg_b"]) for row in records(result.selected)]
        table.add_row(
            f"{result.window.end:%Y-%m-%d %H:%M}".removesuffix(" 00:00"),
            str(len(result.symbols)),
            str(counts["tested"]),
            str(result.passing_textbook),
            *(str(counts[name]) for name in steps),
            " ".join(ids) or "none",
        )
    console.print(table)
    totals = summary(results)
    empty = sum(result.selected.empty for result in results)
    console.print(
        f"{len(results)} epochs, {totals['combinations']} tests, "
        f"with p < 0.05: {totals['passing_textbook_p']}, "
        f"expected by chance alone: {totals['expected_false_positives']:.1f}. "
        f"Selected: {totals['selected']}, of which underpowered: {totals['underpowered']}; "
        f"epochs without a tradable pair: {empty}.",
        highlight=False,
    )


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Every number, then every check."""
    numbers = Table(title=explanation.pair_id, title_justify="left", show_header=False)
    numbers.add_column("name")
    numbers.add_column("value", justify="right")
    for name, value in explanation.numbers.items():
        if name != "reason":
            numbers.add_row(name, f"{value:.6g}" if isinstance(value, float) else str(value))
    console.print(numbers)
    checks = Table(title="Checks", title_justify="left")
    for name in ("check", "passed", "value and limit"):
        checks.add_column(name)
    for verdict in explanation.verdicts:
        checks.add_row(verdict.check, "yes" if verdict.passed else "NO", verdict.words)
    console.print(checks)
    console.print(f"Decision: {explanation.decision}", style="bold", highlight=False)


def _print_power(console: Console, result: ScanResult) -> None:
    weak = result.selected[result.selected["underpowered"]]
    if weak.empty:
        return
    longest = result.window.candles / CANDLES_PER_HALF_LIFE
    console.print(
        f"Underpowered: {len(weak)} of {len(result.selected)} selected pairs have a half-life above "
        f"{longest:.1f} candles, a {CANDLES_PER_HALF_LIFE}th of the formation; so short a history can hardly "
        "tell them from noise.",
        style="yellow",
        highlight=False,
    )


def _pair_table(title: str, rows: pd.DataFrame, *, why: bool = False) -> Table:
    """Selected pairs with their model, or refused ones with the reason."""
    table = Table(title=title, title_justify="left")
    for name in ("leg A", "leg B"):
        table.add_column(name)
    last = "q value" if "q_value" in rows else "ADF p"
    numbers = ("hedge ratio", "half-life h", "coint p", last)
    for name in numbers if why else (*numbers, "sigma bp"):
        table.add_column(name, justify="right")
    table.add_column("not selected because" if why else "power", overflow="fold")
    for row in records(rows):
        cells = [
            base(row["leg_a"]),
            base(row["leg_b"]),
            f"{row['beta']:.4f}",
            f"{row['half_life_hours']:.1f}",
            p_text(row["coint_p"]),
            p_text(row["q_value"] if "q_value" in row else row["adf_p"]),
        ]
        if why:
            cells.append(row["reason"])
        else:
            cells += [f"{row['sigma'] * 1e4:.0f}", "underpowered" if row["underpowered"] else "ok"]
        table.add_row(*cells)
    return table


def base(symbol: str) -> str:
    """ADA/USDT:USDT -> ADA."""
    return symbol.split("/", 1)[0]


def print_pairs_file(console: Console, pairs_file: PairsFile) -> None:
    """The pairs of an imported table."""
    table = Table(title=f"{len(pairs_file.pair_ids())} pairs, {pairs_file.exchange} {pairs_file.timeframe}")
    for name in ("id", "leg A", "leg B"):
        table.add_column(name)
    for name in ("hedge ratio", "half-life h", "coint p", "ADF p"):
        table.add_column(name, justify="right")
    for epoch in pairs_file.epochs:
        for pair in epoch.pairs:
            half_life = "" if pair.half_life_hours is None else f"{pair.half_life_hours:.1f}"
            table.add_row(
                pair.id,
                pair.leg_a,
                pair.leg_b,
                f"{pair.hedge_ratio:.4f}",
                half_life,
                f"{pair.coint_p:.4f}",
                f"{pair.adf_p:.4f}",
            )
    console.print(table)
