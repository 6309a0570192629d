"""Every number behind one pair's selection or refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pairbot_ext.scan.checks import apply_checks
from pairbot_ext.scan.filters import filter_symbols
from pairbot_ext.scan.pipeline import ScanOptions, checked_pairs, pair_id, records, scan_window
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.universe import FormationData
from pairbot_ext.support.errors import DataError


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check of one pair."""

    check: str
    passed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the scan knows about one pair.

    :ivar numbers: the pair's row: both regressions, tests, half-life with interval, costs.
    :ivar verdicts: every check, in order, also those after the first failure.
    :ivar decision: "selected", or why not.
    """

    pair_id: str
    numbers: dict[str, Any]
    verdicts: tuple[Verdict, ...]
    decision: str


def explain_pair(data: FormationData, options: ScanOptions, pair: str) -> Explanation:
    """Explain one pair of the window.

    :param pair: its id, ALGO_VET; the order of the legs does not matter.
    :raises DataError: no tested pair has that id; says so where a leg was rejected.
    """
    result = scan_window(data, options)
    used = data
    if options.rule is not Rule.NAIVE:
        used = filter_symbols(data, options.knobs.filters, options.markets)
    table, checks = checked_pairs(used, options)
    wanted = {pair, "_".join(reversed(pair.split("_")))}
    rows = [
        number for number, row in enumerate(records(table)) if pair_id(row["leg_a"], row["leg_b"]) in wanted
    ]
    if not rows:
        bases = {symbol.split("/", 1)[0]: reason for symbol, reason in used.rejected.items()}
        known = [f"{base}: {bases[base]}" for base in pair.split("_") if base in bases]
        raise DataError(
            "no tested pair has this id",
            value=pair,
            remedy="; ".join(known) or f"Symbols tested: {', '.join(used.symbols)}",
        )
    numbers = records(table.iloc[rows])[0]
    legs = (numbers["leg_a"], numbers["leg_b"])
    final = result.table[(result.table["leg_a"] == legs[0]) & (result.table["leg_b"] == legs[1])]
    reason = str(final["reason"].iloc[0])
    tested = apply_checks(table, [])["failed"].iloc[rows[0]] == ""
    verdicts = tuple(
        Verdict(check.name, bool(check.ok[rows[0]]), check.describe(rows[0])) for check in checks if tested
    )
    return Explanation(pair_id(*legs), numbers, verdicts, reason or "selected")
