"""Is the level of the default rule stricter than it need be? Real-data nulls without coins that follow each other.

Rotated real returns keep each coin's own volatility and serial correlation, but of two coins whose offsets
differ by less than a day one follows the other, and their spread comes back by construction: pairs the rule is
right to find. Two nulls without them: offsets at least a day apart, and weeks in an order of each coin's own.

Run: ``python -m benchmarks.study_level [--draws 250] [--write docs/statistics/level.md]``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.running import Rows, in_sentences, spread
from benchmarks.study_null_universes import N_CANDLES, N_SERIES
from benchmarks.synthetic import Share, evaluated_pairs, markdown_table, real_returns, write_or_print
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks import add_task_options

LEVELS = (0.05, 0.075, 0.10, 0.15)
DAY, WEEK = 24, 168
NULLS = ("offsets a day apart", "weeks permuted")


def apart(returns: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Each coin rotated, no two by offsets that differ by less than a day, around the circle."""
    size, count = returns.shape
    # Gaps of a day and a random part of what is left over, dealt out to the coins by lot.
    rest = rng.dirichlet(np.ones(count)) * (size - count * DAY)
    offsets = (np.floor(np.cumsum(rest + DAY)) + rng.integers(size)).astype(np.int64)
    order = rng.permutation(count)
    turned = [np.roll(returns[:, coin], int(offset)) for coin, offset in zip(order, offsets, strict=True)]
    return np.column_stack(turned)


def permuted(returns: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Each coin rotated, then its weeks in an order of its own."""
    columns = []
    for coin in range(returns.shape[1]):
        turned = np.roll(returns[:, coin], int(rng.integers(len(returns))))
        blocks = np.array_split(turned, len(turned) // WEEK)
        columns.append(np.concatenate([blocks[each] for each in rng.permutation(len(blocks))]))
    return np.column_stack(columns)


def universe(null: str, seed: int, draw: int, *, returns: FloatArray) -> Rows:
    """How many pairs each level selects in one universe."""
    rng = np.random.default_rng([seed, NULLS.index(null), draw])
    made = (apart if null == NULLS[0] else permuted)(returns[:, :N_SERIES], rng)
    q = evaluated_pairs(np.cumsum(made[:N_CANDLES], axis=0))["q_bh"].to_numpy()
    return [{f"{level:g}": int(np.sum(q <= level)) for level in LEVELS}]


@in_sentences
def main(argv: list[str]) -> int:
    """Print (and write) the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=250)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--write", type=Path)
    add_task_options(parser)
    args = parser.parse_args(argv)
    returns = real_returns()
    if returns is None:
        raise DataError("the study needs real candles", remedy="Put them beside the checkout")
    tasks = [(null, args.seed, draw) for null in NULLS for draw in range(args.draws)]
    found = [row for (row,) in spread(universe, tasks, args, shared={"returns": returns})]
    rows: list[list[object]] = []
    for level in LEVELS:
        counts = np.array([row[f"{level:g}"] for row in found]).reshape(len(NULLS), args.draws)
        cells = [f"{Share(int(np.count_nonzero(c)), args.draws)} ({c.mean():.2f})" for c in counts]
        rows.append([f"BH {100 * level:g} % on robust p", *cells])
    text = (
        "# The level of the default rule on real-data nulls\n\n"
        f"{N_SERIES} coins, T = {N_CANDLES}, {N_SERIES * (N_SERIES - 1) // 2} tests, {args.draws} universes "
        f"per null, seed {args.seed}. Cells: probability that any pair is selected [95 % interval] (mean "
        "number selected).\n\n" + markdown_table(["rule", *NULLS], rows)
    )
    write_or_print(text, args.write)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
