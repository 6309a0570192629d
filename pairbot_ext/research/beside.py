"""Two walk-forward results side by side, and whether they may stand there.

Results are what `pairbot walkforward --json` printed. They compare where both saw the same candles over the
same weeks; whatever else differs (costs, money, placebos) is said beside the figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from pairbot_ext.report.wording import number, percent
from pairbot_ext.research.evidence import week_bootstrap
from pairbot_ext.support.errors import DataError

KIND = "walkforward"
SCHEMA_VERSION = 1
MUST_AGREE = {"candles": "candles", "timeframe": "timeframe", "from": "begin", "to": "end"}
"""Inputs without which two results say nothing of one another, in words."""
MAY_DIFFER = {
    "fee": "fee of a fill",
    "slippage_bp": "slippage, bp",
    "legging_bp": "legging, bp",
    "stake": "stake",
    "wallet": "wallet",
    "slots": "slots",
    "leverage": "leverage",
    "placebos": "placebos of each kind",
    "seed": "seed",
}
_SEED = 1


@dataclass(frozen=True)
class Beside:
    """:param apart: why the two must not be compared, a sentence each; empty where they may be.
    :param notes: what differs beside that.
    """

    table: Table
    apart: Sequence[str]
    notes: Sequence[str]


def read_result(path: Path) -> dict[str, Any]:
    """A result file.

    :raises DataError: not readable, or something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as a walk-forward result: {error}",
            remedy="Make one with `pairbot walkforward --json > FILE`",
        ) from error
    found = document.get("kind") if isinstance(document, dict) else None
    if found != KIND or document.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{path} is no walk-forward result of this version",
            value=f"kind {found!r}",
            remedy="Two results side by side are both of `pairbot walkforward --json`",
        )
    return dict(document)


def beside(first: Mapping[str, Any], second: Mapping[str, Any], names: tuple[str, str]) -> Beside:
    """Both in one table. :param names: of the columns."""
    a, b = first["inputs"], second["inputs"]
    apart = [
        f"The {word} differ: {_shown(a[key])} and {_shown(b[key])}."
        for key, word in MUST_AGREE.items()
        if a[key] != b[key]
    ]
    if not apart and list(first["weekly"]) != list(second["weekly"]):
        apart = ["They are of other weeks."]
    notes = [
        f"Not the same {word}: {_shown(a[key])} and {_shown(b[key])}."
        for key, word in MAY_DIFFER.items()
        if a[key] != b[key]
    ]
    if not apart:
        notes.append(_difference(first, second, names))
    for name, each in zip(names, (first, second), strict=True):
        if each["confirmed_by_freqtrade"] is not True:
            notes.append(f"{name} is not confirmed by `freqtrade backtesting`.")
    table = Table("", *names, title="Walk-forwards side by side")
    for column in table.columns[1:]:
        column.justify = "right"
    for label, left, right in zip(_labels(), _cells(first), _cells(second), strict=True):
        table.add_row(label, left, right)
    return Beside(table, apart, notes)


_ROWS = ("evidence after costs", "net, bp", "95 % interval, bp", "pair trades", "weeks with one", "weeks")
_COSTS = ("gross", "fees", "funding", "slippage", "legging")
_CHANCES = ("deflated_sharpe", "overfitting", "losing")
_KINDS = ("sign-flipped", "random pairs", "phase-shuffled")


def _labels() -> list[str]:
    return [
        *_ROWS,
        *(f"above {kind}" for kind in _KINDS),
        "net at twice the costs, bp",
        "net one candle later, bp",
        "deflated Sharpe ratio",
        "probability of overfitting",
        "best of one half loses in the other",
        "superior ability, p",
        *(f"{part}, bp" for part in _COSTS),
        "turnover per week, wallets",
        "capacity, median, USDT",
        "configurations ever tried",
    ]


def _cells(result: Mapping[str, Any]) -> list[str]:
    figures = result["figures"]
    low, high = (_signed(end) for end in result["interval_95_bp"])
    return [
        str(result["evidence"]).upper(),
        _signed(result["net_bp"]),
        f"{low} to {high}",
        str(figures["pair_trades"]),
        str(figures["weeks"]),
        str(result["weeks_total"]),
        *(_share(result["places"].get(kind)) for kind in _KINDS),
        _signed(figures["stressed"]),
        _signed(figures["delayed"]),
        *(_share(figures[name]) for name in _CHANCES),
        _plain(result["superior_ability_p"], 3),
        *(_signed(result["waterfall_bp"][part]) for part in _COSTS),
        _plain(result["turnover_per_week"], 2),
        _plain(result["capacity"]["0.5"], 0),
        str(result["trials"]),
    ]


def _difference(first: Mapping[str, Any], second: Mapping[str, Any], names: tuple[str, str]) -> str:
    """Week by week, a share of each one's wallet."""
    left, right = (np.array(list(each["weekly"].values()), np.float64) for each in (first, second))
    apart = 1e4 * (left - right)
    low, high = week_bootstrap(apart, np.arange(apart.size), 0.95, _SEED)
    return (
        f"{names[0]} less {names[1]}: {number(float(apart.mean()), 1, signed=True)} bp of the wallet a week "
        f"(95 % interval {number(low, 1, signed=True)} to {number(high, 1, signed=True)}, bootstrap of "
        f"{apart.size} weeks)."
    )


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _signed(value: float | None) -> str:
    return "-" if value is None else number(value, 1, signed=True)


def _plain(value: float | None, digits: int) -> str:
    return "-" if value is None else number(value, digits)


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)
