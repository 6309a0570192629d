"""`pairbot flatten`: close pair trades now, through the running bot or straight on the venue."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pairbot_ext.commands import ExitCode
from pairbot_ext.errors import PairbotError

if TYPE_CHECKING:
    from pairbot_ext.execution.flatten import FlattenPlan
    from pairbot_ext.execution.ledger import PairStatus

DESCRIPTION = """\
Closes one open pair trade, or all of them. A running bot with its API server enabled is asked to do it. With
--direct, or where no bot answers, reduce-only market orders go straight to the venue, for positions that the
journal explains or, where the database cannot be read, that the fills of our own order ids explain. Anything
else on the account is listed and not touched. The plan is shown and confirmed first.

Stop a bot that has no API server before using --direct: two hands on one position send two orders.
"""
EPILOG = """\
exit code: 0 everything asked for is closed, 1 something is left or nothing was confirmed, 2 usage.

examples:
  pairbot flatten all
  pairbot flatten 4k2j9x0q2a1b --yes
  pairbot flatten all --direct --ignore-database -c config.json -c live.json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "flatten",
        help="close pair trades now",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "which", metavar="ID|all", help="a pair trade's id as `pairbot status` shows it, or all"
    )
    parser.add_argument("-c", "--config", action="append", metavar="FILE", help="Freqtrade configuration")
    parser.add_argument("--db-url", metavar="URL", help="default: the configuration's")
    parser.add_argument("--direct", action="store_true", help="do not ask a running bot")
    parser.add_argument(
        "--ignore-database", action="store_true", help="explain positions by the venue's order history alone"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    parser.add_argument("--json", action="store_true", help="print the plan and the outcome as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 where everything asked for is closed."""
    from pairbot_ext.execution.botapi import BotApi
    from pairbot_ext.preflight import load_config

    config = load_config(args.config or (), live=False, strategy=None)
    only = None if args.which == "all" else args.which
    pairs = [] if args.ignore_database else _open_pairs(args.db_url or str(config["db_url"]))
    if only is not None and not args.ignore_database and all(pair.trade.id != only for pair in pairs):
        raise PairbotError(
            f"no open pair trade has the id {only}", remedy="`pairbot status --open` shows them"
        )
    api = BotApi(config)
    if not args.direct and api.is_running():
        return _through_bot(args, api, [pair for pair in pairs if only in (None, pair.trade.id)])
    if config.get("dry_run", True):
        raise PairbotError(
            "dry_run is true and no running bot answers: there is no position on any venue",
            remedy="Use /forceexit in the running bot, or enable its api_server",
        )
    return _on_venue(args, config, pairs, only)


def _open_pairs(url: str) -> list[PairStatus]:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    from pairbot_ext.commands.status import read_only, shown
    from pairbot_ext.execution.ledger import has_journal, read_ledger

    try:
        engine = create_engine(read_only(url))
        return read_ledger(engine, only_open=True) if has_journal(engine) else []
    except SQLAlchemyError as error:
        raise PairbotError(
            f"the database {shown(url)} cannot be read: {str(error).splitlines()[0]}",
            remedy="Use --ignore-database to go by the venue's order history",
        ) from error


def _through_bot(args: argparse.Namespace, api: Any, pairs: list[PairStatus]) -> int:
    trades = {trade["pair"]: trade["trade_id"] for trade in api.open_trades()}
    if not args.json:
        print("Through the running bot:")
        for pair in pairs:
            legs = ", ".join(f"{leg.side} {leg.held} {leg.symbol}" for leg in pair.legs)
            print(f"  close {pair.trade.plan.pair_id} {pair.trade.id}: {legs}")
    if not pairs:
        print("No open pair trades")
        return ExitCode.OK
    if not _confirmed(args):
        return ExitCode.PROBLEM
    results: dict[str, str] = {}
    for pair in pairs:
        trade_id = next((trades[leg.symbol] for leg in pair.legs if leg.held and leg.symbol in trades), None)
        results[pair.trade.id] = (
            api.force_exit(trade_id) if trade_id is not None else "the bot has no open trade of it"
        )
    left = {trade["pair"] for trade in api.open_trades()}
    still_open = [pair.trade.id for pair in pairs if any(leg.symbol in left for leg in pair.legs if leg.held)]
    if args.json:
        print(json.dumps({"results": results, "still_open": still_open}, indent=2))
    else:
        for pair_trade, result in results.items():
            print(f"{pair_trade}: {result}{' - STILL OPEN' if pair_trade in still_open else ''}")
    return ExitCode.PROBLEM if still_open else ExitCode.OK


def _on_venue(
    args: argparse.Namespace, config: dict[str, Any], pairs: list[PairStatus], only: str | None
) -> int:
    import ccxt
    from freqtrade.enums import RunMode
    from freqtrade.exceptions import FreqtradeException

    from pairbot_ext.bridge import client_of
    from pairbot_ext.execution.flatten import (
        Ours,
        close_on_venue,
        ours_from_journal,
        ours_from_venue,
        plan_flatten,
    )
    from pairbot_ext.execution.positions import read_positions
    from pairbot_ext.preflight.setup import open_exchange

    try:
        client = client_of(open_exchange({**config, "runmode": RunMode.LIVE}))
        positions = read_positions(client)

        def what_is_ours() -> list[Ours]:
            now_ms = int(time.time() * 1000)
            if args.ignore_database:
                return ours_from_venue(client, positions, now_ms)
            return ours_from_journal(client, pairs, now_ms)

        plan = plan_flatten(positions, what_is_ours(), only)
        _show(args, plan)
        if not plan.closings:
            return ExitCode.OK
        if not _confirmed(args):
            return ExitCode.PROBLEM
        outcomes = [
            f"{closing.side} {closing.amount} {closing.symbol}: {close_on_venue(client, closing)}"
            for closing in plan.closings
        ]
        left = plan_flatten(read_positions(client), what_is_ours(), only).closings
    except (ccxt.BaseError, FreqtradeException) as error:
        raise PairbotError(
            f"the venue could not be read: {error}", remedy="Nothing is concluded from that; try again"
        ) from error
    if args.json:
        print(json.dumps({"outcomes": outcomes, "left": [str(closing) for closing in left]}, indent=2))
    else:
        print("\n".join(outcomes))
        for closing in left:
            print(f"STILL OPEN: {closing.amount} {closing.symbol} of {closing.pair_trade}")
    return ExitCode.PROBLEM if left else ExitCode.OK


def _show(args: argparse.Namespace, plan: FlattenPlan) -> None:
    if args.json:
        return
    print("Straight on the venue, reduce-only market orders:" if plan.closings else "Nothing of ours is open")
    for closing in plan.closings:
        print(
            f"  {closing.side} {closing.amount} {closing.symbol}"
            f"  (pair trade {closing.pair_trade}, leg {closing.leg}, known from {closing.source})"
        )
    for symbol, amount in plan.untouched.items():
        print(f"  not touched: {amount} {symbol} is not explained by our orders")


def _confirmed(args: argparse.Namespace, ask: Callable[[str], str] = input) -> bool:
    if args.yes:
        return True
    if not sys.stdin.isatty():
        print("Not confirmed: use --yes where nobody can be asked")
        return False
    return ask("Type yes to send these orders: ").strip().lower() == "yes"
