"""What a person does by Freqtrade's commands or on the exchange, in every situation of a pair (I2, I5, I9).

Each ends whole, closed or explained within one pass after the venue can be read again. The commands are those
of Freqtrade's RPC class, which Telegram, the API server and FreqUI call.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from freqtrade.enums import SignalDirection, State
from freqtrade.exceptions import FreqtradeException
from freqtrade.persistence import Trade
from freqtrade.rpc import RPCException
from harness import Rig
from verdict import executed_entries

from pairbot_ext.orders.dryport import DryFault, DryFaultKind
from pairbot_ext.sim.venue.actions import ClosePosition, OpenPosition, RestingOrder
from pairbot_ext.sim.venue.orders import Side

LEG_A, LEG_B = "ADA/USDT:USDT", "ALGO/USDT:USDT"
Act = Callable[[Rig], Any]


def trade_id(symbol: str) -> int:
    """Freqtrade's number of the open trade on a symbol; one that does not exist where there is none."""
    trade = Trade.get_trades([Trade.is_open.is_(True), Trade.pair == symbol]).first()
    return trade.id if trade else 4_242


def rpc(name: str, *args: Any, **kwargs: Any) -> Act:
    """One of Freqtrade's commands; callables among the arguments are asked when it is given."""

    def act(rig: Rig) -> None:
        given = [each() if callable(each) else each for each in args]
        getattr(rig.bot.rpc._rpc, f"_rpc_{name}")(*given, **kwargs)

    return act


def forced_exit(symbol: str, amount: float | None = None) -> Act:
    """/forceexit ID, or the API's with an amount."""
    return rpc("force_exit", lambda: str(trade_id(symbol)), amount=amount)


def forced_entry(symbol: str, side: SignalDirection) -> Act:
    """/forcelong, /forceshort."""
    return rpc("force_entry", symbol, None, order_side=side)


def hand(action: Any) -> Act:
    """At the exchange's website."""
    return lambda rig: rig.act(action)


@dataclass(frozen=True)
class Deed:
    """One thing a person may do.

    :param ends: where a whole pair stands afterwards, one pass later.
    :param foreign: what stays on the account that is not ours.
    """

    act: Act
    ends: str
    foreign: dict[str, Decimal] = field(default_factory=dict)


COMMANDS = {
    "forceexit_A": Deed(forced_exit(LEG_A), "CLOSED"),
    "forceexit_B": Deed(forced_exit(LEG_B), "CLOSED"),
    "forceexit_all": Deed(rpc("force_exit", "all"), "CLOSED"),
    "forceexit_A_as_limit": Deed(
        rpc("force_exit", lambda: str(trade_id(LEG_A)), ordertype="limit"), "CLOSED"
    ),
    "forceexit_A_100": Deed(forced_exit(LEG_A, 100.0), "HEDGED"),
    "forceexit_B_400": Deed(forced_exit(LEG_B, 400.0), "HEDGED"),
    "forceexit_A_a_step": Deed(forced_exit(LEG_A, 1.0), "HEDGED"),
    "forceexit_A_all_but_a_step": Deed(forced_exit(LEG_A, 247.0), "HEDGED"),
    "forcelong_A": Deed(forced_entry(LEG_A, SignalDirection.LONG), "HEDGED"),
    "forceshort_A": Deed(forced_entry(LEG_A, SignalDirection.SHORT), "HEDGED"),
    "forcelong_B": Deed(forced_entry(LEG_B, SignalDirection.LONG), "HEDGED"),
    "delete_A": Deed(rpc("delete", lambda: trade_id(LEG_A)), "HEDGED"),
    "delete_B": Deed(rpc("delete", lambda: trade_id(LEG_B)), "HEDGED"),
    "cancel_open_order": Deed(rpc("cancel_open_order", lambda: trade_id(LEG_A)), "HEDGED"),
    "reload_trade": Deed(rpc("reload_trade_from_exchange", lambda: trade_id(LEG_A)), "HEDGED"),
    "blacklist_A": Deed(rpc("blacklist", [LEG_A]), "HEDGED"),
    "stopentry": Deed(rpc("pause"), "HEDGED"),
}
HANDS = {
    "hand_closes_A": Deed(hand(ClosePosition(symbol="ADAUSDT")), "CLOSED"),
    "hand_closes_B": Deed(hand(ClosePosition(symbol="ALGOUSDT")), "CLOSED"),
    "hand_halves_A": Deed(hand(ClosePosition(symbol="ADAUSDT", fraction="0.5")), "HEDGED"),
    "hand_halves_B": Deed(hand(ClosePosition(symbol="ALGOUSDT", fraction="0.5")), "HEDGED"),
    "hand_adds_to_A": Deed(
        hand(OpenPosition(symbol="ADAUSDT", side=Side.SELL, amount=100)), "HEDGED", {"ADAUSDT": Decimal(-100)}
    ),
    "hand_turns_A": Deed(
        hand(OpenPosition(symbol="ADAUSDT", side=Side.BUY, amount=400)), "CLOSED", {"ADAUSDT": Decimal(152)}
    ),
    "hand_rests_an_order": Deed(
        hand(RestingOrder(symbol="ALGOUSDT", side=Side.BUY, amount=500, price="0.2000")), "HEDGED"
    ),
}
DEEDS = COMMANDS | HANDS
DURING_EXIT = (
    "forceexit_A", "forceexit_B", "forceexit_all", "delete_B", "reload_trade", "hand_closes_B",
    "hand_adds_to_A", "hand_rests_an_order",
)  # fmt: skip
LIVE = [("live", name) for name in DEEDS]
DRY = [("dry", name) for name in COMMANDS]


def do(rig: Rig, deed: Deed) -> None:
    """Freqtrade may refuse a command; that is an answer too."""
    with suppress(RPCException, FreqtradeException):
        deed.act(rig)


def judge(rig: Rig, deed: Deed) -> None:
    """Whole, closed or explained; then everything of ours can still be closed."""
    rig.check_rest(foreign=deed.foreign)
    for symbol, amount in deed.foreign.items():
        assert any(str(abs(amount)) in text for text in rig.told), (
            f"the operator is told of {amount} {symbol}"
        )
    if rig.states()[-1] == "HEDGED":
        rig.close()
        rig.script.exits.clear()
    rig.check_rest(foreign=deed.foreign)
    assert not rig.trades()
    assert executed_entries(rig).get("A-e", 0) <= 1
    assert executed_entries(rig).get("B-e", 0) <= 1
    rig.bot.state = State.RUNNING
    rig.bot.pairlists.blacklist.clear()


@pytest.mark.parametrize(
    ("shared_mode", "name"), LIVE + DRY, ids=lambda value: value, indirect=["shared_mode"]
)
def test_done_to_a_whole_pair(shared_mode: Rig, name: str) -> None:
    """I2, I9: one pass later the pair is where the deed says."""
    rig, deed = shared_mode, DEEDS[name]
    rig.open()
    do(rig, deed)
    rig.loop(1, pause_secs=31)
    assert rig.states()[-1] == deed.ends
    judge(rig, deed)


def lose_leg_b(rig: Rig, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    """Leg B's next order of this role is executed, its answer is lost and it cannot be asked for."""
    if rig.dry_run:

        def unreachable(_order: object) -> Any:
            raise ccxt.NetworkError("rehearsed")

        rig.dry_fault("B", role, DryFault(DryFaultKind.LOST_AFTER))
        monkeypatch.setattr(rig.desk.port, "query", unreachable)
    else:
        rig.fault(when={"leg": "B", "role": role}, answer="read_timeout", execute=True)
        rig.fault(when={"call": "GET /fapi/v1/order", "times": None}, answer="html_502")


@pytest.mark.parametrize(
    ("shared_mode", "name"),
    LIVE + [case for case in DRY if "forceexit" in case[1] or "delete" in case[1]],
    ids=lambda value: value, indirect=["shared_mode"],
)  # fmt: skip
def test_done_while_leg_b_s_entry_is_unknown(
    shared_mode: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """I3, I5: leg B was executed, but nobody knows yet; what the person wants is done when it is known."""
    rig, deed = shared_mode, DEEDS[name]
    lose_leg_b(rig, monkeypatch, "e")
    rig.open()
    assert rig.states()[-1] == "UNKNOWN"
    do(rig, deed)
    rig.work()
    rig.gateway.faults.clear()
    monkeypatch.undo()
    # One pass learns what became of leg B, the next one sees what the person has done meanwhile.
    rig.loop(1, pause_secs=31)
    rig.loop(1)
    judge(rig, deed)


@pytest.mark.parametrize(
    ("shared_mode", "name"),
    [
        *(("live", name) for name in DURING_EXIT),
        *(("dry", name) for name in ("forceexit_B", "forceexit_all", "delete_B")),
    ],
    ids=lambda value: value, indirect=["shared_mode"],
)  # fmt: skip
def test_done_while_leg_b_s_exit_is_unknown(
    shared_mode: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """I5, I8: the person is impatient with an exit whose answer is lost; nothing is turned."""
    rig, deed = shared_mode, DEEDS[name]
    rig.open()
    lose_leg_b(rig, monkeypatch, "x")
    rig.close()
    rig.script.exits.clear()
    do(rig, deed)
    rig.work()
    rig.gateway.faults.clear()
    monkeypatch.undo()
    rig.loop(2, pause_secs=31)
    assert rig.states()[-1] == "CLOSED"
    judge(rig, deed)


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not_executed"])
@pytest.mark.parametrize("lost", ["A", "B"])
@pytest.mark.parametrize("name", ["forceexit_A", "forceexit_A_100", "forceexit_all"])
def test_an_unclear_answer_during_a_forced_exit(shared: Rig, name: str, lost: str, executed: bool) -> None:
    """I3, I5, I8: the answer of either leg's exit or trim is lost, and with it Freqtrade's own command."""
    deed = DEEDS[name]
    shared.open()
    for role in ("x", "r"):
        shared.fault(when={"leg": lost, "role": role}, answer="unknown_503_msg", execute=executed)
    do(shared, deed)
    shared.gateway.faults.clear()
    shared.loop(1, pause_secs=31)
    # A forced exit or trim of leg A that never reached the venue was not done: the pair may stay as it was.
    assert shared.states()[-1] in ({deed.ends} if executed or lost == "B" else {deed.ends, "HEDGED"})
    judge(shared, deed)
