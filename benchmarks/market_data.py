"""Candles for benchmarks and studies: real ones where a datadir is given or found, else simulated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from pairbot_ext.scan.sources import Candles, from_datadir

REAL_DATADIR = Path(__file__).resolve().parents[2] / "shared" / "data" / "binance"
"""28 Binance USDT-M futures, hourly, 2025-05-01 to 2026-01-01, beside a developer's checkout."""

SYMBOLS, CANDLES = 28, 5880


def candles_or_simulated(datadir: Path | None) -> tuple[Candles, str]:
    """(candles, where they come from in words)."""
    folder = datadir or REAL_DATADIR
    if folder.is_dir():
        candles = from_datadir(folder, "1h")
        return candles, f"{len(candles.frames)} symbols of {folder.name}, real candles"
    return simulated_walks(), f"{SYMBOLS} simulated GARCH random walks (no real candles found)"


def simulated_walks(seed: int = 1) -> Candles:
    """Independent GARCH(1,1) walks with Student-t shocks, as large as the real data."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(5, (CANDLES, SYMBOLS)) * np.sqrt(3 / 5)
    returns = np.empty_like(shocks)
    variance = np.full(SYMBOLS, 0.008**2)
    for row, shock in enumerate(shocks):
        returns[row] = np.sqrt(variance) * shock
        variance = 0.05 * 0.008**2 + 0.10 * returns[row] ** 2 + 0.85 * variance
    dates = pd.date_range(datetime(2025, 5, 1, tzinfo=UTC), periods=CANDLES, freq=timedelta(hours=1))
    frames = {}
    for column in range(SYMBOLS):
        close = np.exp(returns[:, column].cumsum())
        frames[f"SIM{column:02d}/USDT:USDT"] = pd.DataFrame(
            {
                "date": dates,
                "open": close * 0.999,
                "high": close * 1.002,
                "low": close * 0.998,
                "close": close,
                "volume": 1e6,
            }
        )
    return Candles("1h", frames, {})
