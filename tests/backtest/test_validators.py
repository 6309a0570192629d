"""Freqtrade's own validators: clean on PairsArb, red on a control that looks into the future (I10)."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import warm

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.market.paths import PlantedPair

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
# LINK is shared, so the arbiter has work.
PLANTED = (PlantedPair("ADA", "LINK", 0.8, 3.0, 0.010), PlantedPair("AVAX", "LINK", 0.9, 3.5, 0.011))
COINS = ("ADA", "LINK", "AVAX")
WINDOW_CANDLES = 120


def pairs_file() -> PairsFile:
    formed = START + WINDOW_CANDLES * HOUR
    pairs = tuple(
        Pair(
            id=f"{p.a}_{p.b}", leg_a=f"{p.a}/USDT:USDT", leg_b=f"{p.b}/USDT:USDT", hedge_ratio=p.beta,
            adf_p=0.01, coint_p=0.01, entry_z=1.5, exit_z=0.4, stop_z=4.0,
        )
        for p in PLANTED
    )  # fmt: skip
    epoch = Epoch(valid_from=formed, formation_start=START, formation_end=formed, pairs=pairs)
    return PairsFile(
        pairs=symbols_of([epoch]), refresh_period=300, generated_at=formed, exchange="binance",
        timeframe="1h", scan=Scan(rule="planted by the test"), epochs=(epoch,),
    )  # fmt: skip


@pytest.fixture(scope="module")
def datadir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("analysis") / "binance"
    write_synthetic_datadir(
        path, seed=5, symbols=COINS, planted=PLANTED, start=START, candles=560, zero_volume_share=0.01
    )
    return path


def offline(folder: Path, datadir: Path, pairlist: str, *arguments: str, window: int = WINDOW_CANDLES) -> str:
    """`pairbot offline -- ARGUMENTS` on this market; returns what it printed."""
    write_pairs_file(folder / "pairs.json", pairs_file())
    pairlists = {
        "StaticPairList": {"method": "StaticPairList"},
        "RemotePairList": {
            "method": "RemotePairList", "mode": "whitelist", "processing_mode": "append",
            "number_assets": 0, "refresh_period": 300, "pairlist_url": f"file:///{folder / 'pairs.json'}",
        },
    }  # fmt: skip
    config = {
        "user_data_dir": str(folder / "user_data"),
        "pairlists": [pairlists[pairlist]],
        "exchange": {"pair_whitelist": list(pairs_file().pairs)},
        "pairbot": {
            "pairs_file": str(folder / "pairs.json"),
            "rolling_window_candles": window,
            "rearm_lookback_candles": 24,
        },
    }
    (folder / "user_data").mkdir()
    (folder / "case.json").write_text(json.dumps(config))
    command = [
        "pairbot", "offline", "--", *arguments, "--datadir", str(datadir),
        "-c", "config.json", "-c", str(folder / "case.json"),
    ]  # fmt: skip
    done = warm.run(command, cwd=ROOT, timeout_secs=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def lookahead(
    folder: Path, datadir: Path, pairlist: str, strategy: str, strategy_path: str
) -> dict[str, str]:
    """The line lookahead-analysis exports for one strategy."""
    export = folder / "result.csv"
    offline(
        folder, datadir, pairlist, "lookahead-analysis", "--strategy", strategy,
        "--strategy-path", strategy_path, "--timerange", "20250108-20250119",
        "--minimum-trade-amount", "3", "--targeted-trade-amount", "4",
        "--lookahead-analysis-exportfilename", str(export),
    )  # fmt: skip
    with export.open() as file:
        (row,) = csv.DictReader(file)
    return row


@pytest.mark.parametrize("pairlist", ["StaticPairList", "RemotePairList"])
def test_lookahead_analysis_finds_nothing(tmp_path, datadir, pairlist) -> None:
    row = lookahead(tmp_path, datadir, pairlist, "PairsArb", "strategies")
    assert int(row["total_signals"]) >= 3
    assert (row["has_bias"], row["biased_entry_signals"], row["biased_exit_signals"]) == ("False", "0", "0")
    assert row["biased_indicators"] == ""


@pytest.mark.parametrize("pairlist", ["StaticPairList", "RemotePairList"])
def test_lookahead_analysis_catches_the_control(tmp_path, datadir, pairlist) -> None:
    row = lookahead(tmp_path, datadir, pairlist, "PairsArbPeeking", "tests/backtest/strategies")
    assert row["has_bias"] == "True"
    assert "z_ADA_LINK" in row["biased_indicators"]


def test_recursive_analysis_finds_nothing(tmp_path, tmp_path_factory) -> None:
    """With the default window, at the start counts of the documentation: bit for bit the same numbers."""
    datadir = tmp_path_factory.mktemp("recursive") / "binance"
    write_synthetic_datadir(datadir, seed=6, symbols=COINS, planted=PLANTED, start=START, candles=2600)
    said = offline(
        tmp_path, datadir, "StaticPairList", "recursive-analysis", "--strategy", "PairsArb",
        "--strategy-path", "strategies", "--startup-candle", "1440", "1999",
        "--timerange", "20250405-20250412",
        window=1440,
    )  # fmt: skip
    assert "No variance on indicator(s) found due to recursive formula." in said
    assert "No lookahead bias on indicators found." in said
    assert "nan%" not in said
