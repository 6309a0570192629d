"""What is done with what the streams say: earlier, never surer.

The feed writes, the trading thread acts: woken in the middle of its pause, or at its next loop. An order
update with our client id is recorded as an answer; everything else only makes the venue be read, or a rule be
judged, now instead of later. With streams off nothing in here does anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
from freqtrade.exceptions import FreqtradeException
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.desk.audible import Audible
from pairbot_ext.feed.board import Board
from pairbot_ext.feed.feed import Feed
from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.host.wake import Wake
from pairbot_ext.journal.journal import Journal, JournalUnavailableError
from pairbot_ext.journal.ledger import HEARD
from pairbot_ext.model.heard import Hint, MarginCall, OrderUpdate, PositionUpdate, Resumed, StopReached
from pairbot_ext.model.records import PairTrade, leg_side
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.pairtrade.coordinator import Coordinator
from pairbot_ext.recovery.reconciler import Reconciler
from pairbot_ext.risk.desk import RiskDesk
from pairbot_ext.risk.picture import draw
from pairbot_ext.risk.ticks import TickStops, Watchlist
from pairbot_ext.settings import Settings
from pairbot_ext.support.clock import Clock
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.venue.protocol import Venue
from pairbot_ext.venue.streams import HasStreams

logger = logging.getLogger(__name__)

READ_EVERY_MS = 1_000
"""Hints make the venue be read so often at most; what comes sooner waits for its turn."""
MARGIN_CALL_EVERY_MS = 600_000
NOTE_EVERY_MS = 30_000
"""Prices with their ages are stored so often, for `pairbot status`."""


class Hearing:
    """See the module.

    :param close: closes both legs of a pair trade; the caller holds Freqtrade's exit lock.
    :cvar open_feed: what listens: threads and sockets, or a rehearsal's own.
    """

    open_feed: ClassVar[Callable[..., Any]] = Feed

    def __init__(
        self,
        settings: Settings,
        bridge: Bridge,
        broker: Broker,
        venue: Venue,
        journal: Journal,
        guard: OrderGuard,
        coordinator: Coordinator,
        reconciler: Reconciler,
        risk: RiskDesk,
        close: Callable[[PairTrade, str], None],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._bridge = bridge
        self._broker = broker
        self._venue = venue
        self._journal = journal
        self._guard = guard
        self._coordinator = coordinator
        self._reconciler = reconciler
        self._risk = risk
        self._close = close
        self._clock = clock
        self.board = Board(clock)
        self.stops = TickStops(self.board, settings.risk, clock.now_ms)
        self.board.on_price = self.stops.heard
        self.audible = Audible(self.board, broker, venue, bridge.api, clock)
        self._wake = Wake(self.board.bell, self.work)
        self._feed: Feed | None = None
        self._read_ms = 0
        self._owes_read = False
        self._dropped = 0
        self._called_ms: dict[str, int] = {}
        self._noted_ms = 0

    @property
    def is_on(self) -> bool:
        """Whether the venue is heard."""
        return self.audible.is_on

    def start(self, config: Mapping[str, Any], rng: np.random.Generator) -> None:
        """When the engine is installed. What cannot be heard is asked for: told once."""
        if not self._settings.streams:
            return
        if not isinstance(self._venue, HasStreams):
            self._broker.tell(
                f"{self._venue.title} is not heard: it has no streams here, it is asked instead"
            )
            return
        try:
            streams = self._venue.streams(config, self._bridge.api)
        except PairbotError as error:
            self._broker.tell(f"The venue is asked instead of heard: {error}", is_warning=True)
            return
        self._guard.heard = self._heard_order
        self.audible.turn_on(has_account=not self._broker.is_dry_run)
        self._feed = type(self).open_feed(
            streams, self.board, self._clock, rng, self._tick, has_account=not self._broker.is_dry_run
        )
        self._feed.start()

    def stop(self) -> None:
        """At the bot's end: no thread, socket or task is left."""
        self._wake.release()
        if self._feed is not None:
            self._feed.stop()
            self._feed = None

    def best_book(self, symbol: str) -> dict[str, Any] | None:
        """See `Hooks.best_book`."""
        return self.audible.best_book(symbol)

    def loop_begins(self) -> None:
        """See `Hooks.loop_begins`."""
        if self.is_on:
            self._wake.attend()

    def on_loop(self) -> None:
        """Once per loop, before the reconciliation."""
        if not self.is_on:
            return
        try:
            self._attend()
        except Exception:
            # A stream tells earlier; what fails in it must not hold up the loop that supervises.
            logger.exception("What the streams have said could not be dealt with, the venue is asked")

    def _attend(self) -> None:
        self.work()
        if self._feed is not None:
            open_symbols = {symbol for trade in self._journal.open_pair_trades() for symbol in trade.symbols}
            self._feed.follow({*self._broker.whitelist(), *open_symbols})
            self._note(open_symbols)
        self.audible.tell_of_silence()

    def _note(self, symbols: set[str]) -> None:
        if not symbols or abs(self._clock.now_ms() - self._noted_ms) < NOTE_EVERY_MS:
            return
        self._noted_ms = self._clock.now_ms()
        # A journal that cannot be written is said elsewhere, and this is for display alone.
        with suppress(JournalUnavailableError):
            self._journal.set_setting(HEARD, self.audible.note(symbols))

    def work(self) -> None:
        """Deal with what was heard since the last call: the trading thread, without Freqtrade's exit lock."""
        if not self.is_on:
            return
        hints = self.board.take_hints()
        if (hints or self._is_read_due) and self._broker.is_supervising():
            with self._bridge.exit_lock:
                try:
                    self._deal(hints)
                except Exception:
                    # What was heard is gone with this: the venue is asked instead.
                    self._reconciler.request()
                    raise
        self.draw()

    def draw(self) -> None:
        """Show the feed's thread what is open now."""
        try:
            wallet = self._risk.wallet
            self.stops.watchlist = draw(
                self._journal.open_pair_trades(), self._broker, wallet.base, wallet.floor
            )
        except SQLAlchemyError as error:
            logger.error(f"Freqtrade's trades cannot be read: {error}")
            self.stops.watchlist = Watchlist()

    def _heard_order(self, client_id: str) -> dict[str, Any] | None:
        update = self.board.order(client_id)
        return None if update is None else update.order

    # -- hints -------------------------------------------------------------------------------------

    def _deal(self, hints: list[Hint]) -> None:
        must_read, self._dropped = self.board.dropped > self._dropped, self.board.dropped
        positions: dict[str, PositionUpdate] = {}
        stops: list[StopReached] = []
        for hint in hints:
            match hint:
                case OrderUpdate():
                    must_read = self._order_changed(hint) or must_read
                case PositionUpdate():
                    before = positions.get(hint.symbol)
                    if before is None or hint.event_ms >= before.event_ms:
                        positions[hint.symbol] = hint
                case MarginCall():
                    must_read = True
                    self._tell_margin_call(hint)
                case Resumed():
                    must_read = True
                case StopReached():
                    stops.append(hint)
        must_read = any(self._is_surprising(each) for each in positions.values()) or must_read
        for stop in stops:
            self._judge(stop)
        if must_read or self._is_read_due:
            self._read_venue()

    def _order_changed(self, update: OrderUpdate) -> bool:
        """Returns whether the venue should be read."""
        before = self._journal.order(update.client_id)
        order = self._guard.hear(update.client_id, update.symbol, update.order)
        if not update.is_final:
            return False
        if order is None:
            # Another hand's: a person, a liquidation.
            return self._journal.owner_of(update.symbol) is not None
        if before is not None and not before.status.is_settled and order.status.is_settled:
            self._coordinator.advance(order.pair_trade_id, may_explain=True)
            return False
        return float(update.order.get("filled") or 0.0) != float(order.filled)

    def _is_surprising(self, update: PositionUpdate) -> bool:
        """Whether a position is another one than our fills make it."""
        owner = self._journal.owner_of(update.symbol)
        if owner is None:
            return bool(update.amount)
        facts = self._coordinator.facts_of(owner)
        for leg in Leg:
            if owner.plan.symbol(leg) == update.symbol:
                known = facts[leg]
                expected = known.held * leg_side(owner, leg)
                return bool(known.unsettled) or abs(update.amount - expected) >= known.sizing.step / 2
        return False

    def _tell_margin_call(self, call: MarginCall) -> None:
        now_ms = self._clock.now_ms()
        for symbol in call.symbols:
            if now_ms - self._called_ms.get(symbol, 0) >= MARGIN_CALL_EVERY_MS:
                self._called_ms[symbol] = now_ms
                self._broker.tell(
                    f"{symbol}: the venue calls for margin, its position is near its liquidation. Positions "
                    "are read and the limits judged now",
                    is_warning=True,
                )

    def _tick(self) -> float:
        """In the feed's thread. Returns when to be called again, seconds."""
        secs = self.stops.tick()
        if self._is_read_due:
            self.board.bell.set()
        return secs

    @property
    def _is_read_due(self) -> bool:
        """Whether a hint came too soon after the last reading, its turn has come, and no loop has read."""
        return self._owes_read and self._reconciler.is_requested and self._may_read

    @property
    def _may_read(self) -> bool:
        # A negative age: the machine's clock was set back.
        return not 0 <= self._clock.now_ms() - self._read_ms < READ_EVERY_MS

    def _read_venue(self) -> None:
        self._reconciler.request()
        self._owes_read = not self._may_read
        if not self._owes_read:
            self._read_ms = self._clock.now_ms()
            self._reconciler.run()

    # -- stops -------------------------------------------------------------------------------------

    def _judge(self, stop: StopReached) -> None:
        """Again, on the newest prices: only what still holds is acted on."""
        try:
            if stop.pair_trade_id is None:
                for symbol in self._broker.open_legs():
                    self._take_price(symbol)
                self._risk.account_stop()
                return
            trade = self._journal.pair_trade(stop.pair_trade_id)
            if trade is None or trade.goal is not Goal.OPEN or not trade.was_hedged:
                return
            if not all(self._take_price(symbol) for symbol in trade.symbols):
                return
            reason = self._risk.price_stop(trade, lasted=stop.rule)
            if reason is not None:
                self._close(trade, reason)
                self.audible.note_reaction(stop.first_ms, self._journal.orders_of(trade.id))
                self._risk.speak()
        except (FreqtradeException, SQLAlchemyError):
            logger.exception(f"Rule {stop.rule} could not be judged at once, the next loop judges it")

    def _take_price(self, symbol: str) -> bool:
        best = self.board.best(symbol)
        if best is not None:
            book = {"bids": [[best.bid, best.bid_amount]], "asks": [[best.ask, best.ask_amount]]}
            self._risk.quotes.take(symbol, book)
        return best is not None
