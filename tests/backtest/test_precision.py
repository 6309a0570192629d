"""Prices and sizes at the edge of what the venue takes: still both legs or neither."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from backtest_checks import naked_leg_candles, pair_trades, violations
from backtest_markets import MarketFiles, clone, edit, rolling_file
from backtest_oracle import Oracle

PAIRS = rolling_file(["SOL_DOT", "ADA_LINK"], entry_z=0.8, exit_z=0.0, max_half_lives=9.0)
# Hedge ratios of 0.6 and 1.2: once leg B is the smaller order, once the larger.
SIZES = rolling_file(["ALGO_DOT", "SOL_DOT", "ADA_LINK"])
COINS = ("SOL", "DOT", "ADA", "LINK")
FEBRUARY = datetime(2025, 2, 1, tzinfo=UTC)
SETTINGS = {"max_open_trades": -1, "stake_amount": 500, "dry_run_wallet": 100_000}


def test_a_finer_tick_from_the_next_month_on_splits_no_pair(market, market_files, tmp_path) -> None:
    """Freqtrade rounds an exit to the tick it has seen in the month of the entry, and a price off the candle
    does not fill. Candles that only rise or only fall leave no room for rounding."""
    files: MarketFiles = market_files("calm")
    datadir = clone(files, tmp_path / "binance")
    digits = {"SOL": 4, "DOT": 4, "ADA": 4, "LINK": 3}

    def coarse_then_fine(coin: str):
        def change(frame: pd.DataFrame) -> pd.DataFrame:
            is_late = frame["date"] >= FEBRUARY
            prices = ["open", "high", "low", "close"]
            frame.loc[~is_late, prices] = frame.loc[~is_late, prices].round(digits[coin] - 1)
            frame.loc[is_late, "open"] += 0.37 * 10.0 ** -digits[coin]
            frame.loc[is_late, "low"] = frame.loc[is_late, ["open", "close"]].min(axis=1)
            frame.loc[is_late, "high"] = frame.loc[is_late, ["open", "close"]].max(axis=1)
            frame.loc[is_late, prices] = frame.loc[is_late, prices].round(digits[coin] + 2)
            return frame

        return change

    for coin in COINS:
        edit(datadir, coin, coarse_then_fine(coin))
    (tmp_path / "run").mkdir()
    run = market.run(tmp_path / "run", PAIRS, datadir, {**SETTINGS, "timerange": "20250126-20250204"})
    boundary = run.candles.row(FEBRUARY)
    spanning = [t for t in pair_trades(run) if t.opened < boundary <= run.candles.row(t.legs[0].close_date)]
    assert spanning
    assert naked_leg_candles(run) == 0


@pytest.mark.parametrize("leverage", [1, 20])
@pytest.mark.parametrize("stake", [6, 25, 1.5e4, 1e6])
def test_no_size_splits_a_pair(market, market_files, tmp_path, stake, leverage) -> None:
    """From below the smallest order to beyond the largest, through every leverage bracket."""
    files: MarketFiles = market_files("calm")
    settings = {
        **SETTINGS,
        "stake_amount": stake,
        "dry_run_wallet": 1e10,
        "pairbot": {"leverage": leverage},
        "timerange": "20250126-20250130",
    }
    run = market.run(tmp_path, SIZES, files.datadir, settings, files.candles)
    if run.trades.empty:
        assert stake <= 12 or stake >= 2e5
        return
    steps = {name: m["precision"]["amount"] for name, m in market.exchange({}).markets.items()}
    assert naked_leg_candles(run) == 0
    lone = [
        problem
        for problem in violations(run, Oracle(files.candles, SIZES), steps, -1)
        if "closed at" not in problem
    ]
    assert lone == []
