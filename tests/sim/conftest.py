"""A small exchange with known prices, on a virtual clock, with unmodified ccxt in front of it."""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import ccxt
import pytest

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import NO_PORT, InProcessTransport, SyncSession
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.overlay import ccxt_settings
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.venue.clock import VirtualClock
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.sim.venue.faults import FaultRule, Schedule
from pairbot_ext.sim.venue.orders import Order, OrderRequest, OrderType, Side, TimeInForce
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.venue import Venue

# 2026-02-02 01:00 UTC: seven hours before a funding stamp.
START_MS = 1_769_994_000_000
PRICES = {"ADAUSDT": Decimal("0.7320"), "ALGOUSDT": Decimal("0.2110"), "1000SATSUSDT": Decimal("0.00002000")}
ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"


@dataclass
class World:
    """One simulated exchange and everything a test wants to reach into."""

    market: FixedMarket
    clock: VirtualClock
    venue: Venue
    gateway: Gateway
    exchange: SimulatedExchange
    transport: InProcessTransport

    def place(
        self,
        side: str,
        amount: Any,
        *,
        symbol: str = "ADAUSDT",
        price: Any = None,
        tif: str = "GTC",
        reduce_only: bool = False,
        client_id: str | None = None,
    ) -> Order:
        """An order straight to the engine."""
        request = OrderRequest(
            symbol=symbol,
            side=Side(side),
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            amount=Decimal(str(amount)),
            client_order_id=client_id or f"t{len(self.venue.engine.orders)}",
            price=None if price is None else Decimal(str(price)),
            time_in_force=TimeInForce(tif),
            reduce_only=reduce_only,
        )
        return self.venue.place(request)

    def call(self, call: str, **params: Any) -> tuple[int, Any]:
        """A signed request straight to the gateway; returns HTTP status and the decoded answer."""
        method, _, path = call.partition(" ")
        text = urlencode(params | {"timestamp": self.clock()})
        text += "&signature=" + hmac.new(CREDENTIALS.secret.encode(), text.encode(), "sha256").hexdigest()
        in_body = method == "POST"
        answer = self.gateway.handle(
            Request(
                method,
                path,
                query="" if in_body else text,
                body=text if in_body else "",
                headers={"x-mbx-apikey": CREDENTIALS.key},
            )
        )
        return answer.status, json.loads(answer.body)

    def fault(self, **rule: Any) -> None:
        """Add a fault rule."""
        self.gateway.faults.add(FaultRule.model_validate(rule))

    def held(self, symbol: str = "ADAUSDT") -> Decimal:
        """The position the venue holds, whatever it answers."""
        return self.venue.account.position(symbol).amount


def make_world(
    *,
    schedule: Schedule | None = None,
    enforce_limits: bool = True,
    market: FixedMarket | None = None,
    **options: Any,
) -> World:
    market, clock = market or FixedMarket(PRICES), VirtualClock(START_MS)
    venue = Venue(market, clock, VenueOptions(**options))
    gateway = Gateway(venue, CREDENTIALS, limits=RateLimits(enforced=enforce_limits), schedule=schedule)
    exchange = SimulatedExchange(gateway)
    return World(market, clock, venue, gateway, exchange, InProcessTransport(exchange, clock.advance))


def make_client(world: World, *, timeout_ms: int = 2000, **settings: Any) -> ccxt.binance:
    """Unmodified ccxt whose clock is the world's and whose requests reach it without a socket."""
    config = ccxt_settings(NO_PORT) | {"timeout": timeout_ms}
    config["options"] |= {"defaultType": "swap"}
    client = ccxt.binance(
        {
            **config,
            "apiKey": CREDENTIALS.key,
            "secret": CREDENTIALS.secret,
            "enableRateLimit": False,
            "session": SyncSession(world.transport),
            **settings,
        }
    )
    client.milliseconds = world.clock
    client.nonce = world.clock
    client.load_markets()
    return client


@pytest.fixture
def world() -> World:
    """A fresh exchange, 10,000 USDT, limits enforced."""
    return make_world()


@pytest.fixture
def client(world: World) -> ccxt.binance:
    """ccxt on `world`."""
    return make_client(world)


@pytest.fixture
def new_world() -> Callable[..., World]:
    """Make a world with other options."""
    return make_world


@pytest.fixture
def new_client() -> Callable[..., ccxt.binance]:
    """Make a client with other settings."""
    return make_client
