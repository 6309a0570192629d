"""What a scan costs as symbols, candles and placebos grow: measured to where this machine ends, then a model.

Five terms are fitted (non-negative least squares on relative errors, the largest market left out): cross
products of N² T m, factorizations of N² m³, the table of N², robust tests of C T m_w² for C candidates,
a start (m, m_w: longest lags of the textbook and of the weighted regression). The market left out says how
far the model may be trusted; what lies beyond is extrapolated and marked so.

Run: ``python -m benchmarks bench_scale`` (about a minute); ``--write docs/statistics/scale.md``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from benchmarks.processes import PYTHON, REPO_ROOT, machine_said
from benchmarks.synthetic import markdown_table, write_or_print
from pairbot_ext.stats.lag_products import default_max_lag
from pairbot_ext.stats.multiplicity import DEFAULT_RULE, one_row_per_pair
from pairbot_ext.stats.robust import SCREEN_P
from pairbot_ext.stats.weighted_adf import longest_lag

MEASURED = [
    (50, 1440),
    (100, 1440),
    (200, 1440),
    (400, 1440),
    (100, 5760),
    (200, 5760),
    (100, 20_160),
    (800, 1440),
]
EXTRAPOLATED = [
    (100, 1440, "60 days of hours"),
    (1_000, 1440, "60 days of hours"),
    (10_000, 1440, "60 days of hours"),
    (100, 86_400, "60 days of minutes"),
    (1_000, 86_400, "60 days of minutes"),
]
PLACEBOS, PLACEBO_SYMBOLS = 10_000, 500


@dataclass(frozen=True)
class Cost:
    """One scan of independent walks with the default rule."""

    symbols: int
    candles: int
    candidates: int
    cpu_secs: float
    peak_mib: float


def measure(symbols: int, candles: int) -> Cost:
    """Scan once in this process, after a scan that loads everything."""
    from pairbot_ext.stats import compiled, scan_pairs

    compiled.WORTH_SECS = 0.0  # small markets too, or two programs would be measured as one
    rng = np.random.default_rng([11, symbols, candles])
    x = np.cumsum(0.01 * rng.standard_normal((candles, symbols)), axis=0)
    first = np.cumsum(rng.standard_normal((400, 250)), axis=0)
    DEFAULT_RULE.evaluate(one_row_per_pair(scan_pairs(first)), first, range(250))
    begin = time.process_time()
    pairs = one_row_per_pair(scan_pairs(x))
    DEFAULT_RULE.evaluate(pairs, x, range(symbols))
    cpu_secs = time.process_time() - begin
    weaker = pairs[["coint_p", "reverse_coint_p"]].max(axis=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(symbols, candles, int((weaker <= SCREEN_P).sum()), cpu_secs, peak)


def in_fresh_process(symbols: int, candles: int) -> Cost:
    """`measure` where nothing else is in memory."""
    code = (
        "import json; from dataclasses import asdict; from benchmarks.bench_scale import measure; "
        f"print(json.dumps(asdict(measure({symbols}, {candles}))))"
    )
    answer = subprocess.run([PYTHON, "-c", code], cwd=REPO_ROOT, check=True, capture_output=True, text=True)
    return Cost(**json.loads(answer.stdout))


def terms(symbols: float, candles: float, candidates: float) -> np.ndarray:
    """The model's terms: in billions of operations, but for the third (millions of pairs) and the last."""
    m, weighted = default_max_lag(int(candles)), longest_lag(int(candles))
    squared = symbols**2
    robust = candidates * candles * weighted**2
    return np.array([squared * candles * m / 1e9, squared * m**3 / 1e9, squared / 1e6, robust / 1e9, 1.0])


def main(argv: list[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args(argv)
    costs = [in_fresh_process(*size) for size in MEASURED]
    fitted = costs[:-1]
    matrix = np.array([terms(c.symbols, c.candles, c.candidates) / c.cpu_secs for c in fitted])
    weights, _ = nnls(matrix, np.ones(len(fitted)))

    def predicted(symbols: int, candles: int, candidates: float) -> float:
        return float(terms(symbols, candles, candidates) @ weights)

    rows: list[list[object]] = []
    for cost in costs:
        model = predicted(cost.symbols, cost.candles, cost.candidates)
        used = "fitted" if cost in fitted else "**left out**"
        rows.append(
            [
                cost.symbols,
                cost.candles,
                cost.candidates,
                f"{cost.cpu_secs:.2f}",
                f"{model:.2f}",
                used,
                f"{cost.peak_mib:.0f}",
            ]
        )
    share = np.mean([c.candidates / (c.symbols * (c.symbols - 1) / 2) for c in costs])
    base = min(c.peak_mib for c in costs)
    largest = costs[-1]
    per_pair = (largest.peak_mib - base) * 2**20 / (largest.symbols**2 / 2)
    text = (
        f"Independent walks, default rule, one process. {machine_said()} Candidates of the robust test: "
        f"{100 * share:.1f} % of the pairs.\n\n"
        + markdown_table(
            ["symbols", "candles", "candidates", "processor s", "model s", "in the fit", "peak MiB"], rows
        )
        + f"\nSeconds = {weights[0]:.3g} N² T m / 1e9 + {weights[1]:.3g} N² m³ / 1e9 + "
        f"{weights[2]:.3g} N² / 1e6 + {weights[3]:.3g} C T m_w² / 1e9 + {weights[4]:.2g}\n\n"
    )
    beyond: list[list[object]] = []
    for symbols, candles, what in EXTRAPOLATED:
        secs = predicted(symbols, candles, share * symbols**2 / 2)
        memory = (base + per_pair * symbols**2 / 2 / 2**20 + symbols * candles * 8 * 3 / 2**20) / 1024
        beyond.append([symbols, what, f"{secs / 3600:.3g}", f"{memory:.1f}"])
    secs = PLACEBOS * predicted(PLACEBO_SYMBOLS, 1440, share * PLACEBO_SYMBOLS**2 / 2)
    text += "Extrapolated, one scan:\n\n" + markdown_table(
        ["symbols", "candles", "core-hours", "GiB"], beyond
    )
    text += (
        f"\n{PLACEBOS:,} placebo universes of {PLACEBO_SYMBOLS} symbols, 60 days of hours, one window each: "
        f"{secs / 3600:.1f} core-hours, "
        f"{(base + per_pair * PLACEBO_SYMBOLS**2 / 2 / 2**20) / 1024:.1f} GiB a worker.\n"
    )
    write_or_print(text, args.write)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
