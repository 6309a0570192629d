"""I12: an exception in any gating callback refuses the entry, never an exit."""

from __future__ import annotations

import pytest
from backtest_checks import naked_leg_candles, pair_trades
from backtest_harness import Market
from backtest_markets import rolling_file
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from pairbot_ext.backtest.desk import BacktestDesk
from pairbot_ext.host.gates import fail_closed

pytestmark = pytest.mark.swallows("BrokenError")
PAIRS = rolling_file(["SOL_DOT", "ADA_LINK"])
SETTINGS = {"max_open_trades": -1, "dry_run_wallet": 100_000, "timerange": "20250126-20250131"}


class BrokenError(Exception):
    """What a callback fails with."""


@pytest.mark.parametrize("callback", ["leverage", "stake", "confirm_entry", "entry_price"])
def test_a_raising_gate_lets_no_entry_through_a_backtest(
    market: Market, market_files, tmp_path, monkeypatch, callback
) -> None:
    def broken(*args, **kwargs):
        raise BrokenError

    monkeypatch.setattr(BacktestDesk, callback, broken)
    run = market.run(tmp_path, PAIRS, market_files("calm").datadir, SETTINGS)
    assert run.trades.empty


def test_a_gate_that_raises_now_and_then_costs_a_candle_at_most(
    market: Market, market_files, tmp_path, monkeypatch
) -> None:
    """The first leg is open when the second one's gate fails: it leaves on the next candle."""
    honest, calls = BacktestDesk.stake, 0

    def unreliable(self, *args, **kwargs):
        nonlocal calls
        calls += 1
        if calls % 5 == 2:
            raise BrokenError
        return honest(self, *args, **kwargs)

    monkeypatch.setattr(BacktestDesk, "stake", unreliable)
    run = market.run(tmp_path, PAIRS, market_files("calm").datadir, SETTINGS)
    trades = pair_trades(run)
    lone = [trade for trade in trades if len(trade.legs) == 1]
    assert lone
    assert len(trades) > len(lone)
    for trade in lone:
        # Its own model may say so on that very candle.
        assert trade.legs[0].exit_reason in ("pair_mate_gone", "pair_reverted")
        assert run.candles.row(trade.legs[0].close_date) == trade.opened + 1
    assert naked_leg_candles(run) == len(lone)


def test_a_raising_exit_callback_is_asked_again_and_blocks_no_other_exit(
    market: Market, market_files, tmp_path, monkeypatch
) -> None:
    honest, calls = BacktestDesk.exit_reason, 0

    def unreliable(self, *args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == 1:
            raise BrokenError
        return honest(self, *args, **kwargs)

    monkeypatch.setattr(BacktestDesk, "exit_reason", unreliable)
    run = market.run(tmp_path, PAIRS, market_files("calm").datadir, SETTINGS)
    assert len(run.trades) >= 8
    assert set(run.trades.exit_reason) <= {
        "pair_reverted", "pair_stop", "pair_time_stop", "pair_mate_gone", "force_exit"
    }  # fmt: skip


class Strategy:
    """As much of a strategy as the decorator needs."""

    def __init__(self) -> None:
        self.refused_symbols: set[str] = set()
        self.asked: list[str] = []

    @fail_closed(1.0)
    def leverage(self, pair: str, **kwargs) -> float:
        raise BrokenError

    @fail_closed(0.0)
    def custom_stake_amount(self, pair: str, **kwargs) -> float:
        self.asked.append(pair)
        return 5.0

    @fail_closed(False)
    def confirm_trade_entry(self, pair: str, **kwargs) -> bool:
        return pair not in self.refused_symbols


@pytest.mark.parametrize("by_name", [True, False])
def test_under_freqtrades_wrapper_the_last_gate_refuses(by_name) -> None:
    """Freqtrade's wrapper answers leverage 1 and a full stake for a callback that raises."""
    strategy = Strategy()
    arguments = {"kwargs": {"pair": "ADA"}, "args": ()} if by_name else {"kwargs": {}, "args": ("ADA",)}

    def call(callback, default):
        return strategy_safe_wrapper(callback, default_retval=default)(
            *arguments["args"], **arguments["kwargs"]
        )

    assert call(strategy.leverage, 3.0) == 1.0
    assert call(strategy.custom_stake_amount, 100.0) == 5.0
    assert call(strategy.confirm_trade_entry, True) is False
    assert strategy.confirm_trade_entry("LINK") is True
    assert strategy.asked == ["ADA"]


def test_the_refusal_value_is_returned_and_the_symbol_remembered() -> None:
    strategy = Strategy()
    assert strategy.leverage("ADA") == 1.0
    assert strategy.refused_symbols == {"ADA"}
    assert Strategy.leverage.__name__ == "leverage"
