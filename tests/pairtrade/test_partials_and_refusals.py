"""Partial fills and refusals: the pair ends hedged to what was filled, or flat."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from freqtrade.enums import ExitCheckTuple, ExitType
from freqtrade.persistence import Trade
from harness import Rig


def finish(rig: Rig) -> None:
    """Close what is open and see that nothing is left."""
    rig.check_rest()
    rig.close()
    rig.check_flat()


@pytest.mark.parametrize(("fraction", "ends"), [("0.6", "HEDGED"), ("0.05", "ABORTED"), ("0", "ABORTED")])
def test_leg_a_fills_in_part(live: Rig, fraction: str, ends: str) -> None:
    live.fault(when={"leg": "A", "role": "e"}, fill={"fraction": fraction})
    live.open()
    live.loop()
    assert live.states() == [ends]
    if ends == "HEDGED":
        assert live.held("ADAUSDT") == Decimal("-148"), "60 % of 248, on the step"
        finish(live)
    live.check_flat()


@pytest.mark.parametrize("fraction", ["0.03", "0"])
def test_leg_b_fills_in_part_and_is_topped_up(live: Rig, fraction: str) -> None:
    live.fault(when={"leg": "B", "role": "e"}, fill={"fraction": fraction})
    live.open()
    assert live.states() == ["HEDGED"]
    finish(live)


@pytest.mark.parametrize("top_up", ["fills", "refused", "never_fills"])
@pytest.mark.parametrize("fraction", ["0.99", "0.9", "0.6", "0.12", "0.05"])
@pytest.mark.parametrize("stake", [100, 15])
def test_leg_b_fills_in_part_whatever_follows(
    make_rig: Callable[..., Rig], stake: int, fraction: str, top_up: str
) -> None:
    """I2, I6: at a stake of 15 what is missing of a leg B filled to 90 % is below the minimum notional."""
    rig = make_rig(stake_amount=stake, symbols=("ADAUSDT", "ALGOUSDT"))
    rig.fault(when={"leg": "B", "role": "e"}, fill={"fraction": fraction})
    if top_up == "refused":
        rig.fault(when={"leg": "B", "role": "t", "times": None}, answer="reject", code=-4164)
    if top_up == "never_fills":
        rig.fault(when={"leg": "B", "role": "t", "times": None}, fill={"fraction": "0"})
    rig.open()
    rig.check_rest()
    (state,) = rig.states()
    assert state == ("ABORTED" if fraction == "0.05" and top_up != "fills" else "HEDGED")
    trims = [order for order in rig.orders() if order.role == "r"]
    top_ups = [order for order in rig.orders() if order.role == "t"]
    is_too_small = stake == 15 and fraction == "0.9"
    if fraction == "0.99":
        assert not trims + top_ups, "within the tolerance"
    elif is_too_small:
        assert trims
        assert not top_ups, "leg A was brought down instead"
    elif fraction != "0.05":
        assert bool(trims) == (top_up != "fills")
    assert len(top_ups) <= 3, "bounded (I6)"
    rig.close()
    rig.check_flat()


def test_leg_b_cannot_be_topped_up_so_leg_a_is_trimmed(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, fill={"fraction": "0.6"})
    live.fault(when={"leg": "B", "role": "t"}, answer="reject", code=-2019)
    live.open()
    assert live.states() == ["HEDGED"]
    assert abs(live.held("ADAUSDT")) < 200, "leg A was brought down to what leg B hedges"
    finish(live)


def test_leg_b_never_fills(live: Rig) -> None:
    live.fault(when={"leg": "B", "times": None}, fill={"fraction": "0"})
    live.open()
    live.loop()
    assert live.states() == ["ABORTED"]
    sent = [order for order in live.orders() if order.leg == "B"]
    assert [order.order_type for order in sent] == ["limit", "limit", "limit", "market"]
    caps = [order.price for order in sent[:3]]
    assert caps == sorted(caps), "each attempt reaches further"
    live.check_flat()


@pytest.mark.parametrize("code", [-2019, -4164, -4131])
def test_leg_b_is_refused(live: Rig, code: int) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="reject", code=code)
    live.open()
    assert live.states() == ["ABORTED"]
    assert len(live.posts("ALGOUSDT")) == 1, "a definite refusal is not repeated"
    live.check_flat()


@pytest.mark.parametrize("code", [-2019, -4164, -1001])
def test_leg_a_is_refused(live: Rig, code: int) -> None:
    live.fault(when={"leg": "A", "role": "e"}, answer="reject", code=code)
    live.open()
    live.want()
    live.loop(3)
    assert live.states() == ["ABORTED"]
    assert len(live.posts()) == 1, "the pair is locked until the next candle"
    live.check_flat()


@pytest.mark.parametrize("rule", [{"answer": "overloaded_1008"}, {"answer": "reject", "code": -1001}])
def test_leg_b_finds_the_venue_overloaded_once(live: Rig, rule: dict[str, Any]) -> None:
    live.fault(when={"leg": "B", "role": "e"}, **rule)
    live.open()
    assert live.states() == ["HEDGED"]
    finish(live)


def test_exits_fill_in_part(live: Rig) -> None:
    live.open()
    live.fault(when={"leg": "A", "role": "x"}, fill={"fraction": "0.5"})
    live.fault(when={"leg": "B", "role": "x"}, fill={"fraction": "0.3"})
    live.close()
    live.check_flat()


def test_exits_are_refused_for_a_while(live: Rig) -> None:
    live.open()
    live.fault(when={"role": "x", "times": 10}, answer="overloaded_1008")
    live.close()
    live.script.exits.clear()
    assert live.states() == ["CLOSING"]
    live.loop(12)
    live.check_flat()


def test_exits_refused_for_ever_end_with_a_person(live: Rig) -> None:
    live.open()
    live.fault(when={"leg": "A", "role": "x", "times": None}, answer="reject", code=-2019)
    live.close()
    live.loop(150, pause_secs=30)
    assert live.states() == ["NEEDS_OPERATOR"]
    sent = [order for order in live.orders() if order.leg == "A" and order.role == "x"]
    assert len(sent) == 20, "bounded (I6)"
    assert sum("NEEDS YOU" in text for text in live.told) == 1
    trade = next(trade for trade in Trade.get_open_trades() if trade.pair.startswith("ADA"))
    for _ in range(3):
        live.bot.execute_trade_exit(trade, trade.open_rate, ExitCheckTuple(exit_type=ExitType.STOP_LOSS))
    assert len([order for order in live.orders() if order.leg == "A" and order.role == "x"]) == 20, "I6"
    live.gateway.faults.clear()
    live.bot.rpc._rpc._rpc_force_exit("1")
    live.loop()
    live.check_flat()
