"""Filled candles are told from quiet ones."""

import numpy as np
import pandas as pd
from freqtrade.data.converter import ohlcv_fill_up_missing_data

from pairbot_ext.stats.candles import log_close, missing_candles


def frame(n: int = 6) -> pd.DataFrame:
    close = np.linspace(100.0, 105.0, n)
    return pd.DataFrame(
        {
            "date": pd.date_range("2026-01-01", periods=n, freq="1h", tz="UTC"),
            "open": close - 0.5,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "volume": 10.0,
        }
    )


def test_exactly_the_candles_freqtrade_fills_are_missing() -> None:
    gappy = frame().drop(index=[2, 3]).reset_index(drop=True)
    filled = ohlcv_fill_up_missing_data(gappy, "1h", "X/USDT:USDT")
    assert len(filled) == 6
    assert missing_candles(filled).tolist() == [False, False, True, True, False, False]
    assert np.isnan(log_close(filled)).tolist() == [False, False, True, True, False, False]


def test_flat_with_volume_and_moving_without_are_real() -> None:
    candles = frame(3)
    candles.loc[0, ["open", "high", "low", "close"]] = 7.0
    candles.loc[1, "volume"] = 0.0
    assert not missing_candles(candles).any()


def test_unusable_closes_are_missing() -> None:
    candles = frame(4)
    candles.loc[0, "close"] = np.nan
    candles.loc[1, "close"] = np.inf
    candles.loc[2, "close"] = 0.0
    assert missing_candles(candles).tolist() == [True, True, True, False]


def test_index_and_name_are_kept() -> None:
    candles = frame(4).set_index("date")
    result = missing_candles(candles)
    assert result.index.equals(candles.index)
    assert result.dtype == bool
    assert log_close(candles).iloc[-1] == np.log(105.0)


def test_empty_frame() -> None:
    assert missing_candles(frame(3).iloc[:0]).empty
