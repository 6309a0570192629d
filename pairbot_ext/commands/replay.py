"""`pairbot replay`: the live path over recorded candles, beside the backtest of the same candles."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

if TYPE_CHECKING:
    from pairbot_ext.rehearse.replay.session import Replayed

DESCRIPTION = """\
Plays recorded candles to the real bot, unmodified, with your configuration, pairs, sizes and limits, on a
simulated exchange in virtual time: two orders per pair, with latency, spread, depth, partial fills and lost
answers as you set them. Beside it runs `freqtrade backtesting` on the same inputs; each pair trade of both is
matched, and the difference in profit is explained by cause, to the cent. No network, no key, no message, and
nothing of yours is written. docs/replay.md says what is simulated, and with which numbers.
"""
EPILOG = """\
exit code: 0 replayed, 1 the books do not add up or Freqtrade stopped the bot, 2 bad input, 130 Ctrl+C (what
is done so far is shown; with --state it can be continued).

examples:
  pairbot replay --datadir user_data/data/binance --timerange 20250701-20250901
  pairbot replay --datadir D --timerange 20250701-20250901 --preset busy --html replay.html
  pairbot replay --datadir D --timerange 20250701-20250801 --latency-ms 300 --fault-share 0.01 --json
  pairbot replay --datadir D --timerange 20250701-20250801 --state july    then the same with -20250901
"""
BOOKS_ADD_UP = 0.01


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "replay",
        help="replay recorded candles on the live path, beside a backtest",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument(
        "--datadir", type=Path, metavar="DIR", help="Freqtrade's candles (default: the configuration's)"
    )
    parser.add_argument("--timerange", required=True, metavar="FROM-TO", help="as freqtrade backtesting")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="pairs file instead of the configured one")
    parser.add_argument(
        "--detail", metavar="1m|5m", help="candles that say where prices are inside candles, and when to look"
    )
    terms = parser.add_argument_group("conditions")
    terms.add_argument(
        "--preset",
        choices=("calm", "busy", "crash"),
        default="calm",
        help="default: calm; see docs/replay.md",
    )
    terms.add_argument("--latency-ms", type=int, metavar="MS", help="round trip of a request")
    terms.add_argument("--spread-bp", type=float, metavar="BP", help="of every book, never below one tick")
    terms.add_argument("--depth-usdt", type=float, metavar="USDT", help="at the best price, each side")
    terms.add_argument("--partial-share", type=float, metavar="SHARE", help="of orders filled in part")
    terms.add_argument("--fault-share", type=float, metavar="SHARE", help="of orders lost, or their answers")
    terms.add_argument(
        "--ticks",
        action=argparse.BooleanOptionalAction,
        help="prices wander inside candles (default), or go straight through their open, extremes and close",
    )
    terms.add_argument("--seed", type=int, metavar="N", help="of chance (default: 1)")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="keep books and database there, to go on with a later range"
    )
    parser.add_argument("--no-backtest", action="store_true", help="replay alone, nothing beside it")
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the result as JSON")
    output.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    output.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")
    output.add_argument("--legging", type=Path, metavar="FILE", help="write the cost of legging as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 where the replay came to its end and its books add up."""
    from pairbot_ext.rehearse.replay.inputs import read_inputs
    from pairbot_ext.rehearse.replay.session import replay
    from pairbot_ext.rehearse.replay.terms import terms_of
    from pairbot_ext.rehearse.show import Progress
    from pairbot_ext.scan.options import datadir_from

    terms = terms_of(
        args.preset, latency_ms=args.latency_ms, spread_bp=args.spread_bp, depth_usdt=args.depth_usdt,
        partial_share=args.partial_share, fault_share=args.fault_share, ticks=args.ticks, seed=args.seed,
    )  # fmt: skip
    inputs = read_inputs(
        args.config or (), datadir=datadir_from(args), timerange=args.timerange, pairs_file=args.pairs,
        detail=args.detail, userdir=args.userdir,
    )  # fmt: skip
    with Progress(quiet=args.json, doing="replaying") as progress:
        played = replay(
            inputs, terms, state=args.state, with_backtest=not args.no_backtest, progress=progress
        )
    _write(args, played)
    if played.is_interrupted:
        return 130
    beside = played.comparison
    adds_up = beside is None or abs(beside.unexplained) < BOOKS_ADD_UP
    return ExitCode.OK if adds_up and not played.doubts and not played.stopped else ExitCode.PROBLEM


def _write(args: argparse.Namespace, played: Replayed) -> None:
    from pairbot_ext.pairs import write_json
    from pairbot_ext.rehearse.replay import result, show
    from pairbot_ext.rehearse.replay.page import write_page

    if args.json:
        print(json.dumps(result.to_json(played), indent=1))
    else:
        show.show(played)
    if args.html is not None:
        write_page(args.html, played)
    if args.markdown is not None:
        args.markdown.write_text(show.markdown(played), encoding="utf-8")
    if args.legging is not None:
        write_json(args.legging, result.legging_document(played))
