"""Selection rules: the statistical checks a pair must pass, and how the passing ones are ranked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pairbot_ext.scan.checks import Check
from pairbot_ext.scan.universe import FormationData
from pairbot_ext.settings.knobs import Rule

if TYPE_CHECKING:
    from pairbot_ext.stats.shifted import ShiftedNull

TEXTBOOK_LEVEL = 0.05
NAIVE_MAX_HALF_LIFE_HOURS = 24.0
NAIVE_TOP = 10
CANDLES_PER_HALF_LIFE = 45
"""Formation candles per half-life below which a cointegration test mostly misses a real pair."""


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a rule is, in the words of every report."""

    summary: str
    warning: str


def rule_info(rule: Rule) -> RuleInfo:
    """Summary and warning of a rule."""
    if rule is Rule.NAIVE:
        return RuleInfo(
            summary="naive: coint p < 0.05 in one direction, ADF p < 0.05, half-life < 24 h, ten best by p",
            warning="The naive rule selects noise: it makes no correction for the number of tests, the ADF "
            "test of an estimated residual adds nothing, and p is too small where volatility clusters. "
            "For comparison only.",
        )
    from pairbot_ext.stats.multiplicity import RULES

    return RuleInfo(f"{rule.value}: {RULES[rule.value].summary}", RULES[rule.value].warning)


def tested_rule(
    rule: Rule,
    table: pd.DataFrame,
    data: FormationData,
    progress: Callable[[int, int], None] | None,
    null: ShiftedNull | None,
) -> tuple[pd.DataFrame, Check]:
    """Robust p-values and q-values over all tests made, and the check on them.

    :param table: one row per tested pair, both directions' textbook p.
    :param null: see ``SelectionRule.evaluate``.
    :return: the table with ``robust_t, robust_p, q_value``, and the check.
    """
    from pairbot_ext.stats.multiplicity import RULES

    if table.empty:
        nothing = pd.Series(dtype=np.float64)
        table = table.assign(robust_t=nothing, robust_p=nothing, q_value=nothing)
        return table, Check("q value", np.zeros(0, dtype=bool), str)
    judged = RULES[rule.value].evaluate(table, data.log_prices, data.symbols, progress=progress, null=null)
    column = "q_by" if rule is Rule.STRICT else "q_bh"
    verdicts = judged["verdict"].tolist()
    table = table.assign(robust_t=judged["robust_t"], robust_p=judged["robust_p"], q_value=judged[column])
    return table, Check("q value", judged["passes"].to_numpy(dtype=bool), lambda row: str(verdicts[row]))


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
