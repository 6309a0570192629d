"""`pairbot offline -- ...`: any Freqtrade command, with the loopback exchange in place of the real one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pairbot_ext.support.exitcode import ExitCode

_EPILOG = """examples:
  pairbot offline -- backtesting --strategy PairsArb --timerange 20250708-20250908
  pairbot offline -- list-pairs -c config.json --print-json
  pairbot offline --market demo --pairs-out user_data/sim-pairs.json -- trade --strategy PairsArb

With --pairs-out a bot trades the pairs of the served market: the planted ones of a generated market, or
--pairs mapped to the served times.

The overlay configuration is passed as the last -c, after your own files or the config.json that Freqtrade
would have used. FREQTRADE__EXCHANGE__* variables are not passed on: they would outrank it. Exit code:
Freqtrade's own.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "offline",
        help="run any freqtrade command against the simulated exchange, without internet",
        description="Start the simulated exchange on 127.0.0.1, run freqtrade against it, stop it again.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--market",
        metavar="synthetic|demo|DATADIR[@TIME]",
        help="prices to serve: a seeded generator, the demo's script, or real candles from a Freqtrade "
        "datadir (default: the --datadir of the freqtrade arguments, else synthetic)",
    )
    parser.add_argument("--compress", action="store_true", help="serve hourly candles as 1-minute candles")
    parser.add_argument("--seed", type=int, default=1, help="seed of the market (default: 1)")
    parser.add_argument("--faults", metavar="FILE", help="JSON schedule of faults to inject")
    parser.add_argument(
        "--pairs", metavar="FILE", help="pairs file in recorded times, to map to the served ones"
    )
    parser.add_argument(
        "--pairs-out", metavar="FILE", help="write the pairs file of this market and have it traded"
    )
    parser.add_argument(
        "freqtrade_args", nargs=argparse.REMAINDER, metavar="-- FREQTRADE ARGUMENTS", help="what to run"
    )
    parser.set_defaults(run=run)


def _arguments(raw: Sequence[str]) -> list[str]:
    arguments = list(raw)
    return arguments[1:] if arguments[:1] == ["--"] else arguments


def run(args: argparse.Namespace) -> int:
    """Run Freqtrade; returns its exit code, 2 when nothing was given to run."""
    # Imported here: `pairbot --help` should not load an HTTP server.
    from pairbot_ext.sim.launch import ExchangeOptions
    from pairbot_ext.sim.offline import run_freqtrade
    from pairbot_ext.support.errors import PairbotError

    arguments = _arguments(args.freqtrade_args)
    if not arguments:
        print("pairbot offline: nothing to run. Write: pairbot offline -- backtesting ...", file=sys.stderr)
        return ExitCode.USAGE
    if args.pairs and not args.pairs_out:
        raise PairbotError("--pairs needs --pairs-out", remedy="Say where the mapped pairs file goes")
    return run_freqtrade(
        arguments,
        ExchangeOptions(market=args.market, compress=args.compress, seed=args.seed, faults_file=args.faults),
        pairs_out=Path(args.pairs_out) if args.pairs_out else None,
        pairs=Path(args.pairs) if args.pairs else None,
    )
