"""What is shown of a pairs file: the lines of a start, and the columns of a plot."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pairbot_ext.host import releases
from pairbot_ext.pairs import Pair, PairsFile
from pairbot_ext.settings import Settings
from pairbot_ext.signals.arbiter import most_pairs_at_once


def banner(
    current: PairsFile, settings: Settings, max_open_trades: float, overrides: Mapping[str, float]
) -> list[str]:
    """The lines of a start, for the log and the operator."""
    pairs: dict[str, Pair] = {pair.id: pair for epoch in current.epochs for pair in epoch.pairs}
    most = max(
        (most_pairs_at_once([pair.symbols for pair in epoch.pairs]) for epoch in current.epochs),
        default=0,
    )
    slots = max_open_trades
    is_unlimited = slots < 0 or np.isinf(slots)
    allowed = {
        f"shared coins allow {most}": most,
        f"max_open_trades {slots:g} allows {'any number' if is_unlimited else int(slots) // 2}": (
            most if is_unlimited else int(slots) // 2
        ),
    }
    if settings.risk.max_pairs is not None:
        allowed[f"risk.max_pairs allows {settings.risk.max_pairs}"] = settings.risk.max_pairs
    lines = [
        f"PairsArb: {len(pairs)} pairs of {len(current.pairs)} symbols from {settings.pairs_file} "
        f"({current.scan.rule}); at most {min(allowed.values())} open at once "
        f"({', '.join(allowed)})",
    ]
    if current.scan.combinations and current.scan.expected_false_positives is not None:
        lines.append(
            f"PairsArb: chosen among {current.scan.combinations} combinations, of which about "
            f"{current.scan.expected_false_positives:.0f} pass p < 0.05 by chance alone"
        )
    if not pairs:
        lines.append("PairsArb: the pairs file holds no pair: nothing will be entered")
    if overrides:
        changed = ", ".join(f"{name} {value:g}" for name, value in overrides.items())
        lines.append(f"PairsArb: thresholds of ALL pairs replaced by the strategy parameters: {changed}")
    return lines


def untested_releases() -> list[str]:
    """What the operator of a bot is told of releases nobody has tested it with; else nothing."""
    if releases.is_covered():
        return []
    return [
        f"PairsArb runs on releases it was not tested with: {releases.described()}; tested was "
        f"{releases.tested_range()}. What it relies on is there"
    ]


def plot_config(ids: Sequence[str]) -> dict[str, Any]:
    """For FreqUI and `freqtrade plot-dataframe`."""
    levels: dict[str, dict[str, str]] = {}
    for name, color in (("entry", "#3b82f6"), ("exit", "#16a34a"), ("stop", "#dc2626")):
        levels[f"z_{name}"] = levels[f"z_{name}_below"] = {"color": color}
    return {
        "main_plot": {},
        "subplots": {
            "z": {**{f"z_{pair_id}": {} for pair_id in ids}, **levels},
            "spread (log)": {f"spread_{pair_id}": {} for pair_id in ids},
        },
    }
