"""Every unclear answer, before and after execution, on every order of a pair trade.

Exactly one entry order is executed each time, and the pair ends whole or flat.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest
from harness import Rig

UNCLEAR = [
    "read_timeout",
    "reset",
    "unknown_503_msg",
    "unknown_503_code_0",
    "unknown_503_code_1000",
    "html_502",
    "html_503",
    "html_504",
    "unexpected_1006",
    "timeout_1007",
    "empty_200",
    "truncated_200",
]
CASES = [(form, execute) for form in UNCLEAR for execute in (True, False)]


def run_cases(rig: Rig, play: Callable[[Rig, str, bool], None], cases: list[tuple[str, bool]]) -> None:
    """Play every case with one bot, each on a candle of its own, and judge each."""
    for form, executed in cases:
        try:
            play(rig, form, executed)
            rig.check_flat()
        except AssertionError as error:
            history = "\n".join(f"{e.at_ms} {e.kind} {e.detail}" for e in rig.events()[-25:])
            raise AssertionError(f"{form}, executed {executed}: {error}\n{history}") from error
        rig.gateway.faults.clear()
        rig.next_candle()


def entered_once(rig: Rig, before: dict[str, Decimal]) -> None:
    """No symbol was entered with more than its plan since `before`."""
    trade = rig.pair_trades()[-1]
    facts = rig.desk.journal.orders_of(trade.id)
    for name, amount in rig.entry_fills().items():
        planned = [Decimal(str(o.amount)) for o in facts if o.symbol.startswith(name[:-4]) and o.role in "et"]
        assert amount - before.get(name, Decimal(0)) <= max(planned, default=Decimal(0)), name


def entry_case(leg: str) -> Callable[[Rig, str, bool], None]:
    def play(rig: Rig, form: str, executed: bool) -> None:
        before = rig.entry_fills()
        rig.fault(when={"leg": leg, "role": "e"}, answer=form, execute=executed)
        rig.open()
        entered_once(rig, before)
        rig.loop(2)
        rig.check_rest()
        entered_once(rig, before)
        rig.close()
        rig.script.exits.clear()
        rig.loop()

    return play


@pytest.mark.parametrize("leg", ["A", "B"])
def test_unclear_entry(live: Rig, leg: str) -> None:
    run_cases(live, entry_case(leg), CASES)


@pytest.mark.parametrize("leg", ["A", "B"])
def test_unclear_exit(live: Rig, leg: str) -> None:
    def play(rig: Rig, form: str, executed: bool) -> None:
        rig.open()
        rig.fault(when={"leg": leg, "role": "x"}, answer=form, execute=executed)
        rig.close()
        rig.script.exits.clear()
        rig.loop(2)

    # The legs' exits take the same road: all forms on leg A, every third on leg B.
    run_cases(live, play, CASES if leg == "A" else CASES[::3])


def test_unclear_unwind(live: Rig) -> None:
    def play(rig: Rig, form: str, executed: bool) -> None:
        rig.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
        rig.fault(when={"leg": "A", "role": "u"}, answer=form, execute=executed)
        rig.open()
        rig.loop(2)

    run_cases(live, play, CASES)


def test_an_entry_that_arrives_late_is_found(live: Rig) -> None:
    # The connection drops while the request is on its way: the venue does not know it yet when asked, and
    # executes it within its recvWindow.
    for leg in ("A", "B"):
        live.fault(when={"leg": leg, "role": "e"}, answer="reset", execute_delay_ms=1_500)
        live.open()
        live.loop(3)
        assert live.states()[-1] in ("HEDGED", "ABORTED")
        live.check_rest()
        live.close()
        live.script.exits.clear()
        live.loop()
        live.check_flat()
        live.next_candle()


def test_questions_that_cannot_be_answered_either(live: Rig) -> None:
    # The answer is lost and every question fails for a while: nothing is concluded, nothing is sent twice.
    live.fault(when={"leg": "B", "role": "e"}, answer="read_timeout")
    live.fault(when={"call": "GET /fapi/v1/order", "times": 60}, answer="html_502")
    live.open()
    assert live.states() == ["UNKNOWN"]
    assert len(live.posts("ALGOUSDT")) == 1
    live.want("XRP-DOGE")
    live.loop()
    assert live.states() == ["UNKNOWN"], "an order of unknown fate blocks new entries"
    live.script.wishes.clear()
    live.loop(4)
    assert live.states() == ["HEDGED"]
    live.check_rest()


def test_an_order_is_found_by_the_id_we_gave_it(live: Rig) -> None:
    for symbol in ("ADAUSDT", "ALGOUSDT"):
        live.fault(when={"symbol": symbol}, answer="unknown_503_msg", execute=True)
    live.open()
    assert live.states() == ["HEDGED"]
    live.check_rest()
    assert [len(live.posts(symbol)) for symbol in ("ADAUSDT", "ALGOUSDT")] == [1, 1]
