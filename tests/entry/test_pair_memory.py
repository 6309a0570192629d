"""I13, I17: what the end of a pair trade means for the next one, in the bot, however it ended."""

from __future__ import annotations

import pytest
from harness import Rig

from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.sim.venue.actions import ClosePosition, Liquidate

NOT_BY_THE_MODEL = {ExitReason.UNWOUND, ExitReason.TRIMMED}
LASTING = [-4400, -4411, -2027, -4087, -4088, -4141, -4140]


def try_again(rig: Rig) -> None:
    """The same signal on the next candle; the spread has not been back inside exit_z."""
    rig.script.exits.clear()
    rig.script.still_out.add("ADA-ALGO")
    rig.next_candle()
    rig.open()


@pytest.mark.parametrize("reason", sorted(set(ExitReason) - NOT_BY_THE_MODEL))
def test_only_a_spread_that_came_back_leaves_its_pair_ready(shared: Rig, reason: str) -> None:
    """I13: a list of the few ways out that do not disarm, not of those that do."""
    before = len(shared.pair_trades())
    shared.open()
    shared.close(reason=reason)
    try_again(shared)
    expected = 2 if reason == ExitReason.REVERTED else 1
    assert len(shared.pair_trades()) - before == expected
    shared.script.still_out.clear()
    shared.close()
    shared.script.exits.clear()
    shared.next_candle()
    shared.loop(2)


@pytest.mark.parametrize(
    "hand", [Liquidate(symbol="ADAUSDT"), Liquidate(symbol="ALGOUSDT"), ClosePosition(symbol="ADAUSDT")]
)
def test_what_others_did_to_a_leg_disarms(live: Rig, hand: object) -> None:
    """I13: a liquidation is the worst moment to do the same again."""
    live.open()
    live.act(hand)
    live.loop(2, pause_secs=31)
    live.check_flat()
    try_again(live)
    assert len(live.pair_trades()) == 1
    live.restart()
    try_again(live)
    assert len(live.pair_trades()) == 1, "nor after a restart"
    live.script.still_out.clear()
    live.next_candle()
    live.open()
    assert live.states()[-1] == "HEDGED"


def test_an_unwound_pair_waits_too(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    live.open()
    assert live.states() == ["ABORTED"]
    try_again(live)
    assert live.states() == ["ABORTED"]


def test_a_leg_a_that_never_filled_costs_a_candle_only(live: Rig) -> None:
    live.fault(when={"leg": "A", "role": "e"}, answer="reject", code=-2019)
    live.open()
    try_again(live)
    assert live.states() == ["ABORTED", "HEDGED"]


@pytest.mark.parametrize("leg", ["A", "B"])
@pytest.mark.parametrize("code", LASTING)
def test_a_refusal_that_will_not_go_away_bars_the_pair_at_once(live: Rig, code: int, leg: str) -> None:
    """I17: told once, with what would lift it; no second round of fees."""
    live.fault(when={"leg": leg, "role": "e", "times": None}, answer="reject", code=code)
    for _ in range(4):
        live.open()
        live.next_candle()
    assert len(live.pair_trades()) == 1
    told = [text for text in live.told if "is not entered again" in text]
    assert len(told) == 1
    assert str(code) in told[0]
    assert "/pair_unlock ADA-ALGO" in told[0]
    live.restart()
    live.gateway.faults.clear()
    live.open()
    assert len(live.pair_trades()) == 1, "a restart lifts nothing"
    assert "ADA-ALGO" in live.desk.risk.locked_pairs()
    live.desk.risk.unlock_pair("ADA-ALGO", "a person")
    live.next_candle()
    live.open()
    assert live.states()[-1] == "HEDGED"


def test_an_unlisted_refusal_bars_after_three_in_a_row(live: Rig) -> None:
    """I17"""
    live.fault(when={"leg": "B", "role": "e", "times": None}, answer="reject", code=-4999)
    for _ in range(6):
        live.open()
        live.next_candle()
    assert live.states() == ["ABORTED"] * 3
    assert len([text for text in live.told if "is not entered again" in text]) == 1


def test_two_refusals_with_an_opening_between_bar_nothing(live: Rig) -> None:
    for faulty in (True, True, False, True, True):
        if faulty:
            live.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
        live.open()
        if not faulty:
            live.close()
            live.script.exits.clear()
        live.next_candle()
    assert live.states() == ["ABORTED", "ABORTED", "CLOSED", "ABORTED", "ABORTED"]
    assert not live.desk.risk.locked_pairs()


@pytest.mark.parametrize("reason", ["pair_stop", "leg A filled 4.9% of its plan (0.014 of 0.285)", "by me"])
def test_freqtrade_s_exit_reasons_are_a_short_list_of_codes(live: Rig, reason: str) -> None:
    """Numbers go into the journal and the message."""
    from freqtrade.persistence import Trade

    live.open()
    live.close(reason=reason)
    said = {trade.exit_reason for trade in Trade.get_trades([])}
    assert said == {reason if reason == "pair_stop" else "pair_mate_gone"}
    assert live.pair_trades()[0].reason == reason
