"""A market whose course is laid out as candles beforehand: what replay, generator and script all become."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from pairbot_ext.sim.market.base import Book, DayStats, Kline
from pairbot_ext.sim.market.books import DEFAULT_SHAPE, BookShape, build_book
from pairbot_ext.sim.market.candles import FUNDING_INTERVAL_MS
from pairbot_ext.sim.market.paths import PlantedTruth
from pairbot_ext.sim.market.series import DAY_MS, HOUR_MS, MINUTE_MS, CandleSeries, interval_ms
from pairbot_ext.sim.market.ticks import TickPath
from pairbot_ext.sim.market.times import TimeMap
from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.support.errors import DataError


@dataclass(frozen=True)
class SymbolCourse:
    """One symbol from its first candle to its last.

    :param last: candles of trades. :param mark: candles of the mark price.
    :param funding: (stamp in epoch ms, rate per interval), ascending.
    """

    spec: SymbolSpec
    last: CandleSeries
    mark: CandleSeries
    funding: Sequence[tuple[int, Decimal]]


@dataclass(frozen=True)
class CandleMarket:
    """Implements `pairbot_ext.sim.market.base.Market` over prepared candles.

    :param courses: by Binance id.
    :param time_map: how the recorded or generated times became the served ones.
    :param description: what is served, for the start banner; it says that it is simulated or replayed.
    :param shape: every book's shape, unless `shapes` has one for the symbol.
    :param truth: what was planted; None for recorded prices.
    :param is_scripted: whether the spreads follow a script instead of their planted process.
    :param prices: finer candles, by Binance id, that say where the price stands inside the laid out ones.
    """

    courses: Mapping[str, SymbolCourse]
    time_map: TimeMap
    description: str
    shape: BookShape = DEFAULT_SHAPE
    shapes: Mapping[str, BookShape] = field(default_factory=dict)
    truth: PlantedTruth | None = None
    is_scripted: bool = False
    prices: Mapping[str, CandleSeries] = field(default_factory=dict)
    _symbols: Mapping[str, SymbolSpec] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.courses:
            raise DataError("A market needs at least one symbol", remedy="Check the datadir or the symbols")
        specs = {symbol: course.spec for symbol, course in self.courses.items()}
        object.__setattr__(self, "_symbols", specs)

    def ticking(self, seed: int) -> CandleMarket:
        """The same candles with prices that wander between them, see `TickPath`."""

        def moved(course: SymbolCourse) -> SymbolCourse:
            path = TickPath(seed, course.spec.symbol)
            return replace(course, last=course.last.ticking(path), mark=course.mark.ticking(path))

        return replace(
            self,
            courses={symbol: moved(course) for symbol, course in self.courses.items()},
            prices={name: series.ticking(TickPath(seed, name)) for name, series in self.prices.items()},
        )

    def with_prices(self, prices: Mapping[str, CandleSeries]) -> CandleMarket:
        """The same candles; between their openings the last price follows finer ones where there are any."""
        return replace(self, prices=prices)

    @property
    def symbols(self) -> Mapping[str, SymbolSpec]:
        """Every symbol of this market by Binance id."""
        return self._symbols

    @property
    def candle_ms(self) -> int:
        """Length of the laid out candles as served; finer and coarser intervals are made from them."""
        return next(iter(self.courses.values())).last.candle_ms

    @property
    def first_ms(self) -> int:
        """Opening of the earliest candle, served time."""
        return min(course.last.first_ms for course in self.courses.values())

    @property
    def end_ms(self) -> int:
        """Served time from which on every price stands still."""
        return max(course.last.end_ms for course in self.courses.values())

    def price(self, symbol: str, now_ms: int) -> Decimal:
        """See `Market.price`."""
        finer = self.prices.get(symbol)
        if finer is not None and finer.first_ms <= now_ms < finer.end_ms:
            return finer.price(now_ms)
        return self._course(symbol).last.price(now_ms)

    def mark_price(self, symbol: str, now_ms: int) -> Decimal:
        """See `Market.mark_price`."""
        return self._course(symbol).mark.price(now_ms)

    def book(self, symbol: str, now_ms: int) -> Book:
        """See `Market.book`."""
        return self._book(symbol, now_ms, None)

    def best(self, symbol: str, now_ms: int) -> Book:
        """See `Market.best`."""
        return self._book(symbol, now_ms, 1)

    def _book(self, symbol: str, now_ms: int, levels: int | None) -> Book:
        course = self._course(symbol)
        shape = self.shapes.get(symbol, self.shape)
        return build_book(course.spec, self.price(symbol, now_ms), now_ms, shape, levels)

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
        """See `Market.klines`.

        :raises DataError: an unknown interval, or one that neither divides nor multiplies the candles laid
            out.
        """
        course = self._course(symbol)
        series = course.mark if mark else course.last
        return series.klines(interval_ms(interval), start_ms, end_ms, limit, now_ms)

    def funding_rates(
        self, symbol: str, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int
    ) -> list[tuple[int, Decimal]]:
        """See `Market.funding_rates`."""
        funding = self._course(symbol).funding
        until = now_ms if end_ms is None else min(now_ms, end_ms)
        stop = bisect_right(funding, until, key=lambda row: row[0])
        if start_ms is None:
            return list(funding[max(0, stop - limit) : stop])
        start = bisect_left(funding, start_ms, key=lambda row: row[0])
        return list(funding[start : min(stop, start + limit)])

    def next_funding_ms(self, symbol: str, now_ms: int) -> int:
        """See `Market.next_funding_ms`; after the last laid out stamp, every 8 hours from 00:00 UTC."""
        funding = self._course(symbol).funding
        index = bisect_right(funding, now_ms, key=lambda row: row[0])
        if index < len(funding):
            return funding[index][0]
        return (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS

    def day_stats(self, symbol: str, now_ms: int) -> DayStats:
        """See `Market.day_stats`; the window starts on a candle boundary, as Binance's does on a minute."""
        series = self._course(symbol).last
        # Hours first: 24 sums instead of 1440 where the candles are minutes.
        step = HOUR_MS if series.candle_ms <= HOUR_MS else series.candle_ms
        start = max(0, now_ms - DAY_MS)
        candles = series.klines(step, start, None, DAY_MS // MINUTE_MS, now_ms)
        if not candles:
            price = series.price(now_ms)
            return DayStats(start, now_ms, price, price, price, price, Decimal(0), Decimal(0), 0)
        return DayStats(
            open_ms=candles[0].open_ms,
            close_ms=now_ms,
            open=candles[0].open,
            high=max(candle.high for candle in candles),
            low=min(candle.low for candle in candles),
            last=candles[-1].close,
            volume=sum((candle.volume for candle in candles), Decimal(0)),
            quote_volume=sum((candle.quote_volume for candle in candles), Decimal(0)),
            trades=sum(candle.trades for candle in candles),
        )

    def _course(self, symbol: str) -> SymbolCourse:
        try:
            return self.courses[symbol]
        except KeyError:
            raise DataError(
                "This market has no such symbol", value=symbol, remedy=f"It has {len(self.courses)} others"
            ) from None
