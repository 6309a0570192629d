"""Freqtrade's own `Backtesting`, unmodified and in this process, on small synthetic markets.

Only the market list comes from the loopback exchange; the exchange object is made once per session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration import Configuration, validate_config_consistency
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.sim.overlay import overlay

REPO_ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = Path(__file__).parent / "strategies"
HOUR = timedelta(hours=1)
WINDOW_CANDLES = 120
REARM_CANDLES = 24
STARTUP_CANDLES = WINDOW_CANDLES + REARM_CANDLES


def symbol(coin: str) -> str:
    """ "ADA" → "ADA/USDT:USDT"."""
    return f"{coin}/USDT:USDT"


@dataclass(frozen=True)
class Candles:
    """What the test itself reads of a market: one row per hour from the first to the last candle of any coin.

    :param close: per symbol, NaN where the candle is missing: no row in the file, or nobody traded.
    """

    start: datetime
    size: int
    close: Mapping[str, np.ndarray]
    first_row: Mapping[str, int]
    last_row: Mapping[str, int]

    def row(self, when: datetime) -> int:
        """Row of the candle that opens at `when`."""
        return int((when - self.start) / HOUR)

    def time(self, row: int) -> datetime:
        """Open time of a row."""
        return self.start + row * HOUR


def read_candles(datadir: Path, symbols: Sequence[str]) -> Candles:
    """Read the feather files directly, not through the code under test."""
    frames = {
        name: pd.read_feather(
            datadir / "futures" / f"{name.replace('/', '_').replace(':', '_')}-1h-futures.feather"
        )
        for name in symbols
    }
    start = min(frame["date"].iloc[0] for frame in frames.values()).to_pydatetime()
    end = max(frame["date"].iloc[-1] for frame in frames.values()).to_pydatetime()
    size = int((end - start) / HOUR) + 1
    close, first, last = {}, {}, {}
    for name, frame in frames.items():
        rows = np.array([int((date - start) / HOUR) for date in frame["date"]])
        values = np.full(size, np.nan)
        for row, candle in zip(rows, frame.itertuples(), strict=True):
            is_flat = candle.open == candle.high == candle.low == candle.close
            if not (candle.volume == 0 and is_flat):
                values[row] = candle.close
        close[name], first[name], last[name] = values, int(rows[0]), int(rows[-1])
    return Candles(start, size, close, first, last)


@dataclass(frozen=True)
class Run:
    """One finished backtest.

    :param trades: Freqtrade's result frame, as it is.
    """

    trades: pd.DataFrame
    candles: Candles
    pairs_file: PairsFile
    messages: list[str] = field(default_factory=list)


def pairs_document(epochs: Sequence[Epoch], timeframe: str = "1h") -> PairsFile:
    """A pairs file of these epochs."""
    return PairsFile(
        pairs=symbols_of(epochs),
        refresh_period=300,
        generated_at=epochs[0].formation_end,
        exchange="binance",
        timeframe=timeframe,
        scan=Scan(rule="planted by the test"),
        epochs=tuple(epochs),
    )


def pair(pair_id: str, leg_a: str, leg_b: str, **more: Any) -> Pair:
    """A pair with the usual thresholds; `leg_a` and `leg_b` are coins."""
    values = {"hedge_ratio": 1.0, "adf_p": 0.01, "coint_p": 0.01, "entry_z": 1.6, "exit_z": 0.4}
    return Pair(id=pair_id, leg_a=symbol(leg_a), leg_b=symbol(leg_b), **{**values, "stop_z": 4.0, **more})


class Market:
    """The simulated venue's market list as Freqtrade's exchange object."""

    def __init__(self, port: int) -> None:
        self._overlay = overlay(port)
        self._exchange: Exchange | None = None

    def write_config(
        self, folder: Path, pairs_file: PairsFile, datadir: Path, settings: Mapping[str, Any]
    ) -> list[str]:
        """Write the pairs file and the config files; returns these in Freqtrade's order.

        :param folder: empty directory for this run's files.
        """
        write_pairs_file(folder / "pairs.json", pairs_file)
        case = {
            "datadir": str(datadir),
            "user_data_dir": str(folder / "user_data"),
            "strategy_path": str(REPO_ROOT / "strategies"),
            "pairlists": [{"method": "StaticPairList"}],
            "export": "none",
            "cache": "none",
            **settings,
        }
        case["exchange"] = {"pair_whitelist": list(pairs_file.pairs), **settings.get("exchange", {})}
        block: dict[str, object] = {
            "rolling_window_candles": WINDOW_CANDLES,
            "rearm_lookback_candles": REARM_CANDLES,
            # The oracle knows no break stop (tests/risk does), and thin margins need a high leverage.
            "risk": {"break_stop": None, "max_leverage": 20},
        }
        case["pairbot"] = {"pairs_file": str(folder / "pairs.json"), **block, **settings.get("pairbot", {})}
        files = [str(REPO_ROOT / "config.json")]
        for name, content in (("overlay", self._overlay), ("case", case)):
            files.append(str(folder / f"{name}.json"))
            Path(files[-1]).write_text(json.dumps(content))
        (folder / "user_data").mkdir(exist_ok=True)
        return files

    def config(
        self, folder: Path, pairs_file: PairsFile, datadir: Path, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Freqtrade's own reading of config.json, the overlay and the case's settings."""
        files = self.write_config(folder, pairs_file, datadir, settings)
        with chdir(REPO_ROOT):
            arguments = {"config": files, "datadir": str(datadir)}
            config = Configuration(arguments, RunMode.BACKTEST).get_config()
        # Fills in the defaults of Freqtrade's schema, as the command does.
        validate_config_consistency(config, preliminary=True)
        return config

    def exchange(self, config: Mapping[str, Any]) -> Exchange:
        """Made once; it holds markets and leverage tiers only."""
        if self._exchange is None:
            self._exchange = ExchangeResolver.load_exchange(dict(config), load_leverage_tiers=True)
        return self._exchange

    def backtesting(self, config: dict[str, Any]) -> Backtesting:
        """Freqtrade's `Backtesting` on this market."""
        return Backtesting(config, self.exchange(config))

    def run(
        self,
        folder: Path,
        pairs_file: PairsFile,
        datadir: Path,
        settings: Mapping[str, Any],
        candles: Candles | None = None,
    ) -> Run:
        """One backtest from files to trades.

        :param candles: where the test has read them already.
        """
        backtesting = self.backtesting(self.config(folder, pairs_file, datadir, settings))
        try:
            data, timerange = backtesting.load_bt_data()
            strategy = backtesting.strategylist[0]
            backtesting.backtest_one_strategy(strategy, data, timerange)
            trades = backtesting.all_bt_content[strategy.get_strategy_name()]["results"]
        finally:
            Backtesting.cleanup()
        return Run(trades, candles or read_candles(datadir, pairs_file.pairs), pairs_file)
