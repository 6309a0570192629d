"""Selection rules: the statistical checks a pair must pass, and how the passing ones are ranked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from pairbot_ext.scan.checks import Check

TEXTBOOK_LEVEL = 0.05
NAIVE_MAX_HALF_LIFE_HOURS = 24.0
NAIVE_TOP = 10
CANDLES_PER_HALF_LIFE = 45
"""Formation candles per half-life below which a cointegration test mostly misses a real pair."""


class Rule(StrEnum):
    """Names of the rules `--rule` accepts."""

    NAIVE = "naive"


DEFAULT_RULE = Rule.NAIVE


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


def naive_checks(table: pd.DataFrame, candle_hours: float) -> list[Check]:
    """The usual practice, one fitted direction.

    :param table: rows of tested pairs with ``coint_p, adf_p, half_life`` (candles) and ``beta``.
    :param candle_hours: length of a candle in hours.
    """
    coint_p, adf_p, beta = (table[name].to_numpy(dtype=np.float64) for name in ("coint_p", "adf_p", "beta"))
    hours = table["half_life"].to_numpy(dtype=np.float64) * candle_hours
    return [
        Check(
            "coint p",
            coint_p < TEXTBOOK_LEVEL,
            lambda row: f"coint p {p_text(coint_p[row])}, must be below {TEXTBOOK_LEVEL:g}",
        ),
        Check(
            "ADF p",
            adf_p < TEXTBOOK_LEVEL,
            lambda row: f"ADF p {p_text(adf_p[row])}, must be below {TEXTBOOK_LEVEL:g}",
        ),
        Check(
            "half-life",
            hours < NAIVE_MAX_HALF_LIFE_HOURS,
            lambda row: f"half-life {hours[row]:.1f} h, must be below {NAIVE_MAX_HALF_LIFE_HOURS:g} h",
        ),
        Check(
            "beta",
            beta > 0,
            lambda row: f"hedge ratio {beta[row]:.3f}, must be positive: else both legs are on one side",
        ),
    ]


def p_text(p: float) -> str:
    """A p-value with the digits that matter: 0.0421, 3.2e-05."""
    return f"{p:.4f}" if p >= 1e-3 or p == 0 else f"{p:.1e}"
