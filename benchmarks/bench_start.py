"""How long a start takes, and how much memory: whole processes in turn.

`pairbot`'s answers about itself against `freqtrade --help` and a Python that does nothing; and Freqtrade's
resolver making PairsArb against its own SampleStrategy.

Run: ``python -m benchmarks bench_start``. Bounds: help in 0.3 s of processor time and 40 MiB; a strategy
object at most 1.05 times SampleStrategy's.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.processes import FREQTRADE, PYTHON, REPO_ROOT, machine_said, ratios, run_in_turn, spread_of

MOST_HELP_SECS, MOST_HELP_MIB, MOST_RATIO = 0.3, 40.0, 1.05
PAIRBOT = (PYTHON, "-m", "pairbot_ext.cli")
RESOLVE = """
import json, sys
from pathlib import Path
from freqtrade.enums import RunMode
from freqtrade.resolvers import StrategyResolver
config = json.loads(Path("config.json").read_text())
name, folder = sys.argv[1:]
config |= {"strategy": name, "strategy_path": folder, "user_data_dir": Path("user_data")}
StrategyResolver.load_strategy({**config, "runmode": RunMode.OTHER})
"""


def commands() -> dict[str, list[str]]:
    """What is started, by name."""
    spec = find_spec("freqtrade")
    assert spec is not None
    assert spec.origin is not None
    templates = Path(spec.origin).parent / "templates"
    return {
        "python -c pass": [PYTHON, "-c", "pass"],
        "pairbot --help": [*PAIRBOT, "--help"],
        "pairbot --version": [*PAIRBOT, "--version"],
        "pairbot scan --help": [*PAIRBOT, "scan", "--help"],
        "pairbot scna (misspelt)": [*PAIRBOT, "scna"],
        "pairbot scan (no source)": [*PAIRBOT, "scan"],
        "freqtrade --help": [FREQTRADE, "--help"],
        "SampleStrategy": [
            PYTHON,
            "-c",
            RESOLVE,
            "SampleStrategy",
            str(templates),
        ],
        "PairsArb": [PYTHON, "-c", RESOLVE, "PairsArb", str(REPO_ROOT / "strategies")],
    }


def main(argv: list[str]) -> int:
    """Print the table. Returns 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    args = parser.parse_args(argv)
    # argparse answers a usage error with 2.
    runs = run_in_turn(commands(), repeat=args.repeat, codes=(0, 2))
    table = Table(title=machine_said())
    for heading in ("command", "processor s", "wall s", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "command" else "right")
    is_within = True
    for name, measured in runs.items():
        cpu, peak = [run.cpu_secs for run in measured], [run.peak_mib for run in measured]
        if name.startswith("pairbot"):
            is_within &= median(cpu) <= MOST_HELP_SECS and median(peak) <= MOST_HELP_MIB
        table.add_row(
            name, spread_of(cpu), spread_of([run.wall_secs for run in measured]), spread_of(peak, 0)
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    against = ratios(runs["PairsArb"], runs["SampleStrategy"])
    print(f"PairsArb made by Freqtrade's resolver: {spread_of(against)} times SampleStrategy")
    return 0 if is_within and median(against) <= MOST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
