"""`pairbot flatten`: close pair trades now, through the running bot or straight on the venue."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.support.redact import scrub
from pairbot_ext.userdir.options import add_config_options

if TYPE_CHECKING:
    from decimal import Decimal

    from pairbot_ext.journal.ledger import PairStatus
    from pairbot_ext.recovery.flatten import FlattenPlan
    from pairbot_ext.venue import Venue

DESCRIPTION = """\
Closes one open pair trade, or all of them. A running bot with its API server enabled is asked to do it. With
--direct, or where no bot answers, reduce-only market orders go straight to the venue, for positions that the
journal explains or, where the database cannot be read, that the fills of our own order ids explain. Anything
else on the account is listed and not touched. The plan is shown and confirmed first.

Stop a bot that has no API server before using --direct: two hands on one position send two orders.
"""
EPILOG = """\
exit code: 0 everything asked for is closed, 1 something is left, unknown or was not confirmed, 2 usage.

examples:
  pairbot flatten all
  pairbot flatten 4k2j9x0q2a1b --yes
  pairbot flatten all --direct --ignore-database -c config.json -c live.json
"""


CLOSE_POLLS = 20
CLOSE_POLL_SECS = 0.5
"""A bot that was asked is looked at so often: it closes the mates by itself."""


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
    add_config_options(parser)
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
    from pairbot_ext.host.botapi import BotApi
    from pairbot_ext.preflight import load_config

    config = load_config(args.config or (), live=False, userdir=args.userdir)
    only = None if args.which == "all" else args.which
    pairs = [] if args.ignore_database else open_pairs(args.db_url or str(config["db_url"]))
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


def open_pairs(url: str) -> list[PairStatus]:
    """Open pair trades in the database at `url`. Raises PairbotError where it cannot be read."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    from pairbot_ext.commands.status import read_only, shown
    from pairbot_ext.journal.ledger import has_journal, read_ledger

    try:
        engine = create_engine(read_only(url))
        return read_ledger(engine, only_open=True) if has_journal(engine) else []
    except SQLAlchemyError as error:
        raise PairbotError(
            f"the database {shown(url)} cannot be read: {str(error).splitlines()[0]}",
            remedy="Use --ignore-database to go by the venue's order history",
        ) from error


def _through_bot(args: argparse.Namespace, api: Any, pairs: list[PairStatus]) -> int:
    from pairbot_ext.recovery.flatten import attempt_each

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

    def close(group: Sequence[PairStatus]) -> Iterator[tuple[PairStatus, str]]:
        (pair,) = group
        yield pair, close_pair(pair)

    def close_pair(pair: PairStatus) -> str:
        """Either leg will do: the bot closes the mate."""
        ids = [trades[leg.symbol] for leg in pair.legs if leg.held and leg.symbol in trades]
        errors: list[str] = []
        for trade_id in ids:
            try:
                return str(api.force_exit(trade_id))
            except PairbotError as error:
                errors.append(str(error))
        return "; ".join(errors) or "the bot has no open trade of it"

    results = _Outcomes(args)
    is_finished = attempt_each(
        [[pair] for pair in pairs], close, lambda pair, text: results.add(pair.trade.id, text)
    )
    legs_of = {pair.trade.id: {leg.symbol for leg in pair.legs if leg.held} for pair in pairs}
    still_open, unread = _left_in_bot(api, legs_of)
    return results.finish(still_open, unread, is_finished=is_finished)


def _left_in_bot(api: Any, legs_of: dict[str, set[str]]) -> tuple[list[str], str | None]:
    """Pair trades that still have a trade in the bot, and why that cannot be said. The bot closes the mates
    by itself: it is given a while."""
    left: list[str] = []
    for remaining in reversed(range(CLOSE_POLLS)):
        try:
            open_symbols = {trade["pair"] for trade in api.open_trades()}
            left = [pair_trade for pair_trade, symbols in legs_of.items() if symbols & open_symbols]
            if not left:
                break
            if remaining:
                time.sleep(CLOSE_POLL_SECS)
        except (PairbotError, KeyboardInterrupt) as error:
            return [], f"the bot's open trades could not be read: {str(error) or 'interrupted'}"
    return left, None


def _on_venue(
    args: argparse.Namespace, config: dict[str, Any], pairs: list[PairStatus], only: str | None
) -> int:
    import ccxt
    from freqtrade.enums import RunMode
    from freqtrade.exceptions import FreqtradeException

    from pairbot_ext.host.access import client_of
    from pairbot_ext.preflight.setup import open_exchange
    from pairbot_ext.venue import venue_of

    try:
        client = client_of(open_exchange({**config, "runmode": RunMode.LIVE}))
        return flatten_on_venue(args, venue_of(config["exchange"]["name"]), client, pairs, only)
    except (ccxt.BaseError, FreqtradeException) as error:
        raise PairbotError(
            f"the venue could not be read: {error}", remedy="Nothing was sent; try again"
        ) from error


def flatten_on_venue(
    args: argparse.Namespace, venue: Venue, client: Any, pairs: list[PairStatus], only: str | None
) -> int:
    """Plan, confirm, close pair after pair, look again. Raises ccxt.BaseError only before anything was sent.

    :param client: an unguarded ccxt client.
    """
    import ccxt

    from pairbot_ext.host.access import with_own_connections
    from pairbot_ext.orders.lanes import Lanes
    from pairbot_ext.recovery.flatten import (
        Ours,
        attempt_each,
        by_pair_trade,
        close_together,
        ours_from_journal,
        ours_from_venue,
        plan_flatten,
    )
    from pairbot_ext.support.clock import SystemClock

    positions = _amounts(venue, client)
    unread: dict[str, str] = {}

    def what_is_ours() -> list[Ours]:
        now_ms = int(time.time() * 1000)
        unread.clear()

        def note(symbol: str, error: Exception) -> None:
            unread[symbol] = scrub(str(error))

        if args.ignore_database:
            return ours_from_venue(venue, client, positions, now_ms, unread=note)
        return ours_from_journal(venue, client, pairs, now_ms, unread=note)

    plan = plan_flatten(positions, what_is_ours(), only)
    # Without a journal a position is not known to be ours while its orders cannot be read.
    unexplained = {symbol for symbol in unread if args.ignore_database and symbol in positions}
    _show(args, plan)
    for symbol in sorted(unread):
        print(f"  the orders of {symbol} could not be read: {unread[symbol]}", file=sys.stderr)
    if not plan.closings:
        return ExitCode.PROBLEM if unexplained else ExitCode.OK
    if not _confirmed(args):
        return ExitCode.PROBLEM
    outcomes = _Outcomes(args)
    with closing(Lanes(lambda: with_own_connections(client), lambda lane: lane, SystemClock())) as lanes:
        is_finished = attempt_each(
            by_pair_trade(plan.closings),
            lambda legs: close_together(venue, client, legs, lanes),
            lambda leg, text: outcomes.add(f"{leg.side} {leg.amount} {leg.symbol}", text),
        )
    left: list[str] = []
    cannot_say = None
    try:
        now = _amounts(venue, client)
        left = [
            f"{leg.amount} {leg.symbol} of {leg.pair_trade}"
            for leg in plan_flatten(now, what_is_ours(), only).closings
        ]
        unexplained |= {symbol for symbol in unread if symbol in now}
    except (ccxt.BaseError, KeyboardInterrupt) as error:
        cannot_say = f"the positions could not be read again: {scrub(str(error)) or 'interrupted'}"
    if unexplained and cannot_say is None:
        cannot_say = f"the orders of {', '.join(sorted(unexplained))} could not be read"
    return outcomes.finish(left, cannot_say, is_finished=is_finished)


def _amounts(venue: Venue, client: Any) -> dict[str, Decimal]:
    """Signed positions by symbol, asked for patiently."""
    from pairbot_ext.recovery.flatten import patiently

    held = patiently(lambda: venue.positions(client))
    return {symbol: position.amount for symbol, position in held.items()}


class _Outcomes:
    """What became of each, printed as it comes: a later error or Ctrl+C takes nothing back."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._is_json = bool(args.json)
        self._texts: dict[str, str] = {}

    def add(self, name: str, text: str) -> None:
        # An error of ccxt holds the request's URL, and that the signature.
        text = scrub(text)
        self._texts[name] = text
        if not self._is_json:
            print(f"{name}: {text}", flush=True)

    def finish(self, left: list[str], cannot_say: str | None, *, is_finished: bool) -> int:
        """Print what is left. Returns 0 only where it is known that nothing is.

        :param cannot_say: why it is not known what is left, or None.
        """
        if self._is_json:
            document = {
                "outcomes": self._texts,
                "left": left,
                "interrupted": not is_finished,
                "unknown": cannot_say,
            }
            print(json.dumps(document, indent=2))
        else:
            for each in left:
                print(f"STILL OPEN: {each}")
            if cannot_say is not None:
                print(f"NOT KNOWN what is left: {cannot_say}. Look at the positions, then run this again")
        return ExitCode.PROBLEM if left or cannot_say or not is_finished else ExitCode.OK


def _show(args: argparse.Namespace, plan: FlattenPlan) -> None:
    if args.json:
        return
    print("Straight on the venue, reduce-only market orders:" if plan.closings else "Nothing of ours is open")
    for leg in plan.closings:
        print(
            f"  {leg.side} {leg.amount} {leg.symbol}"
            f"  (pair trade {leg.pair_trade}, leg {leg.leg}, known from {leg.source})"
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
