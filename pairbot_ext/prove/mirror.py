"""The other column: a simulated exchange with the venue's own contract rules and prices of the moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from pairbot_ext.model.sizing import Leg
from pairbot_ext.prove.stage import Keys, Stage
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.symbols import SymbolSpec, decimals, load_symbol
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.venue.binance.sites import Site, on_loopback

SIMULATED_KEYS = Keys(CREDENTIALS.key, CREDENTIALS.secret)
_LEVEL_NOTIONAL = Decimal(60)
"""Quote currency on each level of a book: so little that a partial fill can be shown, enough for a pair."""


@contextmanager
def mirrored(stage: Stage) -> Iterator[Site]:
    """Serve the simulated exchange that stands beside the venue `stage` is on; yields where."""
    rules: dict[str, SymbolSpec] = {}
    prices: dict[str, Decimal] = {}
    for leg in Leg:
        symbol = stage.symbol(leg)
        name, spec = str(stage.client.market(symbol)["id"]), _rules(stage, symbol)
        quote = stage.quote(symbol)
        rules[name] = spec
        prices[name] = Decimal(str((quote.bid + quote.ask) / 2)) // spec.price_tick * spec.price_tick
    market = FixedMarket(prices, rules=rules)
    for name, spec in rules.items():
        step = spec.amount_step
        market.level_amounts[name] = max(_LEVEL_NOTIONAL / prices[name] // step * step, step)
    exchange = SimulatedExchange(Gateway(Venue(market, wall_clock_ms), CREDENTIALS))
    with LoopbackServer(exchange) as server:
        yield on_loopback(stage.site, server.port)


def _rules(stage: Stage, symbol: str) -> SymbolSpec:
    market = stage.client.market(symbol)
    tick, step = Decimal(str(market["precision"]["price"])), stage.step(symbol)
    amounts = market["limits"]["amount"]
    return replace(
        load_symbol(str(market["id"])),
        price_tick=tick,
        amount_step=step,
        min_amount=Decimal(str(amounts["min"] or step)),
        max_amount=Decimal(str(amounts["max"] or 10_000_000)),
        min_notional=Decimal(str(stage.least_notional(symbol))),
        price_precision=decimals(tick),
        amount_precision=decimals(step),
        source="the venue",
    )
