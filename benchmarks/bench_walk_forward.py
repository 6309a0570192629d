"""Time of one scan and of a whole walk-forward, against a statsmodels loop timed in the same run.

Run: ``python -m benchmarks bench_walk_forward`` or ``python benchmarks/bench_walk_forward.py --datadir DIR``.
Bounds: default scan of 28 symbols at most 20 s, walk-forward with weekly steps at most 5 min, on 2 cores.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.market_data import candles_or_simulated
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions, scan_window
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.universe import FormationData, Window, cut_window
from pairbot_ext.tasks import Workers

FORMATION, STEP = 1440, 168
MAX_SCAN_SECS, MAX_WALK_FORWARD_SECS = 20.0, 300.0
LOOP_PAIRS = 24


def statsmodels_secs_per_pair(data: FormationData) -> float:
    """Mean time of coint in both directions and adfuller on both residuals, per unordered pair."""
    from statsmodels.tsa.stattools import adfuller, coint

    from pairbot_ext.stats.regression import fit_spread_model, spread

    columns = data.log_prices.shape[1]
    pairs = [(i, j) for i in range(columns) for j in range(i + 1, columns)][:: max(1, columns // 2)]
    pairs = pairs[:LOOP_PAIRS]
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for i, j in pairs:
            for a, b in ((i, j), (j, i)):
                log_a, log_b = data.log_prices[:, a], data.log_prices[:, b]
                coint(log_a, log_b, trend="c", autolag="aic")
                adfuller(spread(log_a, log_b, fit_spread_model(log_a, log_b)), regression="c", autolag="AIC")
    return (time.perf_counter() - begin) / len(pairs)


def main(argv: list[str]) -> int:
    """Print the table. Returns 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path)
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args(argv)
    candles, origin = candles_or_simulated(args.datadir)
    end = candles.last_close()
    window = Window("1h", FORMATION, end)
    data = cut_window(candles.frames, window, candles.funding)
    first = min(frame["date"].iloc[0] for frame in candles.frames.values()).to_pydatetime()
    schedule = Schedule("1h", first + FORMATION * timedelta(hours=1), end, FORMATION, STEP)
    windows = schedule.windows()
    tests = len(data.symbols) * (len(data.symbols) - 1) // 2
    loop_secs = statsmodels_secs_per_pair(data) * tests

    table = Table(title=f"{origin}; {tests} pairs per window, both directions, T = {FORMATION}")
    for name in ("what", "rule", "seconds", "bound", "statsmodels loop, extrapolated", "times faster"):
        table.add_column(name, justify="left" if name in ("what", "rule") else "right")
    ok = True

    def add(what: str, rule: Rule, secs: float, bound: float, loop: float) -> None:
        nonlocal ok
        ok &= secs <= bound
        table.add_row(what, rule.value, f"{secs:.2f}", f"{bound:.0f}", f"{loop:.0f}", f"{loop / secs:.0f}")

    scan_window(data, ScanOptions(Rule.NAIVE))  # imports and tables are loaded once
    for rule in Rule:
        options = ScanOptions(rule)
        begin = time.perf_counter()
        scan_window(data, options)
        add("one scan", rule, time.perf_counter() - begin, MAX_SCAN_SECS, loop_secs)
        begin = time.perf_counter()
        walk_forward(
            candles.frames, windows, options, funding=candles.funding, workers=Workers(jobs=args.jobs)
        )
        what = f"walk-forward, {len(windows)} weekly epochs"
        add(what, rule, time.perf_counter() - begin, MAX_WALK_FORWARD_SECS, loop_secs * len(windows))
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    print("The loop makes neither robust p-values nor filters; worker processes are started within the time.")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
