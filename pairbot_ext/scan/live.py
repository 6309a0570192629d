"""Candles straight from an exchange, through Freqtrade's own exchange layer and data handlers.

The universe is the exchange's active linear perpetuals with the largest 24 h quote volume. Each symbol's
candles are stored as soon as they are there and only what is missing is asked for, so a scan that was stopped
goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pairbot_ext.candles.files import candle_length, floor_to_candle, load_candles, load_funding
from pairbot_ext.pairs import is_symbol
from pairbot_ext.scan.filters import MarketInfo
from pairbot_ext.scan.sources import Candles, choose
from pairbot_ext.support.errors import DataError, PairbotError

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a symbol lacks of the wanted candles: before the stored ones, after them, or both."""

    head: bool
    tail: bool


def open_exchange(name: str, configs: Sequence[str], datadir: Path | None) -> tuple[Any, dict[str, Any]]:
    """(Freqtrade's exchange in futures mode, without keys used; its config).

    :raises PairbotError: unknown exchange, or it cannot be reached.
    """
    from freqtrade.configuration import setup_utils_configuration
    from freqtrade.enums import RunMode
    from freqtrade.exceptions import FreqtradeException
    from freqtrade.resolvers import ExchangeResolver

    arguments: dict[str, Any] = {
        "config": list(configs),
        "exchange": name,
        "trading_mode": "futures",
        "datadir": str(datadir) if datadir else None,
    }
    try:
        config = setup_utils_configuration(arguments, RunMode.UTIL_EXCHANGE)
        exchange = ExchangeResolver.load_exchange(config, validate=False, load_leverage_tiers=False)
        if not exchange.markets:
            raise PairbotError(f"exchange {name} gave no markets", remedy="See the log lines above")
        return exchange, config
    except FreqtradeException as error:
        raise PairbotError(
            f"exchange {name} cannot be used: {error}",
            remedy="Check the name and the network; `freqtrade list-markets` must work with the same config",
        ) from error


def perpetual_universe(exchange: Any, quote: str, size: int) -> list[str]:
    """The `size` active linear perpetuals with the largest 24 h quote volume, largest first."""
    from freqtrade.enums import TradingMode
    from freqtrade.exceptions import FreqtradeException

    markets = exchange.get_markets(quote_currencies=[quote], futures_only=True, active_only=True)
    perpetuals = [
        symbol
        for symbol, market in markets.items()
        if market.get("swap") and market.get("linear") and market.get("settle") == quote and is_symbol(symbol)
    ]
    try:
        tickers = exchange.get_tickers(market_type=TradingMode.FUTURES)
    except FreqtradeException as error:
        raise PairbotError(f"tickers cannot be read: {error}", remedy="Try again later") from error
    volume = {symbol: (tickers.get(symbol) or {}).get("quoteVolume") or 0.0 for symbol in perpetuals}
    return sorted(perpetuals, key=lambda symbol: (-volume[symbol], symbol))[:size]


def market_info(exchange: Any, symbols: Sequence[str]) -> dict[str, MarketInfo]:
    """Listing and announced delisting of each symbol, as far as the exchange tells."""
    infos = {}
    for symbol in symbols:
        created = exchange.markets[symbol].get("created")
        listed = datetime.fromtimestamp(created / 1000, tz=UTC) if created else None
        infos[symbol] = MarketInfo(listed, exchange.check_delisting_time(symbol))
    return infos


def missing_stretches(
    stored: Mapping[str, tuple[datetime, datetime]],
    symbols: Sequence[str],
    start: datetime,
    end: datetime,
    candle: timedelta,
) -> dict[str, Stretch]:
    """What each symbol lacks of the candles that open from `start` on and close by `end`.

    :param stored: open times of the first and the last stored candle.
    """
    lacking = {}
    for symbol in symbols:
        first, last = stored.get(symbol, (None, None))
        head = first is not None and first > start
        tail = last is None or last + candle < end
        if head or tail:
            lacking[symbol] = Stretch(head, tail)
    return lacking


def from_exchange(
    name: str,
    *,
    timeframe: str,
    formation_candles: int,
    end: datetime,
    universe: int,
    note: Note,
    symbols: Sequence[str] | None = None,
    configs: Sequence[str] = (),
    datadir: Path | None = None,
    quote: str = "USDT",
) -> Candles:
    """Candles and funding rates of the universe for one formation window, fetched where they are missing.

    :param end: exclusive end of the window.
    :param universe: how many symbols, by volume.
    :param note: told what is being done.
    :param symbols: these instead of the universe by volume.
    :param datadir: where candles are stored; None: Freqtrade's own place for the exchange.
    :raises PairbotError: the exchange cannot be used. DataError: it has no such perpetuals.
    """
    exchange, config = open_exchange(name, configs, datadir)
    try:
        if symbols:
            chosen = choose(sorted(perpetual_universe(exchange, quote, len(exchange.markets))), symbols)
        else:
            chosen = perpetual_universe(exchange, quote, universe)
        if not chosen:
            raise DataError(f"exchange {name} has no active perpetuals quoted in {quote}")
        folder = Path(config["datadir"])
        candle = candle_length(timeframe)
        stop = floor_to_candle(end, timeframe)
        start = stop - formation_candles * candle
        lacking = missing_stretches(_stored(folder, chosen, timeframe), chosen, start, stop, candle)
        note(f"{len(chosen)} symbols of {name}; candles to fetch for {len(lacking)} of them into {folder}")
        _fetch(exchange, config, timeframe, lacking, start, stop)
        frames = load_candles(folder, timeframe, chosen)
        return Candles(timeframe, frames, load_funding(folder, chosen), market_info(exchange, chosen))
    finally:
        exchange.close()


def _stored(datadir: Path, symbols: Sequence[str], timeframe: str) -> dict[str, tuple[datetime, datetime]]:
    from pairbot_ext.candles.download import stored_candles

    return {
        symbol: (entry.first, entry.last)
        for symbol, entry in stored_candles(datadir, symbols, timeframe).items()
        if entry.first is not None and entry.last is not None
    }


def _fetch(
    exchange: Any,
    config: dict[str, Any],
    timeframe: str,
    lacking: Mapping[str, Stretch],
    start: datetime,
    stop: datetime,
) -> None:
    """Fetch heads, then tails. Freqtrade reports what it cannot get; such a series is rejected later."""
    from freqtrade.configuration import TimeRange
    from freqtrade.data.history import refresh_backtest_ohlcv_data
    from freqtrade.enums import CandleType

    for prepend in (True, False):
        wanted = [symbol for symbol, gap in lacking.items() if (gap.head if prepend else gap.tail)]
        if wanted:
            refresh_backtest_ohlcv_data(
                exchange,
                pairs=wanted,
                timeframes=[timeframe],
                datadir=Path(config["datadir"]),
                trading_mode="futures",
                timerange=TimeRange("date", "date", int(start.timestamp()), int(stop.timestamp())),
                data_format=config["dataformat_ohlcv"],
                prepend=prepend,
                candle_types=[CandleType.FUTURES, CandleType.FUNDING_RATE],
                # The parallel path asks for the whole range of every symbol again.
                no_parallel_download=True,
            )
