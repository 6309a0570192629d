"""What the streams can be relied on for: prices with source and age, the way back to asking, the telling.

A stream that has fallen silent is a state, not an error: the best prices of all symbols are asked for in one
question per loop then, which costs what two books do, however many pairs are open.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ccxt

from pairbot_ext.feed.board import Board
from pairbot_ext.host.broker import Broker
from pairbot_ext.model.heard import BestPrices, Topic
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.protocol import Venue
from pairbot_ext.venue.streams import HasStreams

logger = logging.getLogger(__name__)

WORTH_TELLING_MS = 60_000
ASKED_IS_GOOD_MS = 1_000


@dataclass(frozen=True)
class StreamReport:
    """One connection, for display.

    :param age_secs: since its last frame; None before the first. :param stale_secs: how long it was down
        altogether since it was first up.
    """

    name: str
    symbols: int
    is_fresh: bool
    age_secs: float | None
    reconnects: int
    stale_secs: float
    error: str


class Audible:
    """See the module. Off until `turn_on`: then nothing is served and nothing is told."""

    def __init__(self, board: Board, broker: Broker, venue: Venue, client: Any, clock: Clock) -> None:
        self._board = board
        self._broker = broker
        self._venue = venue
        self._client = client
        self._clock = clock
        self.is_on = False
        self._topics: tuple[Topic, ...] = (Topic.BOOKS, Topic.MARKS)
        self._asked: dict[str, BestPrices] = {}
        self._asked_ms = 0
        self._silent_since_ms: int | None = None
        self._has_told = False
        self.reaction_ms: int | None = None
        """From the first price beyond a limit to the intent of the first exit, of the last such stop."""

    def turn_on(self, *, has_account: bool) -> None:
        """The venue is heard from now on."""
        self.is_on = True
        if has_account:
            self._topics = (*self._topics, Topic.ACCOUNT)

    # -- prices ------------------------------------------------------------------------------------

    def price(self, symbol: str) -> BestPrices | None:
        """The best prices as they are known without asking, with source and age; None where they are not."""
        best = self._board.best(symbol)
        if best is None:
            asked = self._asked.get(symbol)
            return asked if asked is not None and self._is_good(asked) else None
        return best

    def best_book(self, symbol: str) -> dict[str, Any] | None:
        """One level, in ccxt's form. Asks for all symbols at once where the streams say nothing."""
        if not self.is_on:
            return None
        best = self.price(symbol)
        if best is None and not self._is_recent(self._asked_ms):
            self._ask()
            best = self._asked.get(symbol)
        if best is None:
            return None
        return {
            "symbol": symbol,
            "bids": [[best.bid, best.bid_amount]],
            "asks": [[best.ask, best.ask_amount]],
            "timestamp": best.event_ms or None,
            "datetime": None,
            "nonce": best.number or None,
        }

    def _ask(self) -> None:
        assert isinstance(self._venue, HasStreams)
        self._asked_ms = self._clock.now_ms()
        try:
            self._asked = self._venue.best_prices(self._client, self._asked_ms)
        except ccxt.BaseError as error:
            # The symbol's own book is asked for instead, as ever.
            logger.warning(f"The best prices of all symbols cannot be read: {error}")
            self._asked = {}

    def age_secs(self, prices: BestPrices) -> float:
        """Since they arrived, or since the venue was last heard where a quiet book has not changed."""
        return max(0.0, (self._clock.now_ms() - prices.arrived_ms) / 1000)

    def note(self, symbols: Iterable[str]) -> dict[str, Any]:
        """Prices with source and age as of now, as JSON: for who looks from outside."""
        known = {symbol: best for symbol in symbols if (best := self.price(symbol)) is not None}
        return {
            "at_ms": self._clock.now_ms(),
            "prices": {
                symbol: {
                    "bid": best.bid,
                    "ask": best.ask,
                    "source": str(best.source),
                    "age_secs": self.age_secs(best),
                }
                for symbol, best in known.items()
            },
        }

    def _is_good(self, prices: BestPrices) -> bool:
        return self._is_recent(prices.arrived_ms)

    def _is_recent(self, then_ms: int) -> bool:
        return 0 <= self._clock.now_ms() - then_ms < ASKED_IS_GOOD_MS

    # -- people ------------------------------------------------------------------------------------

    def tell_of_silence(self) -> None:
        """Once when the streams have been silent for a minute, once when they are back."""
        silent = [topic for topic in self._topics if not self._board.is_fresh(topic)]
        now_ms = self._clock.now_ms()
        if not silent:
            self._silent_since_ms = None
            if self._has_told:
                self._has_told = False
                self._broker.tell("The venue's streams are heard again")
            return
        if self._silent_since_ms is None:
            self._silent_since_ms = now_ms
        if not self._has_told and abs(now_ms - self._silent_since_ms) > WORTH_TELLING_MS:
            self._has_told = True
            why = next((line.error for line in self._board.lines if line.topic in silent and line.error), "")
            self._broker.tell(
                f"The venue's streams say nothing since {WORTH_TELLING_MS / 1000:.0f} s "
                f"({', '.join(silent)}{f'; {why}' if why else ''}). The venue is asked instead, as without "
                "streams; they are tried again",
                is_warning=True,
            )

    def note_reaction(self, first_ms: int, orders: Iterable[OrderRecord]) -> None:
        """A stop has closed a pair."""
        sent = [order.intent_ms for order in orders if order.reduce_only and order.intent_ms >= first_ms]
        if sent:
            self.reaction_ms = min(sent) - first_ms

    def reports(self) -> list[StreamReport]:
        """Every connection."""
        now_ms = self._clock.now_ms()
        return [
            StreamReport(
                name=line.name,
                symbols=len(line.symbols),
                is_fresh=line.is_fresh(now_ms),
                age_secs=line.age_ms(now_ms) / 1000 if line.connects else None,
                reconnects=max(0, line.connects - 1),
                stale_secs=(
                    line.down_ms
                    + (now_ms - line.down_since_ms if line.down_since_ms and line.connects else 0)
                )
                / 1000,
                error=line.error,
            )
            for line in self._board.lines
        ]
