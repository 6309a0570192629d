"""Next to another strategy that needs more startup candles, which Freqtrade then drops for both."""

from __future__ import annotations

from backtest_checks import naked_leg_candles, pair_trades
from backtest_harness import STRATEGIES, Run
from backtest_markets import rolling_file
from freqtrade.optimize.backtesting import Backtesting


def test_a_longer_startup_of_the_other_strategy_splits_no_pair(market, market_files, tmp_path) -> None:
    files, pairs_file = market_files("ragged"), rolling_file(["ADA_LINK", "ACE_ALT", "AVAX_LINK"])
    settings = {
        "strategy_list": ["PairsArbProtected", "SlowStart"],
        "strategy_path": str(STRATEGIES),
        "test_protections": [],
        "max_open_trades": -1,
    }
    config = market.config(tmp_path, pairs_file, files.datadir, settings)
    backtesting = market.backtesting(config)
    try:
        data, timerange = backtesting.load_bt_data()
        backtesting.backtest_one_strategy(backtesting.strategylist[0], data, timerange)
    finally:
        Backtesting.cleanup()
    trades = backtesting.all_bt_content["PairsArbProtected"]["results"]
    run = Run(trades, files.candles, pairs_file)
    assert len(pair_trades(run)) >= 20
    assert naked_leg_candles(run) == 0
    assert all(len(trade.legs) == 2 for trade in pair_trades(run))
