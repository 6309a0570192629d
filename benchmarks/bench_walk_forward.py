"""Time of a whole walk-forward, against a statsmodels loop timed in the same run, and what shared sums save.

Run: ``python -m benchmarks bench_walk_forward`` or ``python -m benchmarks.bench_walk_forward --datadir DIR``.
Bounds for 27 weeks of 28 symbols on two cores: textbook rule 2 s, default rule 10 s.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from datetime import timedelta
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.bench_scan import walks
from benchmarks.market_data import candles_or_simulated
from benchmarks.processes import spread_of
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.universe import FormationData, Window, cut_window
from pairbot_ext.stats import scan_pairs
from pairbot_ext.stats.shared_products import SharedProducts, SharedWindow

FORMATION, STEP = 1440, 168
MAX_SECS = {Rule.NAIVE: 2.0, Rule.ROBUST: 10.0, Rule.STRICT: 10.0}
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


def shared_and_fresh(symbols: int, repeat: int) -> tuple[list[float], list[float]]:
    """Processor seconds of 27 weekly textbook windows with the sums they share, and each by itself."""
    x = walks(FORMATION + 26 * STEP, symbols)
    products = SharedProducts(x, 0, FORMATION)
    everyone = np.arange(symbols)
    shared, fresh = [], []
    for _ in range(repeat):
        for times, window in ((shared, True), (fresh, False)):
            begin = time.process_time()
            for first in range(0, 27 * STEP, STEP):
                where = SharedWindow(products, first, everyone) if window else None
                scan_pairs(x[first : first + FORMATION], window=where, threads=1)
            times.append(time.process_time() - begin)
        products = SharedProducts(x, 0, FORMATION)
    return shared, fresh


def main(argv: list[str]) -> int:
    """Print the tables. Returns 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args(argv)
    candles, origin = candles_or_simulated(args.datadir)
    end = candles.last_close()
    window = Window("1h", FORMATION, end)
    data = cut_window(candles.frames, window, candles.funding)
    first = min(frame["date"].iloc[0] for frame in candles.frames.values()).to_pydatetime()
    schedule = Schedule("1h", first + FORMATION * timedelta(hours=1), end, FORMATION, STEP)
    windows = schedule.windows()
    tests = len(data.symbols) * (len(data.symbols) - 1) // 2
    loop_secs = statsmodels_secs_per_pair(data) * tests * len(windows)

    table = Table(title=f"{origin}; {len(windows)} weekly windows of {tests} pairs, T = {FORMATION}")
    for name in ("rule", "seconds", "bound", "statsmodels loop, extrapolated", "times faster"):
        table.add_column(name, justify="left" if name == "rule" else "right")
    ok = True
    for rule in Rule:
        secs = []
        for _ in range(args.repeat + 1):
            begin = time.perf_counter()
            walk_forward(candles.frames, windows, ScanOptions(rule), funding=candles.funding)
            secs.append(time.perf_counter() - begin)
        secs = secs[1:]  # imports and tables are loaded once
        ok &= median(secs) <= MAX_SECS[rule]
        bound, faster = f"{MAX_SECS[rule]:g}", f"{loop_secs / median(secs):.0f}"
        table.add_row(rule.value, spread_of(secs), bound, f"{loop_secs:.0f}", faster)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    print("The loop makes neither robust p-values nor filters.")

    table = Table(title="27 windows, textbook tests alone, one thread: processor seconds")
    for name in ("symbols", "sums shared", "each window by itself", "times faster"):
        table.add_column(name, justify="right")
    for symbols in (28, 100, 200):
        shared, fresh = shared_and_fresh(symbols, 3)
        faster = spread_of([old / new for new, old in zip(shared, fresh, strict=True)])
        table.add_row(f"{symbols}", spread_of(shared), spread_of(fresh), faster)
    console.print(table)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
