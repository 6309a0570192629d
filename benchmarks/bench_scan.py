"""Speed and memory of ``scan_pairs`` against a loop over statsmodels, both timed in the same run.

The loop does what the engine does for one ordered pair: ``coint``, OLS for beta, ``adfuller`` on the residual
and its half-life. It is timed on 24 ordered pairs and extrapolated. Peak memory is that of a fresh process
that does nothing but the scan.

Run: ``python -m benchmarks bench_scan`` (about three minutes) or ``python -m benchmarks.bench_scan
--repeat 5 --write docs/statistics/speed.md``. Bounds on two cores: N = 30 in 0.1 s; N = 500 in 10 s, 1 GiB
and a thousand times faster than the loop.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks.synthetic import markdown_table, write_or_print

LOOP_PAIRS = 24
MAIN_T = 1440
BOUND_SECS = {30: 0.1, 500: 10.0}
BOUND_RATIO, BOUND_MEMORY_MIB = 1000.0, 1024.0

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


def engine_secs(x: np.ndarray, repeat: int) -> list[float]:
    """Wall-clock seconds of ``repeat`` scans."""
    from pairbot_ext.stats import scan_pairs

    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        scan_pairs(x)
        times.append(time.perf_counter() - begin)
    return times


def loop_secs(x: np.ndarray, pairs: int) -> list[float]:
    """Wall-clock seconds of each of the first ``pairs`` ordered pairs in the statsmodels loop."""
    import statsmodels.api as sm
    from statsmodels.tsa.stattools import adfuller, coint

    times = []
    n_series = x.shape[1]
    ordered = [(a, b) for a in range(n_series) for b in range(n_series) if a != b][:pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for a, b in ordered:
            begin = time.perf_counter()
            coint(x[:, a], x[:, b])
            u = sm.OLS(x[:, a], sm.add_constant(x[:, b])).fit().resid
            adfuller(u, regression="c", autolag="AIC")
            sm.OLS(np.diff(u), sm.add_constant(u[:-1])).fit()
            times.append(time.perf_counter() - begin)
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
    engine_secs(walks(MAIN_T, 10), 1)  # imports and tables
    loop = loop_secs(walks(MAIN_T, 30), LOOP_PAIRS)
    rows: list[list[object]] = []
    within = True
    for n_series, bound in BOUND_SECS.items():
        times = engine_secs(walks(MAIN_T, n_series), max(args.repeat, 3))
        pairs = n_series * (n_series - 1)
        ratios = [np.mean(loop) * pairs / secs for secs in times]
        memory = peak_memory_mib(MAIN_T, n_series)
        best = min(times)
        within &= best <= bound and memory <= BOUND_MEMORY_MIB
        within &= n_series < 500 or max(ratios) >= BOUND_RATIO
        hours = np.mean(loop) * pairs / 3600
        rows.append(
            [
                n_series,
                pairs,
                spread_of(times),
                f"{bound:g}",
                f"{hours:.2f}",
                spread_of(ratios, 0),
                f"{memory:.0f}",
            ]
        )
    text = (
        "# Speed of the scan engine\n\n"
        f"T = {MAIN_T}; both directions, beta, ADF and half-life of every pair. Loop: statsmodels on "
        f"{LOOP_PAIRS} ordered pairs in the same run, {1000 * float(np.mean(loop)):.0f} ms each "
        f"[{1000 * min(loop):.0f}, {1000 * max(loop):.0f}], extrapolated. Times: median [fastest, slowest]."
        "\n\n"
        + markdown_table(
            ["N", "ordered pairs", "engine, s", "bound, s", "loop, h", "times faster", "peak memory, MiB"],
            rows,
        )
    )
    grid: list[list[object]] = []
    for n_series in args.sizes:
        cells = [
            f"{min(engine_secs(walks(length, n_series), 1 if n_series > 300 else 2)):.2f}"
            for length in args.lengths
        ]
        grid.append([n_series, n_series * (n_series - 1), *cells])
    text += "\nSeconds of one scan against N and T (fastest of two up to N = 300, else one run):\n\n"
    text += markdown_table(["N", "ordered pairs", *(f"T = {length}" for length in args.lengths)], grid)
    write_or_print(text, args.write)
    return int(not within)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
