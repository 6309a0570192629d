"""`pairbot health`: whether a bot answers and its loop runs, for container engines and service managers."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace

from pairbot_ext.support.exitcode import ExitCode

DESCRIPTION = """\
Asks the bot's API server whether its loop has run a moment ago. Address and login come from the variables
that Freqtrade reads, too (FREQTRADE__API_SERVER__LISTEN_PORT, ..._USERNAME, ..._PASSWORD or
..._PASSWORD_FILE), or from a configuration named with -c. A bot that was stopped with /stop is not well: it
supervises nothing.
"""
EPILOG = """\
exit code: 0 the bot is well, 1 it is not, 2 the login cannot be read.

examples:
  pairbot health
  pairbot health -c config.json --max-age 60
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "health",
        help="whether the bot's loop runs",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        metavar="FILE",
        help="Freqtrade configuration (default: the environment alone)",
    )
    parser.add_argument("--url", metavar="URL", help="the API server (default: as configured)")
    parser.add_argument(
        "--max-age",
        type=float,
        default=120.0,
        metavar="SECS",
        help="how long ago the loop may have run (default: 120)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 1 where the bot is not well."""
    from pairbot_ext.hosting.health import ApiServer, ask
    from pairbot_ext.hosting.secretfiles import with_secrets

    environment, _ = with_secrets(os.environ)
    if args.config:
        from pairbot_ext.preflight import load_config

        # Freqtrade's reader takes the environment as it is.
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        config = load_config(args.config, live=False, strategy=None)
        server = ApiServer.of_settings(config.get("api_server") or {})
    else:
        server = ApiServer.of_environment(environment)
    if args.url:
        server = replace(server, url=args.url.rstrip("/"))
    health = ask(server, time.time(), args.max_age)
    print(health.text)
    return ExitCode.OK if health.is_well else ExitCode.PROBLEM
