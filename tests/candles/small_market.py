"""A small seeded market in Freqtrade's data layout."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

START = datetime(2025, 1, 1, tzinfo=UTC)


def candles_from_log_prices(log_price: np.ndarray, volume: float, timeframe: str = "1h") -> pd.DataFrame:
    """Candles whose closes are exp(log_price); every candle is traded and none is flat."""
    close = np.exp(log_price)
    opening = np.concatenate((close[:1], close[:-1]))
    freq = pd.Timedelta(timeframe.replace("m", "min"))
    return pd.DataFrame(
        {
            "date": pd.date_range(START, periods=close.size, freq=freq),
            "open": opening,
            "high": np.maximum(opening, close) * 1.0005,
            "low": np.minimum(opening, close) * 0.9995,
            "close": close,
            "volume": np.full(close.size, volume),
        }
    )


def planted_market(candles: int = 600, seed: int = 7) -> dict[str, pd.DataFrame]:
    """Six independent random walks and THIN, cointegrated with WALK0 (beta 1.5, half-life 3 candles)."""
    rng = np.random.default_rng(seed)
    walks = np.cumsum(rng.normal(0, 0.01, (candles, 6)), axis=0)
    frames = {f"WALK{k}/USDT:USDT": candles_from_log_prices(2 + walks[:, k], 1e6 + k) for k in range(6)}
    noise = np.zeros(candles)
    for t in range(1, candles):
        noise[t] = 0.8 * noise[t - 1] + rng.normal(0, 0.004)
    frames["THIN/USDT:USDT"] = candles_from_log_prices(0.5 + 1.5 * (2 + walks[:, 0]) + noise, 2e4)
    return frames


def store(datadir: Path, frames: dict[str, pd.DataFrame], timeframe: str = "1h") -> Path:
    """Write futures candles with Freqtrade's own handler."""
    (datadir / "futures").mkdir(parents=True, exist_ok=True)
    handler = get_datahandler(datadir, "feather")
    for symbol, frame in frames.items():
        handler.ohlcv_store(symbol, timeframe, frame, CandleType.FUTURES)
    return datadir


@pytest.fixture
def market() -> dict[str, pd.DataFrame]:
    return planted_market()


@pytest.fixture
def store_candles(tmp_path: Path) -> Callable[[dict[str, pd.DataFrame]], Path]:
    """Write frames below the test's own directory and answer the datadir."""
    return lambda frames: store(tmp_path / "binance", frames)
