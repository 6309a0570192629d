"""`pairbot walkforward`: is any of it real after costs? From candles to a verdict in one command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

DESCRIPTION = """\
Scan one epoch after the other (or take a walk-forward pairs file), trade each out of sample with the rules of
the bot, and say what is left after fees, funding, slippage and legging: with an interval clustered by week,
the place among placebos, and a verdict by written rules (docs/research.md). Every configuration tried is
counted in a ledger beside the data.
"""
EXAMPLES = """\
examples:
  pairbot walkforward --datadir user_data/data/binance --timerange 20250701-20260101
  pairbot walkforward --datadir user_data/data/binance --pairs-file wf.json --json
  pairbot walkforward --datadir user_data/data/binance --store user_data/wf --out walkforward.html
exit code: 0 a verdict was found, whatever it is, 1 Freqtrade does not make these trades, 2 bad input
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "walkforward",
        help="trade a selection out of sample and judge what is left after costs",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a walk-forward asks; `pairbot compare` asks the same."""
    from pairbot_ext.scan.options import add_knob_options
    from pairbot_ext.settings.knobs import DEFAULT_RULE, Rule
    from pairbot_ext.tasks.options import add_task_options
    from pairbot_ext.userdir.options import add_config_options

    parser.add_argument("--datadir", type=Path, metavar="DIR", help="candles (default: the configuration's)")
    parser.add_argument(
        "--pairs-file", type=Path, metavar="FILE", help="walk-forward pairs file instead of a scan"
    )
    parser.add_argument(
        "--symbols", nargs="+", metavar="SYMBOL", help="only these, e.g. ADA/USDT:USDT or ADA"
    )
    add_config_options(parser)
    parser.add_argument("--timeframe", default="1h", help="candle length (default: %(default)s)")
    parser.add_argument(
        "--formation", type=int, default=1440, metavar="CANDLES", help="window length (default: %(default)s)"
    )
    parser.add_argument(
        "--step", type=int, default=168, metavar="CANDLES", help="from epoch to epoch (default: %(default)s)"
    )
    parser.add_argument(
        "--timerange", metavar="A-B", help="when the epochs begin (default: all the data allow)"
    )
    parser.add_argument(
        "--rule",
        default=DEFAULT_RULE.value,
        choices=[rule.value for rule in Rule],
        help="selection rule (default: %(default)s)",
    )
    costs = parser.add_argument_group("costs beside fees and funding, bp of one leg and fill")
    costs.add_argument("--slippage-bp", type=float, default=1.0, metavar="BP", help="default: %(default)s")
    costs.add_argument("--legging-bp", type=float, default=0.5, metavar="BP", help="default: %(default)s")
    costs.add_argument(
        "--legging", type=Path, metavar="FILE", help="what `pairbot replay --legging FILE` measured, instead"
    )
    parser.add_argument(
        "--placebos", type=int, default=200, metavar="N", help="of each kind (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of placebos and bootstrap (default: %(default)s)"
    )
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="have `freqtrade backtesting` make the trades once more; a difference is an error",
    )
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="default: pairbot-trials.jsonl in DIR")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write an HTML report there (5 MB)")
    parser.add_argument("--png", type=Path, metavar="FILE", help="write the pictures there")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, progress on stderr")
    add_task_options(parser.add_argument_group("who computes the placebos"))
    add_knob_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the verdict and what it rests on."""
    # Imported here: `pairbot --help` should not load Freqtrade.
    from pairbot_ext.research.session import run_walkforward
    from pairbot_ext.scan.options import datadir_from

    args.datadir = datadir_from(args)

    return run_walkforward(args, sys.stdout)
