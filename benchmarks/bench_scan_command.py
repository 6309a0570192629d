"""`pairbot scan` as a whole process with the default rule, on markets of which a known part is cointegrated.

The alternative in the same run: the robust test pair by pair, as its definition says it (``robust_test``),
timed on some candidates and extrapolated to all; and numpy alone (``PAIRBOT_NUMBA=0``).

Run: ``python -m benchmarks bench_scan_command``. Bounds on two cores: 500 symbols, 20 % of the pairs
candidates, in 6 s and 1 GiB; 200 symbols of which 40 share a trend in 4 s.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.processes import PYTHON, machine_said, run_in_turn, spread_of
from benchmarks.scan_market import shared_trend_prices, write_market
from pairbot_ext.stats import scan_pairs
from pairbot_ext.stats.multiplicity import one_row_per_pair
from pairbot_ext.stats.robust import SCREEN_P, robust_test

CANDLES, SAMPLE_PAIRS = 1440, 200


@dataclass(frozen=True)
class Market:
    """A market to scan, and what a scan of it may take."""

    symbols: int
    sharing: int
    most_secs: float
    most_mib: float


MARKETS = (Market(500, 195, 6.0, 1024.0), Market(200, 40, 4.0, 1024.0))


def pair_by_pair_secs(log_prices: np.ndarray) -> tuple[int, float]:
    """(Candidates of the robust test, seconds to test them one after the other)."""
    pairs = one_row_per_pair(scan_pairs(log_prices))
    weaker = pairs[["coint_p", "reverse_coint_p"]].max(axis=1)
    candidates = pairs[weaker <= SCREEN_P]
    some = candidates.sample(SAMPLE_PAIRS, random_state=1)
    begin = time.perf_counter()
    # With one thread: more are slower for matrices of this size.
    with threadpool_limits(1, "blas"):
        for row in some.itertuples():
            robust_test(log_prices[:, row.leg_a], log_prices[:, row.leg_b])
    return len(candidates), (time.perf_counter() - begin) / SAMPLE_PAIRS * len(candidates)


def main(argv: list[str]) -> int:
    """Print the table. Returns 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args(argv)
    table = Table(title=f"pairbot scan, default rule, T = {CANDLES}; {machine_said()}")
    for heading in (
        *("symbols", "candidates", "wall s", "bound", "processor s", "peak MiB"),
        *("without numba: wall s", "robust tests pair by pair, s"),
    ):
        table.add_column(heading, justify="right")
    within = True
    with tempfile.TemporaryDirectory() as folder:
        for market in MARKETS:
            log_prices = shared_trend_prices(CANDLES, market.symbols, market.sharing)
            datadir = write_market(Path(folder) / str(market.symbols), log_prices)
            command = [PYTHON, "-m", "pairbot_ext.cli", "scan", "--datadir", str(datadir)]
            plain = ["env", "PAIRBOT_NUMBA=0", *command]
            runs = run_in_turn({"scan": command}, repeat=args.repeat)
            runs |= run_in_turn({"numpy": plain}, repeat=1)
            wall, peak = ([getattr(run, name) for run in runs["scan"]] for name in ("wall_secs", "peak_mib"))
            candidates, one_by_one = pair_by_pair_secs(log_prices)
            within &= median(wall) <= market.most_secs and median(peak) <= market.most_mib
            table.add_row(
                f"{market.symbols}",
                f"{candidates}",
                spread_of(wall, 1),
                f"{market.most_secs:g}",
                spread_of([run.cpu_secs for run in runs["scan"]], 1),
                spread_of(peak, 0),
                spread_of([run.wall_secs for run in runs["numpy"]], 1),
                f"{one_by_one:.0f}",
            )
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    print("The first scan on a machine compiles the kernels once: see docs/performance.md.")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
