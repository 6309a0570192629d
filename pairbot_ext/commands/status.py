"""`pairbot status`: open and closed pair trades with their legs and orders, from the bot's database."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

DESCRIPTION = """\
Shows pair trades as the bot's journal has them: state, legs, hedge error, naked time, profit with fees and
funding, and with --orders every order with the times of intent, sending, answer and settlement. A bot that
hears the venue's streams notes the prices of open pairs twice a minute: they are shown with their source and
age. Reads the database only; the bot may be running or not.
"""
EPILOG = """\
exit code: 0, or 1 where a pair trade needs you (state NEEDS_OPERATOR or UNKNOWN).

examples:
  pairbot status
  pairbot status --open --orders
  pairbot status --db-url sqlite:///tradesv3.sqlite --json
"""
DEFAULT_LAST = 20


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "status",
        help="open and closed pair trades",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument("--db-url", metavar="URL", help="default: the configuration's, as Freqtrade finds it")
    parser.add_argument("--open", action="store_true", help="only pair trades that are not finished")
    parser.add_argument("--orders", action="store_true", help="with every order")
    parser.add_argument(
        "--last", type=int, default=DEFAULT_LAST, metavar="N", help=f"at most N (default: {DEFAULT_LAST})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 1 where a pair trade needs a person."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    from pairbot_ext.control.noted import NotedPrices
    from pairbot_ext.control.text import status_lines
    from pairbot_ext.control.views import trade_view
    from pairbot_ext.journal.ledger import has_journal, read_heard, read_ledger

    url = args.db_url or database_url(args.config, args.userdir)
    try:
        engine = create_engine(read_only(url))
        is_there = has_journal(engine)
        pairs = read_ledger(engine, only_open=args.open, last=args.last) if is_there else []
        heard = read_heard(engine) if pairs else None
    except SQLAlchemyError as error:
        raise PairbotError(
            f"the database {shown(url)} cannot be read: {str(error).splitlines()[0]}",
            remedy="Name it with --db-url; the bot makes it at its first start",
        ) from error
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    market = None if heard is None else NotedPrices(heard, now_ms)
    views = [trade_view(pair, now_ms, market=market) for pair in pairs]
    if args.json:
        print(json.dumps([view.model_dump(mode="json") for view in views], indent=2))
    elif not views:
        print(f"No pair trades in {shown(url)}")
    else:
        print("\n".join(line for v in views for line in status_lines(v, with_orders=args.orders)))
    needs_you = any(view.needs_you for view in views)
    return ExitCode.PROBLEM if needs_you else ExitCode.OK


def database_url(configs: list[str] | None, userdir: Path | None = None) -> str:
    """Where the bot of these configurations keeps its trades."""
    from pairbot_ext.preflight import load_config

    return str(load_config(configs or (), live=False, strategy=None, userdir=userdir)["db_url"])


def shown(url: str) -> str:
    """The database's address as it may be printed: without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "of that address"


def read_only(url: str) -> Any:
    """The same database, opened so that it is neither made nor locked."""
    from sqlalchemy.engine import make_url

    from pairbot_ext.preflight.database import sqlite_file

    parsed = make_url(url)
    path = sqlite_file(parsed)
    if path is None:
        return parsed
    if not path.is_file():
        raise PairbotError(
            f"the database {path} does not exist", remedy="Name it with --db-url, or start the bot first"
        )
    return make_url(f"sqlite:///{path.resolve().as_uri()}?mode=ro&uri=true")
