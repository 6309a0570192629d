"""A replay of recorded candles: beside its backtest, in stretches, interrupted."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.enums import CandleType
from replay_world import BEGIN, World, make_world

from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.replay.machine import ReplayMachine, venue_market
from pairbot_ext.rehearse.replay.page import page
from pairbot_ext.rehearse.replay.result import to_json
from pairbot_ext.rehearse.replay.session import Replayed, replay
from pairbot_ext.rehearse.replay.show import markdown
from pairbot_ext.rehearse.replay.terms import Terms
from pairbot_ext.support.errors import PairbotError

IDEAL = Terms(latency_ms=0, depth_usdt=1e6, ticks=False)
SHORT, CUT = 30, 14
"""Candles of the whole in stretches, and of the first stretch."""
ROUGH = Terms(latency_ms=120, spread_bp=4.0, depth_usdt=400.0, partial_share=0.3, fault_share=0.15, seed=5)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


def told(played: Replayed) -> list[dict[str, Any]]:
    """What two replays of the same candles must have in common."""
    return [each.to_json() for each in played.ledger.trades]


def interrupted_after(candles: int) -> Callable[[int, int], None]:
    """Ctrl+C while this candle is being played."""

    def progress(done: int, _wanted: int) -> None:
        if done == candles:
            signal.raise_signal(signal.SIGINT)

    return progress


def test_without_latency_and_faults_it_is_the_backtest_to_the_cent(world: World) -> None:
    played = replay(world.inputs(), IDEAL)
    beside = played.comparison
    assert beside is not None
    assert len(beside.sides) >= 5
    # A backtest enters nothing on its last candle; everything else is the same.
    assert [side.why for side in beside.exceptions if "last candle" not in side.why] == []
    assert abs(beside.unexplained) < 0.01
    assert beside.replay_profit == pytest.approx(
        beside.backtest_profit + sum(beside.causes.values()), abs=0.01
    )
    assert all(each.legging is not None and each.legging.alone_secs == 0 for each in played.ledger.trades)
    assert played.doubts == []
    assert played.stopped == ""
    # One tick of spread and the first second of a candle: nothing that a price's rounding is not.
    for trade in played.ledger.trades:
        assert trade.legging is not None
        assert abs(trade.legging.shortfall_bp) < 5
    assert "explained" in markdown(played)
    assert "<svg" in page(played)
    document = to_json(played)
    assert document["legging"]["cost_bp"]["count"] == len(document["legging"]["pair_trades"])
    assert 0 < document["weight"]["most_per_minute"] < 2400


def test_stretches_are_the_whole_and_ctrl_c_ends_one(world: World, tmp_path: Path) -> None:
    inputs = world.inputs(end=BEGIN + SHORT)
    whole = replay(inputs, ROUGH, with_backtest=False)
    state = tmp_path / "state"
    first = replay(inputs, ROUGH, with_backtest=False, state=state, progress=interrupted_after(CUT))
    assert first.is_interrupted
    assert first.reached_ms == whole.begin_ms + CUT * first.inputs.candle_ms
    second = replay(inputs, ROUGH, with_backtest=False, state=state)
    assert second.candles == SHORT - CUT
    assert told(second) == told(whole)
    assert second.ledger.change == pytest.approx(whole.ledger.change, abs=1e-9)
    assert sum(whole.counted.mishaps.values()) >= 3
    assert second.counted.mishaps == whole.counted.mishaps
    assert any(each.legging and each.legging.alone_secs > 0 for each in whole.ledger.trades)
    assert whole.doubts == []
    with pytest.raises(PairbotError, match="has come as far"):
        replay(inputs, ROUGH, state=state)
    with pytest.raises(PairbotError, match="other terms"):
        replay(inputs, IDEAL, state=state)
    with pytest.raises(PairbotError, match="no replay's directory"):
        replay(inputs, ROUGH, state=world.datadir)


def test_candles_handed_over_are_those_the_venue_serves(world: World, tmp_path: Path) -> None:
    inputs = world.inputs()
    (tmp_path / "user_data").mkdir()
    clock = VirtualTime(world.document.epochs[0].valid_from + timedelta(seconds=1))
    with clock.running():
        machine = ReplayMachine(tmp_path, clock, inputs, IDEAL, venue_market(inputs, IDEAL))
        machine.start()
        machine.bot.process()
        exchange = machine.bot.exchange
        key = (inputs.symbols[0], inputs.timeframe, CandleType.FUTURES)
        asked = exchange.refresh_latest_ohlcv([key], cache=False)[key]
        given = exchange.klines(key)
        machine.kill()
    least = min(len(asked), len(given))
    assert least > 100
    columns = ["date", "open", "high", "low", "close", "volume"]
    pd.testing.assert_frame_equal(
        given[columns].tail(least).reset_index(drop=True),
        asked[columns].tail(least).reset_index(drop=True),
        check_dtype=False,
    )
