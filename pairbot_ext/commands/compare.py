"""`pairbot compare`: models of the spread side by side, out of sample, with multiplicity control."""

from __future__ import annotations

import argparse
import sys

DESCRIPTION = """\
Trade one selection with several models of the spread: the same epochs, the same pairs, the same draws of
placebos, each out of sample and after all costs. Whether any beats cash, or the default, is asked of all of
them together (Hansen's test, the stepwise test of Romano and Wolf), and every model counts in the ledger of
trials. None is left out because it loses. The models: docs/models.md.
"""
EXAMPLES = """\
examples:
  pairbot compare --datadir user_data/data/binance --timerange 20250701-20260101 --rule naive
  pairbot compare --datadir user_data/data/binance --pairs-file wf.json --json
  pairbot compare --datadir user_data/data/binance --models kalman half_life_window:window_half_lives=5
exit code: 0 the comparison was made, whatever it says, 2 bad input
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    from pairbot_ext.commands.walkforward import add_options

    parser = subparsers.add_parser(
        "compare",
        help="models of the spread side by side, out of sample",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="KIND",
        help="which, with parameters if they are not the default ones; the frozen one is always among them "
        "(default: every kind)",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what each model earned."""
    # Imported here: `pairbot --help` should not load Freqtrade.
    from pairbot_ext.research.compare_session import run_compare
    from pairbot_ext.scan.options import datadir_from

    args.datadir = datadir_from(args)

    return run_compare(args, sys.stdout)
