"""`pairbot exchange`: run the simulated exchange until Ctrl+C."""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pairbot_ext.sim.market.books import DEFAULT_SHAPE
from pairbot_ext.support.exitcode import ExitCode

_EPILOG = """The overlay configuration goes to stdout (or --overlay-out FILE), everything else to stderr:
  pairbot exchange --overlay-out overlay.json &
  freqtrade trade --strategy PairsArb -c config.json -c overlay.json

With --pairs-out the overlay also names that pairs file: the planted pairs of a generated market, or --pairs
mapped to the served times (with --compress, half-lives and epochs of hours become minutes).
The control API is under /control on the same port; see pairbot_ext/sim/control.py.
"""


def _deposit(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not amount.is_finite() or amount <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not positive")
    return amount


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port number (0 to 65535)")
    return int(text)


def _quantity(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not math.isfinite(number) or number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number of 0 or more")
    return number


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "exchange",
        help="run the simulated exchange on 127.0.0.1",
        description="An HTTPS server that unmodified Freqtrade and ccxt take for Binance USDⓈ-M futures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--market",
        metavar="synthetic|demo|DATADIR[@TIME]",
        default="synthetic",
        help="prices to serve: a seeded generator, the demo's script, or real candles from a Freqtrade "
        "datadir (default: synthetic)",
    )
    parser.add_argument("--compress", action="store_true", help="serve hourly candles as 1-minute candles")
    parser.add_argument(
        "--ticks",
        action="store_true",
        help="let prices wander inside each candle instead of going straight from one extreme to the next",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the market (default: 1)")
    parser.add_argument("--faults", metavar="FILE", help="JSON schedule of faults to inject")
    parser.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--deposit", type=_deposit, default=Decimal(10_000), help="USDT in the account (default: 10000)"
    )
    parser.add_argument(
        "--round-trip-ms",
        type=int,
        default=0,
        metavar="MS",
        help="network round trip to simulate (default: 0)",
    )
    parser.add_argument(
        "--no-rate-limits",
        action="store_true",
        help="count request weights and orders, but refuse nothing",
    )
    parser.add_argument(
        "--spread-bp",
        type=_quantity,
        default=DEFAULT_SHAPE.spread_bp,
        metavar="BP",
        help="best ask minus best bid of every book, basis points of the price; never below one tick "
        f"(default: {DEFAULT_SHAPE.spread_bp:g})",
    )
    parser.add_argument(
        "--depth-usdt",
        type=_quantity,
        default=DEFAULT_SHAPE.top_notional,
        metavar="USDT",
        help="notional resting at the best price of each side, give or take "
        f"{DEFAULT_SHAPE.jitter * 100:g} %%; each level behind it, {DEFAULT_SHAPE.gap_bp:g} bp further "
        f"away, holds {DEFAULT_SHAPE.growth:g} times the one before "
        f"(default: {DEFAULT_SHAPE.top_notional:g})",
    )
    parser.add_argument(
        "--levels",
        type=int,
        default=DEFAULT_SHAPE.levels,
        metavar="N",
        help=f"price levels on each side of every book (default: {DEFAULT_SHAPE.levels})",
    )
    parser.add_argument(
        "--strict-client-ids",
        action="store_true",
        help="refuse a client order id for ever once used; Binance refuses only those of open orders",
    )
    parser.add_argument(
        "--pairs", metavar="FILE", help="pairs file in recorded times, to map to the served ones"
    )
    parser.add_argument(
        "--pairs-out", metavar="FILE", help="write the pairs file that belongs to this market"
    )
    parser.add_argument("--overlay-out", metavar="FILE", help="write the overlay there instead of to stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl+C or SIGTERM."""
    from pairbot_ext.sim.launch import ExchangeOptions, banner, open_exchange, run_until_stopped
    from pairbot_ext.sim.overlay import overlay
    from pairbot_ext.sim.server import LoopbackServer
    from pairbot_ext.sim.venue.engine import VenueOptions
    from pairbot_ext.support.errors import PairbotError

    if args.pairs and not args.pairs_out:
        raise PairbotError("--pairs needs --pairs-out", remedy="Say where the mapped pairs file goes")
    if args.round_trip_ms < 0:
        raise PairbotError("--round-trip-ms is negative", value=args.round_trip_ms, remedy="0 or more")
    exchange = open_exchange(
        ExchangeOptions(
            market=args.market,
            compress=args.compress,
            seed=args.seed,
            faults_file=args.faults,
            round_trip_ms=args.round_trip_ms,
            has_rate_limits=not args.no_rate_limits,
            ticks=args.ticks,
            book=replace(
                DEFAULT_SHAPE,
                spread_bp=args.spread_bp,
                top_notional=args.depth_usdt,
                levels=args.levels,
            ),
            venue=VenueOptions(deposit=args.deposit, strict_client_ids=args.strict_client_ids),
        )
    )
    pairs = {}
    if args.pairs_out:
        from pairbot_ext.sim.served_pairs import write_served_pairs

        pairs = write_served_pairs(exchange, Path(args.pairs_out), Path(args.pairs) if args.pairs else None)
    with LoopbackServer(exchange, args.port) as server:
        print(banner(exchange, server.port), file=sys.stderr)
        text = json.dumps(overlay(server.port) | pairs, indent=1)
        if args.overlay_out:
            Path(args.overlay_out).write_text(text + "\n", encoding="utf-8")
            print(f"Overlay configuration: {args.overlay_out}", file=sys.stderr)
        else:
            print(text, flush=True)
        print("Serving. Ctrl+C stops it.", file=sys.stderr, flush=True)
        run_until_stopped()
    return ExitCode.OK
