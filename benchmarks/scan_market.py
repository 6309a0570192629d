"""A market on disk as large as a scan's benchmark asks for, in Freqtrade's layout."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter

FIRST = datetime(2025, 6, 1, tzinfo=UTC)


def shared_trend_prices(n_candles: int, n_series: int, sharing: int, seed: int = 7) -> np.ndarray:
    """Log prices, shape (n_candles, n_series): the first ``sharing`` follow one trend and revert to it.

    Two of those are cointegrated (half-life some 30 candles) and become candidates of the robust test; two of
    the others are independent walks, of which a tenth do.
    """
    rng = np.random.default_rng([seed, n_candles, n_series])
    x = 0.01 * rng.standard_normal((n_candles, n_series))
    # A burn-in of nothing: the deviation starts at zero, its mean.
    deviations = lfilter([1.0], [1.0, -(0.5 ** (1.0 / 30.0))], x[:, :sharing], axis=0)
    x = np.cumsum(x, axis=0)
    trend = np.cumsum(0.01 * rng.standard_normal((n_candles, 1)), axis=0)
    x[:, :sharing] = trend * rng.uniform(0.6, 1.4, sharing) + deviations
    return x


def write_market(folder: Path, log_prices: np.ndarray, timeframe: str = "1h") -> Path:
    """Write one feather file a symbol into ``folder/binance``; returns that directory."""
    futures = folder / "binance" / "futures"
    futures.mkdir(parents=True, exist_ok=True)
    dates = pd.date_range(FIRST, periods=len(log_prices), freq=pd.Timedelta(timeframe))
    for column in range(log_prices.shape[1]):
        close = 10.0 * np.exp(log_prices[:, column])
        frame = pd.DataFrame(
            {
                "date": dates,
                "open": np.concatenate((close[:1], close[:-1])),
                "high": close * 1.002,
                "low": close * 0.998,
                "close": close,
                "volume": 5e6 / close,
            }
        )
        frame.to_feather(futures / f"S{column:04d}_USDT_USDT-{timeframe}-futures.feather")
    return folder / "binance"
