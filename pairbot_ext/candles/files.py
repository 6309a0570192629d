"""Candles and funding rates on disk, read through Freqtrade's own data handler; gaps stay gaps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from pairbot_ext.support.errors import DataError

RATE = "funding_rate"
FUNDING_TIMEFRAME = "1h"
COLUMNS = ["date", "open", "high", "low", "close", "volume"]
# A perpetual's file as Freqtrade names it.
_PLAIN_NAME = re.compile(r"([A-Za-z0-9]{1,10})_([A-Z]+)_\2-([0-9]+[a-zA-Z]{1,2})-futures")
FORMATS = {".feather": "feather", ".parquet": "parquet", ".json": "json", ".json.gz": "jsongz"}
"""Ends of candle files, and Freqtrade's names for them (`dataformat_ohlcv`)."""


def data_format(datadir: Path) -> str:
    """The format most candle files of `datadir` are in; Freqtrade's default where there are none."""
    counts = {name: len(list((datadir / "futures").glob(f"*-*{end}"))) for end, name in FORMATS.items()}
    return max(counts, key=lambda name: (counts[name], name == "feather"))


def candle_length(timeframe: str) -> timedelta:
    """Length of one candle. Raises DataError for what is no timeframe of seconds, minutes, hours or days."""
    parts = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", timeframe, re.ASCII)
    if parts is None:
        raise DataError(
            "timeframe is not a number of minutes, hours or days",
            value=repr(timeframe),
            remedy="Use one like 15m, 1h or 4h",
        )
    return timedelta(seconds=int(parts[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[parts[2]])


def floor_to_candle(when: datetime, timeframe: str) -> datetime:
    """The last candle boundary at or before `when`."""
    length = candle_length(timeframe).total_seconds()
    return datetime.fromtimestamp(when.timestamp() // length * length, tz=UTC)


def available_symbols(datadir: Path, timeframe: str, *, quote: str | None = None) -> list[str]:
    """Linear futures with candles of `timeframe` in `datadir`, alphabetically.

    :param quote: what they are quoted and settled in; None takes the one most of them are.
    :raises DataError: no such directory, or it holds no futures candles of that timeframe.
    """
    if not (datadir / "futures").is_dir():
        raise DataError(
            f"data directory {datadir} has no futures/ folder",
            remedy="Give the exchange's directory as Freqtrade does, e.g. user_data/data/binance, "
            "or fetch candles with `pairbot download`",
        )
    candles = _stored(datadir)
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


def _stored(datadir: Path) -> list[tuple[str, str]]:
    """(Pair, timeframe) of every file of futures candles.

    Freqtrade's handler takes a second to load; it is asked where a name is not that of a plain perpetual.
    """
    file_format = data_format(datadir)
    end = next(end for end, name in FORMATS.items() if name == file_format)
    names = [path.name.removesuffix(end) for path in (datadir / "futures").glob(f"*-futures{end}")]
    plain = [_PLAIN_NAME.fullmatch(name) for name in names]
    if all(plain):
        return [(f"{match[1]}/{match[2]}:{match[2]}", match[3]) for match in plain if match]
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType, TradingMode

    found = get_datahandler(datadir, file_format).ohlcv_get_available_data(datadir, TradingMode.FUTURES)
    return [(pair, tf) for pair, tf, kind in found if kind == CandleType.FUTURES]


def load_candles(datadir: Path, timeframe: str, symbols: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Futures candles through Freqtrade's own data handler, gaps left as gaps.

    :return: frames with the columns ``date, open, high, low, close, volume``; an empty frame where there is
        no file or Freqtrade cannot read it (it logs why).
    """
    file_format = data_format(datadir)
    frames = {}
    for symbol in symbols:
        plain = _read_plain(datadir, timeframe, symbol) if file_format == "feather" else None
        frames[symbol] = plain if plain is not None else _read(datadir, file_format, timeframe, symbol)
    return frames


def _read(
    datadir: Path, file_format: str, timeframe: str, symbol: str, kind: str = "futures"
) -> pd.DataFrame:
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    handler = get_datahandler(datadir, file_format)
    return handler.ohlcv_load(symbol, timeframe, CandleType(kind), fill_missing=False, warn_no_data=False)


def _read_plain(datadir: Path, timeframe: str, symbol: str) -> pd.DataFrame | None:
    """A feather file just as Freqtrade's handler returns it, in a tenth of the time.

    The handler groups every file by date, which changes nothing where each date is there once, in order. None
    where it has to look itself: an unusual layout, candles out of order or twice, no file.
    """
    from pyarrow import ArrowException, feather, float64, types

    name = f"{symbol.replace('/', '_').replace(':', '_')}-{timeframe}"
    if not _PLAIN_NAME.fullmatch(f"{name}-futures"):
        return None
    path = datadir / "futures" / f"{name}-futures.feather"
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
    file_format = data_format(datadir)
    if not any((datadir / "futures").glob("*-funding_rate.*")):
        return {}
    # Freqtrade stores funding under one timeframe whatever the candles' is.
    loaded = {
        symbol: _read(datadir, file_format, FUNDING_TIMEFRAME, symbol, "funding_rate") for symbol in symbols
    }
    return {symbol: _named(frame) for symbol, frame in loaded.items() if not frame.empty}


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Until 2026.7 Freqtrade keeps a funding rate as the opening price of a candle."""
    return frame if RATE in frame else frame[["date", "open"]].rename(columns={"open": RATE})


def last_close(frames: Mapping[str, pd.DataFrame], timeframe: str) -> datetime:
    """Newest close that at least half of the symbols reach: one symbol that was downloaded later, or stopped
    earlier, does not decide for all. Raises DataError if all frames are empty."""
    newest = sorted((frame["date"].iloc[-1] for frame in frames.values() if len(frame)), reverse=True)
    if not newest:
        raise DataError("no candles found", remedy="Fetch candles with `pairbot download`")
    reached = newest[(len(newest) - 1) // 2]
    return reached.to_pydatetime().astimezone(UTC) + candle_length(timeframe)
