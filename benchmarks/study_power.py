"""Power of the default rule: how many planted pairs it finds, and what share of its finds is false.

1. Bounds: 1 and 3 planted pairs among 30 symbols (435 tests) and 10 among 100 pre-chosen candidate pairs, all
   at 60 half-lives of formation, GARCH(1,1)-t5 noise.
2. Table: power against formation / half-life and number of tests.

Run: ``python -m benchmarks.study_power [--draws 500] [--write docs/statistics/power.md]``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.synthetic import (
    HOURLY_VOLATILITY,
    Share,
    Steps,
    evaluated_pairs,
    garch_steps,
    iid_steps,
    markdown_table,
    planted_universe,
    write_or_print,
)
from pairbot_ext.stats import scan_pairs
from pairbot_ext.stats.multiplicity import DEFAULT_RULE, one_row_per_pair, q_values

N_CANDLES = 1440
LEVELS = (0.05, 0.10)
HALF_LIVES = (30, 45, 60, 90, 120)
TESTS = (1, 45, 435, 4950)


@dataclass(frozen=True, slots=True)
class Finds:
    """What one draw found at each q-level: planted pairs found, other pairs selected.

    :ivar planted: number of planted pairs.
    """

    planted: int
    true: dict[float, int]
    false: dict[float, int]


def universe_draw(
    steps: Steps, n_series: int, n_pairs: int, half_life: float, spread_step: float, rng: np.random.Generator
) -> Finds:
    """All pairs of a universe are tested."""
    x = planted_universe(steps, N_CANDLES, n_series, n_pairs, half_life, rng, spread_step)
    pairs = evaluated_pairs(x)
    leg_a, leg_b = pairs["leg_a"].to_numpy(), pairs["leg_b"].to_numpy()
    true = (leg_a % 2 == 0) & (leg_b == leg_a + 1) & (leg_a < 2 * n_pairs)
    return _finds(pairs["q_bh"].to_numpy(), true)


def candidate_draw(
    steps: Steps,
    n_candidates: int,
    n_pairs: int,
    half_life: float,
    spread_step: float,
    rng: np.random.Generator,
) -> Finds:
    """Pre-chosen candidate pairs without a common symbol; only these are tested."""
    x = planted_universe(steps, N_CANDLES, 2 * n_candidates, n_pairs, half_life, rng, spread_step)
    p = np.empty(n_candidates)
    for candidate in range(n_candidates):
        legs = x[:, 2 * candidate : 2 * candidate + 2]
        pairs = one_row_per_pair(scan_pairs(legs))
        p[candidate] = DEFAULT_RULE.evaluate(pairs, legs, [0, 1])["robust_p"].iloc[0]
    return _finds(q_values(p, "fdr_bh"), np.arange(n_candidates) < n_pairs)


def _finds(q: np.ndarray, true: np.ndarray) -> Finds:
    return Finds(
        int(true.sum()),
        {level: int(np.sum(true & (q <= level))) for level in LEVELS},
        {level: int(np.sum(~true & (q <= level))) for level in LEVELS},
    )


def power(draws: list[Finds], level: float) -> Share:
    """Share of planted pairs found. Pairs of one draw are nearly independent."""
    return Share(sum(d.true[level] for d in draws), sum(d.planted for d in draws))


def false_discovery_rate(draws: list[Finds], level: float) -> str:
    """Mean share of false ones among the selected (0 where none is) ± 1.96 standard errors."""
    shares = pd.Series([d.false[level] / max(1, d.true[level] + d.false[level]) for d in draws])
    half = 1.96 * shares.std() / np.sqrt(len(shares))
    return f"{shares.mean():.3f} ± {half:.3f}"


def bounds_rows(draws: int, seed: int) -> tuple[list[list[object]], bool]:
    """The issue's three settings at two sizes of the spread's innovations."""
    settings = (
        ("1 of 435 (30 symbols)", universe_draw, 30, 1, 0.40),
        ("3 of 435 (30 symbols)", universe_draw, 30, 3, 0.50),
        ("10 of 100 candidates", candidate_draw, 100, 10, 0.75),
    )
    rows: list[list[object]] = []
    within = True
    for number, (label, draw, size, planted, least) in enumerate(settings):
        for ratio in (0.5, 1.0):
            finds = [
                draw(
                    garch_steps,
                    size,
                    planted,
                    N_CANDLES / 60,
                    ratio * HOURLY_VOLATILITY,
                    np.random.default_rng([seed, number, int(10 * ratio), index]),
                )
                for index in range(draws if draw is universe_draw else max(1, draws // 5))
            ]
            found = power(finds, DEFAULT_RULE.level)
            within &= found.k >= least * found.n
            rows.append(
                [
                    label,
                    f"{ratio:g}",
                    f"{100 * least:g} %",
                    found,
                    false_discovery_rate(finds, DEFAULT_RULE.level),
                    power(finds, 0.10),
                    false_discovery_rate(finds, 0.10),
                ]
            )
    return rows, within


def table_rows(draws: int, seed: int) -> list[list[object]]:
    """Power for one planted pair against T / half-life and number of tests.

    Benjamini-Hochberg asks p <= level / M of a single true pair among M tests, so one simulated p per draw
    answers for every M.
    """
    rows: list[list[object]] = []
    for number, (noise, steps) in enumerate({"GARCH": garch_steps, "iid": iid_steps}.items()):
        for half_lives in HALF_LIVES:
            p = np.empty(draws)
            for index in range(draws):
                rng = np.random.default_rng([seed, 9, number, half_lives, index])
                legs = planted_universe(steps, N_CANDLES, 2, 1, N_CANDLES / half_lives, rng)
                pairs = one_row_per_pair(scan_pairs(legs))
                p[index] = DEFAULT_RULE.evaluate(pairs, legs, [0, 1])["robust_p"].iloc[0]
            found = [Share(int(np.sum(p <= DEFAULT_RULE.level / tests)), draws) for tests in TESTS]
            rows.append([noise, half_lives, *found])
    return rows


def main(argv: list[str]) -> int:
    """Print (and write) both tables. Returns 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500, help="of the candidates a fifth")
    parser.add_argument("--seed", type=int, default=20260205)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args(argv)
    bounds, within = bounds_rows(args.draws, args.seed)
    table = table_rows(args.draws, args.seed)
    text = (
        "# Power of the default rule\n\n"
        f"Rule: {DEFAULT_RULE.summary}. T = {N_CANDLES}. Planted: leg B a random walk, leg A = beta B + u, u "
        "a stationary AR(1); all driven by GARCH(1,1)-t5 noise of 1 % per candle. *Innovations of u* is "
        "their volatility relative to leg B's.\n\n"
        f"## At 60 half-lives of formation ({args.draws} draws, of the candidates a fifth; seed "
        f"{args.seed})\n\n"
        + markdown_table(
            [
                "planted",
                "innovations of u",
                "bound",
                f"found, q <= {DEFAULT_RULE.level:g}",
                "false discovery rate",
                "found, q <= 0.1",
                "false discovery rate",
            ],
            bounds,
        )
        + f"\n## One planted pair, innovations of u 1, by length of formation ({args.draws} draws)\n\n"
        + markdown_table(["noise", "T / half-life", *(f"{tests} tests" for tests in TESTS)], table)
        + "\nBelow 45 half-lives of formation most true pairs are missed: the scan says *underpowered*.\n"
    )
    write_or_print(text, args.write)
    return int(not within)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
