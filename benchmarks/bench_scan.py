"""Speed and memory of ``scan_pairs`` against a loop over statsmodels, both timed in the same run.

The loop does what the engine does for one ordered pair: ``coint``, OLS for beta, ``adfuller`` on the residual
and its half-life. It is timed on 24 ordered pairs and extrapolated. Peak memory is that of a fresh process
that does nothing but the scan.

Run: ``python -m benchmarks bench_scan`` (about three minutes) or ``python -m benchmarks.bench_scan
--repeat 5 --write docs/statistics/speed.md``. Bounds on two cores: N = 30 in 0.1 s; N = 500 in 1.2 s, 1 GiB
and three thousand times faster than the loop.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks.synthetic import markdown_table, write_or_print

LOOP_PAIRS = 24
MAIN_T = 1440
BOUND_SECS = {30: 0.1, 500: 1.2}
BOUND_RATIO, BOUND_MEMORY_MIB = 3000.0, 1024.0

MEMORY_PROBE = """
import resource, numpy as np
from benchmarks.bench_scan import walks
from pairbot_ext.stats import scan_pairs
scan_pairs(walks({n_candles}, {n_series}))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def walks(n_candles: int, n_series: int) -> np.ndarray:
    """Independent log-price walks of 1 % per candle, shape (n_candles, n_series)."""
    rng = np.random.default_rng([20260206, n_candles, n_series])
    return np.cumsum(0.01 * rng.standard_normal((n_candles, n_series)), axis=0)


Times = list[tuple[float, float]]
"""(wall-clock seconds, processor seconds) of each run."""


def engine_times(x: np.ndarray, repeat: int) -> Times:
    """Times of ``repeat`` scans."""
    from pairbot_ext.stats import scan_pairs

    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        scan_pairs(x)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return times


def loop_times(x: np.ndarray, pairs: int) -> Times:
    """Times of each of the first ``pairs`` ordered pairs in the statsmodels loop."""
    import statsmodels.api as sm
    from statsmodels.tsa.stattools import adfuller, coint

    times = []
    n_series = x.shape[1]
    ordered = [(a, b) for a in range(n_series) for b in range(n_series) if a != b][:pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for a, b in ordered:
            wall, cpu = time.perf_counter(), time.process_time()
            coint(x[:, a], x[:, b])
            u = sm.OLS(x[:, a], sm.add_constant(x[:, b])).fit().resid
            adfuller(u, regression="c", autolag="AIC")
            sm.OLS(np.diff(u), sm.add_constant(u[:-1])).fit()
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return times


def peak_memory_mib(n_candles: int, n_series: int) -> float:
    """Peak resident memory of a process that imports the engine and scans once."""
    code = MEMORY_PROBE.format(n_candles=n_candles, n_series=n_series)
    root = Path(__file__).resolve().parents[1]
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True
    )
    return float(answer.stdout)


def spread_of(values: list[float], digits: int = 3) -> str:
    """Median with minimum and maximum."""
    return f"{np.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def main(argv: list[str]) -> int:
    """Print (and write) the tables. Returns 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[30, 100, 300, 500, 1000])
    parser.add_argument("--lengths", type=int, nargs="+", default=[720, 1440, 2880, 5760])
    parser.add_argument("--write", type=Path)
    args = parser.parse_args(argv)
    engine_times(walks(MAIN_T, 70), 1)  # imports, tables and compiled kernels
    loop = np.array(loop_times(walks(MAIN_T, 30), LOOP_PAIRS))
    loop_cpu = float(loop[:, 1].mean())
    rows: list[list[object]] = []
    within = True
    for n_series, bound in BOUND_SECS.items():
        wall, cpu = (
            list(column) for column in zip(*engine_times(walks(MAIN_T, n_series), args.repeat), strict=True)
        )
        pairs = n_series * (n_series - 1)
        ratios = [loop_cpu * pairs / secs for secs in cpu]
        memory = peak_memory_mib(MAIN_T, n_series)
        within &= min(wall) <= bound and memory <= BOUND_MEMORY_MIB
        within &= n_series < 500 or float(np.median(ratios)) >= BOUND_RATIO
        rows.append(
            [
                n_series,
                pairs,
                spread_of(wall),
                f"{bound:g}",
                spread_of(cpu),
                f"{loop_cpu * pairs / 3600:.2f}",
                spread_of(ratios, 0),
                f"{memory:.0f}",
            ]
        )
    load, processors = os.getloadavg()[0], os.cpu_count()
    text = (
        "# Speed of the scan engine\n\n"
        f"T = {MAIN_T}; both directions, beta, ADF and half-life of every pair. Loop: statsmodels on "
        f"{LOOP_PAIRS} ordered pairs in the same run, {1000 * loop_cpu:.0f} ms of processor time each "
        f"[{1000 * loop[:, 1].min():.0f}, {1000 * loop[:, 1].max():.0f}], extrapolated. Times: median "
        f"[fastest, slowest] of {args.repeat}. The ratio is one of processor times: {processors} processors, "
        f"load {load:.1f} (above {processors}: others were running, and wall-clock times are too long).\n\n"
        + markdown_table(
            [
                "N",
                "ordered pairs",
                "engine, s",
                "bound, s",
                "engine, processor s",
                "loop, processor h",
                "times faster",
                "peak memory, MiB",
            ],
            rows,
        )
    )
    grid: list[list[object]] = []
    for n_series in args.sizes:
        runs = 1 if n_series > 100 else 2
        cells = [
            f"{min(cpu for _, cpu in engine_times(walks(length, n_series), runs)):.2f}"
            for length in args.lengths
        ]
        grid.append([n_series, n_series * (n_series - 1), *cells])
    text += "\nProcessor seconds of one scan against N and T (best of two up to N = 100, else one run):\n\n"
    text += markdown_table(["N", "ordered pairs", *(f"T = {length}" for length in args.lengths)], grid)
    write_or_print(text, args.write)
    return int(not within)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
