"""Candles and funding rates on disk, read through Freqtrade's own data handler; gaps stay gaps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from pairbot_ext.support.errors import DataError

FUNDING_TIMEFRAME = "1h"
COLUMNS = ["date", "open", "high", "low", "close", "volume"]
FORMATS = {".feather": "feather", ".parquet": "parquet", ".json": "json", ".json.gz": "jsongz"}
"""Ends of candle files, and Freqtrade's names for them (`dataformat_ohlcv`)."""


def data_format(datadir: Path) -> str:
    """The format most candle files of `datadir` are in; Freqtrade's default where there are none."""
    counts = {name: len(list((datadir / "futures").glob(f"*-*{end}"))) for end, name in FORMATS.items()}
    return max(counts, key=lambda name: (counts[name], name == "feather"))


def candle_length(timeframe: str) -> timedelta:
    """Length of one candle. Raises DataError for a timeframe ccxt does not know."""
    from ccxt import Exchange, NotSupported

    try:
        seconds = Exchange.parse_timeframe(timeframe)
    except (NotSupported, ValueError, IndexError):
        seconds = 0
    if seconds <= 0 or timeframe.endswith(("w", "M", "y")):
        raise DataError(
            "timeframe is not a number of minutes, hours or days",
            value=repr(timeframe),
            remedy="Use one like 15m, 1h or 4h",
        )
    return timedelta(seconds=int(seconds))


def floor_to_candle(when: datetime, timeframe: str) -> datetime:
    """The last candle boundary at or before `when`."""
    length = candle_length(timeframe).total_seconds()
    return datetime.fromtimestamp(when.timestamp() // length * length, tz=UTC)


def available_symbols(datadir: Path, timeframe: str, *, quote: str | None = None) -> list[str]:
    """Linear futures with candles of `timeframe` in `datadir`, alphabetically.

    :param quote: what they are quoted and settled in; None takes the one most of them are.
    :raises DataError: no such directory, or it holds no futures candles of that timeframe.
    """
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType, TradingMode

    if not (datadir / "futures").is_dir():
        raise DataError(
            f"data directory {datadir} has no futures/ folder",
            remedy="Give the exchange's directory as Freqtrade does, e.g. user_data/data/binance, "
            "or fetch candles with `pairbot download`",
        )
    handler = get_datahandler(datadir, data_format(datadir))
    found = handler.ohlcv_get_available_data(datadir, TradingMode.FUTURES)
    candles = [(pair, tf) for pair, tf, kind in found if kind == CandleType.FUTURES]
    linear = {pair for pair, tf in candles if tf == timeframe and re.fullmatch(r".+/(\w+):\1", pair)}
    settled = Counter(pair.rsplit(":", 1)[-1] for pair in linear)
    quote = quote or max(settled, key=lambda name: (settled[name], name == "USDT"), default="USDT")
    symbols = sorted(pair for pair in linear if pair.endswith(f":{quote}"))
    if not symbols:
        others = sorted({tf for _, tf in candles})
        raise DataError(
            f"data directory {datadir} has no {timeframe} futures candles quoted and settled in {quote}",
            value=f"timeframes there: {', '.join(others) or 'none'}",
            remedy="Choose one of those with --timeframe, or fetch candles with `pairbot download`",
        )
    return symbols


def load_candles(datadir: Path, timeframe: str, symbols: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Futures candles through Freqtrade's own data handler, gaps left as gaps.

    :return: frames with the columns ``date, open, high, low, close, volume``; an empty frame where there is
        no file or Freqtrade cannot read it (it logs why).
    """
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    file_format = data_format(datadir)
    handler = get_datahandler(datadir, file_format)
    frames = {}
    for symbol in symbols:
        plain = _read_plain(datadir, timeframe, symbol) if file_format == "feather" else None
        frames[symbol] = (
            plain
            if plain is not None
            else handler.ohlcv_load(
                symbol, timeframe, CandleType.FUTURES, fill_missing=False, warn_no_data=False
            )
        )
    return frames


def _read_plain(datadir: Path, timeframe: str, symbol: str) -> pd.DataFrame | None:
    """A feather file just as Freqtrade's handler returns it, in a tenth of the time.

    The handler groups every file by date, which changes nothing where each date is there once, in order. None
    where it has to look itself: an unusual layout, candles out of order or twice, no file.
    """
    from freqtrade.misc import pair_to_filename
    from pyarrow import ArrowException, feather, float64, types

    path = datadir / "futures" / f"{pair_to_filename(symbol)}-{timeframe}-futures.feather"
    try:
        table = feather.read_table(path)
    except (OSError, ArrowException):
        return None
    dates, *prices = table.columns
    if table.column_names != COLUMNS or any(column.type != float64() for column in prices):
        return None
    if not types.is_timestamp(dates.type) or dates.type.tz != "UTC" or dates.null_count or not len(dates):
        return None
    index = pd.DatetimeIndex(dates.to_numpy().astype("datetime64[ms]"), tz=UTC)
    if not index.is_monotonic_increasing or not index.is_unique:
        return None
    columns = {name: column.to_numpy() for name, column in zip(COLUMNS[1:], prices, strict=True)}
    return pd.DataFrame({"date": index, **columns})


def load_funding(datadir: Path, symbols: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Funding rates with the columns ``date, funding_rate``; a symbol without stored rates is left out."""
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    handler = get_datahandler(datadir, data_format(datadir))
    # Freqtrade stores funding under one timeframe whatever the candles' is.
    loaded = {
        symbol: handler.ohlcv_load(
            symbol, FUNDING_TIMEFRAME, CandleType.FUNDING_RATE, fill_missing=False, warn_no_data=False
        )
        for symbol in symbols
    }
    return {symbol: frame for symbol, frame in loaded.items() if not frame.empty}


def last_close(frames: Mapping[str, pd.DataFrame], timeframe: str) -> datetime:
    """Newest close that at least half of the symbols reach: one symbol that was downloaded later, or stopped
    earlier, does not decide for all. Raises DataError if all frames are empty."""
    newest = sorted((frame["date"].iloc[-1] for frame in frames.values() if len(frame)), reverse=True)
    if not newest:
        raise DataError("no candles found", remedy="Fetch candles with `pairbot download`")
    reached = newest[(len(newest) - 1) // 2]
    return reached.to_pydatetime().astimezone(UTC) + candle_length(timeframe)
