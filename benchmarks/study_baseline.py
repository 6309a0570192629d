"""A published baseline's rules on the candles at hand, as published and as the bot trades them.

Tadi & Witzany 2025 (Financial Innovation 11:40): three weeks of formation, one of trading, Engle-Granger
pairs, z over the last 24 hours, in at |z| >= 2, out at |z| <= 1, 4 bp a fill. Twice on the same weekly pairs:

- *as published*: hedge ratio of the formation, z of the spread over the last `Z_WINDOW` candles, anew each
  candle, next open, every pair by itself, closed at the end of its week, no funding;
- *as the bot trades it*: `pairbot walkforward` with pairs without a frozen model. The regression, hedge ratio
  too, is of the last `BOT_WINDOW` candles (the least the setting allows), the exit is judged by the model at
  entry, a coin is in one pair trade at a time, funding is paid, nothing is closed at the end of the week but
  by the time stop.

Run: ``python -m benchmarks.study_baseline [--datadir DIR] [--write docs/statistics/baseline.md]``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.market_data import REAL_DATADIR
from benchmarks.running import in_sentences
from benchmarks.synthetic import markdown_table, write_or_print
from pairbot_ext.cli import main as pairbot
from pairbot_ext.pairs import Pair, load_pairs_file, write_pairs_file
from pairbot_ext.report.evidence import clustered_mean
from pairbot_ext.scan.sources import from_datadir

FORMATION, STEP, Z_WINDOW, BOT_WINDOW = 504, 168, 24, 30
ENTRY, EXIT, FEE = 2.0, 1.0, 0.0004
NO_STOP = 100.0
WEEK_HOURS = 168.0
PUBLISHED = ("Tadi & Witzany 2025", "20 coins, 2021-01 to 2023-01", "1,324", "+33.8 %", "-57.5 %", "-23.7 %")


@dataclass(frozen=True)
class Trip:
    """One round trip of the published rules; a ratio of N_A + N_B."""

    opened: pd.Timestamp
    gross: float


def trips(
    pair: Pair, frames: Mapping[str, pd.DataFrame], begin: pd.Timestamp, end: pd.Timestamp
) -> list[Trip]:
    """Round trips of one pair in the week [begin, end)."""
    both = [
        frames[symbol].set_index("date")[["open", "close"]].loc[begin - pd.Timedelta(hours=Z_WINDOW) : end]
        for symbol in pair.symbols
    ]
    a, b = both[0].align(both[1], join="inner", axis=0)
    beta = pair.hedge_ratio
    spread = np.log(a["close"]) - beta * np.log(b["close"])
    rolling = spread.rolling(Z_WINDOW)
    z = ((spread - rolling.mean()) / rolling.std(ddof=1)).to_numpy()
    when, open_a, open_b = a.index, a["open"].to_numpy(), b["open"].to_numpy()
    found, entered, side = [], -1, 0
    for row in range(len(when) - 1):
        is_last = when[row + 1] >= end or row + 2 == len(when)
        if side and (is_last or abs(z[row]) <= EXIT or z[row] * side > 0):
            move_a, move_b = (each[row + 1] / each[entered] - 1 for each in (open_a, open_b))
            found.append(Trip(when[entered], float(side * (move_a - beta * move_b) / (1 + beta))))
            side = 0
        elif not side and not is_last and when[row + 1] > begin and abs(z[row]) >= ENTRY:
            side, entered = (-1 if z[row] > 0 else 1), row + 1
    return found


def as_published(pairs_path: Path, frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Figures of the published rules on these pairs."""
    made: list[Trip] = []
    for epoch in load_pairs_file(pairs_path).epochs:
        assert epoch.valid_to is not None
        for pair in epoch.pairs:
            made += trips(pair, frames, pd.Timestamp(epoch.valid_from), pd.Timestamp(epoch.valid_to))
    gross = np.array([each.gross for each in made]) * 1e4
    net = gross - 2 * FEE * 1e4
    mean = clustered_mean(net, [each.opened.to_pydatetime() for each in made])
    assert mean is not None
    return {"count": len(made), "gross": float(gross.mean()), "cost": -2 * FEE * 1e4, "mean": mean}


def without_models(source: Path, target: Path) -> None:
    """The same pairs without frozen models, in at 2, out at 1, no stop."""
    file = load_pairs_file(source)
    change = {
        "alpha": None, "mu": None, "sigma": None, "half_life_hours": None, "entry_z": ENTRY, "exit_z": EXIT,
        "stop_z": NO_STOP,
    }  # fmt: skip
    epochs = tuple(
        epoch.model_copy(update={"pairs": tuple(pair.model_copy(update=change) for pair in epoch.pairs)})
        for epoch in file.epochs
    )
    write_pairs_file(target, file.model_copy(update={"epochs": epochs}))


def as_traded(datadir: Path, pairs_path: Path, folder: Path, placebos: int) -> dict[str, Any]:
    """`pairbot walkforward` on these pairs: its JSON."""
    config = {
        "stake_amount": 500, "dry_run_wallet": 10_000, "max_open_trades": 20, "fee": FEE,
        "pairbot": {
            "rolling_window_candles": BOT_WINDOW, "max_hold_hours_without_half_life": WEEK_HOURS,
            "taker_fee_bp": FEE * 1e4, "risk": {"break_stop": None},
        },
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    command = (
        f"walkforward --datadir {datadir} --pairs-file {pairs_path} -c {folder}/config.json --slippage-bp 0 "
        f"--legging-bp 0 --placebos {placebos} --ledger {folder}/trials.jsonl --json"
    )
    with (folder / "result.json").open("w", encoding="utf-8") as out, redirect_stdout(out):
        code = pairbot(command.split())
    assert code == 0, f"pairbot {command}: exit code {code}"
    return dict(json.loads((folder / "result.json").read_text(encoding="utf-8")))


@in_sentences
def main(argv: list[str]) -> int:
    """Print (and write) the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datadir", type=Path, default=REAL_DATADIR)
    parser.add_argument("--placebos", type=int, default=40)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = from_datadir(args.datadir, "1h").frames
        first = min(frame["date"].iloc[0] for frame in frames.values())
        last = max(frame["date"].iloc[-1] for frame in frames.values())
        span = f"{first + pd.Timedelta(hours=FORMATION):%Y%m%d}-{last:%Y%m%d}"
        scan = (
            f"scan --datadir {args.datadir} --formation {FORMATION} --step {STEP} --rule naive "
            f"--walk-forward --timerange {span} --out {folder}/frozen.json"
        )
        with (folder / "scan.txt").open("w", encoding="utf-8") as out, redirect_stdout(out):
            code = pairbot(scan.split())
        assert code == 0, f"pairbot {scan}: exit code {code}"
        without_models(folder / "frozen.json", folder / "rolling.json")
        published = as_published(folder / "frozen.json", frames)
        traded = as_traded(args.datadir, folder / "rolling.json", folder, args.placebos)
        weeks = len(load_pairs_file(folder / "frozen.json").epochs)
    write_or_print(report(published, traded, len(frames), weeks, args.placebos), args.write)
    return 0


def report(
    published: Mapping[str, Any], traded: Mapping[str, Any], coins: int, weeks: int, placebos: int
) -> str:
    """The document's figures."""
    mean, parts = published["mean"], traded["waterfall_bp"]
    (low, high), confirmed = traded["interval_95_bp"], traded["confirmed_by_freqtrade"]
    rows: list[list[object]] = [
        [
            "the rules as published", published["count"], f"{published['gross']:+.1f}",
            f"{published['cost']:+.1f}", "none",
            f"**{mean.mean:+.1f}** [{mean.low:+.0f}, {mean.high:+.0f}]",
        ],
        [
            "the same pairs by `pairbot walkforward`", traded["figures"]["pair_trades"],
            f"{parts['gross']:+.1f}", f"{parts['fees']:+.1f}", f"{parts['funding']:+.1f}",
            f"**{traded['net_bp']:+.1f}** [{low:+.0f}, {high:+.0f}]",
        ],
    ]  # fmt: skip
    places = ", ".join(f"{100 * place:.1f} % of the {kind}" for kind, place in traded["places"].items())
    return (
        "# A published baseline's rules\n\n"
        f"{PUBLISHED[0]}, {PUBLISHED[1]}: {PUBLISHED[2]} trades, gross {PUBLISHED[3]}, costs {PUBLISHED[4]}, "
        f"net {PUBLISHED[5]} of the capital.\n\n"
        f"Here: {coins} coins, May to December 2025, {weeks} weeks, bp of N_A + N_B per pair trade (95 % "
        "intervals clustered by week), 4 bp a fill. Made by `python -m benchmarks.study_baseline`.\n\n"
        + markdown_table(["", "pair trades", "gross bp", "fees bp", "funding bp", "net bp"], rows)
        + f"\nVerdict of the walk-forward: {traded['evidence']}, above {places} placebos ({placebos} of "
        f"each); confirmed by `freqtrade backtesting`: {'yes' if confirmed else 'no'}.\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
