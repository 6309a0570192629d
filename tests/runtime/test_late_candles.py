"""When the mate's candle comes a loop later, both symbols are analysed again and nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import RunMode
from freqtrade.strategy import IStrategy

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.runtime.strategy import PairsRuntime

A, B, OTHER = "AAA/USDT:USDT", "BBB/USDT:USDT", "CCC/USDT:USDT"
START = pd.Timestamp("2025-01-01", tz="UTC")
SIZE = 120


def pairs_file() -> PairsFile:
    formed = datetime(2025, 1, 2, tzinfo=UTC)
    pairs = tuple(
        Pair(
            id=f"{a[:3]}_{b[:3]}", leg_a=a, leg_b=b, hedge_ratio=1.0, alpha=0.0, sigma=1.0,
            adf_p=0, coint_p=0, entry_z=1.0, exit_z=0.5, stop_z=9.0,
        )
        for a, b in ((A, B), (OTHER, B))
    )  # fmt: skip
    epoch = Epoch(
        valid_from=formed, formation_start=datetime(2025, 1, 1, tzinfo=UTC), formation_end=formed, pairs=pairs
    )
    return PairsFile(
        pairs=symbols_of([epoch]), refresh_period=300, generated_at=formed, exchange="binance",
        timeframe="1h", scan=Scan(rule="test"), epochs=(epoch,),
    )  # fmt: skip


def candles(level: float) -> pd.DataFrame:
    """Log price about `level`, and 2 higher on the last candle."""
    close = np.exp(np.append(np.full(SIZE - 1, level), level + 2.0))
    close *= 1 + 0.001 * np.sin(np.arange(SIZE))
    return pd.DataFrame(
        {
            "date": pd.date_range(START, periods=SIZE, freq="1h"),
            "open": close * 1.001, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1.0,
        }
    )  # fmt: skip


class Watched(IStrategy):
    """A real strategy: which candles it has seen is Freqtrade's own business."""

    timeframe = "1h"
    startup_candle_count = 10

    def __init__(self, config: dict[str, Any], runtime: PairsRuntime) -> None:
        super().__init__(config)
        self.runtime = runtime
        self.sides: dict[str, int] = {}

    def look(self, symbol: str, dataframe: pd.DataFrame) -> None:
        self._analyze_ticker_internal(dataframe, {"pair": symbol})

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, str]) -> pd.DataFrame:
        self.runtime.update(metadata["pair"], dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, str]) -> pd.DataFrame:
        self.sides[metadata["pair"]] = int(self.runtime.entries(metadata["pair"], dataframe["date"])[0][-1])
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, str]) -> pd.DataFrame:
        return dataframe


class Venue:
    """Freqtrade's data provider: candles arrive one symbol at a time."""

    def __init__(self, folder: Path) -> None:
        write_pairs_file(folder / "pairs.json", pairs_file())
        config = {"pairbot": {"pairs_file": str(folder / "pairs.json")}, "runmode": RunMode.UTIL_NO_EXCHANGE}
        # Only A moves away from the others on the last candle.
        self.all = {A: candles(0.0), B: candles(0.0).assign(close=1.0), OTHER: candles(0.0).assign(close=1.0)}
        self.known = dict.fromkeys(self.all, SIZE - 1)
        self.runtime = PairsRuntime(config, "1h")
        self.strategy = Watched({**config, "runmode": RunMode.DRY_RUN}, self.runtime)
        self.strategy.dp = self
        self.runtime._strategy = self.strategy

    def ohlcv(self, symbol: str, timeframe: str, copy: bool = True) -> pd.DataFrame:
        return self.all[symbol].iloc[: self.known[symbol]]

    def get_pair_dataframe(self, symbol: str) -> pd.DataFrame:
        return self.ohlcv(symbol, "1h")

    def get_required_startup(self, timeframe: str) -> int:
        return 10

    def loop(self) -> dict[str, int]:
        """One loop of the bot; returns the side of every analysed symbol's last candle."""
        self.runtime._note_late_candles()
        self.strategy.sides.clear()
        for symbol in self.all:
            self.strategy.look(symbol, self.ohlcv(symbol, "1h").copy())
        return dict(self.strategy.sides)

    def _set_cached_df(self, *_: object, **__: object) -> None:
        """Freqtrade keeps what was analysed here, and tells its consumers."""

    _emit_df = _set_cached_df


@pytest.mark.parametrize("first", [A, B])
def test_the_signal_comes_with_the_later_candle(tmp_path, first) -> None:
    venue = Venue(tmp_path)
    assert venue.loop() == {A: 0, B: 0, OTHER: 0}
    assert venue.loop() == {}
    venue.known[first] += 1
    assert set(venue.loop().values()) == {0}
    venue.known[B if first == A else A] += 1
    sides = venue.loop()
    assert sides[A] == -1
    assert B in sides
    assert venue.loop() == {}


def test_candles_that_come_together_need_no_second_look(tmp_path) -> None:
    venue = Venue(tmp_path)
    venue.loop()
    venue.known = dict.fromkeys(venue.all, SIZE)
    assert venue.loop() == {A: -1, B: 0, OTHER: 0}
    assert venue.loop() == {}
