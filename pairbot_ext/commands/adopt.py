"""`pairbot adopt`: the best epoch of a hyperopt, tried on candles it has not seen, written if it holds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

DESCRIPTION = """\
Try the best epoch of `freqtrade hyperopt` on the candles after those it was chosen on. Where it makes more
than the pairs' own thresholds there, and more than chance explains, strategies/PairsArb.json is written,
which then replaces the thresholds of all pairs; else nothing is (docs/hyperopt.md).
"""
EXAMPLES = """\
examples:
  freqtrade hyperopt --strategy PairsArb --hyperopt-loss PairsHyperOptLoss --spaces buy sell \\
      --timerange 20250701-20251101 --epochs 100
  pairbot adopt --datadir user_data/data/binance
exit code: 0 it holds and was written, 1 it does not, 2 bad input
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "adopt",
        help="try a hyperopt's best epoch out of sample, and write it if it holds",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--datadir", type=Path, metavar="DIR", help="candles (default: the configuration's)")
    add_config_options(parser)
    parser.add_argument("--epochs", type=Path, metavar="FILE", help=".fthypt (default: the last hyperopt's)")
    parser.add_argument(
        "--timerange", metavar="A-B", help="to try it on (default: all candles after the hyperopt's)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="parameter file (default: PairsArb.json beside the strategy)",
    )  # fmt: skip
    costs = parser.add_argument_group("costs beside fees and funding, bp of one leg and fill; taken twice")
    costs.add_argument("--slippage-bp", type=float, default=1.0, metavar="BP", help="default: %(default)s")
    costs.add_argument("--legging-bp", type=float, default=0.5, metavar="BP", help="default: %(default)s")
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="default: pairbot-trials.jsonl in DIR")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was found; write where it holds."""
    # Imported here: `pairbot --help` should not load Freqtrade.
    from datetime import UTC, datetime

    from pairbot_ext.research.adopt import write_parameters
    from pairbot_ext.research.adopt_session import adopt_plan, lines, parameter_file
    from pairbot_ext.scan.options import datadir_from

    now = datetime.now(UTC)
    args.datadir = datadir_from(args)
    made = adopt_plan(args, now)
    for line in lines(made):
        print(line)
    if made.objections:
        print(f"Not written: {'; '.join(made.objections)}.", file=sys.stdout)
        return ExitCode.PROBLEM
    out = args.out or parameter_file(args)
    write_parameters(out, made, now)
    print(f"Wrote {out}: it replaces the thresholds of ALL pairs from the next start on.")
    return ExitCode.OK
