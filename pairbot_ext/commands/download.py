"""`pairbot download`: fetch the candles the pairs file needs with Freqtrade's own downloader."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

if TYPE_CHECKING:
    from pairbot_ext.pairs import PairsFile
    from pairbot_ext.settings import Settings

DESCRIPTION = """\
Runs `freqtrade download-data` for the symbols of the pairs file: futures, mark and funding candles, from
early enough that the first pair can be traded when its epoch begins. Needs internet. Only missing candles
are fetched; stopped half way, run it again.
"""
EXAMPLES = """\
examples:
  pairbot download
  pairbot download --pairs-file user_data/pairs.json --timerange 20250501-20260101
  pairbot download -- --erase -v
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `download`."""
    parser = subparsers.add_parser(
        "download",
        help="download the candles of the pairs file",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument(
        "--pairs-file", type=Path, metavar="FILE", help="default: the config's pairbot.pairs_file"
    )
    parser.add_argument("--datadir", type=Path, metavar="DIR", help="as in Freqtrade")
    parser.add_argument(
        "--timerange", metavar="A-B", help="as in Freqtrade (default: derived from the pairs file)"
    )
    parser.add_argument(
        "--show-command", action="store_true", help="print the freqtrade commands, run nothing"
    )
    parser.add_argument(
        "freqtrade_args", nargs=argparse.REMAINDER, metavar="-- FREQTRADE ARGUMENTS", help="passed on"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 1 where Freqtrade failed or a symbol's candles are missing afterwards."""
    from freqtrade.exceptions import ConfigurationError

    from pairbot_ext.candles.download import plan_download, shortfalls, stored_candles
    from pairbot_ext.scan.options import default_datadir, read_config

    passed_on = args.freqtrade_args[1:] if args.freqtrade_args[:1] == ["--"] else args.freqtrade_args
    configs, config = read_config(args.config, args.userdir)
    settings, pairs_file = _pairs_file(args.pairs_file, config)
    if not pairs_file.pairs:
        print("The pairs file lists no pairs: nothing to download.")
        return ExitCode.OK
    datadir = args.datadir or default_datadir(config, pairs_file.exchange)
    if args.userdir is not None:
        passed_on = ["--userdir", str(args.userdir), *passed_on]
    symbols = pairs_file.pairs
    try:
        plan = plan_download(
            pairs_file,
            settings,
            stored_candles(datadir, symbols, pairs_file.timeframe),
            configs=configs,
            datadir=args.datadir,
            timerange=args.timerange,
            passed_on=passed_on,
        )
    except ConfigurationError as error:
        raise PairbotError(
            "--timerange is malformed", value=args.timerange, remedy="Write it like 20250501-20260101"
        ) from error
    if args.show_command:
        for call in plan.calls:
            print("freqtrade", *call)
        return ExitCode.OK
    print(
        f"Downloading {pairs_file.timeframe} futures, mark and funding candles of {len(symbols)} symbols "
        f"from {plan.start:%Y-%m-%d} on, with Freqtrade.",
        flush=True,
    )
    for call in plan.calls:
        done = subprocess.run([sys.executable, "-m", "freqtrade", *call], check=False)
        if done.returncode:
            print(
                f"pairbot download: freqtrade ended with exit code {done.returncode}; its last lines say "
                "why. What was fetched is kept: run the command again to go on.",
                file=sys.stderr,
            )
            return ExitCode.PROBLEM
    stored = stored_candles(datadir, symbols, pairs_file.timeframe)
    problems = shortfalls(pairs_file, plan, stored)
    for problem in problems:
        print(f"pairbot download: {problem}", file=sys.stderr)
    newest = [entry.last for entry in stored.values() if entry.last is not None]
    if newest:
        print(
            f"{len(stored)} of {len(symbols)} symbols have candles in {datadir}; "
            f"the newest opened between {min(newest):%Y-%m-%d %H:%M} and {max(newest):%Y-%m-%d %H:%M} UTC."
        )
    return ExitCode.PROBLEM if problems else ExitCode.OK


def _pairs_file(given: Path | None, config: dict[str, Any]) -> tuple[Settings, PairsFile]:
    from pairbot_ext.pairs import load_pairs_file
    from pairbot_ext.settings import parse_settings

    settings = parse_settings(config.get("pairbot"))
    return settings, load_pairs_file(given or settings.pairs_path())
