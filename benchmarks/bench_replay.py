"""How long a replay takes: ten planted pairs of twenty symbols, so many hourly candles, one process.

A replay's work per candle does not grow, so the rate carries to any length; `--candles 5880` plays eight
months. Processor time is what a free core would need; wall clock is what this machine took. No backtest runs
beside it.

Run: ``python -m benchmarks.bench_replay`` or ``python -m benchmarks.bench_replay --candles 5880``.
Bound: eight months of 1 h candles in an hour, by processor time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.bench_backtest import coins, file_of, planted
from benchmarks.processes import REPO_ROOT, machine_said
from pairbot_ext.pairs import Epoch, Pair, write_pairs_file
from pairbot_ext.rehearse.replay.inputs import Inputs, read_inputs
from pairbot_ext.rehearse.replay.result import headline
from pairbot_ext.rehearse.replay.session import replay
from pairbot_ext.rehearse.replay.terms import PRESETS
from pairbot_ext.sim.datadir import write_synthetic_datadir

EIGHT_MONTHS_CANDLES = 5880
MOST_SECS = 3600.0
FORMATION, SYMBOLS = 240, 20


def inputs(folder: Path, candles: int) -> Inputs:
    """Candles, a pairs file with one selection of all ten pairs, the repository's configuration."""
    names = coins(SYMBOLS)
    datadir = folder / "data"
    written = write_synthetic_datadir(
        datadir, seed=7, symbols=names, planted=planted(names), candles=FORMATION + candles + 2
    )
    begin = written.start + timedelta(hours=FORMATION)
    pairs = tuple(
        Pair(
            id=each.pair_id, leg_a=f"{each.a}/USDT:USDT", leg_b=f"{each.b}/USDT:USDT",
            hedge_ratio=each.beta, alpha=written.alpha[each.pair_id], mu=0.0, sigma=each.sigma,
            half_life_hours=each.half_life_candles, adf_p=0.0, coint_p=0.0,
            entry_z=2.0, exit_z=0.5, stop_z=4.0,
        )
        for each in written.planted
    )  # fmt: skip
    epoch = Epoch(
        valid_from=begin, formation_start=written.start, formation_end=begin, pairs=pairs,
        valid_to=begin + timedelta(hours=candles + 1),
    )  # fmt: skip
    write_pairs_file(folder / "pairs.json", file_of([epoch]))
    raw = json.loads((REPO_ROOT / "config.json").read_text(encoding="utf-8"))
    raw.pop("$schema")
    raw |= {
        "strategy_path": str(REPO_ROOT / "strategies"), "max_open_trades": SYMBOLS, "dry_run_wallet": 100_000,
    }  # fmt: skip
    raw["pairbot"] = {"pairs_file": str(folder / "pairs.json"), "risk": {"break_stop": None}}
    (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    end = begin + timedelta(hours=candles)
    return read_inputs(
        [str(folder / "config.json")],
        datadir=datadir,
        timerange=f"{int(begin.timestamp())}-{int(end.timestamp())}",
    )


def main(argv: list[str]) -> int:
    """Print the rate. Returns 1 where the bound is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candles", type=int, default=240, help="hours to play (default: %(default)s)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        made = inputs(Path(folder), args.candles)
        begun = time.process_time()
        played = replay(made, PRESETS["calm"], with_backtest=False)
        cpu_secs = time.process_time() - begun
    share = EIGHT_MONTHS_CANDLES / played.candles
    print(machine_said())
    print(headline(played))
    print(
        f"{played.candles} candles, {SYMBOLS // 2} pairs: {cpu_secs:.0f} s of processor time "
        f"({1000 * cpu_secs / played.candles:.0f} ms per candle, the bot's start included), "
        f"{played.wall_secs:.0f} s on the clock, {3600 * played.candles / cpu_secs:,.0f} times real time; "
        f"eight months would take {share * cpu_secs / 60:.0f} min of processor time"
    )
    return 0 if share * cpu_secs <= MOST_SECS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
