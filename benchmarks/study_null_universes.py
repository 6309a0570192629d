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

from benchmarks.running import in_sentences, spread
from benchmarks.synthetic import (
    Share,
    evaluated_pairs,
    markdown_table,
    real_returns,
    steps_named,
    write_or_print,
)
from pairbot_ext.stats.multiplicity import DEFAULT_RULE, q_values
from pairbot_ext.tasks import add_task_options

N_CANDLES, N_SERIES = 1440, 28
RULES = (
    "textbook p < 0.05, one direction",
    "textbook p < 0.05 in both directions",
    "BH 10 % on 2 min p, textbook",
    "BH 10 % on max p, textbook",
    "BH 5 % on max p, textbook",
    "BH 10 % on robust p",
    "BH 7.5 % on robust p",
    "BH 5 % on robust p",
    "BY 5 % on robust p",
    f"**default rule** (`{DEFAULT_RULE.name}`)",
)


def selections(pairs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Which pairs each rule of the comparison selects."""
    forward, backward = pairs["coint_p"].to_numpy(), pairs["reverse_coint_p"].to_numpy()
    weaker, doubled = np.maximum(forward, backward), np.minimum(1.0, 2 * np.minimum(forward, backward))
    q_bh = pairs["q_bh"].to_numpy()
    selected = (
        forward < 0.05,
        weaker < 0.05,
        q_values(doubled, "fdr_bh") <= 0.10,
        q_values(weaker, "fdr_bh") <= 0.10,
        q_values(weaker, "fdr_bh") <= 0.05,
        q_bh <= 0.10,
        q_bh <= 0.075,
        q_bh <= 0.05,
        pairs["q_by"].to_numpy() <= 0.05,
        pairs["passes"].to_numpy(),
    )
    return dict(zip(RULES, selected, strict=True))


def null_universe(
    noise: str, seed: int, number: int, draw: int, *, returns: np.ndarray | None = None
) -> list[dict[str, int]]:
    """How many pairs each rule selects in one universe."""
    rng = np.random.default_rng([seed, number, draw])
    x = np.cumsum(steps_named(noise, returns)(N_CANDLES, N_SERIES, rng), axis=0)
    return [{rule: int(selected.sum()) for rule, selected in selections(evaluated_pairs(x)).items()}]


def shares(universes: list[dict[str, int]]) -> dict[str, tuple[Share, float]]:
    """Per rule: P(any pair selected), mean number selected."""
    counts = {rule: [universe[rule] for universe in universes] for rule in RULES}
    return {
        rule: (Share(int(np.count_nonzero(found)), len(found)), float(np.mean(found)))
        for rule, found in counts.items()
    }


@in_sentences
def main(argv: list[str]) -> int:
    """Print (and write) the table. Returns 1 if the default rule selects in more than 10 % of a null."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20260203)
    parser.add_argument("--write", type=Path)
    add_task_options(parser)
    args = parser.parse_args(argv)
    nulls = {"iid": "iid", "GARCH(1,1)-t5": "garch"}
    returns = real_returns()
    if returns is not None:
        nulls["rotated real returns"] = "rotated"
    tasks = [
        (noise, args.seed, number, draw)
        for number, noise in enumerate(nulls.values())
        for draw in range(args.draws)
    ]
    universes = [row for (row,) in spread(null_universe, tasks, args, shared={"returns": returns})]
    results = {
        name: shares(universes[number * args.draws : (number + 1) * args.draws])
        for number, name in enumerate(nulls)
    }
    rows: list[list[object]] = []
    for rule in RULES:
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
    return int(any(result[RULES[-1]][0].k > 0.10 * args.draws for result in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
