"""The demo venue as these tests meet it: a simulated exchange that the variable puts in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pairbot_ext.prove.hosts import LOOPBACK_VARIABLE, site_of
from pairbot_ext.prove.proof import Options
from pairbot_ext.prove.stage import Keys
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.options import VenueOptions
from pairbot_ext.sim.venue.venue import Venue

KEYS = Keys(CREDENTIALS.key, CREDENTIALS.secret)
# Amounts that occur nowhere by chance.
DEPOSIT = Decimal("7391.58264173")


@dataclass
class Demo:
    """One served exchange, and how a proof is pointed at it."""

    venue: Venue
    gateway: Gateway
    port: int
    directory: Path

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Variables of a rehearsal."""
        return {
            LOOPBACK_VARIABLE: self.address,
            "PAIRBOT_DEMO_KEY": KEYS.key,
            "PAIRBOT_DEMO_SECRET": KEYS.secret,
        }

    def options(self, *, read_only: bool = False, **changes: Any) -> Options:
        """Of a proof on it, its account accepted."""
        site = site_of(None, self.address, read_only=read_only)
        chosen: dict[str, Any] = {
            "keys": KEYS,
            "accept_account": True,
            "is_rehearsal": True,
            "read_only": read_only,
        }
        return Options(site, directory=self.directory / "prove", **chosen | changes)

    def held(self) -> dict[str, Decimal]:
        """The venue's truth."""
        return {row.symbol: row.amount for row in self.venue.account.open_positions()}

    def orders(self) -> list[Any]:
        """Requests that would have placed one."""
        return self.gateway.log.calls("POST /fapi/v1/order")


@pytest.fixture
def new_demo(tmp_path) -> Iterator[Callable[..., Demo]]:
    with ExitStack() as stack:

        def make(**options: Any) -> Demo:
            market = FixedMarket({"ADAUSDT": Decimal("0.7320"), "ALGOUSDT": Decimal("0.2110")})
            market.level_amounts = {"ADAUSDT": Decimal(90), "ALGOUSDT": Decimal(300)}
            venue = Venue(market, wall_clock_ms, VenueOptions(**{"deposit": DEPOSIT, **options}))
            gateway = Gateway(venue, CREDENTIALS)
            server = stack.enter_context(LoopbackServer(SimulatedExchange(gateway)))
            return Demo(venue, gateway, server.port, tmp_path)

        yield make


@pytest.fixture
def demo(new_demo) -> Demo:
    """One with funds and nothing open."""
    return new_demo()
