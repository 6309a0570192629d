"""Public endpoints: market list, candles, books, tickers, funding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from pairbot_ext.sim.market.base import Kline
from pairbot_ext.sim.rest.exchange_info import exchange_info, symbol_entries
from pairbot_ext.sim.rest.routes import Call, Route, by_limit, by_symbol
from pairbot_ext.sim.rest.shapes import amount_text, price_text
from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.tape import BookServed
from pairbot_ext.sim.venue.terms import money_text, plain
from pairbot_ext.sim.venue.venue import Venue

INTERVALS = frozenset(
    ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
)
_DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
_INTEREST_RATE = "0.00010000"
_ONE_HUNDRED = Decimal(100)
_NO_LEVEL = (Decimal(0), Decimal(0))


def _symbol(call: Call) -> str:
    return call.venue.engine.spec(call.params.text("symbol")).symbol


def _each(call: Call, row: Callable[[Call, str], dict[str, Any]]) -> Any:
    """One row for the symbol asked for, a list for all of them."""
    if "symbol" in call.params:
        return row(call, _symbol(call))
    return [row(call, symbol) for symbol in call.venue.market.symbols]


def _ping(_call: Call) -> Any:
    return {}


def _time(call: Call) -> Any:
    return {"serverTime": call.now_ms}


def _exchange_info(call: Call) -> Any:
    # Built at each call: it is asked for once at start and hourly, and symbols may have been halted since.
    entries = symbol_entries(call.venue.listed.values())
    for entry in entries:
        entry["status"] = call.venue.engine.statuses.get(entry["symbol"], entry["status"])
    return exchange_info(entries, call.now_ms)


def _kline(kline: Kline) -> list[Any]:
    return [
        kline.open_ms,
        plain(kline.open),
        plain(kline.high),
        plain(kline.low),
        plain(kline.close),
        plain(kline.volume),
        kline.close_ms,
        plain(kline.quote_volume),
        kline.trades,
        # Taker's share: half, as nothing here depends on it.
        plain(kline.volume / 2),
        plain(kline.quote_volume / 2),
        "0",
    ]


def _untraded(kline: Kline, prices: Iterable[str]) -> list[Any]:
    """A candle of something that is not traded: Binance says to ignore what its trades would stand in."""
    return [kline.open_ms, *prices, "0", kline.close_ms, "0", kline.trades, "0", "0", "0"]


def _candles(call: Call, *, mark: bool, named: str = "symbol") -> list[Kline]:
    symbol = call.venue.engine.spec(call.params.text(named)).symbol
    interval = call.params.text("interval")
    if interval not in INTERVALS:
        raise VenueError(Code.BAD_INTERVAL)
    start, end = call.params.time_range()
    limit = call.params.limit(500, 1500)
    return call.venue.market.klines(symbol, interval, start, end, limit, call.now_ms, mark=mark)


def _klines(call: Call) -> Any:
    return [_kline(kline) for kline in _candles(call, mark=False)]


def _mark_rows(call: Call, named: str) -> Any:
    return [
        _untraded(kline, (plain(price) for price in (kline.open, kline.high, kline.low, kline.close)))
        for kline in _candles(call, mark=True, named=named)
    ]


def _mark_klines(call: Call) -> Any:
    return _mark_rows(call, "symbol")


def _index_klines(call: Call) -> Any:
    # The index is the mark price here, as `premium` tells it, too. It belongs to a pair, not to a contract.
    return _mark_rows(call, "pair")


def _premium_klines(call: Call) -> Any:
    """How far the last price lay above the index, as a fraction, at the open and the close.

    What it did in between is not known of two candles that do not say when their extremes were.
    """
    marks = {kline.open_ms: kline for kline in _candles(call, mark=True)}
    rows = []
    for kline in _candles(call, mark=False):
        if (mark := marks.get(kline.open_ms)) is not None:
            opened, closed = kline.open / mark.open - 1, kline.close / mark.close - 1
            prices = (opened, max(opened, closed), min(opened, closed), closed)
            rows.append(_untraded(mark, (money_text(price) for price in prices)))
    return rows


def _depth(call: Call) -> Any:
    symbol = _symbol(call)
    limit = call.params.integer("limit") or 500
    if limit not in _DEPTH_LIMITS:
        raise VenueError(Code.BAD_DEPTH_LIMIT, limit=limit)
    spec, book = call.venue.engine.spec(symbol), call.venue.engine.book(symbol)
    call.venue.engine.tape.record(BookServed(symbol, book))
    return {
        "lastUpdateId": call.now_ms,
        "E": call.now_ms,
        "T": call.now_ms,
        "bids": level_texts(spec, book.bids[:limit]),
        "asks": level_texts(spec, book.asks[:limit]),
    }


def level_texts(spec: SymbolSpec, levels: Iterable[tuple[Decimal, Decimal]]) -> list[list[str]]:
    """Book levels as [price, amount] texts, in their order."""
    return [
        [f"{price:.{spec.price_precision}f}", f"{amount:.{spec.amount_precision}f}"]
        for price, amount in levels
    ]


def _day_row(call: Call, symbol: str) -> dict[str, Any]:
    stats = call.venue.market.day_stats(symbol, call.now_ms)
    change = stats.last - stats.open
    percent = change / stats.open * _ONE_HUNDRED if stats.open else Decimal(0)
    mean = stats.quote_volume / stats.volume if stats.volume else stats.last
    spec = call.venue.engine.spec(symbol)
    return {
        "symbol": symbol,
        "priceChange": price_text(spec, change),
        "priceChangePercent": f"{percent:.3f}",
        "weightedAvgPrice": price_text(spec, mean),
        "lastPrice": price_text(spec, stats.last),
        "lastQty": amount_text(spec, spec.min_amount),
        "openPrice": price_text(spec, stats.open),
        "highPrice": price_text(spec, stats.high),
        "lowPrice": price_text(spec, stats.low),
        "volume": amount_text(spec, stats.volume),
        "quoteVolume": f"{stats.quote_volume:.2f}",
        "openTime": stats.open_ms,
        "closeTime": stats.close_ms,
        "firstId": 1,
        "lastId": max(stats.trades, 1),
        "count": stats.trades,
    }


def _day(call: Call) -> Any:
    return _each(call, _day_row)


def best_texts(venue: Venue, symbol: str) -> tuple[str, str, str, str]:
    """Price and amount of the best bid, then of the best ask; zeros where a side is empty."""
    spec, book = venue.engine.spec(symbol), venue.engine.best(symbol)
    bid, ask = book.bids[0] if book.bids else _NO_LEVEL, book.asks[0] if book.asks else _NO_LEVEL
    ((bid_price, bid_amount),), ((ask_price, ask_amount),) = (
        level_texts(spec, [bid]),
        level_texts(spec, [ask]),
    )
    return bid_price, bid_amount, ask_price, ask_amount


def _best_row(call: Call, symbol: str) -> dict[str, Any]:
    names = ("bidPrice", "bidQty", "askPrice", "askQty")
    texts = best_texts(call.venue, symbol)
    return {"symbol": symbol, **dict(zip(names, texts, strict=True)), "time": call.now_ms}


def _best(call: Call) -> Any:
    return _each(call, _best_row)


def _price_row(call: Call, symbol: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "price": price_text(call.venue.engine.spec(symbol), call.venue.market.price(symbol, call.now_ms)),
        "time": call.now_ms,
    }


def _price(call: Call) -> Any:
    return _each(call, _price_row)


def _premium_row(call: Call, symbol: str) -> dict[str, Any]:
    return premium(call.venue, symbol, call.now_ms)


def premium(venue: Venue, symbol: str, now_ms: int) -> dict[str, Any]:
    """Mark price and funding of a symbol, as `/fapi/v1/premiumIndex` answers it."""
    market = venue.market
    mark = money_text(market.mark_price(symbol, now_ms))
    rates = market.funding_rates(symbol, None, None, 1, now_ms)
    return {
        "symbol": symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": money_text(rates[-1][1] if rates else Decimal(0)),
        "interestRate": _INTEREST_RATE,
        "nextFundingTime": market.next_funding_ms(symbol, now_ms),
        "time": now_ms,
    }


def _premium(call: Call) -> Any:
    return _each(call, _premium_row)


def _funding_rates(call: Call) -> Any:
    start, end = call.params.time_range()
    limit = call.params.limit(100, 1000)
    market = call.venue.market
    symbols = [_symbol(call)] if "symbol" in call.params else list(market.symbols)
    rows: list[dict[str, Any]] = [
        {
            "symbol": symbol,
            "fundingTime": stamp_ms,
            "fundingRate": money_text(rate),
            "markPrice": money_text(market.mark_price(symbol, stamp_ms)),
        }
        for symbol in symbols
        for stamp_ms, rate in market.funding_rates(symbol, start, end, limit, call.now_ms)
    ]
    rows.sort(key=lambda row: row["fundingTime"])
    return rows[:limit] if start is not None else rows[-limit:]


def _funding_info(_call: Call) -> Any:
    return []  # lists only symbols with adjusted caps or intervals; none are here


_CANDLE_WEIGHT = by_limit(500, ((99, 1), (499, 2), (1000, 5), (1500, 10)))

ROUTES: dict[str, Route] = {
    "GET /fapi/v1/ping": Route(_ping),
    "GET /fapi/v1/time": Route(_time),
    "GET /fapi/v1/exchangeInfo": Route(_exchange_info),
    "GET /fapi/v1/klines": Route(_klines, _CANDLE_WEIGHT),
    "GET /fapi/v1/markPriceKlines": Route(_mark_klines, _CANDLE_WEIGHT),
    "GET /fapi/v1/indexPriceKlines": Route(_index_klines, _CANDLE_WEIGHT),
    "GET /fapi/v1/premiumIndexKlines": Route(_premium_klines, _CANDLE_WEIGHT),
    "GET /fapi/v1/depth": Route(_depth, by_limit(500, ((50, 2), (100, 5), (500, 10), (1000, 20)))),
    "GET /fapi/v1/ticker/24hr": Route(_day, by_symbol(1, 40)),
    "GET /fapi/v1/ticker/bookTicker": Route(_best, by_symbol(2, 5)),
    "GET /fapi/v1/ticker/price": Route(_price, by_symbol(1, 2)),
    "GET /fapi/v2/ticker/price": Route(_price, by_symbol(1, 2)),
    "GET /fapi/v1/premiumIndex": Route(_premium, by_symbol(1, 10)),
    "GET /fapi/v1/fundingRate": Route(_funding_rates),
    "GET /fapi/v1/fundingInfo": Route(_funding_info, 0),
}
