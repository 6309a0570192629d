"""What the simulated venue asks of a market: prices, books, candles and funding, all as of a given instant.

A market is read-only and knows no clock of its own: every question carries `now_ms` (epoch milliseconds,
UTC), so that the real clock, a compressed one and a virtual one are the same code. It must be deterministic:
the same question asked twice gets the same answer, and nothing dated after `now_ms` may be visible in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pairbot_ext.sim.symbols import SymbolSpec


@dataclass(frozen=True)
class Book:
    """An order book as (price in quote, amount in base) levels, best first on both sides, never crossed."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True)
class Kline:
    """One candle. Prices in quote, `volume` in base, `quote_volume` in quote, times in epoch ms.

    :param open_ms: the first millisecond of the candle; `close_ms` is its last one, as Binance counts.
    :param trades: number of trades; 0 with open = high = low = close marks a candle nobody traded in.
    """

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_ms: int
    quote_volume: Decimal
    trades: int


@dataclass(frozen=True)
class DayStats:
    """The rolling 24 hours behind `ticker/24hr`. Prices in quote, `volume` in base, times in epoch ms."""

    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int


class Market(Protocol):
    """Prices, books, candles and funding of every symbol, keyed by Binance id such as "ADAUSDT"."""

    @property
    def symbols(self) -> Mapping[str, SymbolSpec]:
        """Every symbol of this market by Binance id."""
        ...

    def price(self, symbol: str, now_ms: int) -> Decimal:
        """Last traded price, a multiple of the symbol's tick."""
        ...

    def mark_price(self, symbol: str, now_ms: int) -> Decimal:
        """Mark price: values positions, margin, liquidation and funding."""
        ...

    def book(self, symbol: str, now_ms: int) -> Book:
        """The order book around `price`, before anything the venue's own accounts took from it."""
        ...

    def best(self, symbol: str, now_ms: int) -> Book:
        """The first level of each side of `book`, at less expense."""
        ...

    def klines(
        self,
        symbol: str,
        interval: str,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        now_ms: int,
        *,
        mark: bool,
    ) -> list[Kline]:
        """At most `limit` candles of `interval` ("1m", "1h", ...), oldest first.

        With `start_ms` the first ones opening at or after it, else the last ones opening at or before
        `end_ms` (or now). Never a candle opening after `now_ms`; the last may be the running one. `mark`
        gives mark price candles.
        """
        ...

    def funding_rates(
        self, symbol: str, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int
    ) -> list[tuple[int, Decimal]]:
        """(stamp in epoch ms, rate per interval as a fraction of notional) up to `now_ms`, oldest first.

        With `start_ms` the first `limit` stamps at or after it, else the last `limit`.
        """
        ...

    def next_funding_ms(self, symbol: str, now_ms: int) -> int:
        """The first funding stamp strictly after `now_ms`."""
        ...

    def day_stats(self, symbol: str, now_ms: int) -> DayStats:
        """Statistics of the rolling 24 hours ending now."""
        ...
