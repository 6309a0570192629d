"""Freqtrade writes what it loads into a strategy class's parameters; classes of several bots share none."""

from __future__ import annotations

from freqtrade.strategy.parameters import BaseParameter

from pairbot_ext.runtime.pairs_arb import PairsArb

NAMES = [name for name, value in vars(PairsArb).items() if isinstance(value, BaseParameter)]


def read_anew() -> type[PairsArb]:
    """What a strategy's file defines each time Freqtrade reads it."""

    class Read(PairsArb):
        pass

    return Read


def test_what_was_loaded_for_one_class_is_not_another_s() -> None:
    """A parameter taken out of the file, or a second backtest in one process, must not find the old value."""
    first, second = read_anew(), read_anew()
    assert len(NAMES) >= 6
    for name in NAMES:
        before = getattr(PairsArb, name).value
        getattr(first, name).value = 7
        assert getattr(second, name).value == before
        assert getattr(PairsArb, name).value == before
        assert getattr(read_anew(), name).value == before
    first.order_types["entry"] = "market"
    assert PairsArb.order_types["entry"] == second.order_types["entry"] == "limit"


def test_what_a_class_sets_itself_stays() -> None:
    class Mine(PairsArb):
        timeframe = "15m"
        order_types = PairsArb.order_types | {"exit": "limit"}

    assert (Mine.timeframe, Mine.order_types["exit"]) == ("15m", "limit")
