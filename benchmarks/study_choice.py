"""Why the robust test is what it is: four statistics compared on three nulls and on planted pairs.

All are the weaker of both directions. A p-value needs a critical value. One from a table must hold on every
null ("common": the largest needed of the three); one from a bootstrap could at best attain the null's own.

Run: ``python -m benchmarks.study_choice [--draws 150] [--write docs/statistics/choice.md]``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.running import in_sentences, spread
from benchmarks.study_null_universes import N_CANDLES, N_SERIES
from benchmarks.synthetic import (
    Share,
    markdown_table,
    planted_universe,
    real_returns,
    steps_named,
    write_or_print,
)
from pairbot_ext.stats import scan_pairs
from pairbot_ext.stats.multiplicity import one_row_per_pair
from pairbot_ext.stats.weighted_adf import weighted_adf
from pairbot_ext.tasks import add_task_options

# Level of one test when 435 share a chance of one in ten.
LEVEL = 2.3e-4
# Only pairs whose textbook statistic is below this are evaluated: the tails are of interest.
SCREEN_T = -2.6
STATISTICS = ("textbook ADF", "HC0 standard error", "weighted, 24 lags", "weighted, 47 lags")


def hc0_t(u: np.ndarray, lag: int) -> float:
    """ADF t of the lagged level with White's heteroskedasticity-consistent standard error."""
    steps = np.diff(u)
    y, level = steps[lag:], u[lag:-1]
    if lag:
        lags = np.column_stack([steps[lag - k : steps.size - k] for k in range(1, lag + 1)])
        basis, _ = np.linalg.qr(lags)
        y, level = y - basis @ (basis.T @ y), level - basis @ (basis.T @ level)
    slope = (level @ y) / (level @ level)
    residual = y - slope * level
    return float(slope * (level @ level) / np.sqrt((level**2) @ (residual**2)))


def statistics(legs: np.ndarray, row: dict[str, float]) -> list[float]:
    """Weaker direction of each statistic. ``row``: betas and lags of both directions."""
    a, b = (legs - legs.mean(axis=0)).T
    both = []
    for u, lag in ((a - row["beta"] * b, row["lag"]), (b - row["reverse_beta"] * a, row["reverse_lag"])):
        both.append([hc0_t(u, int(lag)), weighted_adf(u, 24)[0], weighted_adf(u)[0]])
    return [max(row["coint_t"], row["reverse_coint_t"]), *np.max(both, axis=0)]


def evaluate(x: np.ndarray, screen_t: float) -> np.ndarray:
    """Statistics of all pairs whose textbook statistic is below ``screen_t``, shape (pairs, 4)."""
    scan = scan_pairs(x)
    lags = scan.set_index(["leg_b", "leg_a"])["lag"].rename("reverse_lag")
    pairs = one_row_per_pair(scan).join(lags, on=["leg_a", "leg_b"])
    pairs = pairs[pairs[["coint_t", "reverse_coint_t"]].max(axis=1) < screen_t]
    rows = [statistics(x[:, [row["leg_a"], row["leg_b"]]], row) for row in pairs.to_dict(orient="records")]
    return np.array(rows).reshape(-1, len(STATISTICS))


def null_tail(
    noise: str, seed: int, number: int, draw: int, *, returns: np.ndarray | None = None
) -> list[dict[str, np.ndarray]]:
    """Statistics of one null universe's screened pairs."""
    rng = np.random.default_rng([seed, number, draw])
    return _row(evaluate(np.cumsum(steps_named(noise, returns)(N_CANDLES, N_SERIES, rng), axis=0), SCREEN_T))


def planted_pair(noise: str, seed: int, number: int, draw: int) -> list[dict[str, np.ndarray]]:
    """Statistics of one planted pair."""
    rng = np.random.default_rng([seed, 7, number, draw])
    return _row(evaluate(planted_universe(steps_named(noise), N_CANDLES, 2, 1, N_CANDLES / 60, rng), 0.0))


def _row(found: np.ndarray) -> list[dict[str, np.ndarray]]:
    return [dict(zip(STATISTICS, found.T, strict=True))]


def gathered(results: Iterator[list[dict[str, np.ndarray]]], tasks: int) -> np.ndarray:
    """Statistics of the next so many tasks, shape (pairs, 4)."""
    return np.concatenate([np.column_stack(list(row.values())) for (row,) in islice(results, tasks)])


@in_sentences
def main(argv: list[str]) -> int:
    """Print (and write) the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=150, help="null universes per noise")
    parser.add_argument("--planted", type=int, default=400, help="planted pairs per noise")
    parser.add_argument("--seed", type=int, default=20260207)
    parser.add_argument("--write", type=Path)
    add_task_options(parser)
    args = parser.parse_args(argv)
    nulls = {"iid": "iid", "GARCH": "garch"}
    returns = real_returns()
    if returns is not None:
        nulls["rotated real"] = "rotated"
    tests = args.draws * N_SERIES * (N_SERIES - 1) // 2
    critical: dict[str, np.ndarray] = {}
    at_permille: dict[str, np.ndarray] = {}
    tasks = [
        (noise, args.seed, number, draw)
        for number, noise in enumerate(nulls.values())
        for draw in range(args.draws)
    ]
    results = spread(null_tail, tasks, args, shared={"returns": returns}, part="nulls")
    for name in nulls:
        tail = np.sort(gathered(results, args.draws), axis=0)
        at_permille[name] = tail[round(1e-3 * tests)]
        critical[name] = tail[round(LEVEL * tests)]
    common = np.min(list(critical.values()), axis=0)
    rows: list[list[object]] = [
        [statistic]
        + [f"{at_permille[name][k]:.2f}" for name in nulls]
        + [f"{critical[name][k]:.2f}" for name in nulls]
        for k, statistic in enumerate(STATISTICS)
    ]
    power_rows: list[list[object]] = [[statistic] for statistic in STATISTICS]
    planted = list(nulls.items())[:2]
    tasks = [
        (noise, args.seed, number, draw)
        for number, (_, noise) in enumerate(planted)
        for draw in range(args.planted)
    ]
    results = spread(planted_pair, tasks, args, part="planted")
    for name, _ in planted:
        values = gathered(results, args.planted)
        for k, row in enumerate(power_rows):
            row += [
                Share(int(np.sum(values[:, k] < critical[name][k])), args.planted),
                Share(int(np.sum(values[:, k] < common[k])), args.planted),
            ]
    text = (
        "# The choice of the robust statistic\n\n"
        f"Null: {args.draws} universes of {N_SERIES} independent series each, T = {N_CANDLES}, {tests:,} "
        f"pairs. Planted: {args.planted} pairs of 60 half-lives. Seed {args.seed}. All statistics are the "
        "weaker of both directions.\n\n## Lower tail on each null\n\nThe closer the columns, the better one "
        "table of p-values serves all markets.\n\n"
        + markdown_table(
            ["statistic", *(f"0.1 %, {name}" for name in nulls), *(f"0.023 %, {name}" for name in nulls)],
            rows,
        )
        + "\n## Power at 0.023 % (one in ten shared by 435 tests)\n\n*own*: critical value of the same "
        "noise, the best that any bootstrap of the statistic could do; *common*: one that holds on all nulls "
        "above.\n\n"
        + markdown_table(["statistic", "iid, own", "iid, common", "GARCH, own", "GARCH, common"], power_rows)
    )
    write_or_print(text, args.write)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
