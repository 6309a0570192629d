"""Every way a leg can end, on the real bot: both legs are flat, the reason is kept, it is told once, and what
is told and booked is what the venue's wallet has gained or lost. docs/execution.md names these cases.

The yardstick is the venue's own account, not what the engine believes (I9).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from freqtrade.persistence import Trade
from harness import Rig

from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.sim.venue.actions import ClosePosition, Liquidate

Act = Callable[[Rig], object]


@dataclass(frozen=True)
class Way:
    """One way out of an open pair trade.

    :param act: what happens to the hedged pair (or, where `is_open` is False, instead of its opening).
    :param reason: what the journal keeps, a pattern.
    :param says: what the message has, a pattern.
    :param state: where the pair trade ends.
    """

    act: Act
    reason: str
    says: str = r"closed \("
    state: str = "CLOSED"
    is_open: bool = True


def by_model(reason: str) -> Act:
    """The model says so."""
    return lambda rig: rig.close(reason=reason)


def by_hand(action: object, loops: int = 3) -> Act:
    """Somebody does it on the venue; the bot finds it."""

    def act(rig: Rig) -> None:
        rig.act(action)
        rig.loop(loops, pause_secs=31)

    return act


def half_by_hand_then_exit(rig: Rig) -> None:
    """A leg is halved between the decision and the exit."""
    rig.act(ClosePosition(symbol="ADAUSDT", fraction=Decimal("0.5")))
    rig.close()
    rig.script.exits.clear()
    rig.loop(3, pause_secs=31)


def trimmed_then_exit(rig: Rig) -> None:
    """A leg is halved, its mate trimmed, and later the model closes what is left."""
    rig.act(ClosePosition(symbol="ALGOUSDT", fraction=Decimal("0.5")))
    rig.loop(2, pause_secs=31)
    assert rig.states() == ["HEDGED"]
    rig.close()


def reloaded_then_exit(rig: Rig) -> None:
    """/reload_trade while the pair is open."""
    rig.bot.rpc._rpc._rpc_reload_trade_from_exchange(rig.trade_ids()[0])
    rig.close()


def forced(what: str) -> Act:
    """/forceexit."""

    def act(rig: Rig) -> None:
        trade_id = {"A": "0", "B": "1"}.get(what)
        rig.bot.rpc._rpc._rpc_force_exit("all" if trade_id is None else str(rig.trade_ids()[int(trade_id)]))
        rig.loop(2)

    return act


def refused(leg: str, code: int) -> Act:
    """The venue takes an entry not."""

    def act(rig: Rig) -> None:
        rig.fault(when={"leg": leg, "role": "e", "times": None}, answer="reject", code=code)
        rig.open()
        rig.loop(2)

    return act


def lost(leg: str, role: str, *, executed: bool) -> Act:
    """An answer is lost and the question is answered later."""

    def act(rig: Rig) -> None:
        if role == "e":
            rig.fault(when={"leg": leg, "role": role}, answer="reset", execute=executed)
            rig.open()
            rig.loop(2)
            if rig.states()[-1] == "HEDGED":
                rig.close()
        else:
            rig.fault(when={"leg": leg, "role": role}, answer="reset", execute=executed)
            rig.close()
        rig.script.exits.clear()
        rig.loop(4)

    return act


def partly_filled(leg: str, share: str) -> Act:
    """The venue fills a part of an entry and lets the rest expire."""

    def act(rig: Rig) -> None:
        rig.fault(when={"leg": leg, "role": "e", "times": None}, fill={"fraction": share})
        rig.open()
        rig.loop(3)
        rig.gateway.faults.clear()
        if rig.states()[-1] == "HEDGED":
            rig.close()

    return act


def exits_refused_for_a_while(rig: Rig) -> None:
    """The venue is overloaded when the pair is to be closed."""
    rig.fault(when={"reduce_only": True, "times": 5}, answer="reject", code=-1008)
    rig.close()
    rig.script.exits.clear()
    rig.loop(4)


def killed_after_the_first_exit(rig: Rig) -> None:
    """kill -9 between the two exits' answers; the next process goes on."""
    rig.fault(when={"leg": "B", "role": "x", "times": 1}, answer="reset", execute=True)
    rig.close()
    rig.script.exits.clear()
    rig.restart()
    rig.loop(3)


def halted(rig: Rig) -> None:
    """/pairs_halt, or a rule that halts."""
    rig.desk.risk.halt("a person")
    rig.loop(2)


def asked_by_id(rig: Rig) -> None:
    """/pair_close."""
    with rig.bot._exit_lock:
        rig.desk.close(rig.desk.journal.open_pair_trades()[0], "pair_operator")
    rig.loop(2)


WAYS: dict[str, Way] = {
    **{
        str(reason): Way(by_model(reason), re.escape(reason))
        for reason in (ExitReason.REVERTED, ExitReason.STOP, ExitReason.TIME, ExitReason.BREAK)
    },
    "force_exit_A": Way(forced("A"), "leg A was closed|force_exit", r"its mate follows|closed \("),
    "force_exit_B": Way(forced("B"), "leg B was closed|force_exit", r"its mate follows|closed \("),
    "force_exit_all": Way(forced("all"), "force_exit|was closed"),
    "pair_close": Way(asked_by_id, "pair_operator"),
    "halt": Way(halted, "pair_halted"),
    "closed_by_hand_A": Way(by_hand(ClosePosition(symbol="ADAUSDT")), "leg A was closed", "its mate follows"),
    "closed_by_hand_B": Way(
        by_hand(ClosePosition(symbol="ALGOUSDT")), "leg B was closed", "its mate follows"
    ),
    "liquidated_A": Way(by_hand(Liquidate(symbol="ADAUSDT")), "leg A was closed", "its mate follows"),
    "liquidated_B": Way(by_hand(Liquidate(symbol="ALGOUSDT")), "leg B was closed", "its mate follows"),
    "halved_before_exit": Way(half_by_hand_then_exit, "pair_reverted"),
    "trimmed_then_exit": Way(trimmed_then_exit, "pair_reverted"),
    "reloaded_then_exit": Way(reloaded_then_exit, "pair_reverted"),
    "B_refused": Way(refused("B", -2019), "leg B: refused", "not opened", "ABORTED", is_open=False),
    "A_refused": Way(refused("A", -2019), "leg A was refused", "not opened", "ABORTED", is_open=False),
    "A_filled_5_percent": Way(
        partly_filled("A", "0.05"), "leg A filled .* of its plan", "not opened", "ABORTED", is_open=False
    ),
    "B_filled_half": Way(
        partly_filled("B", "0.5"), "pair_reverted|leg B", "closed|not opened", "", is_open=False
    ),
    "answer_of_A_lost_executed": Way(lost("A", "e", executed=True), "pair_reverted", is_open=False),
    "answer_of_B_lost_executed": Way(lost("B", "e", executed=True), "pair_reverted", is_open=False),
    "answer_of_A_lost_not_executed": Way(
        lost("A", "e", executed=False), "leg A never reached", "not opened", "ABORTED", is_open=False
    ),
    "answer_of_B_lost_not_executed": Way(lost("B", "e", executed=False), "", "", "", is_open=False),
    "answer_of_exit_A_lost_executed": Way(lost("A", "x", executed=True), "pair_reverted"),
    "answer_of_exit_B_lost_not_executed": Way(lost("B", "x", executed=False), "pair_reverted"),
    "exits_refused_for_a_while": Way(exits_refused_for_a_while, "pair_reverted"),
    "killed_between_the_exits": Way(killed_after_the_first_exit, "pair_reverted"),
}


def told_profit(rig: Rig) -> float:
    """The sum of what the messages of ended pair trades say."""
    found = [re.search(r"profit (-?[0-9.]+) USDT", text) for text in rig.told]
    return sum(float(match[1]) for match in found if match)


@pytest.mark.parametrize("name", WAYS)
def test_a_way_out(live: Rig, name: str) -> None:
    way = WAYS[name]
    before = live.venue.account.wallet
    if way.is_open:
        live.open()
        assert live.states() == ["HEDGED"]
    way.act(live)
    live.loop(2)
    live.check_flat()
    (row,) = live.pair_trades()
    assert row.state == way.state or not way.state
    assert re.search(way.reason, row.reason), row.reason
    ends = [text for text in live.told if re.search(r"closed \(|not opened", text)]
    assert len(ends) == 1, live.told
    assert [text for text in live.told if re.search(way.says, text)], live.told
    gained = float(live.venue.account.wallet - before)
    booked = sum(trade.close_profit_abs or 0.0 for trade in Trade.get_trades([]))
    assert booked == pytest.approx(gained, abs=5e-6), f"Freqtrade books {booked}, the wallet has {gained}"
    if row.state == "CLOSED":
        assert told_profit(live) == pytest.approx(gained, abs=1e-4), f"{live.told} for {gained}"
