"""When the mate's candle comes a loop later, both symbols are analysed again and nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import RunMode

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


class Venue:
    """Freqtrade's data provider and analysis cache: candles arrive one symbol at a time."""

    def __init__(self, folder: Path) -> None:
        write_pairs_file(folder / "pairs.json", pairs_file())
        config = {"pairbot": {"pairs_file": str(folder / "pairs.json")}, "runmode": RunMode.UTIL_NO_EXCHANGE}
        # Only A moves away from the others on the last candle.
        self.all = {A: candles(0.0), B: candles(0.0).assign(close=1.0), OTHER: candles(0.0).assign(close=1.0)}
        self.known = dict.fromkeys(self.all, SIZE - 1)
        self.strategy = SimpleNamespace(
            dp=self, timeframe="1h", config={**config, "runmode": RunMode.DRY_RUN}, startup_candle_count=10,
            _last_candle_seen_per_pair={},
        )  # fmt: skip
        self.runtime = PairsRuntime(config, "1h")
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
        sides = {}
        for symbol in self.all:
            frame = self.ohlcv(symbol, "1h")
            last = frame["date"].iloc[-1]
            if self.strategy._last_candle_seen_per_pair.get(symbol) != last:
                self.strategy._last_candle_seen_per_pair[symbol] = last
                self.runtime.update(symbol, frame)
                sides[symbol] = int(self.runtime.entries(symbol, frame["date"])[0][-1])
        return sides


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
