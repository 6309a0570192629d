"""Every request besides the orders, failing in every way, between and around the two legs (I2, I3, I5, I9).

From the first order of a pair on the request fails for good: both orders must be out by then without anything
asked between them, and nothing may be concluded from what could not be read.
"""

from typing import Any

import pytest
from harness import Rig
from verdict import executed_entries

from pairbot_ext.sim.venue.actions import ClosePosition

CALLS = {
    "account": "GET /fapi/v3/account",
    "positionRisk": "GET /fapi/v3/positionRisk",
    "userTrades": "GET /fapi/v1/userTrades",
    "income": "GET /fapi/v1/income",
    "depth": "GET /fapi/v1/depth",
    "time": "GET /fapi/v1/time",
    "exchangeInfo": "GET /fapi/v1/exchangeInfo",
    "order": "GET /fapi/v1/order",
    "allOrders": "GET /fapi/v1/allOrders",
}
KINDS: dict[str, dict[str, Any]] = {
    "html_503": {"answer": "html_503"},
    "json_503": {"answer": "unknown_503_msg"},
    "timeout": {"answer": "read_timeout"},
    "reset": {"answer": "reset"},
    "truncated_200": {"answer": "truncated_200"},
    "empty_200": {"answer": "empty_200"},
    "1003_429": {"answer": "reject", "code": -1003, "status": 429},
    "1003_418": {"answer": "reject", "code": -1003, "status": 418},
    "1021": {"answer": "reject", "code": -1021},
}
ALWAYS_ASKED = ("account", "positionRisk", "userTrades", "income")
"""By Freqtrade, after the orders of a pair that goes well."""


def fail_from_the_first_order_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, call: str, kind: dict[str, Any]
) -> None:
    """The request works until the next order has been answered."""
    send = rig.desk.port.send

    def arm(order: object, *client: object) -> object:
        answer = send(order, *client)
        rig.fault(when={"call": call, "times": None}, **kind)
        return answer

    monkeypatch.setattr(rig.desk.port, "send", arm)


def nothing_between(rig: Rig, first: int) -> None:
    """The orders numbered `first` and `first + 1` follow each other on the venue."""
    posts = [record for record in rig.posts() if record.number > rig.mark.request]
    one, two = posts[first], posts[first + 1]
    between = [r.call for r in rig.gateway.log.requests if one.number < r.number < two.number]
    assert not between, between
    assert one.params["symbol"] != two.params["symbol"]


def hits(rig: Rig) -> int:
    """Requests of this case that a fault has bent."""
    return sum(bool(r.fault) for r in rig.gateway.log.requests if r.number > rig.mark.request)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ALWAYS_ASKED)
def test_fails_around_entry_and_exit(
    shared: Rig, monkeypatch: pytest.MonkeyPatch, call: str, kind: str
) -> None:
    """I2, I5, I9."""
    fail_from_the_first_order_on(shared, monkeypatch, CALLS[call], KINDS[kind])
    shared.want()
    shared.work()
    shared.script.wishes.clear()
    assert shared.states()[-1] == "HEDGED", "both legs are out although it fails"
    nothing_between(shared, 0)
    shared.check_rest()
    shared.gateway.faults.clear()
    shared.script.exits["ADA-ALGO"] = "pair_reverted"
    shared.work()
    nothing_between(shared, 2)
    shared.script.exits.clear()
    shared.work()
    assert executed_entries(shared) == {"A-e": 1, "B-e": 1}
    shared.gateway.faults.clear()
    monkeypatch.undo()
    assert hits(shared), "it was asked for, and it failed"
    shared.loop()
    shared.check_flat()


@pytest.mark.parametrize("kind", KINDS)
def test_the_book_fails_when_leg_b_has_to_be_repriced(
    shared: Rig, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """I2: leg B finds nothing at first; its next attempt is priced without a fresh book."""
    fail_from_the_first_order_on(shared, monkeypatch, CALLS["depth"], KINDS[kind])
    shared.fault(when={"leg": "B", "role": "e"}, fill={"fraction": "0"})
    shared.want()
    shared.work()
    shared.script.wishes.clear()
    assert hits(shared) > 1, "it was asked for, and it failed"
    assert shared.states()[-1] == "HEDGED"
    shared.check_rest()
    assert executed_entries(shared) == {"A-e": 1, "B-e": 2}
    shared.gateway.faults.clear()
    monkeypatch.undo()
    shared.close()
    shared.check_flat()


def test_nothing_else_is_asked_for(shared: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """I5: clock, symbols and order history are no part of a pair that goes well: they may fail unnoticed."""
    for call in ("time", "exchangeInfo", "allOrders", "order"):
        fail_from_the_first_order_on(shared, monkeypatch, CALLS[call], KINDS["reset"])
    shared.open()
    shared.check_rest()
    shared.close()
    assert not hits(shared)
    shared.check_flat()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["order", "time"])
@pytest.mark.parametrize("role", ["e", "x"])
def test_questions_after_a_lost_answer_fail(shared: Rig, call: str, kind: str, role: str) -> None:
    """I3: the answer of leg B is lost, and what would tell its fate fails for a while."""
    if role == "x":
        shared.open()
    # The venue's clock is asked only where the order is not found.
    shared.fault(when={"leg": "B", "role": role}, answer="read_timeout", execute=call == "order")
    shared.fault(when={"call": CALLS[call], "times": None}, **KINDS[kind])
    if role == "e":
        shared.want()
    else:
        shared.script.exits["ADA-ALGO"] = "pair_reverted"
    shared.work()
    shared.script.wishes.clear()
    shared.script.exits.clear()
    if role == "e":
        assert shared.states()[-1] == "UNKNOWN", "nothing is concluded"
        assert len([o for o in shared.orders() if o.leg == "B" and o.settled_ms is None]) == 1
    assert hits(shared) > 1
    assert executed_entries(shared).get("B-e", 0) <= 1
    shared.gateway.faults.clear()
    shared.loop(2)
    shared.check_rest()
    assert executed_entries(shared) == {"A-e": 1, "B-e": 1}
    if role == "e":
        assert shared.states()[-1] == "HEDGED"
        shared.close()
        shared.script.exits.clear()
    shared.check_flat()


@pytest.mark.parametrize("kind", KINDS)
def test_a_leg_is_gone_and_it_cannot_be_read_why(shared: Rig, kind: str) -> None:
    """I3: closed by hand; the orders that explain it are not readable for two passes."""
    shared.open()
    shared.act(ClosePosition(symbol="ADAUSDT"))
    shared.fault(when={"call": CALLS["allOrders"], "times": None}, **KINDS[kind])
    for _ in range(2):
        shared.clock.sleep(31)
        shared.work()
    assert hits(shared) > 1
    shared.gateway.faults.clear()
    shared.loop(2, pause_secs=31)
    shared.check_flat()


@pytest.mark.parametrize("kind", KINDS)
def test_unreadable_positions_of_a_whole_pair(shared: Rig, kind: str) -> None:
    """I3: a failed query never counts as flat, however it fails and however often."""
    shared.open()
    held = shared.positions()
    posts = len(shared.posts())
    shared.fault(when={"call": CALLS["positionRisk"], "times": None}, **KINDS[kind])
    for _ in range(3):
        shared.clock.sleep(31)
        shared.work()
    assert shared.states()[-1] == "HEDGED"
    assert (shared.positions(), len(shared.posts())) == (held, posts)
    shared.gateway.faults.clear()
    shared.loop(pause_secs=31)
    shared.check_rest()
    shared.close()
    shared.check_flat()


@pytest.mark.parametrize("role", ["e", "x"], ids=["entry", "exit"])
def test_a_ban_falls_between_the_legs(live: Rig, role: str) -> None:
    """I5, I6: the whole address is banned for two minutes, from leg A's entry or exit on: 418 to everything,
    orders too. What was begun is finished when the ban is over."""
    if role == "x":
        live.open()
    send = live.desk.port.send

    def ban(order: Any, *client: Any) -> Any:
        answer = send(order, *client)
        if order.role == role and order.leg == "A":
            live.gateway.limits._banned_until_ms = live.clock.now_ms() + 120_000
        return answer

    live.desk.port.send = ban
    if role == "e":
        live.want()
    else:
        live.script.exits["ADA-ALGO"] = "pair_reverted"
    for _ in range(30):
        live.work()
        live.script.wishes.clear()
        live.script.exits.clear()
        live.clock.sleep(10)
    live.loop(3, pause_secs=61)
    live.check_rest()
    assert live.states()[-1] in (("HEDGED", "ABORTED") if role == "e" else ("CLOSED",))
    assert executed_entries(live)["A-e"] == 1
