"""A p-value from the scanned candles themselves: what it finds where there is nothing, beside the table's.

Two nulls of real returns. *Shifted whole*: each coin's returns moved around the circle, no two by offsets
less than a day apart. *Market kept*: only what is each coin's own is moved; what all have in common stands
where it was, as in the market a scan really sees.

What the rules find of planted pairs: `python -m benchmarks.study_cli --rule calibrated`.

Run: ``python -m benchmarks.study_calibrated [--draws 100] [--write docs/statistics/calibrated.md]``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.running import Rows, in_sentences, spread
from benchmarks.study_level import apart
from benchmarks.study_null_universes import N_CANDLES, N_SERIES
from benchmarks.synthetic import Share, evaluated_pairs, markdown_table, real_returns, write_or_print
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.multiplicity import CALIBRATED_RULE, q_values
from pairbot_ext.stats.shifted import SHIFTS, shifted_null
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks import add_task_options

NULLS = ("shifted whole", "market kept")
LEVELS = (0.05, 0.10)


def universe(null: str, seed: int, draw: int, *, returns: FloatArray) -> Rows:
    """How many pairs each rule and level selects in one universe without pairs."""
    rng = np.random.default_rng([seed, NULLS.index(null), draw])
    made = np.roll(returns[:, :N_SERIES], int(rng.integers(len(returns))), axis=0)
    if null == NULLS[0]:
        made = apart(made, rng)
    else:
        market = made.mean(axis=1, keepdims=True)
        common = market * ((made * market).sum(axis=0) / float((market * market).sum()))
        made = common + apart(made - common, rng)
    x = np.cumsum(made[:N_CANDLES], axis=0)
    judged = evaluated_pairs(x)
    p = shifted_null(x, threads=1).p_values(judged["robust_t"].to_numpy())
    own = q_values(p, "fdr_bh")
    table = judged["q_bh"].to_numpy()
    return [
        {f"table {level:g}": int(np.sum(table <= level)) for level in LEVELS}
        | {f"own {level:g}": int(np.sum(own <= level)) for level in LEVELS}
    ]


@in_sentences
def main(argv: list[str]) -> int:
    """Print (and write) the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--write", type=Path)
    add_task_options(parser)
    args = parser.parse_args(argv)
    returns = real_returns()
    if returns is None:
        raise DataError("the study needs real candles", remedy="Put them beside the checkout")
    tasks = [(null, args.seed, draw) for null in NULLS for draw in range(args.draws)]
    found = [row for (row,) in spread(universe, tasks, args, shared={"returns": returns})]
    rows: list[list[object]] = []
    for kind, words in (
        ("table", "BH {} on the table's p (`robust`)"),
        ("own", "BH {} on the shifted null's p"),
    ):
        for level in LEVELS:
            counts = np.array([row[f"{kind} {level:g}"] for row in found]).reshape(len(NULLS), args.draws)
            cells = [f"{Share(int(np.count_nonzero(c)), args.draws)} ({c.mean():.2f})" for c in counts]
            name = words.format(f"{100 * level:g} %")
            is_rule = kind == "own" and level == CALIBRATED_RULE.level
            rows.append([f"**{name} (`calibrated`)**" if is_rule else name, *cells])
    text = (
        "# The rule `calibrated` where no pair belongs together\n\n"
        f"{N_SERIES} coins, T = {N_CANDLES}, {N_SERIES * (N_SERIES - 1) // 2} tests, {SHIFTS} shifted "
        f"universes behind each p, {args.draws} universes per null, seed {args.seed}. Cells: probability "
        "that any pair is selected [95 % interval] (mean number selected).\n\n"
        + markdown_table(["rule", *NULLS], rows)
        + SAID
    )
    write_or_print(text, args.write)
    return 0


SAID = """
*Shifted whole*: each coin's returns around the circle, no two by offsets less than a day apart; what other
tables here call a null of real returns. *Market kept*: what the coins have in common (their mean, times
each coin's loading) stands where it was and only each coin's own part is moved, as in the market a scan
really sees. The universes are drawn like the null behind the p-values, from other numbers.

**Where the market is kept, the table's p finds something in nearly half of the universes although no two
coins belong together.** The likely reason: a coin's own part of its price comes back a little by itself,
more than its price does, and in the spread of two coins that follow one market the own parts are what is
left. A null of whole shifted returns does not show it: there each coin's share of the market is moved with
it, and walks. So selections of `robust` on real candles may be coins that come back for themselves, and not
pairs. `calibrated` compares with the same market and the same own parts, and holds its level on both nulls.

On the real 28 coins, 27 weekly formations of 60 days (July to December 2025), `pairbot walkforward --rule
calibrated` selects no pair at all: nothing stands out of what the same coins do where no two belong
together. `robust` makes 27 pair trades in the same weeks, net -4.5 bp each, 95 % -101 to +82
(`walkforward.md`).

Other ways to more power, and why they are not taken:

- *Screening by the correlation of returns* is independent of the test where nothing is cointegrated, for a
  multiple of leg B added to leg A changes the correlation and not the residual. It would find nearly every
  pair of the simulated markets in `command.md`, because there all other coins are independent. In a real
  market all coins follow one another, and a true pair need not stand out: the figure would rise and the
  rule would not.
- *Coins first, then their pairs.* One true pair among n(n-1)/2 gives both its coins the same smallest p.
  Control over coins asks p (n-1) <= 2 q/n, which is p <= q / (n(n-1)/2): the first threshold of control
  over all pairs.
- *A higher level.* At 10 % either null yields a find in more than one universe of ten.

The filter on the directions of beta refuses few pairs that passed (`command.md`): it stays.

Command: `python -m benchmarks.study_calibrated`.
"""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
