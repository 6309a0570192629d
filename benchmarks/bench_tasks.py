"""Two dask workers against one process, one thread each: placebo universes through the default scan rule.

A placebo universe is a market's returns, each symbol's rotated by its own random offset: nothing in it is
cointegrated. All sides compute the same universes in the same run, in turn, after some unmeasured universes
each (imports); what they find must be the same to the last bit. The third side is what this machine can give
at most: two plain processes with half of the universes each, which exchange nothing.

Run: ``python -m benchmarks.bench_tasks [--universes 200] [--symbols 28] [--repeat 3]``. Bound: 1.7 times.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context

import numpy as np

from benchmarks.bench_scan import spread_of
from benchmarks.market_data import simulated_walks
from benchmarks.running import Rows, in_sentences
from benchmarks.synthetic import markdown_table, rotated
from pairbot_ext.scan import Rule, ScanOptions, Window, scan_window
from pairbot_ext.scan.universe import FormationData
from pairbot_ext.tasks import Backend, Workers, run

CANDLES = 1440
BOUND_RATIO = 1.7
END = datetime(2026, 1, 1, tzinfo=UTC)
LISTED = datetime(2020, 1, 1, tzinfo=UTC)


def placebo(seed: int, draw: int, symbols: int, *, returns: np.ndarray) -> Rows:
    """What the default rule finds in one placebo universe: robust p of every pair, and which are selected."""
    steps = rotated(returns)(CANDLES, symbols, np.random.default_rng([seed, draw]))
    data = FormationData(
        window=Window("1h", CANDLES, END),
        symbols=tuple(f"S{column:03d}/USDT:USDT" for column in range(symbols)),
        log_prices=np.cumsum(steps, axis=0),
        quote_volume=np.full(symbols, 1e12),
        first_candle=(LISTED,) * symbols,
        mean_funding=np.full(symbols, np.nan),
        rejected={},
    )
    table = scan_window(data, ScanOptions(Rule.ROBUST)).table
    selected = table[table["reason"] == ""]
    return [
        {
            "leg_a": table["leg_a"].tolist(),
            "leg_b": table["leg_b"].tolist(),
            "robust_p": table["robust_p"].to_numpy(),
            "selected": len(selected),
        }
    ]


def digest(results: Iterable[Rows]) -> str:
    """Of every row, to the last bit."""
    found = hashlib.sha256()
    for rows in results:
        for row in rows:
            found.update(repr((row["leg_a"], row["leg_b"], row["selected"])).encode())
            found.update(row["robust_p"].tobytes())
    return found.hexdigest()[:16]


def digest_of_half(tasks: Sequence[tuple[int, int, int]], shared: Mapping[str, np.ndarray]) -> str:
    """What one of two plain processes finds."""
    return digest(run(placebo, tasks, shared=shared))


def halves(
    pool: ProcessPoolExecutor, tasks: Sequence[tuple[int, int, int]], shared: Mapping[str, np.ndarray]
) -> None:
    """Compute half of the tasks in each process of a pool of two."""
    middle = len(tasks) // 2
    both = [pool.submit(digest_of_half, half, shared) for half in (tasks[:middle], tasks[middle:])]
    for each in both:
        each.result()


@in_sentences
def main(argv: list[str]) -> int:
    """Print the table. Returns 1 where the bound is missed or the bytes differ."""
    from distributed import LocalCluster

    # The scan's own threads would let one process use both cores.
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--universes", type=int, default=200)
    parser.add_argument("--symbols", type=int, default=28)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=20260301)
    args = parser.parse_args(argv)
    frames = simulated_walks().frames.values()
    shared = {"returns": np.diff(np.log(np.column_stack([frame["close"] for frame in frames])), axis=0)}
    tasks = [(args.seed, draw, args.symbols) for draw in range(args.universes)]
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        ProcessPoolExecutor(2, get_context("spawn")) as pool,
    ):
        sides = {
            "one process": Workers(Backend.SERIAL),
            "two dask workers": Workers(Backend.DASK, scheduler=cluster.scheduler_address),
        }
        ceiling = "two plain processes, half each"
        secs: dict[str, list[float]] = {name: [] for name in [*sides, ceiling]}
        digests = set()
        for repeat in range(args.repeat + 1):
            for name, workers in sides.items():
                begin = time.perf_counter()
                chosen = tasks if repeat else tasks[:4]
                found = digest(run(placebo, chosen, shared=shared, workers=workers))
                if repeat:
                    secs[name].append(time.perf_counter() - begin)
                    digests.add(found)
            begin = time.perf_counter()
            halves(pool, chosen, shared)
            if repeat:
                secs[ceiling].append(time.perf_counter() - begin)
    alone, spread_out, most = secs.values()
    ratios = [one / two for one, two in zip(alone, spread_out, strict=True)]
    at_most = [one / two for one, two in zip(alone, most, strict=True)]
    rows: list[list[object]] = [[name, spread_of(times, 2)] for name, times in secs.items()]
    rows.append(["dask, times faster", spread_of(ratios, 2)])
    rows.append(["plain processes, times faster: what these processors give", spread_of(at_most, 2)])
    print(
        f"{args.universes} placebo universes of {args.symbols} symbols, {CANDLES} candles, default rule; "
        f"median [fastest, slowest] of {args.repeat}; {os.cpu_count()} processors, "
        f"load {os.getloadavg()[0]:.1f}.\n"
    )
    print(markdown_table(["", "seconds"], rows))
    same = len(digests) == 1
    print(f"{'The same bytes' if same else 'OTHER BYTES'}; bound {BOUND_RATIO:g} times.")
    return int(not same or float(np.median(ratios)) < BOUND_RATIO)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
