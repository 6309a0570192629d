"""`pairbot status`: open and closed pair trades with their legs and orders, from the bot's database."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pairbot_ext.commands import ExitCode
from pairbot_ext.errors import PairbotError

if TYPE_CHECKING:
    from pairbot_ext.execution.ledger import PairStatus

DESCRIPTION = """\
Shows pair trades as the bot's journal has them: state, legs, hedge error, naked time, profit with fees and
funding, and with --orders every order with the times of intent, sending, answer and settlement. Reads the
database only; the bot may be running or not.
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
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        metavar="FILE",
        help="Freqtrade configuration (default: config.json)",
    )
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

    from pairbot_ext.execution.ledger import has_journal, read_ledger

    url = args.db_url or database_url(args.config)
    try:
        engine = create_engine(read_only(url))
        pairs = read_ledger(engine, only_open=args.open, last=args.last) if has_journal(engine) else []
    except SQLAlchemyError as error:
        raise PairbotError(
            f"the database {shown(url)} cannot be read: {str(error).splitlines()[0]}",
            remedy="Name it with --db-url; the bot makes it at its first start",
        ) from error
    if args.json:
        print(json.dumps([pair.to_json() for pair in pairs], indent=2))
    elif not pairs:
        print(f"No pair trades in {shown(url)}")
    else:
        for pair in pairs:
            print("\n".join(_lines(pair, with_orders=args.orders)))
    needs_you = any(pair.trade.state in ("NEEDS_OPERATOR", "UNKNOWN") for pair in pairs)
    return ExitCode.PROBLEM if needs_you else ExitCode.OK


def database_url(configs: list[str] | None) -> str:
    """Where the bot of these configurations keeps its trades."""
    from pairbot_ext.preflight import load_config

    return str(load_config(configs or (), live=False, strategy=None)["db_url"])


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


def _lines(pair: PairStatus, *, with_orders: bool) -> list[str]:
    trade = pair.trade
    head = f"{trade.plan.pair_id} {trade.id} {trade.state} since {_when(trade.updated_ms)}"
    facts = [
        "dry-run" if trade.dry_run else "live",
        f"z {trade.plan.z:+.2f} at entry",
        "" if pair.hedge_error is None else f"hedge error {pair.hedge_error:.2%}",
        "" if pair.naked_secs is None else f"naked {pair.naked_secs:.3f} s",
        "" if pair.profit is None else f"profit {pair.profit:+.4f}",
        trade.reason,
    ]
    lines = [f"{head} | " + " | ".join(fact for fact in facts if fact)]
    for leg in pair.legs:
        prices = "" if leg.entry_price is None else f" in at {leg.entry_price:.8g}"
        prices += "" if leg.exit_price is None else f", out at {leg.exit_price:.8g}"
        money = "" if leg.profit is None else f", profit {leg.profit:+.4f}"
        money += f", funding {leg.funding:+.4f}" if leg.funding else ""
        lines.append(
            f"  {leg.leg} {leg.side:<5} {leg.symbol:<18} held {leg.held} of {leg.planned}{prices}{money}"
        )
    if with_orders:
        for order in pair.orders:
            times = ", ".join(
                f"{name} {_when(value)}"
                for name, value in (
                    ("intent", order.intent_ms),
                    ("sent", order.sent_ms),
                    ("answer", order.answered_ms),
                    ("settled", order.settled_ms),
                )
                if value is not None
            )
            error = f" ({order.error})" if order.error else ""
            lines.append(
                f"    {order.client_id} {order.order_type} {order.side} {order.filled} of {order.amount} "
                f"{order.status}{error}: {times}"
            )
    return lines


def _when(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
