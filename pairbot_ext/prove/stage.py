"""The engine's own parts on one client of one site: venue, journal, intents, guard, lanes. No Freqtrade."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import numpy as np
from sqlalchemy import create_engine

from pairbot_ext.journal.intentfile import IntentFile
from pairbot_ext.journal.intents import Intents
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.records import LegSizing, OrderRecord, PairTrade, Sizing
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal, PairState, Role
from pairbot_ext.model.thresholds import LONG_SPREAD, Thresholds
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.orders.lanes import Lanes
from pairbot_ext.orders.limiter import WeightLimiter
from pairbot_ext.orders.liveport import LivePort
from pairbot_ext.prove.hosts import GuardedSession, check_addresses
from pairbot_ext.prove.recorder import Recorder
from pairbot_ext.support.clock import Clock, as_datetime
from pairbot_ext.venue import venue_of
from pairbot_ext.venue.binance.sites import Site, client_settings
from pairbot_ext.venue.protocol import Venue

TIMEOUT_MS = 5_000
LEVERAGE = 3
SLIPPAGE_CAP = 0.005
"""How far beyond the best price an order may reach: 50 bp."""
RESERVE = 1.2
"""Of the least notional, so that a price that moves meanwhile does not fall below it."""
BOOK_LEVELS = 5
FAR = 0.03
"""Below the best bid: an order there finds nothing, or rests, and is still inside the venue's band."""


@dataclass(frozen=True)
class Keys:
    """What signs requests. Never written anywhere."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "Keys(***)"


@dataclass(frozen=True)
class Quote:
    """The best prices of a symbol, quote currency, and what is offered at the ask, base currency."""

    bid: float
    ask: float
    ask_amount: float


class Stage:
    """See the module.

    :param legs: ccxt symbols of leg A and leg B.
    :param directory: where the journal is kept; nothing else is written.
    """

    def __init__(
        self,
        site: Site,
        keys: Keys,
        legs: tuple[str, str],
        directory: Path,
        clock: Clock,
        rng: np.random.Generator,
        *,
        read_only: bool = False,
    ) -> None:
        self.site, self.legs, self.clock = site, legs, clock
        self.read_only = read_only
        self.directory = directory
        self.venue: Venue = venue_of("binance")
        self.recorder = Recorder()
        self.client = self._open_client(site, keys)
        self.engine = create_engine(f"sqlite:///{directory / 'journal.sqlite'}")
        self.journal = Journal(self.engine, clock, IntentFile(directory / "intents.dat"))
        self.intents = Intents(self.journal, clock, rng)
        self.lanes = Lanes(self._another_client, lambda lane: lane, clock)
        client = self.client
        limiter = WeightLimiter(clock, self.venue)
        self.port = LivePort(
            self.venue, limiter, self.lanes, client.create_order, client.fetch_order, client.cancel_order,
            client.fetch_time,
        )  # fmt: skip
        self.guard = OrderGuard(self.journal, self.port, clock, self._claim_exit)

    def _open_client(self, site: Site, keys: Keys) -> Any:
        session = GuardedSession(site, read_only=self.read_only)
        client = ccxt.binance(
            {
                **client_settings(site),
                "apiKey": keys.key,
                "secret": keys.secret,
                "timeout": TIMEOUT_MS,
                # As in the bot: ccxt's pauses would be measured instead of the venue.
                "enableRateLimit": False,
                "session": session,
                # A simulated exchange's certificate is made at its start.
                "verify": session.trust_env,
            }
        )
        check_addresses(site, client.urls["api"])
        self.recorder.attach(client)
        return client

    def _another_client(self) -> Any:
        twin = copy.copy(self.client)
        twin.session = self.client.session.another()
        return twin

    def _claim_exit(self, symbol: str, side: str, amount: float) -> str:
        order = self.intents.alone(symbol, side, Decimal(str(amount)))
        return self.journal.add_order(order).client_id

    def open(self) -> None:
        """Read the markets and open the journal. Raises ccxt.BaseError, PairbotError."""
        self.client.load_markets()
        self.journal.open()

    def close(self) -> None:
        """Leave nothing open here."""
        self.lanes.close()
        self.journal.close()
        self.engine.dispose()
        self.client.session.close()

    # -- what the market is ------------------------------------------------------------------------

    def symbol(self, leg: Leg) -> str:
        """The leg's ccxt symbol."""
        return self.legs[0] if leg is Leg.A else self.legs[1]

    def quote(self, symbol: str) -> Quote:
        """Best prices now. Raises ccxt.BaseError, also where a side is empty."""
        book = self.client.fetch_order_book(symbol, BOOK_LEVELS)
        if not book["bids"] or not book["asks"]:
            raise ccxt.BadResponse(f"{symbol}: a side of the book is empty")
        (bid, _), (ask, amount) = book["bids"][0][:2], book["asks"][0][:2]
        return Quote(float(bid), float(ask), float(amount))

    def step(self, symbol: str) -> Decimal:
        """Amount step, base currency."""
        return Decimal(str(self.client.market(symbol)["precision"]["amount"]))

    def least_notional(self, symbol: str) -> float:
        """Of an order that is not reduce-only, quote currency."""
        return float(self.client.market(symbol)["limits"]["cost"]["min"] or 0.0)

    def least_amount(self, symbol: str, price: float) -> Decimal:
        """The smallest order that will be taken, base currency, on the step."""
        market, step = self.client.market(symbol), self.step(symbol)
        wanted = max(
            Decimal(str(self.least_notional(symbol) * RESERVE / price)),
            Decimal(str(market["limits"]["amount"]["min"] or 0)),
        )
        return -(-wanted // step) * step

    def price(self, symbol: str, price: float) -> float:
        """On the tick."""
        return float(self.client.price_to_precision(symbol, price))

    # -- what is sent ------------------------------------------------------------------------------

    def pair_trade(self) -> PairTrade:
        """A new pair trade of the two legs, of the smallest size, planned in the journal."""
        quotes = {leg: self.quote(self.symbol(leg)) for leg in Leg}
        plan = EntryPlan(
            "prove", *self.legs, LONG_SPREAD, EntryModel(0.0, 1.0, 0.0, 1.0, math.nan),
            Thresholds(2.0, 0.5, 4.0, 4.0), as_datetime(self.clock.now_ms()), -2.5, 3600,
        )  # fmt: skip
        sizing = Sizing(self._leg(Leg.A, quotes), self._leg(Leg.B, quotes), LEVERAGE, SLIPPAGE_CAP)
        return self.journal.add_pair_trade(self.intents.new_id(), plan, sizing, dry_run=False)

    def _leg(self, leg: Leg, quotes: dict[Leg, Quote]) -> LegSizing:
        symbol = self.symbol(leg)
        tick = Decimal(str(self.client.market(symbol)["precision"]["price"]))
        price = quotes[leg].ask if leg is Leg.A else quotes[leg].bid
        return LegSizing(
            self.least_amount(symbol, price), self.step(symbol), tick, self.least_notional(symbol), price
        )

    def intent(
        self,
        trade: PairTrade,
        leg: Leg,
        role: Role,
        *,
        amount: Decimal | None = None,
        price: float | None = None,
    ) -> OrderRecord:
        """One order of a pair trade, not stored yet: with a price IOC, else at the market."""
        return self.intents.of_leg(
            trade, leg, role, trade.sizing[leg].amount if amount is None else amount,
            "market" if price is None else "limit", price, "prove",
        )  # fmt: skip

    def send(self, order: OrderRecord) -> OrderRecord:
        """Make the intent durable, send it, and find out what became of it, as the engine does."""
        self.journal.add_order(order)
        try:
            self.guard.transmit(order)
        except ccxt.BaseError as error:
            found = self.journal.order(order.client_id)
            assert found is not None
            if not found.status.is_settled:
                raise error
        return self._known(order)

    def send_together(self, orders: list[OrderRecord]) -> list[OrderRecord]:
        """The same with orders that leave at once."""
        self.journal.add_orders(orders)
        self.guard.transmit_together(orders)
        return [self.guard.settle(self._known(order)) for order in orders]

    def _known(self, order: OrderRecord) -> OrderRecord:
        found = self.journal.order(order.client_id)
        assert found is not None
        return found

    def finished(self, trade: PairTrade) -> None:
        """Nothing of this pair trade is open any more."""
        self.journal.change_pair_trade(
            trade.id, state=PairState.CLOSED, goal=Goal.CLOSE, closed_ms=self.clock.now_ms()
        )
        self.journal.flush()

    # -- what is held ------------------------------------------------------------------------------

    def held(self) -> dict[str, Decimal]:
        """Positions on the two legs, signed, base currency. Raises ccxt.BaseError."""
        positions = self.venue.positions(self.client)
        return {symbol: positions[symbol].amount for symbol in self.legs if symbol in positions}

    def resting(self) -> int:
        """Orders open on the two legs. Raises ccxt.BaseError."""
        return sum(len(self.venue.open_orders(self.client, symbol)) for symbol in self.legs)

    def price_below(self, symbol: str) -> float:
        """`FAR` below the book, on the tick. Raises ccxt.BaseError."""
        return self.price(symbol, self.quote(symbol).bid * (1 - FAR))

    def flatten(self) -> None:
        """End whatever this script has left open on its two legs: it began with nothing there."""
        for symbol in self.legs:
            if self.venue.open_orders(self.client, symbol):
                self.client.cancel_all_orders(symbol)
        for symbol, amount in self.held().items():
            side = "sell" if amount > 0 else "buy"
            self.send(self.intents.alone(symbol, side, abs(amount)))

    @contextmanager
    def dated(self, ms_ago: int) -> Iterator[None]:
        """Requests are dated so long ago."""
        own = self.client.nonce
        self.client.nonce = lambda: own() - ms_ago
        try:
            yield
        finally:
            del self.client.nonce
