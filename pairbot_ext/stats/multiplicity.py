"""Which pairs to believe when hundreds were tried: q-values and the selection rules built on them.

A scan of 30 symbols makes 435 tests; at p < 0.05 some 22 of them "find" a pair among independent random
walks. The rules here say how a scan's tests become a selection, and carry the sentence that every report has
to show. They judge statistics only: economic filters (costs, liquidity, half-life band …) come after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.robust import robust_p_values
from pairbot_ext.stats.shifted import SHIFTS, ShiftedNull, shifted_null
from pairbot_ext.support.errors import DataError

Correction = Literal["fdr_bh", "fdr_by"]

TEXTBOOK_LEVEL = 0.05
# A formation of fewer half-lives than this misses most of the true pairs (docs/statistics/power.md).
HALF_LIVES_FOR_POWER = 45.0


def q_values(p: ArrayLike, correction: Correction) -> FloatArray:
    """Benjamini-Hochberg or Benjamini-Yekutieli adjusted p-values; equal to statsmodels' ``multipletests``.

    Benjamini & Hochberg, JRSS B 57 (1995) 289-300; Benjamini & Yekutieli, Annals of Statistics 29 (2001)
    1165-1188.

    :param p: p-values of all tests made, shape (M,); NaN marks a pair that was not tested and does not count.
    :return: shape (M,), NaN where ``p`` is.
    """
    values = np.asarray(p, dtype=np.float64)
    q = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested])]
    rank = np.arange(1, order.size + 1)
    factor = np.sum(1.0 / rank) if correction == "fdr_by" else 1.0
    adjusted = values[order] * factor * order.size / rank
    # No test is less significant than one with a larger p-value.
    q[order] = np.minimum(np.minimum.accumulate(adjusted[::-1])[::-1], 1.0)
    return q


def expected_false_positives(n_tests: int) -> float:
    """How many of ``n_tests`` tests pass the textbook's p < 0.05 where no pair is cointegrated."""
    return n_tests * TEXTBOOK_LEVEL


def one_row_per_pair(scan: pd.DataFrame) -> pd.DataFrame:
    """The scan's unordered pairs, leg A being the series that comes first in the scan.

    :param scan: the result of ``scan_pairs``: every ordered pair.
    :return: the rows of the first direction with ``reverse_beta``, ``reverse_coint_t``, ``reverse_coint_p``
        from the other one.
    """
    place = {name: rank for rank, name in enumerate(dict.fromkeys(scan["leg_a"]))}
    first = scan["leg_a"].map(place).to_numpy() < scan["leg_b"].map(place).to_numpy()
    reverse = scan[~first].set_index(["leg_b", "leg_a"])[["beta", "coint_t", "coint_p"]]
    return scan[first].join(reverse.add_prefix("reverse_"), on=["leg_a", "leg_b"]).reset_index(drop=True)


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """A named way from a scan's tests to a selection.

    :ivar name: what ``--rule`` accepts and the pairs file records.
    :ivar summary: one sentence for every report.
    :ivar warning: what a reader must know before trusting the selection; empty for the default rule.
    :ivar level: largest q-value (largest p-value for the naive rule) that is kept.
    :ivar correction: multiple-testing correction, None for the naive rule.
    :ivar is_calibrated: p comes from the scanned candles, shifted (``shifted``), not from the table.
    """

    name: str
    summary: str
    warning: str
    level: float
    correction: Correction | None
    is_calibrated: bool = False

    def evaluate(
        self,
        pairs: pd.DataFrame,
        log_prices: ArrayLike,
        names: Sequence[object],
        *,
        threads: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        null: ShiftedNull | None = None,
    ) -> pd.DataFrame:
        """Judge one row per tested *unordered* pair.

        :param pairs: columns ``leg_a, leg_b, coint_p, reverse_coint_p, n, reason`` (``reverse_coint_p`` from
            the row of ``scan_pairs`` with the legs exchanged). Which leg is called A makes no difference to
            this rule's tests. Rows with a reason were rejected before testing and are not counted.
        :param log_prices: the array given to ``scan_pairs``, shape (T, N).
        :param names: its N names.
        :param threads: see ``robust_p_values``.
        :param progress: called with (steps done, steps to do) of the longer part: tests, or shifts.
        :param null: of a calibrated rule, where it is known already; else it is made from ``log_prices``.
        :return: on ``pairs``' index: ``robust_t, robust_p`` (1 where the textbook p is too large to matter,
            NaN where the pair was rejected; by the rule's own null), ``q_bh, q_by`` (of the robust p over all
            tests made), ``passes`` and ``verdict`` (a sentence with the numbers).
        """
        required = ["leg_a", "leg_b", "coint_p", "reverse_coint_p", "n", "reason"]
        absent = [column for column in required if column not in pairs.columns]
        if absent:
            raise DataError("the table of tested pairs lacks columns", value=", ".join(absent))
        known = pd.Index(np.array(list(names), dtype=object))
        places = known.get_indexer(pd.concat([pairs["leg_a"], pairs["leg_b"]])).reshape(2, -1)
        twice = pd.DataFrame(np.sort(places, axis=0).T).duplicated()
        if twice.any():
            raise DataError(
                "a pair occurs twice in the table",
                value=" / ".join(str(pairs[leg][twice.to_numpy()].iloc[0]) for leg in ("leg_a", "leg_b")),
                remedy="pass one row per unordered pair: both directions are one test",
            )
        said = None if self.is_calibrated else progress
        result = robust_p_values(pairs, log_prices, names, threads=threads, progress=said)
        if self.is_calibrated:
            tested = result["robust_p"].notna().to_numpy()
            if null is None and tested.any():
                used = np.unique(places[:, tested])
                complete = np.asarray(log_prices, dtype=np.float64)[:, used]
                null = shifted_null(complete, threads=threads, progress=progress)
            if null is not None:
                p = null.p_values(result["robust_t"].to_numpy(dtype=np.float64))
                result["robust_p"] = np.where(tested, p, np.nan)
        result["q_bh"] = q_values(result["robust_p"], "fdr_bh")
        result["q_by"] = q_values(result["robust_p"], "fdr_by")
        values, label = self._judged(pairs, result)
        counted = ~np.isnan(values)
        result["passes"] = counted & (values <= self.level)
        count = int(counted.sum())
        # Most pairs share a few q-values: each sentence is written once.
        distinct, which = np.unique(values, return_inverse=True)
        sentences = np.array(
            [
                f"{label} {value:.3g} {'<=' if value <= self.level else '>'} {self.level:g} ({count} tests)"
                for value in distinct
            ],
            dtype=object,
        )
        reasons = pairs["reason"].to_numpy(dtype=object)
        result["verdict"] = np.where(reasons == "", sentences[which], reasons)
        return result

    def _judged(self, pairs: pd.DataFrame, result: pd.DataFrame) -> tuple[FloatArray, str]:
        if self.correction is None:
            p = pairs["coint_p"].to_numpy(dtype=np.float64)
            return np.where(pairs["reason"] == "", p, np.nan), "textbook p of one direction"
        column = "q_bh" if self.correction == "fdr_bh" else "q_by"
        return result[column].to_numpy(dtype=np.float64), f"q ({column[2:].upper()})"


DEFAULT_RULE = SelectionRule(
    name="robust",
    summary="volatility-weighted cointegration test, both directions must reject, "
    "Benjamini-Hochberg q <= 0.05 over all pairs tested",
    warning="",
    level=0.05,
    correction="fdr_bh",
)

STRICT_RULE = SelectionRule(
    name="strict",
    summary="as robust, but Benjamini-Yekutieli q <= 0.05: valid under any dependence between the tests",
    warning="Much less power: most true pairs are missed as well.",
    level=0.05,
    correction="fdr_by",
)

CALIBRATED_RULE = SelectionRule(
    name="calibrated",
    summary=f"as robust, but p is how often {SHIFTS} universes of the same candles, each coin's own part "
    "shifted, reach the pair's statistic; Benjamini-Hochberg q <= 0.05 over all pairs tested",
    warning="",
    level=0.05,
    correction="fdr_bh",
    is_calibrated=True,
)

NAIVE_RULE = SelectionRule(
    name="naive",
    summary="coint p < 0.05 in one direction, no correction for the number of tests",
    warning="The naive rule selects noise: it makes no correction for the number of tests, and its p is too "
    "small where volatility clusters. For comparison only.",
    level=TEXTBOOK_LEVEL,
    correction=None,
)

RULES = {rule.name: rule for rule in (DEFAULT_RULE, STRICT_RULE, CALIBRATED_RULE, NAIVE_RULE)}
