"""How often does a rule select anything where there is nothing? Whole universes without a single pair.

Three nulls: iid normal walks, GARCH(1,1)-t5 walks, and the returns of real symbols rotated by random circular
offsets (skipped where the data folder is absent). Per rule: the probability that any pair is selected.

Run: ``python -m benchmarks.study_null_universes [--draws 500] [--write docs/statistics/null-universes.md]``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.synthetic import (
    Share,
    Steps,
    evaluated_pairs,
    garch_steps,
    iid_steps,
    markdown_table,
    real_returns,
    rotated,
    write_or_print,
)
from pairbot_ext.stats.multiplicity import DEFAULT_RULE, q_values

N_CANDLES, N_SERIES = 1440, 28


def selections(pairs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Which pairs each rule of the comparison selects."""
    forward, backward = pairs["coint_p"].to_numpy(), pairs["reverse_coint_p"].to_numpy()
    weaker, doubled = np.maximum(forward, backward), np.minimum(1.0, 2 * np.minimum(forward, backward))
    q_bh = pairs["q_bh"].to_numpy()
    return {
        "textbook p < 0.05, one direction": forward < 0.05,
        "textbook p < 0.05 in both directions": weaker < 0.05,
        "BH 10 % on 2 min p, textbook": q_values(doubled, "fdr_bh") <= 0.10,
        "BH 10 % on max p, textbook": q_values(weaker, "fdr_bh") <= 0.10,
        "BH 5 % on max p, textbook": q_values(weaker, "fdr_bh") <= 0.05,
        "BH 10 % on robust p": q_bh <= 0.10,
        "BH 7.5 % on robust p": q_bh <= 0.075,
        "BH 5 % on robust p": q_bh <= 0.05,
        "BY 5 % on robust p": pairs["q_by"].to_numpy() <= 0.05,
        f"**default rule** (`{DEFAULT_RULE.name}`)": pairs["passes"].to_numpy(),
    }


def study(steps: Steps, draws: int, seed: list[int]) -> dict[str, tuple[Share, float]]:
    """Per rule: P(any pair selected), mean number selected."""
    counts: dict[str, list[int]] = {}
    for draw in range(draws):
        rng = np.random.default_rng([*seed, draw])
        x = np.cumsum(steps(N_CANDLES, N_SERIES, rng), axis=0)
        for rule, selected in selections(evaluated_pairs(x)).items():
            counts.setdefault(rule, []).append(int(selected.sum()))
    return {
        rule: (Share(int(np.count_nonzero(found)), draws), float(np.mean(found)))
        for rule, found in counts.items()
    }


def main(argv: list[str]) -> int:
    """Print (and write) the table. Returns 1 if the default rule selects in more than 10 % of a null."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20260203)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args(argv)
    nulls: dict[str, Steps] = {"iid": iid_steps, "GARCH(1,1)-t5": garch_steps}
    returns = real_returns()
    if returns is not None:
        nulls["rotated real returns"] = rotated(returns)
    results = {
        name: study(steps, args.draws, [args.seed, number])
        for number, (name, steps) in enumerate(nulls.items())
    }
    rules = list(next(iter(results.values())))
    rows: list[list[object]] = []
    for rule in rules:
        cells = [f"{results[name][rule][0]} ({results[name][rule][1]:.2f})" for name in nulls]
        rows.append([rule, *cells])
    text = (
        "# Null universes: how often a rule finds a pair where there is none\n\n"
        f"{N_SERIES} independent series, T = {N_CANDLES}, {N_SERIES * (N_SERIES - 1) // 2} tests, "
        f"{args.draws} universes per null, seed {args.seed}. Cells: probability that at least one pair is "
        "selected [95 % interval] (mean number selected).\n\n"
        + markdown_table(["rule", *nulls], rows)
        + f"\nDefault rule: {DEFAULT_RULE.summary}. The rotated-returns null keeps each symbol's own "
        "volatility clustering and serial correlation; it is the one a rule has to pass.\n"
        + ("" if returns is not None else "\nThe real-data null was skipped: no data folder.\n")
    )
    write_or_print(text, args.write)
    default = rules[-1]
    return int(any(result[default][0].k > 0.10 * args.draws for result in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
