"""Candle files: read fast where nothing is unusual, and exactly as Freqtrade's own handler reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from pairbot_ext.candles.files import load_candles

SYMBOL = "1000SATS/USDT:USDT"


def plain(unit: str = "ms") -> pd.DataFrame:
    close = np.array([1.0, 1.1, np.nan, 0.9, 1.2])
    dates = pd.date_range("2025-06-01", periods=5, freq="1h", tz="UTC").as_unit(unit)
    prices = {"open": close, "high": close + 0.1, "low": close - 0.1, "close": close}
    return pd.DataFrame({"date": dates, **prices, "volume": [0.0, 1.0, 2.0, 3.0, 4.0]})


KINDS: dict[str, Callable[[], pd.DataFrame]] = {
    "plain": plain,
    "nanoseconds": lambda: plain("ns"),
    "seconds": lambda: plain("s"),
    "unordered": lambda: plain().iloc[::-1].reset_index(drop=True),
    "a date twice": lambda: pd.concat([plain(), plain().tail(2)], ignore_index=True),
    "a hole": lambda: plain().drop(2).reset_index(drop=True),
    "whole numbers": lambda: plain().assign(volume=[1, 2, 3, 4, 5]),
    "single precision": lambda: plain().astype({"close": "float32"}),
    "columns in another order": lambda: plain()[["date", "close", "open", "high", "low", "volume"]],
    "a column more": lambda: plain().assign(trades=1.0),
    "a column less": lambda: plain().drop(columns="volume"),
    "another zone": lambda: plain().assign(date=plain()["date"].dt.tz_convert("Europe/Vienna")),
    "no zone": lambda: plain().assign(date=plain()["date"].dt.tz_localize(None)),
    "a missing date": lambda: plain().assign(date=plain()["date"].where([True, True, False, True, True])),
    "empty": lambda: plain().head(0),
}


@pytest.mark.swallows("Unexpected column count")
@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_read_as_freqtrade_reads_it(tmp_path: Path, kind: str) -> None:
    (tmp_path / "futures").mkdir()
    KINDS[kind]().to_feather(tmp_path / "futures" / "1000SATS_USDT_USDT-1h-futures.feather")
    handler = get_datahandler(tmp_path, "feather")
    expected = handler.ohlcv_load(SYMBOL, "1h", CandleType.FUTURES, fill_missing=False, warn_no_data=False)
    pd.testing.assert_frame_equal(load_candles(tmp_path, "1h", [SYMBOL])[SYMBOL], expected)


@pytest.mark.swallows("ArrowInvalid")
@pytest.mark.parametrize("content", [b"", b"no feather file", None], ids=["empty", "text", "absent"])
def test_what_cannot_be_read_is_empty(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "futures").mkdir()
    if content is not None:
        (tmp_path / "futures" / "1000SATS_USDT_USDT-1h-futures.feather").write_bytes(content)
    assert load_candles(tmp_path, "1h", [SYMBOL])[SYMBOL].empty
