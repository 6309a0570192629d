"""Every unclear answer, before and after execution, on every order of a pair trade (I3, I8, I9).

Exactly one entry order of each leg is executed, the pair ends whole or flat, and no exit flips a position.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from harness import Rig
from scenario import UNCLEAR
from verdict import executed_entries


@dataclass(frozen=True)
class Spot:
    """The order whose answer is lost, and how the pair gets there.

    :param prepare: faults that lead to that order, or None.
    :param ends: the state at rest where the order was executed, and where it was not.
    :param entries: orders that enlarge a leg and that the venue executed, in the same two cases.
    """

    leg: str
    role: str
    prepare: Callable[[Rig], None] | None
    ends: tuple[str, str]
    entries: tuple[dict[str, int], dict[str, int]]


def b_filled(fraction: str) -> Callable[[Rig], None]:
    """Leg B's first order fills in part."""
    return lambda rig: rig.fault(when={"leg": "B", "role": "e"}, fill={"fraction": fraction})


def b_filled_and_no_more(fraction: str) -> Callable[[Rig], None]:
    """Leg B's first order fills in part, its top-up is refused."""

    def prepare(rig: Rig) -> None:
        b_filled(fraction)(rig)
        rig.fault(when={"leg": "B", "role": "t"}, answer="reject", code=-2019)

    return prepare


def b_refused(rig: Rig) -> None:
    """Leg B is refused, leg A has to be unwound."""
    rig.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)


BOTH = {"A-e": 1, "B-e": 1}
TOPPED_UP = {"A-e": 1, "B-e": 1, "B-t": 1}
SPOTS = {
    "A-entry": Spot("A", "e", None, ("HEDGED", "ABORTED"), (BOTH, {})),
    "B-entry": Spot("B", "e", None, ("HEDGED", "HEDGED"), (BOTH, BOTH)),
    "B-top-up": Spot("B", "t", b_filled("0.6"), ("HEDGED", "HEDGED"), (TOPPED_UP, TOPPED_UP)),
    "A-trim": Spot("A", "r", b_filled_and_no_more("0.6"), ("HEDGED", "HEDGED"), (BOTH, BOTH)),
    "A-exit": Spot("A", "x", None, ("CLOSED", "CLOSED"), (BOTH, BOTH)),
    "B-exit": Spot("B", "x", None, ("CLOSED", "CLOSED"), (BOTH, BOTH)),
    "A-unwind": Spot("A", "u", b_refused, ("ABORTED", "ABORTED"), ({"A-e": 1}, {"A-e": 1})),
    "B-unwind": Spot("B", "u", b_filled_and_no_more("0.05"), ("ABORTED", "ABORTED"), (BOTH, BOTH)),
}


@pytest.mark.parametrize("form", UNCLEAR)
@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not_executed"])
@pytest.mark.parametrize("name", SPOTS)
def test_unclear(shared: Rig, name: str, executed: bool, form: str) -> None:
    spot = SPOTS[name]
    if spot.prepare is not None:
        spot.prepare(shared)
    shared.fault(when={"leg": spot.leg, "role": spot.role}, answer=form, execute=executed)
    shared.open()
    if spot.role == "x":
        shared.close()
        shared.script.exits.clear()
    shared.loop()
    assert [f for f in shared.gateway.log.requests if f.fault == form], "the answer was lost"
    # Not executed is not the same as not hedged: leg B is sent again, an exit is repeated.
    assert shared.states()[-1] == spot.ends[not executed]
    shared.check_rest()
    assert executed_entries(shared) == spot.entries[not executed], "one entry each"
    if shared.states()[-1] == "HEDGED":
        shared.close()
        shared.script.exits.clear()
    shared.check_flat()


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
    live.fault(when={"call": "GET /fapi/v1/order", "times": None}, answer="html_502")
    live.open()
    assert live.states() == ["UNKNOWN"]
    assert len(live.posts("ALGOUSDT")) == 1
    live.want("XRP-DOGE")
    live.loop()
    assert live.states() == ["UNKNOWN"], "an order of unknown fate blocks new entries"
    live.script.wishes.clear()
    live.gateway.faults.clear()
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


def test_ccxt_s_own_repetition_sends_no_order_twice(live: Rig) -> None:
    """`maxRetriesOnFailure` in a configuration: the venue takes an id again when its order is closed."""
    live.bot.exchange._api.options["maxRetriesOnFailure"] = 2
    for leg, role in ("A", "e"), ("B", "e"), ("B", "x"):
        live.fault(when={"leg": leg, "role": role}, answer="unknown_503_msg", execute=True)
    live.open()
    assert live.states() == ["HEDGED"]
    live.check_rest()
    live.close()
    live.check_flat()
    assert [post.params["symbol"] for post in live.posts()] == ["ADAUSDT", "ALGOUSDT"] * 2
