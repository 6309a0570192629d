"""Real candles from a Freqtrade data directory, served as they were recorded or at other times.

Read with pyarrow alone: a simulated exchange should not spend a second on importing pandas before it answers.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from pairbot_ext.sim.market.books import DEFAULT_SHAPE, BookShape
from pairbot_ext.sim.market.candles import FUNDING_INTERVAL_MS, CandleArrays
from pairbot_ext.sim.market.series import INTERVAL_MS, CandleSeries, interval_ms
from pairbot_ext.sim.market.table import CandleMarket, SymbolCourse
from pairbot_ext.sim.market.times import TimeMap
from pairbot_ext.sim.symbols import SIMULATED, SymbolSpec, load_symbol, load_symbols, power_of_ten
from pairbot_ext.support.errors import DataError

OBSERVED = "tick and step observed in the recorded candles; limits simulated"
_FUTURES_SUFFIX = "_USDT_USDT-{timeframe}-futures"
_ENDS = (".feather", ".parquet", ".json", ".json.gz")
_DEFAULT_TIMEFRAME = "1h"
_MAX_PRICE_DIGITS = 10
_MAX_AMOUNT_DIGITS = (
    3  # Binance's finest steps; more digits in a volume come from adding floats, not from steps
)
_MARK_DIGITS_BELOW_TICK = 2


@dataclass(frozen=True)
class Recording:
    """One symbol's files, recorded times. Arrays of stamps are epoch ms; rates are fractions per interval."""

    spec: SymbolSpec
    candle_ms: int
    futures_ms: np.ndarray
    futures: CandleArrays
    mark_ms: np.ndarray
    mark: CandleArrays
    funding_ms: np.ndarray
    funding_rates: np.ndarray


def load_datadir(
    datadir: Path, *, timeframe: str | None = None, symbols: Sequence[str] | None = None
) -> dict[str, Recording]:
    """Every USDT perpetual with complete files in `datadir`/futures.

    Where Binance's exchangeInfo of a symbol is not known, tick and step are the finest grid its recorded
    prices and volumes lie on; they then are Binance's own, as far as the recording shows.

    :param timeframe: of the candles; None takes 1h, or the finest there is where 1h is missing.
    :param symbols: Binance ids to load; all found when None.
    :return: by Binance id.
    :raises DataError: nothing found, or futures candles without mark or funding files beside them.
    """
    timeframe = timeframe or recorded_timeframe(datadir) or _DEFAULT_TIMEFRAME
    interval_ms(timeframe)
    suffix, end = _FUTURES_SUFFIX.format(timeframe=timeframe), _file_end(datadir)
    known = load_symbols()
    wanted = set(symbols) if symbols is not None else None
    found = {
        symbol: path
        for path in sorted((datadir / "futures").glob(f"*{suffix}{end}"))
        if (symbol := path.name.removesuffix(suffix + end) + "USDT") in known
        and (wanted is None or symbol in wanted)
    }
    missing = sorted((wanted or set()) - set(found))
    if missing or not found:
        raise DataError(
            f"No {timeframe} futures candles in {datadir / 'futures'}"
            + (f" for {', '.join(missing)}" if missing else ""),
            remedy="Download them with `pairbot download`, or name another directory",
        )
    return {symbol: _recording(symbol, path, timeframe) for symbol, path in found.items()}


def load_prices(datadir: Path, timeframe: str, symbols: Mapping[str, SymbolSpec]) -> dict[str, CandleSeries]:
    """Finer candles of symbols that are already known, for the prices inside coarser ones. Recorded times.

    :param symbols: rules by Binance id.
    :raises DataError: a symbol has none of this timeframe.
    """
    suffix = _FUTURES_SUFFIX.format(timeframe=timeframe) + _file_end(datadir)
    found = {}
    for symbol, spec in symbols.items():
        path = datadir / "futures" / (symbol.removesuffix("USDT") + suffix)
        if not path.exists():
            raise DataError(
                f"No {timeframe} futures candles of {symbol} in {datadir / 'futures'}",
                remedy="Download them with `freqtrade download-data`, or leave the detail out",
            )
        stamps, candles = _candles(path)
        found[symbol] = CandleSeries(
            stamps, interval_ms(timeframe), candles, grid=spec.price_tick, amount_step=spec.amount_step
        )
    return found


def recorded_timeframe(datadir: Path) -> str | None:
    """The timeframe `load_datadir` takes by itself: 1h, else the finest recorded, None if there is none."""
    pattern = "*" + _FUTURES_SUFFIX.format(timeframe="*") + _file_end(datadir)
    found = {path.name.split("-")[-2] for path in (datadir / "futures").glob(pattern)}
    if _DEFAULT_TIMEFRAME in found:
        return _DEFAULT_TIMEFRAME
    return next((timeframe for timeframe in INTERVAL_MS if timeframe in found), None)


def _file_end(datadir: Path) -> str:
    """Of the format most candle files are in."""
    counts = {end: len(list((datadir / "futures").glob(f"*-*{end}"))) for end in _ENDS}
    return max(counts, key=lambda end: (counts[end], end == ".feather"))


def replay_market(
    recordings: dict[str, Recording],
    time_map: TimeMap,
    *,
    shape: BookShape = DEFAULT_SHAPE,
    description: str = "Replay of recorded candles; book depth, spread and intra-candle path are simulated",
) -> CandleMarket:
    """Recorded candles at served times. Compressed candles keep their prices and volumes.

    In a compressed market the recorded rates follow one another at the served times' own 8-hour stamps:
    funding every 8 minutes is nothing a Freqtrade bot could book.
    """
    return CandleMarket(
        courses={symbol: _course(recording, time_map) for symbol, recording in recordings.items()},
        time_map=time_map,
        description=description,
        shape=shape,
    )


def _course(recording: Recording, time_map: TimeMap) -> SymbolCourse:
    spec, candle_ms = recording.spec, recording.candle_ms // time_map.divisor

    def served(stamps: np.ndarray) -> list[int]:
        return [time_map.served(int(stamp)) for stamp in stamps]

    return SymbolCourse(
        spec=spec,
        last=CandleSeries(
            served(recording.futures_ms),
            candle_ms,
            recording.futures,
            grid=spec.price_tick,
            amount_step=spec.amount_step,
        ),
        mark=CandleSeries(
            served(recording.mark_ms),
            candle_ms,
            recording.mark,
            grid=spec.price_tick.scaleb(-_MARK_DIGITS_BELOW_TICK),
            amount_step=spec.amount_step,
        ),
        funding=served_funding(
            [int(stamp) for stamp in recording.funding_ms],
            [Decimal(repr(float(rate))) for rate in recording.funding_rates],
            time_map,
        ),
    )


def served_funding(
    stamps: Sequence[int], rates: Sequence[Decimal], time_map: TimeMap
) -> list[tuple[int, Decimal]]:
    """Funding as served: at moved stamps, or in a compressed market one rate per real 8 hours, in order."""
    if time_map.divisor == 1:
        return [(time_map.served(stamp), rate) for stamp, rate in zip(stamps, rates, strict=True)]
    past = sum(stamp <= time_map.recorded_ms for stamp in stamps)
    last_past_ms = time_map.served_ms // FUNDING_INTERVAL_MS * FUNDING_INTERVAL_MS
    return [
        (last_past_ms + (index - past + 1) * FUNDING_INTERVAL_MS, rate) for index, rate in enumerate(rates)
    ]


def _recording(symbol: str, futures_path: Path, timeframe: str) -> Recording:
    paths = {
        kind: futures_path.with_name(futures_path.name.replace("-futures.", f"-{kind}."))
        for kind in ("mark", "funding_rate")
    }
    futures_ms, futures = _candles(futures_path)
    mark_ms, mark = _candles(paths["mark"])
    funding = _table(paths["funding_rate"])
    # Freqtrade before 2026 stored the rate in a candle's "open".
    rates = funding["funding_rate" if "funding_rate" in funding else "open"]
    return Recording(
        spec=observed_spec(symbol, futures),
        candle_ms=interval_ms(timeframe),
        futures_ms=futures_ms,
        futures=futures,
        mark_ms=mark_ms,
        mark=mark,
        funding_ms=funding["date"],
        funding_rates=rates,
    )


def observed_spec(symbol: str, candles: CandleArrays) -> SymbolSpec:
    """The contract rules of a symbol with known candles: their grid wins over one derived from magnitude."""
    spec = load_symbol(symbol, Decimal(repr(float(candles.close[-1]))))
    price_digits = max(
        _digits(column, _MAX_PRICE_DIGITS, spec.price_precision)
        for column in (candles.open, candles.high, candles.low, candles.close)
    )
    if spec.source != SIMULATED:
        # Recorded filters stand, unless Binance has made the tick finer since.
        tick = min(spec.price_tick, power_of_ten(-price_digits))
        return replace(spec, price_tick=tick, price_precision=max(spec.price_precision, price_digits))
    step_digits = _digits(candles.volume, _MAX_AMOUNT_DIGITS, spec.amount_precision)
    step = power_of_ten(-step_digits)
    return replace(
        spec,
        price_tick=power_of_ten(-price_digits),
        price_precision=price_digits,
        amount_step=step,
        amount_precision=step_digits,
        min_amount=step,
        market_max_amount=max(spec.market_max_amount // step * step, step),
        source=OBSERVED,
    )


def _digits(values: np.ndarray, most: int, fallback: int) -> int:
    """Decimal places that hold every value exactly; `fallback` where more than `most` would be needed."""
    for digits in range(most + 1):
        if np.array_equal(np.round(values, digits), values):
            return digits
    return fallback


def _candles(path: Path) -> tuple[np.ndarray, CandleArrays]:
    table = _table(path)
    return table["date"], CandleArrays(
        open=table["open"],
        high=table["high"],
        low=table["low"],
        close=table["close"],
        volume=table["volume"],
    )


def _table(path: Path) -> dict[str, Any]:
    """Columns as numpy arrays, `date` as epoch ms, rows with a missing number left out."""
    import pyarrow as pa

    try:
        table = _arrow_table(path)
        stamps = table["date"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_numpy()
        columns = {name: table[name].to_numpy() for name in table.column_names if name != "date"}
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{path} cannot be read: {type(error).__name__} {error}",
            remedy="Futures need candles, mark and funding files; download them with `pairbot download`",
        ) from error
    whole = np.all([np.isfinite(column) for column in columns.values()], axis=0)
    if not whole.any():
        raise DataError(f"{path} holds no complete row", remedy="Download it again with `pairbot download`")
    return {"date": stamps[whole], **{name: column[whole] for name, column in columns.items()}}


def _arrow_table(path: Path) -> Any:
    """Whatever format Freqtrade keeps candles in."""
    import pyarrow as pa
    from pyarrow import feather, parquet

    if path.suffix == ".feather":
        return feather.read_table(path)
    if path.suffix == ".parquet":
        return parquet.read_table(path)
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = np.array(json.loads(text), dtype=np.float64)
    columns = dict(zip(("open", "high", "low", "close", "volume"), rows[:, 1:].T, strict=False))
    return pa.table(
        {"date": pa.array(rows[:, 0].astype(np.int64)).cast(pa.timestamp("ms", "UTC")), **columns}
    )
