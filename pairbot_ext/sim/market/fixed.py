"""A market whose prices are set by hand: for tests and drills that need to know every number."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pairbot_ext.sim.market.base import Book, DayStats, Kline
from pairbot_ext.sim.symbols import SymbolSpec, load_symbol

FUNDING_INTERVAL_MS = 8 * 3_600_000
DAY_MS = 86_400_000
_INTERVAL_MS = {
    "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000, "1d": DAY_MS,
}  # fmt: skip


class FixedMarket:
    """Implements `pairbot_ext.sim.market.base.Market`: every price stays where it was put.

    :param prices: last and mark price by Binance id, in quote.
    :param level_amount: base on every level of a book; `levels` how many, one tick apart, the best ones one
        tick from the price.
    :param funding_rate: at every stamp (0, 8 and 16 h UTC), as a fraction of notional.
    :param rules: contract rules by Binance id, where they are known better than `load_symbols` knows them.
    """

    def __init__(
        self,
        prices: Mapping[str, Decimal],
        *,
        level_amount: Decimal = Decimal(10_000),
        levels: int = 20,
        funding_rate: Decimal = Decimal("0.0001"),
        rules: Mapping[str, SymbolSpec] | None = None,
    ) -> None:
        known = dict(rules or {})
        self._symbols = {
            symbol: known.get(symbol) or load_symbol(symbol, price) for symbol, price in prices.items()
        }
        self.prices = dict(prices)
        self.marks: dict[str, Decimal] = {}
        self.books: dict[str, Book] = {}
        self.funding_rate = funding_rate
        self.level_amounts: dict[str, Decimal] = {}
        self._level_amount, self._levels = level_amount, levels

    @property
    def symbols(self) -> Mapping[str, SymbolSpec]:
        """The symbols that were given a price."""
        return self._symbols

    def price(self, symbol: str, now_ms: int) -> Decimal:  # noqa: ARG002 (Market's signature)
        """Where it was put."""
        return self.prices[symbol]

    def mark_price(self, symbol: str, now_ms: int) -> Decimal:  # noqa: ARG002 (Market's signature)
        """The last price, unless `marks` has another one."""
        return self.marks.get(symbol, self.prices[symbol])

    def book(self, symbol: str, now_ms: int) -> Book:  # noqa: ARG002 (Market's signature)
        """Equal levels around the price, unless `books` has another one or `level_amounts` other amounts."""
        if symbol in self.books:
            return self.books[symbol]
        tick, price = self._symbols[symbol].price_tick, self.prices[symbol]
        steps, amount = range(1, self._levels + 1), self.level_amounts.get(symbol, self._level_amount)
        return Book(
            bids=tuple((price - tick * n, amount) for n in steps if price > tick * n),
            asks=tuple((price + tick * n, amount) for n in steps),
        )

    def best(self, symbol: str, now_ms: int) -> Book:
        """The top of `book`."""
        book = self.book(symbol, now_ms)
        return Book(book.bids[:1], book.asks[:1])

    def klines(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int,
        *, mark: bool,
    ) -> list[Kline]:  # fmt: skip
        """Flat candles at the present price."""
        length = _INTERVAL_MS[interval]
        last = min(now_ms, now_ms if end_ms is None else end_ms) // length * length
        first = last - (limit - 1) * length
        if start_ms is not None:
            first = -(-start_ms // length) * length
            last = min(last, first + (limit - 1) * length)
        price = self.mark_price(symbol, now_ms) if mark else self.prices[symbol]
        volume = Decimal(1000)
        return [
            Kline(stamp, price, price, price, price, volume, stamp + length - 1, price * volume, 10)
            for stamp in range(first, last + 1, length)
        ]

    def funding_rates(
        self,
        symbol: str,  # noqa: ARG002 (Market's signature)
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        now_ms: int,
    ) -> list[tuple[int, Decimal]]:
        """The fixed rate at every stamp."""
        last = min(now_ms, now_ms if end_ms is None else end_ms) // FUNDING_INTERVAL_MS * FUNDING_INTERVAL_MS
        first = last - (limit - 1) * FUNDING_INTERVAL_MS
        if start_ms is not None:
            first = -(-start_ms // FUNDING_INTERVAL_MS) * FUNDING_INTERVAL_MS
        return [(stamp, self.funding_rate) for stamp in range(first, last + 1, FUNDING_INTERVAL_MS)][:limit]

    def next_funding_ms(self, symbol: str, now_ms: int) -> int:  # noqa: ARG002 (Market's signature)
        """The next of 0, 8 and 16 h UTC."""
        return now_ms // FUNDING_INTERVAL_MS * FUNDING_INTERVAL_MS + FUNDING_INTERVAL_MS

    def day_stats(self, symbol: str, now_ms: int) -> DayStats:
        """A day without any move."""
        price, volume = self.prices[symbol], Decimal(1_000_000)
        return DayStats(
            now_ms - DAY_MS, now_ms, price, price, price, price, volume, volume * price, trades=1000
        )
