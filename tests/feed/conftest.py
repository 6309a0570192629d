"""The simulated exchange over real sockets, and feeds that hear it through ccxt's pro client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

import ccxt
import numpy as np
import pytest
from heard_rig import until

from pairbot_ext.feed.board import Board
from pairbot_ext.feed.feed import Feed
from pairbot_ext.model.heard import Hint, Topic
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import InProcessTransport, SyncSession
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.stream_faults import StreamRule
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.support.clock import SystemClock
from pairbot_ext.venue import venue_of
from pairbot_ext.venue.streams import HasStreams

ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"
PRICES = {"ADAUSDT": Decimal("0.7320"), "ALGOUSDT": Decimal("0.2110")}


class Listener:
    """One feed and what it has heard."""

    def __init__(
        self,
        server: LoopbackServer,
        client: Any,
        *,
        has_account: bool,
        options: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.clock = SystemClock()
        self.board = Board(self.clock)
        venue = venue_of("binance")
        assert isinstance(venue, HasStreams)
        config = overlay(server.port)
        config["exchange"]["ccxt_config"]["options"] |= options or {}
        config["exchange"]["ccxt_config"] |= settings or {}
        self.streams = venue.streams(config, client)
        self.feed = Feed(
            self.streams,
            self.board,
            self.clock,
            np.random.default_rng(1),
            lambda: 0.05,
            has_account=has_account,
        )
        self.hints: list[Hint] = []

    def heard(self, kind: type) -> list[Any]:
        """Hints of one kind so far."""
        self.hints += self.board.take_hints()
        return [hint for hint in self.hints if isinstance(hint, kind)]

    def until_live(self, *topics: Topic) -> None:
        """These are fresh."""
        until(lambda: all(self.board.is_fresh(topic) for topic in topics), what=f"{topics} live")


class Sea:
    """The exchange, and whoever listens to it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.market = FixedMarket(PRICES)
        self.exchange = SimulatedExchange(Gateway(Venue(self.market, wall_clock_ms), CREDENTIALS))
        self.server = stack.enter_context(LoopbackServer(self.exchange))
        settings = overlay(1)["exchange"]["ccxt_config"]
        settings["options"] |= {"defaultType": "swap"}
        keys = {"apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret, "enableRateLimit": False}
        session = SyncSession(InProcessTransport(self.exchange))
        self.client = ccxt.binance({**settings, **keys, "session": session})
        self.client.load_markets()

    @contextmanager
    def listening(self, *symbols: str, **how: Any) -> Iterator[Listener]:
        """A feed of these symbols, ended whatever happens."""
        made = Listener(self.server, self.client, **{"has_account": False, **how})
        made.feed.start()
        made.feed.follow(symbols)
        try:
            yield made
        finally:
            made.feed.stop()

    def listen(self, *symbols: str, **how: Any) -> Listener:
        """The same, until the test ends."""
        return self._stack.enter_context(self.listening(*symbols, **how))

    def move(self, name: str, price: str) -> None:
        """A price jumps."""
        self.market.prices[name] = Decimal(price)
        self.exchange.tick()

    def bend(self, fault: str, path: str = "*", **rule: Any) -> None:
        """A stream fault."""
        when = {"path": path, **rule.pop("when", {})}
        self.exchange.gateway.stream_faults.add(
            StreamRule.model_validate({"fault": fault, "when": when, **rule})
        )

    def terms(self, **changes: Any) -> None:
        """Other terms of the streams."""
        engine = self.exchange.gateway.venue.engine
        engine.stream_terms = engine.stream_terms.model_copy(update=changes)

    def connections(self, root: str) -> list[dict[str, Any]]:
        """Every connection at `/public`, `/market` or `/private`, the ended ones too."""
        return [row for row in self.exchange.streams.report() if row["path"].startswith(f"/{root}")]

    def requests(self, call: str) -> int:
        """How often something was asked."""
        return len(self.exchange.gateway.log.calls(call))


@pytest.fixture
def sea() -> Iterator[Sea]:
    with ExitStack() as stack:
        yield Sea(stack)


@pytest.fixture
def until_true() -> Callable[..., Any]:
    return until
