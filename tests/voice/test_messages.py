"""What the operator reads: one message per pair event, with everything in it."""

from typing import Any

import pytest
from freqtrade.persistence import Trade
from harness import Rig
from sqlalchemy import event

from pairbot_ext.sim.venue.actions import ClosePosition
from pairbot_ext.voice.statistics import RunStatistics


def pair_messages(rig: Rig) -> list[str]:
    """Ours, without Freqtrade's."""
    return [text for text in rig.told if text.startswith("Pair ")]


def assert_complete(rig: Rig, text: str, state: str) -> None:
    """Pair, id, both legs with side, amounts and prices, state and what happens next."""
    trade = rig.pair_trades()[-1]
    for part in (
        "ADA-ALGO", trade.id, "leg A short ADA/USDT:USDT", "leg B long ALGO/USDT:USDT", "planned 248",
        "planned 1031.8", f"state {state}. ",
    ):  # fmt: skip
        assert part in text, f"{part!r} is not in {text!r}"
    assert text.split(f"state {state}. ")[1], "what happens next"


def test_one_message_when_opened_and_one_when_closed(live: Rig) -> None:
    live.open()
    live.loop(3)
    live.close()
    live.script.exits.clear()
    live.loop(3)
    opened, closed = pair_messages(live)
    assert_complete(live, opened, "HEDGED")
    assert "hedge error" in opened
    assert_complete(live, closed, "CLOSED")
    assert "profit" in closed
    assert "out 248 at 0.7321" in closed


def test_one_message_when_not_opened(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    live.open()
    live.loop(3)
    (text,) = pair_messages(live)
    assert_complete(live, text, "ABORTED")
    assert "-2019" in text


def test_two_events_when_a_leg_is_closed_by_hand(live: Rig) -> None:
    live.open()
    live.act(ClosePosition(symbol="ADAUSDT"))
    live.loop(1, pause_secs=31)
    _, gone, closed = pair_messages(live)
    assert "leg A was closed, its mate follows" in gone
    assert_complete(live, closed, "CLOSED")


def test_one_message_when_trimmed(live: Rig) -> None:
    live.open()
    live.bot.rpc._rpc._rpc_force_exit("1", amount=100.0)
    live.loop()
    _, trimmed = pair_messages(live)
    assert "it is trimmed" in trimmed


def test_one_message_while_an_order_is_unknown(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="reset")
    live.fault(when={"call": "GET /fapi/v1/order", "times": 120}, answer="html_502")
    live.open()
    live.loop(2)
    unknown = [text for text in pair_messages(live) if "fate is unknown" in text]
    assert len(unknown) == 1
    live.loop(8)
    assert live.states() == ["HEDGED"]


def test_a_failing_channel_stops_nothing(live: Rig) -> None:
    live.bot.rpc.send_msg = lambda _message: (_ for _ in ()).throw(RuntimeError("no network"))
    with pytest.raises(RuntimeError):
        # Freqtrade's own notification of leg A raises; both legs are out by then or none is.
        live.open()
    live.script.wishes.clear()
    del live.bot.rpc.send_msg
    live.loop(2)
    live.check_rest()


def test_ctrl_c_in_a_statement_after_the_exits_hides_no_profit(live: Rig) -> None:
    """The interrupt leaves Freqtrade's session unusable; the close is told and counted all the same."""
    live.open()
    engine = Trade.session.get_bind()
    wallets: Any = live.bot.wallets
    update = wallets._update_live

    def interrupted(*_: Any) -> bool:
        raise KeyboardInterrupt

    def update_live() -> None:
        update()
        if not live.positions():
            event.listen(engine, "do_execute", interrupted)
            Trade.get_open_trades()

    wallets._update_live = update_live
    try:
        with pytest.raises(KeyboardInterrupt):
            live.close()
    finally:
        event.remove(engine, "do_execute", interrupted)
        del wallets._update_live
    live.stop()
    run = live.desk.watch.statistics
    closed = [text for text in pair_messages(live) if "closed (pair_reverted)" in text]
    assert len(closed) == 1
    assert run.closed == 1
    assert f"profit {run.pnl:.4f} USDT" in closed[0]
    assert run.pnl < 0  # fees and two spreads, the prices have not moved


def test_final_statistics() -> None:
    run = RunStatistics(started_ms=0)
    assert any("no pair was accepted" in line for line in run.lines(3_600_000, "USDT"))
    run.received, run.accepted, run.hedged, run.closed, run.aborted = 10, 4, 3, 2, 1
    run.refused.update({"depth": 4, "slots": 2})
    run.naked_secs += [0.1, 0.3, 0.2]
    text = "\n".join(run.lines(7_200_000, "USDT"))
    for part in (
        "uptime 2.00 h", "signals received 10, accepted 4, refused 6 (depth 4, slots 2)", "75.0%",
        "median 0.200 s, longest 0.300 s", "hedged 3, closed 2, aborted 1",
    ):  # fmt: skip
        assert part in text
