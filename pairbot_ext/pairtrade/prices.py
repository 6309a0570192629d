"""The prices orders are limited at: from books just read, on the venue's tick."""

import logging
from decimal import Decimal

import ccxt
from freqtrade.exceptions import FreqtradeException

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.model.orderbook import OrderBook
from pairbot_ext.support.clock import Clock
from pairbot_ext.support.errors import PairbotError

logger = logging.getLogger(__name__)

BOOK_AGE_MS = 3_000
"""A book older than this is read again before leg B is priced from it."""


class Prices:
    """Books of the legs about to be entered."""

    def __init__(self, bridge: Bridge, broker: Broker, clock: Clock) -> None:
        self._bridge = bridge
        self._broker = broker
        self._clock = clock
        self._books: dict[str, tuple[int, OrderBook]] = {}

    def remember(self, books: dict[str, OrderBook]) -> None:
        """Books just read in the checks, by symbol."""
        now = self._clock.now_ms()
        self._books.update({symbol: (now, book) for symbol, book in books.items()})

    def best(self, symbol: str, side: str, fallback: float, *, is_first: bool) -> float:
        """Best price on the side we take: from the book read in the checks for the first attempt, from a
        fresh one for the next; the last price seen, then `fallback`, where there is none."""
        read_ms, book = self._books.get(symbol, (0, None))
        if book is None or not is_first or self._clock.now_ms() - read_ms > BOOK_AGE_MS:
            try:
                book = self._broker.book(symbol)
                self._books[symbol] = (self._clock.now_ms(), book)
            except (FreqtradeException, ccxt.BaseError) as error:
                logger.warning(f"The book of {symbol} could not be read, the last price is used: {error}")
                book = None
        if book is not None:
            try:
                return book.best(side)
            except PairbotError as error:
                logger.warning(f"{symbol}: {error}")
        return self._bridge.last_rate(symbol) or fallback


def on_tick(price: float, tick: Decimal, side: str) -> float:
    """The price on the venue's tick, rounded towards the book so that the cap is kept."""
    ticks = Decimal(str(price)) / tick
    whole = ticks.to_integral_value(rounding="ROUND_FLOOR" if side == "buy" else "ROUND_CEILING")
    return float(whole * tick)
