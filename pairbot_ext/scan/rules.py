"""Selection rules: which of the tested pairs are kept, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

TEXTBOOK_LEVEL = 0.05
NAIVE_MAX_HALF_LIFE_HOURS = 24.0
NAIVE_TOP = 10
CANDLES_PER_HALF_LIFE = 45
"""Formation candles per half-life below which a cointegration test mostly misses a real pair."""


class Rule(StrEnum):
    """Names of the rules `--rule` accepts."""

    NAIVE = "naive"


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a rule is, in the words of every report."""

    summary: str
    warning: str


RULE_INFO = {
    Rule.NAIVE: RuleInfo(
        summary="naive: coint p < 0.05 in one direction, ADF p < 0.05, half-life < 24 h, ten best by p",
        warning="The naive rule selects noise: it makes no correction for the number of tests, the ADF test "
        "of an estimated residual adds nothing, and p is too small where volatility clusters. "
        "For comparison only.",
    ),
}


def naive_reasons(table: pd.DataFrame, candle_hours: float) -> pd.Series:
    """Why the naive rule drops each pair; empty where it keeps it.

    :param table: rows of tested pairs with ``coint_p, adf_p, half_life`` (candles), ``beta`` and ``reason``.
    :param candle_hours: length of a candle in hours.
    """
    hours = table["half_life"] * candle_hours
    reasons = table["reason"].astype(object).copy()

    def refuse(mask: pd.Series, texts: pd.Series) -> None:
        hit = (reasons == "") & mask
        reasons[hit] = texts[hit]

    def text(column: pd.Series, template: str) -> pd.Series:
        return column.map(template.format)

    refuse(~(table["coint_p"] < TEXTBOOK_LEVEL), text(table["coint_p"], "coint p {:.4f}, must be below 0.05"))
    refuse(~(table["adf_p"] < TEXTBOOK_LEVEL), text(table["adf_p"], "ADF p {:.4f}, must be below 0.05"))
    refuse(
        ~(hours < NAIVE_MAX_HALF_LIFE_HOURS),
        text(hours, f"half-life {{:.1f}} h, must be below {NAIVE_MAX_HALF_LIFE_HOURS:g} h"),
    )
    refuse(
        ~(table["beta"] > 0),
        text(table["beta"], "hedge ratio {:.3f}: both legs would be on one side, must be positive"),
    )
    kept = table.index[reasons == ""]
    by_p = table.loc[kept].sort_values(["coint_p", "leg_a", "leg_b"], kind="stable").index
    for rank, index in enumerate(by_p[NAIVE_TOP:], start=NAIVE_TOP + 1):
        reasons[index] = f"rank {rank} by p, the rule keeps {NAIVE_TOP}"
    return reasons
