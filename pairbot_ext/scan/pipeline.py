"""One formation window, from candles to the selected pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from pairbot_ext.pairs import Epoch, Pair
from pairbot_ext.scan.checks import Check, apply_checks, cap, cap_per_coin
from pairbot_ext.scan.filters import MarketInfo, filter_symbols, half_betas, pair_checks, pair_costs
from pairbot_ext.scan.rules import (
    CANDLES_PER_HALF_LIFE,
    NAIVE_TOP,
    TEXTBOOK_LEVEL,
    Rule,
    naive_checks,
    tested_rule,
)
from pairbot_ext.scan.universe import FormationData, Window
from pairbot_ext.settings.scan import ScanKnobs, Thresholds
from pairbot_ext.stats.engine import BLOCK_MIB, scan_pairs
from pairbot_ext.stats.shifted import ShiftedNull

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How a window is scanned.

    :ivar markets: what the exchange says about symbols; empty for stored candles alone.
    :ivar block_mib: memory of the block of pairs that a thread tests; see ``scan_pairs``.
    :ivar nulls: what the rule "calibrated" compares with, by the end of the formation, where it is known.
    """

    rule: Rule
    knobs: ScanKnobs = field(default_factory=ScanKnobs)
    markets: Mapping[str, MarketInfo] = field(default_factory=dict)
    block_mib: float = BLOCK_MIB
    nulls: Mapping[datetime, ShiftedNull] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What one window's scan found.

    :ivar table: one row per tested pair, best first, with the engine's columns for the fitted direction,
        ``half_life_hours``, ``underpowered`` (formation shorter than 45 half-lives), ``failed`` (name of the
        first check it did not pass) and ``reason``; both are empty where the pair is selected.
    :ivar steps: names of the checks and caps, in the order of the funnel.
    :ivar rejected: reason for every symbol that was not tested.
    """

    window: Window
    rule: Rule
    symbols: tuple[str, ...]
    rejected: Mapping[str, str]
    table: pd.DataFrame
    steps: tuple[str, ...]

    @property
    def combinations(self) -> int:
        """Pairs tested."""
        return len(self.table)

    @property
    def expected_false_positives(self) -> float:
        """How many of the tests pass p < 0.05 by chance where no pair is cointegrated."""
        return self.combinations * TEXTBOOK_LEVEL

    @property
    def selected(self) -> pd.DataFrame:
        """The rows the rule keeps."""
        return self.table[self.table["reason"] == ""]

    @property
    def passing_textbook(self) -> int:
        """How many of the tests have p < 0.05."""
        return int((self.table["coint_p"] < TEXTBOOK_LEVEL).sum())


def pairs_table(data: FormationData, progress: Progress | None, block_mib: float = BLOCK_MIB) -> pd.DataFrame:
    """Test every pair of the window's symbols in both directions.

    :param progress: called with (ordered pairs done, in all).
    :return: one row per pair with the engine's columns for the direction whose leg A, the dependent
        variable, is the market with the smaller quote volume (ties: alphabetically), and ``reverse_beta``,
        ``reverse_coint_t``, ``reverse_coint_p`` from the other direction.
    """
    by_volume = sorted(range(len(data.symbols)), key=lambda k: (data.quote_volume[k], data.symbols[k]))
    rank = {data.symbols[k]: place for place, k in enumerate(by_volume)}
    if len(rank) < 2:
        return _no_pairs()
    both = scan_pairs(
        data.log_prices, data.symbols, block_mib=block_mib, window=data.shared, progress=progress
    )
    n, place = len(data.symbols), np.array([rank[symbol] for symbol in data.symbols])
    a, b = np.nonzero(place[:, None] < place[None, :])
    # The engine's rows: leg A varies slowest, leg B skips it.
    fitted, reverse = a * (n - 1) + b - (b > a), b * (n - 1) + a - (a > b)
    other = both[["beta", "coint_t", "coint_p"]].iloc[reverse].add_prefix("reverse_")
    return both.iloc[fitted].reset_index(drop=True).join(other.reset_index(drop=True))


def _no_pairs() -> pd.DataFrame:
    """The table of a window in which the filters left fewer than two symbols."""
    texts = ("leg_a", "leg_b", "reason")
    numbers = (
        *("alpha", "beta", "sigma", "r2", "coint_t", "coint_p", "lag", "adf_t", "adf_p", "adf_lag"),
        *("half_life", "half_life_low", "half_life_high", "n"),
        *("reverse_beta", "reverse_coint_t", "reverse_coint_p"),
    )
    columns = {name: pd.Series(dtype=object) for name in texts}
    return pd.DataFrame(columns | {name: pd.Series(dtype=np.float64) for name in numbers})


def scan_window(data: FormationData, options: ScanOptions, progress: Progress | None = None) -> ScanResult:
    """Filter the symbols, test every pair of the others, apply the rule, filter and cap the pairs."""
    filters = options.knobs.filters
    if options.rule is not Rule.NAIVE:
        data = filter_symbols(data, filters, options.markets)
    table, checks = checked_pairs(data, options, progress)
    table = apply_checks(table, checks)
    steps = [check.name for check in checks]
    order = ranking(table)
    if options.rule is Rule.NAIVE:
        table = cap(table, order, NAIVE_TOP, "top")
        steps += ["top"]
    else:
        table = cap_per_coin(table, order, filters.max_pairs_per_coin)
        table = cap(table, order, filters.top, "top")
        steps += ["coin cap", "top"]
    table = table.iloc[order].reset_index(drop=True)
    return ScanResult(data.window, options.rule, data.symbols, data.rejected, table, tuple(steps))


def checked_pairs(
    data: FormationData, options: ScanOptions, progress: Progress | None = None
) -> tuple[pd.DataFrame, list[Check]]:
    """Every tested pair with all numbers the checks look at, and the checks themselves."""
    filters, thresholds = options.knobs.filters, options.knobs.thresholds
    table = pairs_table(data, progress, options.block_mib)
    hours = data.window.candle.total_seconds() / 3600
    first, second = half_betas(data, table)
    table = table.assign(
        half_life_hours=table["half_life"] * hours,
        underpowered=~(data.window.candles >= CANDLES_PER_HALF_LIFE * table["half_life"]),
        beta_first_half=first,
        beta_second_half=second,
    ).join(pair_costs(data, table, filters, thresholds))
    if options.rule is Rule.NAIVE:
        return table, naive_checks(table, hours)
    null = options.nulls.get(data.window.end)
    table, check = tested_rule(options.rule, table, data, progress, null)
    return table, [check, *pair_checks(table, filters, data.window.candles)]


def ranking(table: pd.DataFrame) -> list[int]:
    """Row positions, best first: by robust p where there is one, then textbook p, ties by name."""
    keys = [table["leg_b"], table["leg_a"], table["coint_p"]]
    if "robust_p" in table:
        keys.append(table["robust_p"])
    return list(np.lexsort([key.to_numpy() for key in keys]))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries of Python values."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict(orient="records")]


def pair_id(leg_a: str, leg_b: str) -> str:
    """The bases of both legs, leg A first: ALGO_VET."""
    return "_".join(symbol.split("/", 1)[0] for symbol in (leg_a, leg_b))


def epoch_of(
    result: ScanResult, thresholds: Thresholds, valid_from: datetime, valid_to: datetime | None = None
) -> Epoch:
    """The selected pairs with their frozen models, tradable from `valid_from`."""
    pairs = tuple(
        Pair(
            id=pair_id(row["leg_a"], row["leg_b"]),
            leg_a=row["leg_a"],
            leg_b=row["leg_b"],
            hedge_ratio=row["beta"],
            alpha=row["alpha"],
            mu=0.0,  # the residual of a regression with an intercept
            sigma=row["sigma"],
            half_life_hours=_half_life(row["half_life_hours"]),
            adf_p=row["adf_p"],
            coint_p=row["coint_p"],
            q_value=row.get("q_value"),
            entry_z=thresholds.entry_z,
            exit_z=thresholds.exit_z,
            stop_z=thresholds.stop_z,
            max_half_lives=thresholds.max_half_lives,
        )
        for row in records(result.selected)
    )
    return Epoch(
        valid_from=valid_from,
        valid_to=valid_to,
        formation_start=result.window.start,
        formation_end=result.window.end,
        pairs=pairs,
    )


def _half_life(hours: float) -> float | None:
    """None where there is no usable estimate, so that the bot estimates one itself."""
    return float(hours) if np.isfinite(hours) and hours > 0 else None
