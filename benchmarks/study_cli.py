"""Power and false finds of the whole command: candles on disk, `pairbot scan` with every default, its JSON.

`study_power` measures the statistical rule alone. Here each draw is written through Freqtrade's data handler
and scanned by the command itself, filters and caps included, so what a user gets is what is counted.

Run: ``python -m benchmarks.study_cli [--draws 60] [--write docs/statistics/command.md]``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.running import in_sentences, spread
from benchmarks.synthetic import (
    HOURLY_VOLATILITY,
    Share,
    garch_steps,
    markdown_table,
    planted_universe,
    write_or_print,
)
from pairbot_ext.tasks import add_task_options

SYMBOLS, CANDLES, HALF_LIVES = 30, 1440, 60
START = datetime(2025, 1, 1, tzinfo=UTC)
SETTINGS = ((0, 0.5, None), (1, 0.5, 0.40), (3, 0.5, 0.50), (1, 1.0, 0.40), (3, 1.0, 0.50))
"""Planted pairs, volatility of the spread's innovations, least share to be found."""


@dataclass(slots=True)
class Tally:
    """What the draws of one setting came to.

    :ivar refused: why planted pairs that passed the statistics were refused by a filter.
    """

    draws: int = 0
    planted: int = 0
    found: int = 0
    false: int = 0
    draws_with_false: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def symbol(number: int) -> str:
    """Name of a simulated column."""
    return f"S{number:02d}/USDT:USDT"


def store(datadir: Path, log_prices: np.ndarray, rng: np.random.Generator) -> None:
    """Candles with these log closes and random volumes, as `download-data` would leave them."""
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    (datadir / "futures").mkdir(parents=True, exist_ok=True)
    handler = get_datahandler(datadir, "feather")
    dates = pd.date_range(START, periods=len(log_prices), freq="1h")
    for column in range(log_prices.shape[1]):
        close = np.exp(log_prices[:, column])
        frame = pd.DataFrame(
            {
                "date": dates,
                "open": close * 0.999,
                "high": close * 1.002,
                "low": close * 0.998,
                "close": close,
                "volume": rng.lognormal(17, 1) / close,
            }
        )
        handler.ohlcv_store(symbol(column), "1h", frame, CandleType.FUTURES)


def scan(datadir: Path, rule: str) -> dict[str, Any]:
    """`pairbot scan --datadir … --json` with every default but the rule."""
    command = [sys.executable, "-m", "pairbot_ext.cli", "scan", "--datadir", str(datadir)]
    options = ["--formation", str(CANDLES), "--json", "--rule", rule]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"pairbot scan answered exit code {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def command_draw(rule: str, planted: int, spread_ratio: float, seed: int, draw: int) -> list[dict[str, Any]]:
    """One universe with `planted` pairs at 60 half-lives, GARCH noise, through the command.

    :param spread_ratio: volatility of the spread's innovations relative to leg B's returns.
    """
    truth = {frozenset((symbol(2 * pair), symbol(2 * pair + 1))) for pair in range(planted)}
    rng = np.random.default_rng([seed, planted, int(10 * spread_ratio), draw])
    volatility = spread_ratio * HOURLY_VOLATILITY
    x = planted_universe(garch_steps, CANDLES, SYMBOLS, planted, CANDLES / HALF_LIVES, rng, volatility)
    with tempfile.TemporaryDirectory() as folder:
        store(Path(folder), x, rng)
        answer = scan(Path(folder), rule)
    found = false = 0
    refused: list[str] = []
    for row in answer["pairs"]:
        is_true = frozenset((row["leg_a"], row["leg_b"])) in truth
        if row["reason"] == "":
            found += is_true
            false += not is_true
        elif is_true and row["failed"] != "q value":
            refused.append(row["failed"])
    return [{"planted": planted, "found": found, "false": false, "refused": refused}]


def counted(draws: list[dict[str, Any]]) -> Tally:
    """What the draws of one setting came to."""
    return Tally(
        draws=len(draws),
        planted=sum(draw["planted"] for draw in draws),
        found=sum(draw["found"] for draw in draws),
        false=sum(draw["false"] for draw in draws),
        draws_with_false=sum(draw["false"] > 0 for draw in draws),
        refused=Counter(name for draw in draws for name in draw["refused"]),
    )


@in_sentences
def main(argv: list[str]) -> int:
    """Print (and write) the table. Returns 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20260206)
    parser.add_argument("--rule", nargs="+", default=["robust", "calibrated"])
    parser.add_argument("--write", type=Path)
    add_task_options(parser)
    args = parser.parse_args(argv)
    rows: list[list[object]] = []
    within = True
    settings = [(rule, *setting) for rule in args.rule for setting in SETTINGS]
    tasks = [
        (rule, planted, ratio, args.seed, draw)
        for rule, planted, ratio, _ in settings
        for draw in range(args.draws)
    ]
    results = spread(command_draw, tasks, args)
    for rule, planted, ratio, least in settings:
        tally = counted([row for (row,) in islice(results, args.draws)])
        if least is not None:
            within &= tally.found >= least * tally.planted
        refused = ", ".join(f"{name} {count}" for name, count in tally.refused.most_common()) or "none"
        rows.append(
            [
                f"`{rule}`",
                planted,
                f"{ratio:g}" if planted else "",
                "" if least is None else f"{100 * least:g} %",
                Share(tally.found, tally.planted) if planted else "",
                refused if planted else "",
                Share(tally.draws_with_false, tally.draws),
                tally.false,
            ]
        )
    header = [
        "rule",
        "planted pairs",
        "innovations of the spread",
        "bound",
        "planted pairs found",
        "planted pairs refused by a filter",
        "draws with a false find",
        "false finds in all",
    ]
    tests = SYMBOLS * (SYMBOLS - 1) // 2
    text = (
        "# The whole command on simulated markets\n\n"
        f"`pairbot scan` with every default but the rule on {SYMBOLS} simulated symbols ({tests} tests), "
        f"{CANDLES} candles, GARCH(1,1)-t5 noise of 1 % per candle, planted pairs at {HALF_LIVES} half-lives "
        f"of formation; {args.draws} draws each, seed {args.seed}. *Innovations of the spread*: their "
        "volatility relative to leg B's returns. Brackets: exact 95 % intervals.\n\n"
        + markdown_table(header, rows)
        + "\nWhere the spread's innovations are as volatile as the coins themselves (1), R² is low and the "
        "hedge ratio badly determined: one of the two directions often fails to reject, and the filters on "
        "beta refuse a part of the rest. A row below its bound is power given up for validity.\n\n"
        "Command: `python -m benchmarks.study_cli`.\n"
    )
    write_or_print(text, args.write)
    return int(not within)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
