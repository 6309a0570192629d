"""Checks a pair must pass, in order. The first one it fails is its reason; all of them explain it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]

SELECTED = ""
NOT_TESTABLE = "data"


@dataclass(frozen=True, slots=True)
class Check:
    """One condition on every pair of a table.

    :ivar name: short name; the column of the funnel.
    :ivar ok: shape (rows,), True where the pair passes.
    :ivar describe: the row's number, value and limit, in words, whether it passes or not.
    """

    name: str
    ok: BoolArray
    describe: Callable[[int], str]


def apply_checks(table: pd.DataFrame, checks: Sequence[Check]) -> pd.DataFrame:
    """Add the columns ``failed`` (name of the first failed check) and ``reason`` (its words); both are empty
    where every check passes. Rows the engine could not test keep its reason."""
    failed = np.where(table["reason"].to_numpy() == "", SELECTED, NOT_TESTABLE).astype(object)
    reason = table["reason"].astype(object).to_numpy(copy=True)
    for check in checks:
        for row in np.flatnonzero((failed == SELECTED) & ~check.ok):
            failed[row] = check.name
            reason[row] = check.describe(int(row))
    return table.assign(failed=failed, reason=reason)


def cap(table: pd.DataFrame, order: Sequence[int], limit: int, name: str) -> pd.DataFrame:
    """Keep the first `limit` of the still selected rows of `order` (row positions, best first)."""
    failed, reason = (table[column].to_numpy(copy=True) for column in ("failed", "reason"))
    selected = np.asarray(order, dtype=np.intp)[failed[order] == SELECTED]
    for place, row in enumerate(selected[limit:], start=limit + 1):
        failed[row] = name
        reason[row] = f"rank {place}, {limit} are kept"
    return table.assign(failed=failed, reason=reason)


def cap_per_coin(table: pd.DataFrame, order: Sequence[int], limit: int) -> pd.DataFrame:
    """Keep a still selected row only while both its coins are in fewer than `limit` better ones."""
    failed, reason = (table[column].to_numpy(copy=True) for column in ("failed", "reason"))
    leg_a, leg_b = table["leg_a"].to_numpy(), table["leg_b"].to_numpy()
    used: dict[str, int] = {}
    for row in np.asarray(order, dtype=np.intp)[failed[order] == SELECTED]:
        legs = [leg_a[row], leg_b[row]]
        full = [leg.split("/", 1)[0] for leg in legs if used.get(leg, 0) >= limit]
        if full:
            failed[row] = "coin cap"
            reason[row] = f"{' and '.join(full)} already in {limit} better pairs, {limit} are allowed"
            continue
        for leg in legs:
            used[leg] = used.get(leg, 0) + 1
    return table.assign(failed=failed, reason=reason)


def funnel(table: pd.DataFrame, checks: Sequence[str]) -> dict[str, int]:
    """How many pairs are left after each check, in order; the first entry is all that were tested."""
    left = len(table)
    counts = {"tested": left}
    for name in checks:
        left -= int((table["failed"] == name).sum())
        counts[name] = left
    return counts
