"""Put a simulated exchange together from command-line choices."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.market import SYNTHETIC, open_market
from pairbot_ext.sim.market.books import DEFAULT_SHAPE, BookShape
from pairbot_ext.sim.overlay import API_KEY, API_SECRET
from pairbot_ext.sim.rest.auth import Credentials
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.symbols import SIMULATED, load_symbols
from pairbot_ext.sim.tls import LOOPBACK
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.sim.venue.faults import Schedule, load_schedule
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.venue import NOT_MODELLED, Venue

CREDENTIALS = Credentials(API_KEY, API_SECRET)


@dataclass(frozen=True)
class ExchangeOptions:
    """What the user chose.

    :param market: "synthetic", or a Freqtrade datadir whose candles are replayed; None leaves it to the
        command.
    :param book: shape of every order book.
    :param ticks: let prices wander inside candles, see `open_market`.
    :param list_all: also list the symbols the market has no prices for, as analysis commands need them.
    """

    market: str | None = None
    compress: bool = False
    seed: int = 1
    faults_file: str | None = None
    round_trip_ms: int = 0
    has_rate_limits: bool = True
    book: BookShape = DEFAULT_SHAPE
    ticks: bool = False
    list_all: bool = False
    venue: VenueOptions = field(default_factory=VenueOptions)


def open_exchange(options: ExchangeOptions) -> SimulatedExchange:
    """The exchange on the real clock, ready to be served.

    :raises PairbotError: no such market, or the fault schedule is wrong.
    """
    schedule = load_schedule(Path(options.faults_file)) if options.faults_file else Schedule()
    market = open_market(
        options.market or SYNTHETIC,
        compress=options.compress,
        clock=wall_clock_ms,
        seed=options.seed,
        shape=options.book,
        ticks=options.ticks,
    )
    venue = Venue(market, wall_clock_ms, options.venue)
    if options.list_all:
        venue.listed = load_symbols() | dict(market.symbols)
    gateway = Gateway(
        venue,
        CREDENTIALS,
        schedule=schedule,
        round_trip_ms=options.round_trip_ms,
        limits=RateLimits(enforced=options.has_rate_limits),
    )
    return SimulatedExchange(gateway)


def banner(exchange: SimulatedExchange, port: int) -> str:
    """What a user must know before the first order."""
    gateway = exchange.gateway
    symbols = gateway.venue.market.symbols.values()
    derived = sum(spec.source == SIMULATED for spec in symbols)
    description = getattr(gateway.venue.market, "description", "")
    lines = [
        f"SIMULATION of Binance USDⓈ-M futures on https://{LOOPBACK}:{port}: no real market, no real money.",
        *([description] if description else []),
        f"{len(symbols)} symbols; ticks and steps of {derived} are derived from the price's magnitude, "
        f"of the others recorded; {len(gateway.faults) + len(gateway.stream_faults)} fault rules.",
        "Not modelled:",
        *(f"  - {text}" for text in NOT_MODELLED),
    ]
    return "\n".join(lines)


def run_until_stopped() -> None:
    """Wait for Ctrl+C or SIGTERM."""
    stopped = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        stopped.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
