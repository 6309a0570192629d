"""Writes a seeded synthetic market as a Freqtrade data directory: futures, mark and funding files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from pairbot_ext.model.simulated import SIMULATED_MARK
from pairbot_ext.sim.market.candles import CandleArrays, draw_candles, funding_series, mark_candles
from pairbot_ext.sim.market.paths import PlantedPair, simulate, stream
from pairbot_ext.sim.market.universe import (
    DEFAULT_COINS,
    DEFAULT_PLANTED,
    DEFAULT_START_PRICES,
    HOURLY_VOLATILITY,
    typical_notionals,
)
from pairbot_ext.sim.symbols import load_symbol
from pairbot_ext.support.errors import PairbotError

DEFAULT_START = datetime(2025, 1, 1, tzinfo=UTC)
DEFAULT_CANDLES = 3600  # five months of hours
_TIMEFRAME = "1h"
_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class SyntheticDatadir:
    """What was written, and the truth behind it.

    :param path: the data directory (Freqtrade's `--datadir`).
    :param symbols: unified names ("ADA/USDT:USDT") in the order given.
    :param planted: the planted pairs; `alpha` their true intercepts by pair id.
    :param start: open of the first candle. :param end: close of the last one (exclusive).
    :param seed: reproduces the files bit for bit.
    """

    path: Path
    symbols: tuple[str, ...]
    planted: tuple[PlantedPair, ...]
    alpha: Mapping[str, float]
    start: datetime
    end: datetime
    seed: int


def write_synthetic_datadir(
    path: Path | str,
    *,
    seed: int,
    symbols: Sequence[str] = DEFAULT_COINS,
    planted: Sequence[PlantedPair] = DEFAULT_PLANTED,
    start: datetime = DEFAULT_START,
    candles: int = DEFAULT_CANDLES,
    zero_volume_share: float = 0.0,
    gap_share: float = 0.0,
    start_prices: Mapping[str, float] | None = None,
) -> SyntheticDatadir:
    """Write hourly futures, mark and funding files of a seeded market; its symbols' old files are replaced.

    :param symbols: base coins ("ADA", "1000SHIB"), each a real Binance USDT perpetual.
    :param planted: true relations between them. Coins sharing a leg B are cointegrated with each other too.
    :param start: open of the first candle, on the hour, UTC.
    :param candles: hours to write; 1440 of them are needed before a default model exists.
    :param zero_volume_share: share of candles nobody trades in: flat, volume 0.
    :param gap_share: share of candles missing from the futures files altogether.
    :param start_prices: start price by coin in USDT; coins not named start at a built-in price or at 1.
    :raises PairbotError: an unknown coin, contradictory pairs, or a start off the hour.
    """
    if start.tzinfo is None or start.timestamp() % 3600:
        raise PairbotError(
            "A synthetic market starts on a full hour with a time zone", value=start.isoformat(),
            remedy="For example 2025-01-01T00:00:00+00:00",
        )  # fmt: skip
    prices = {coin: (start_prices or DEFAULT_START_PRICES).get(coin, 1.0) for coin in symbols}
    specs = {coin: load_symbol(f"{coin}USDT", Decimal(str(price))) for coin, price in prices.items()}
    paths = simulate(prices, planted, candles=candles, candle_volatility=HOURLY_VOLATILITY, seed=seed)
    drawn = draw_candles(
        paths,
        specs,
        typical_notionals(symbols, planted),
        seed=seed,
        zero_volume_share=zero_volume_share,
    )
    first_ms = round(start.timestamp() * 1000)
    writer = _Writer(Path(path), first_ms)
    for coin, table in drawn.items():
        spec = specs[coin]
        kept = stream(seed, f"gaps {coin}").random(len(table)) >= gap_share
        kept[[0, -1]] = True
        writer.candles(spec.ccxt_symbol, table, kept, mark=False)
        marks = mark_candles(table, stream(seed, f"mark {coin}"))
        writer.candles(spec.ccxt_symbol, marks, np.ones(len(table), dtype=bool), mark=True)
        last_ms = first_ms + (candles - 1) * _HOUR_MS
        writer.funding(spec.ccxt_symbol, *funding_series(first_ms, last_ms, stream(seed, f"funding {coin}")))
    (Path(path) / SIMULATED_MARK).write_text(
        f"Simulated candles with planted pairs, seed {seed}, made by pairbot. No market ever traded at these "
        "prices.\n",
        encoding="utf-8",
    )
    return SyntheticDatadir(
        path=Path(path),
        symbols=tuple(spec.ccxt_symbol for spec in specs.values()),
        planted=tuple(planted),
        alpha=paths.alpha,
        start=start,
        end=start + timedelta(hours=candles),
        seed=seed,
    )


class _Writer:
    """Freqtrade's own feather handler, so that files and names are what Freqtrade writes itself."""

    def __init__(self, path: Path, first_ms: int) -> None:
        from freqtrade.data.history import get_datahandler

        (path / "futures").mkdir(parents=True, exist_ok=True)
        self._handler = get_datahandler(path, "feather")
        self._first_ms = first_ms

    def candles(self, symbol: str, table: CandleArrays, kept: np.ndarray, *, mark: bool) -> None:
        from freqtrade.enums import CandleType

        stamps = self._first_ms + np.arange(len(table), dtype=np.int64) * _HOUR_MS
        frame = pd.DataFrame(
            {
                "date": pd.to_datetime(stamps, unit="ms", utc=True),
                "open": table.open,
                "high": table.high,
                "low": table.low,
                "close": table.close,
                "volume": table.volume,
            }
        )[kept].reset_index(drop=True)
        self._handler.ohlcv_store(symbol, _TIMEFRAME, frame, CandleType.MARK if mark else CandleType.FUTURES)

    def funding(self, symbol: str, stamps: np.ndarray, rates: np.ndarray) -> None:
        from freqtrade.enums import CandleType

        # Until 2026.7 Freqtrade stores a rate as a candle's opening price; each takes the columns it knows.
        candle = dict.fromkeys(("high", "low", "close", "volume"), 0.0)
        frame = pd.DataFrame(
            {
                "date": pd.to_datetime(stamps, unit="ms", utc=True),
                "funding_rate": rates,
                "open": rates,
                **candle,
            }
        )
        self._handler.ohlcv_store(symbol, _TIMEFRAME, frame, CandleType.FUNDING_RATE)
