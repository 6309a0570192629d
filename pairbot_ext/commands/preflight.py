"""`pairbot preflight`: what would go wrong, before it costs money."""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

DESCRIPTION = """\
Checks configuration, pairs file, strategy, database and disk, and with an exchange in reach clock, symbols,
candles, account, key, balance, leverage, sizes of both legs of every pair, request weight, foreign positions
and Telegram. Reads only: no order is sent, no setting changed. One line per check, PASS, WARN or FAIL, with
the remedy; docs/preflight.md explains each.
"""
EPILOG = """\
exit code: 0 no check failed (a warning counts as passed), 1 a check failed, 2 unreadable configuration.

examples:
  pairbot preflight
  pairbot preflight --live -c config.json -c live.json
  pairbot preflight --json | python -m json.tool
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "preflight",
        help="check everything before trading",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument(
        "-s", "--strategy", metavar="NAME", help="default: the configuration's, else PairsArb"
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="judge as for live trading, also where the configuration says dry_run: the account is opened",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--telegram-url",
        metavar="URL",
        help="a Bot API server of your own (default: https://api.telegram.org)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 where no check failed, 1 otherwise."""
    with _quiet():
        from pairbot_ext.preflight import Setup, load_config, run_checks
        from pairbot_ext.preflight.setup import TELEGRAM_URL

        config = load_config(args.config or (), live=args.live, strategy=args.strategy, userdir=args.userdir)
        live = args.live or not config.get("dry_run", True)
        setup = Setup(config, live=live, telegram_url=args.telegram_url or TELEGRAM_URL)
        report = run_checks(setup)
    if args.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print(f"Preflight for {'LIVE trading' if live else 'dry-run'}")
        print("\n".join(report.lines()))
    return ExitCode.OK if report.is_passed else ExitCode.PROBLEM


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Freqtrade's log off the screen: what matters of it is in the report."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, [logging.NullHandler()]
    try:
        with warnings.catch_warnings():
            # The simulated exchange's certificate is self-signed by design.
            warnings.filterwarnings(
                "ignore", message="Unverified HTTPS request is being made to host '127.0.0.1'"
            )
            yield
    finally:
        root.handlers = handlers
