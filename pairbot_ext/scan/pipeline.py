"""One formation window, from candles to the selected pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from pairbot_ext.errors import SettingsError
from pairbot_ext.pairs import DEFAULT_MAX_HALF_LIVES, Epoch, Pair
from pairbot_ext.scan.rules import CANDLES_PER_HALF_LIFE, TEXTBOOK_LEVEL, Rule, naive_reasons
from pairbot_ext.scan.universe import FormationData, Window
from pairbot_ext.stats import scan_pairs


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Entry, exit and stop in standard deviations of the spread; time stop in half-lives."""

    entry_z: float = 2.0
    exit_z: float = 0.5
    stop_z: float = 4.0
    max_half_lives: float = DEFAULT_MAX_HALF_LIVES

    def __post_init__(self) -> None:
        if not 0 <= self.exit_z < self.entry_z < self.stop_z:
            raise SettingsError(
                "thresholds must satisfy 0 <= exit-z < entry-z < stop-z",
                value=f"{self.exit_z:g} / {self.entry_z:g} / {self.stop_z:g}",
                remedy="Correct --exit-z, --entry-z or --stop-z",
            )
        if not self.max_half_lives > 0:
            raise SettingsError(
                "the time stop must be positive",
                value=f"{self.max_half_lives:g} half-lives",
                remedy="Correct --max-half-lives",
            )


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What one window's scan found.

    :ivar table: one row per tested pair, best p first, with the engine's columns and ``half_life_hours``,
        ``underpowered`` (formation shorter than 45 half-lives) and ``reason`` (empty = selected).
    :ivar rejected: reason for every symbol whose candles were unusable.
    """

    window: Window
    rule: Rule
    symbols: tuple[str, ...]
    rejected: Mapping[str, str]
    table: pd.DataFrame

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


def pairs_table(data: FormationData, progress: Callable[[int, int], None] | None) -> pd.DataFrame:
    """Test every pair of the window's symbols in both directions.

    :param progress: called with (ordered pairs done, in all).
    :return: one row per pair with the engine's columns for the direction whose leg A, the dependent
        variable, is the market with the smaller quote volume (ties: alphabetically), and ``reverse_beta``,
        ``reverse_coint_p`` from the other direction.
    """
    by_volume = sorted(range(len(data.symbols)), key=lambda k: (data.quote_volume[k], data.symbols[k]))
    rank = {data.symbols[k]: place for place, k in enumerate(by_volume)}
    both = scan_pairs(data.log_prices, data.symbols, progress=progress)
    fitted = both["leg_a"].map(rank) < both["leg_b"].map(rank)
    reverse = both[~fitted].set_index(["leg_b", "leg_a"])[["beta", "coint_p"]].add_prefix("reverse_")
    table = both[fitted].join(reverse, on=["leg_a", "leg_b"])
    return table.reset_index(drop=True)


def scan_window(
    data: FormationData, rule: Rule, progress: Callable[[int, int], None] | None = None
) -> ScanResult:
    """Test every pair of the window's symbols and apply the rule."""
    table = pairs_table(data, progress)
    hours = data.window.candle.total_seconds() / 3600
    table["half_life_hours"] = table["half_life"] * hours
    table["underpowered"] = ~(data.window.candles >= CANDLES_PER_HALF_LIFE * table["half_life"])
    table["reason"] = naive_reasons(table, hours)
    table = table.sort_values(["coint_p", "leg_a", "leg_b"], kind="stable", ignore_index=True)
    return ScanResult(data.window, rule, data.symbols, data.rejected, table)


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
