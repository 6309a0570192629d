"""Every way a leg can be touched by a person: the pair ends whole, closed or explained within one pass."""

from contextlib import suppress

import pytest
from freqtrade.exceptions import FreqtradeException
from freqtrade.persistence import Trade
from freqtrade.rpc import RPCException
from harness import PRICES, Rig

from pairbot_ext.orders.dryport import DryFault, DryFaultKind
from pairbot_ext.sim.venue.actions import ClosePosition, Liquidate, OpenPosition, RestingOrder
from pairbot_ext.sim.venue.orders import Side

THREE = ("ADA-ALGO", "XRP-DOGE", "LINK-AVAX")


@pytest.mark.parametrize("dry_run", [False, True])
def test_forceexit_all_closes_three_pairs(make_rig, dry_run: bool) -> None:
    rig = make_rig(dry_run=dry_run, symbols=tuple(PRICES))
    rig.open(*THREE)
    assert rig.states() == ["HEDGED"] * 3
    rig.bot.rpc._rpc._rpc_force_exit("all")
    rig.check_flat()


@pytest.mark.parametrize("lost", ["A", "B"])
@pytest.mark.parametrize("dry_run", [False, True], ids=["live", "dry"])
def test_forceexit_all_with_an_answer_lost_in_the_middle(make_rig, dry_run: bool, lost: str) -> None:
    """I5: the second pair's exit is answered unclearly; all three go all the same."""
    rig = make_rig(dry_run=dry_run, symbols=tuple(PRICES))
    rig.open(*THREE)
    if dry_run:
        rig.dry_fault(lost, "x", DryFault(DryFaultKind.LOST_AFTER))
    else:
        rig.fault(when={"leg": lost, "role": "x", "nth": 2}, answer="unknown_503_msg", execute=True)
    with suppress(RPCException, FreqtradeException):
        rig.bot.rpc._rpc._rpc_force_exit("all")
    rig.loop(1, pause_secs=31)
    assert rig.states() == ["CLOSED"] * 3
    rig.check_flat()


@pytest.mark.parametrize("closed", ["XRPUSDT", "DOGEUSDT"])
def test_forceexit_all_with_a_leg_closed_by_hand_and_a_pair_half_open(make_rig, closed: str) -> None:
    """I5, I9: one pair is whole, one lost a leg a moment ago, one waits for the answer of its leg B."""
    rig = make_rig(symbols=tuple(PRICES))
    rig.open(*THREE[:2])
    rig.fault(when={"leg": "B", "role": "e"}, answer="read_timeout")
    rig.fault(when={"call": "GET /fapi/v1/order", "times": None}, answer="html_502")
    rig.open(THREE[2])
    assert rig.states() == ["HEDGED", "HEDGED", "UNKNOWN"]
    rig.act(ClosePosition(symbol=closed))
    with suppress(RPCException, FreqtradeException):
        rig.bot.rpc._rpc._rpc_force_exit("all")
    rig.gateway.faults.clear()
    rig.loop(2, pause_secs=31)
    rig.check_flat()


@pytest.mark.parametrize("dry_run", [False, True])
def test_partial_forceexit_trims_the_mate(make_rig, dry_run: bool) -> None:
    rig = make_rig(dry_run=dry_run)
    rig.open()
    rig.bot.rpc._rpc._rpc_force_exit("1", amount=100.0)
    rig.check_rest()
    assert rig.states() == ["HEDGED"]
    assert rig.trades()["ADAUSDT"] == -148.0
    rig.close()
    rig.check_flat()


@pytest.mark.parametrize("symbol", ["XRP/USDT:USDT", "ADA/USDT:USDT", "ALGO/USDT:USDT"])
def test_forcelong_of_a_leg_is_refused(live: Rig, symbol: str) -> None:
    live.open()
    before = len(live.posts())
    with pytest.raises((RPCException, FreqtradeException)):
        live.bot.rpc._rpc._rpc_force_entry(symbol, None)
    assert len(live.posts()) == before
    live.check_rest()


def test_reload_trade_changes_nothing(live: Rig) -> None:
    live.open()
    before = len(live.posts())
    for trade_id in (1, 2):
        live.bot.rpc._rpc._rpc_reload_trade_from_exchange(trade_id)
    live.loop()
    assert len(live.posts()) == before
    live.check_rest()


def test_a_pair_with_a_blacklisted_leg_b_is_not_entered(live: Rig) -> None:
    live.bot.rpc._rpc._rpc_blacklist(["ALGO/USDT:USDT"])
    live.loop()
    live.open()
    assert not live.posts()
    assert live.desk.watch.statistics.refused == {"not_whitelisted": 1}


@pytest.mark.parametrize("symbol", ["ADAUSDT", "ALGOUSDT"])
@pytest.mark.parametrize("how", [ClosePosition, Liquidate])
def test_a_leg_closed_on_the_venue_takes_its_mate_along(live: Rig, symbol: str, how: type) -> None:
    live.open()
    live.act(how(symbol=symbol))
    live.loop(1, pause_secs=31)
    live.check_flat()


def test_a_leg_closed_by_hand_just_before_the_exit(live: Rig) -> None:
    live.open()
    live.act(ClosePosition(symbol="ALGOUSDT"))
    live.close()
    live.script.exits.clear()
    live.loop()
    live.check_flat()


def test_a_foreign_position_blocks_the_pair_and_is_not_touched(live: Rig) -> None:
    live.act(OpenPosition(symbol="ALGOUSDT", side=Side.BUY, amount=500))
    live.loop(1, pause_secs=31)
    assert any("500" in text and "no pair trade explains" in text for text in live.told)
    live.open()
    assert live.states() == []
    assert live.held("ALGOUSDT") == 500
    assert live.desk.watch.statistics.refused == {"foreign_position": 1}


def test_a_foreign_order_blocks_the_pair(live: Rig) -> None:
    live.act(RestingOrder(symbol="ALGOUSDT", side=Side.BUY, amount=500, price="0.2000"))
    live.open()
    assert live.states() == []
    assert live.desk.watch.statistics.refused == {"foreign_order": 1}


def test_two_signals_in_one_loop(live: Rig) -> None:
    live.open("ADA-ALGO", "XRP-DOGE")
    assert live.states() == ["HEDGED", "HEDGED"]
    live.check_rest()


def test_a_coin_wanted_by_two_pairs_goes_to_one(live: Rig) -> None:
    # ADA-XRP has XRP as leg B, XRP-DOGE as leg A.
    live.open("ADA-XRP", "XRP-DOGE")
    assert live.states() == ["HEDGED"]
    assert live.desk.watch.statistics.refused == {"symbol_taken": 1}, "refused before the venue is asked"
    live.check_rest()


def test_too_few_slots(make_rig) -> None:
    rig = make_rig(max_open_trades=3)
    rig.open("ADA-ALGO", "XRP-DOGE")
    assert rig.states() == ["HEDGED"]
    assert rig.desk.watch.statistics.refused == {"slots": 1}
    assert len(Trade.get_open_trades()) == 2


def test_the_mate_of_a_leg_closed_by_hand_is_no_foreign_position(live: Rig) -> None:
    live.open()
    live.act(ClosePosition(symbol="ADAUSDT"))
    # The positions were read before the mate was closed in the same pass.
    live.loop(2, pause_secs=31)
    live.check_flat()
    assert not [text for text in live.told if "no pair trade explains" in text]
    assert not [event for event in live.events() if event.kind == "foreign"]
