"""What the selection rules do on real candles: the funnel week by week, and what becomes of selected pairs.

For every weekly epoch: how many pairs are left after each step. Then each selected pair is tested again, in
the same direction, on the candles that follow its formation, beside the share of *all* tested pairs that pass
the same test on the same candles: the base rate a selection has to beat. With ``--backtest`` the trades of an
out-of-sample walk-forward backtest are added.

Run: ``python -m benchmarks.study_real_data --datadir DIR [--write docs/statistics/real-data.md]``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.market_data import REAL_DATADIR
from benchmarks.running import in_sentences
from pairbot_ext.scan.checks import funnel
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions, ScanResult, pair_id, records
from pairbot_ext.scan.rules import TEXTBOOK_LEVEL, Rule, rule_info
from pairbot_ext.scan.sources import Candles, from_datadir
from pairbot_ext.scan.universe import Window, cut_window
from pairbot_ext.stats import scan_pairs
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks import Workers, add_task_options, workers_from

FORMATION, STEP = 1440, 168
HORIZONS = (168, 1440)
Z95 = 1.959964


INTRODUCTION = """\
What the rules of `pairbot scan` select on real candles, and what became of it. Made by

```
echo '{"pairbot": {"risk": {"break_stop": null}}}' > plain.json
for rule in naive robust; do
  pairbot scan --datadir DIR --rule $rule --walk-forward --timerange 20250630-20260101 --out $rule.json
  pairbot offline -- backtesting --strategy PairsArb -c config.json -c $rule.json.overlay.json \\
      -c plain.json --datadir DIR --timerange 20250630-20260101 --cache none \\
      --backtest-directory results/$rule
done
python -m benchmarks.study_real_data --datadir DIR --write docs/statistics/real-data.md \\
    --backtest naive results/naive naive.json --backtest robust results/robust robust.json
```

The break stop is off: what is measured are the selections under the usual exits.
"""

OLDER = (
    "Without the break stop, and before a time stop kept its pair out until |z| <= `exit_z`. By today's "
    "rules, with placebos: [walkforward.md](walkforward.md)."
)
REFERENCE = """\
An independent simulator, written before this package, measured on the same candles (entry 2, exit 0.5,
stop 4, 4 half-lives, next-open fills, 5 bp per fill, real funding; 95 % intervals clustered by week;
its basis points need not be of the same notional as those above):

| selection | pairs per week | pair trades | gross bp | funding bp | net bp per pair trade |
|---|---|---|---|---|---|
| naive | 2.2 | 70 | -6.1 | -1.5 | -17.6 [-51, 11] |
| BH 10 % on the larger textbook p, half-life <= formation / 45 | 1.2 | 44 | -17.5 | -1.9 | -29.4 [-84, 16] |
| naive with the sign of every trade flipped (placebo) | 2.2 | 70 | +6.1 | +1.5 | -2.4 [-31, 31] |
| 10 random pairs, 50 draws | 10 | about 130 | | | -27 +/- 29 |

A pair trade's standard deviation is hundreds of basis points, so some tens of trades cannot show an edge, nor
a loss, below tens of basis points. None of these selections was shown to earn its costs.
"""


@dataclass(frozen=True, slots=True)
class Share:
    """k of n, with its Wilson interval; pairs of one week share coins, so the interval is too narrow."""

    k: int
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "none to test"
        p, square = self.k / self.n, Z95**2
        centre = (p + square / (2 * self.n)) / (1 + square / self.n)
        half = Z95 / (1 + square / self.n) * np.sqrt(p * (1 - p) / self.n + square / (4 * self.n**2))
        return f"{self.k} of {self.n} = {p:.1%} [{max(centre - half, 0):.1%}, {min(centre + half, 1):.1%}]"

    def __add__(self, other: Share) -> Share:
        return Share(self.k + other.k, self.n + other.n)


def afterwards(candles: Candles, windows: Sequence[Window], horizon: int) -> dict[pd.Timestamp, pd.Series]:
    """For each formation end: textbook p of every ordered pair on the following `horizon` candles."""
    found = {}
    for window in windows:
        later = Window(window.timeframe, horizon, window.end + horizon * window.candle)
        try:
            data = cut_window(candles.frames, later)
        except DataError:
            continue  # the candles end before
        table = scan_pairs(data.log_prices, data.symbols)
        found[pd.Timestamp(window.end)] = table.set_index(["leg_a", "leg_b"])["coint_p"]
    return found


def survival(results: Sequence[ScanResult], later: Mapping[pd.Timestamp, pd.Series]) -> tuple[Share, Share]:
    """(selected pairs, all tested pairs) with p < 0.05 on the following candles, fitted direction."""
    selected = everything = Share(0, 0)
    for result in results:
        p = later.get(pd.Timestamp(result.window.end))
        if p is None:
            continue
        for rows, is_selection in ((result.selected, True), (result.table, False)):
            legs = [(row["leg_a"], row["leg_b"]) for row in records(rows[["leg_a", "leg_b"]])]
            values = p.reindex(legs).dropna() if legs else p.iloc[:0]
            share = Share(int((values < TEXTBOOK_LEVEL).sum()), len(values))
            if is_selection:
                selected += share
            else:
                everything += share
    return selected, everything


def markdown_funnel(results: Sequence[ScanResult]) -> list[str]:
    """One row per week, and the totals."""
    steps = results[0].steps
    head = ["formation end", "symbols", "tested", "p < 0.05", *steps, "selected pairs"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    totals = np.zeros(len(steps) + 2, dtype=int)
    for result in results:
        counts = funnel(result.table, steps)
        numbers = [counts["tested"], result.passing_textbook, *(counts[name] for name in steps)]
        totals += numbers
        ids = ", ".join(pair_id(row["leg_a"], row["leg_b"]) for row in records(result.selected))
        cells = [f"{result.window.end:%Y-%m-%d}", str(len(result.symbols)), *map(str, numbers), ids or "none"]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("| all weeks | | " + " | ".join(map(str, totals)) + " | |")
    return lines


def report(candles: Candles, workers: Workers, store: Path | None) -> list[str]:
    """The document, line by line."""
    first = max(frame["date"].iloc[0] for frame in candles.frames.values()).to_pydatetime()
    end = candles.last_close()
    windows = Schedule("1h", first + FORMATION * timedelta(hours=1), end, FORMATION, STEP).windows()
    lines = [
        f"{len(candles.frames)} symbols, {first:%Y-%m-%d} to {end:%Y-%m-%d}, hourly; formation {FORMATION} "
        f"candles, {len(windows)} weekly selections.",
        "",
    ]
    later = {horizon: afterwards(candles, windows, horizon) for horizon in HORIZONS}
    shares: list[str] = []
    for rule in Rule:
        results = walk_forward(
            candles.frames,
            windows,
            ScanOptions(rule),
            funding=candles.funding,
            workers=workers,
            store=store and store / rule.value,
        )
        info = rule_info(rule)
        lines += [f"## Rule {rule.value}", "", f"{info.summary}.", ""]
        lines += [info.warning, ""] if info.warning else []
        lines += ["Pairs left after each step:", "", *markdown_funnel(results), ""]
        for horizon in HORIZONS:
            selected, everything = survival(results, later[horizon])
            shares.append(f"| {rule.value} | {horizon} | {selected} | {everything} |")
    lines += [
        "## What becomes of selected pairs",
        "",
        "Share with coint p < 0.05 in the fitted direction on the candles right after the formation. A rule "
        "that finds lasting relations shows a larger share among its selections than among all pairs.",
        "",
        "| rule | following candles | selected pairs | all tested pairs |",
        "|---|---|---|---|",
        *shares,
        "",
        "Brackets: 95 % Wilson intervals that treat pairs as independent. Pairs of one week share coins and "
        "consecutive weeks share candles, so the true uncertainty is larger.",
    ]
    return lines


def backtest_section(result: Path, pairs_path: Path) -> str:
    """Net result of the walk-forward backtest, per pair trade, in a sentence or two."""
    from pairbot_ext.pairs import load_pairs_file
    from pairbot_ext.report.pairing import frozen_betas, legs_of, load_export, pair_trades
    from pairbot_ext.report.summary import total

    pairs_file = load_pairs_file(pairs_path)
    trades = pair_trades(load_export(result), legs_of(pairs_file), frozen_betas(pairs_file))
    if not trades:
        return "No pair trade was made."
    all_trades = total(trades)
    net = all_trades.net_bp
    assert net is not None  # there are trades, and a backtest closes them all
    reasons = ", ".join(f"{name} {count}" for name, count in all_trades.exit_reasons.items())
    worst = all_trades.worst_hedge_error
    sentences = [
        f"{all_trades.pair_trades} pair trades in {net.weeks} weeks, {all_trades.wins} with a profit",
        f"({reasons}).",
        f"Net of fees and funding **{net.mean:+.1f} bp of N_A + N_B per pair trade",
        f"[{net.low:+.0f}, {net.high:+.0f}]** (95 %, clustered by week), standard deviation {net.sd:.0f} bp;",
        f"an edge below {net.detectable:.0f} bp cannot be seen with so few.",
        f"In all {all_trades.profit:+.2f} USDT: gross {all_trades.gross:+.2f}, fees {-all_trades.fees:+.2f},",
        f"funding {all_trades.funding:+.2f}. Naked leg-hours {all_trades.naked_leg_hours:g},",
        f"worst hedge error {worst:.2%}." if worst is not None else "hedge errors unknown.",
    ]
    return " ".join(sentences)


@in_sentences
def main(argv: list[str]) -> int:
    """Print the document, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, default=REAL_DATADIR)
    add_task_options(parser)
    parser.add_argument("--write", type=Path)
    parser.add_argument(
        "--backtest",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "RESULT", "PAIRS"),
        help="result of `freqtrade backtesting` and the walk-forward pairs file it ran on",
    )
    args = parser.parse_args(argv)
    if not args.datadir.is_dir():
        print(f"no candles in {args.datadir}: give --datadir", file=sys.stderr)
        return 2
    lines = [
        "# Selection on real candles",
        "",
        INTRODUCTION,
        *report(from_datadir(args.datadir, "1h"), workers_from(args), args.store),
        "",
    ]
    if args.backtest:
        lines += ["## Out-of-sample walk-forward backtest", "", OLDER, ""]
        for name, result, pairs in args.backtest:
            lines += [f"**{name}.** {backtest_section(Path(result), Path(pairs))}", ""]
    lines += ["## Reference figures", "", REFERENCE.rstrip()]
    text = "\n".join(lines) + "\n"
    if args.write is None:
        print(text)
    else:
        args.write.parent.mkdir(parents=True, exist_ok=True)
        args.write.write_text(text, encoding="utf-8")
        print(f"Wrote {args.write}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
