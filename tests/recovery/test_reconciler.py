"""The reconciler's passes: cheap at rest, idempotent, and blind rather than wrong (I3, I4, I9)."""

from typing import Any

import pytest
from harness import Rig
from scenario import PRICES

from pairbot_ext.sim.venue.actions import ClosePosition, OpenPosition
from pairbot_ext.sim.venue.orders import Side


def weight_of_pass(rig: Rig) -> dict[str, int]:
    """Calls and weights of one pass of the reconciler, by the venue's own log."""
    before = rig.gateway.log.requests[-1].number
    with rig.bot._exit_lock:
        rig.desk.reconciler.run()
    made: dict[str, int] = {}
    for record in rig.gateway.log.since(before):
        made[record.call] = made.get(record.call, 0) + record.weight
    return made


def history(rig: Rig) -> tuple[int, int, int, list[str]]:
    """What a pass could change: events, orders, requests that trade, messages."""
    return len(rig.events()), len(rig.orders()), len(rig.posts()), list(rig.told)


@pytest.mark.parametrize("pairs", [(), ("ADA-ALGO",), ("ADA-ALGO", "XRP-DOGE", "LINK-AVAX", "DOT-LTC")],
                         ids=["no_pair", "one_pair", "four_pairs"])  # fmt: skip
def test_a_pass_at_rest_weighs_ten_at_most(make_rig: Any, pairs: tuple[str, ...]) -> None:
    """I4: one positions query for the whole account, whatever is held."""
    rig = make_rig(symbols=tuple(PRICES))
    if pairs:
        rig.open(*pairs)
        rig.check_rest()
    rig.clock.sleep(31)
    made = weight_of_pass(rig)
    assert sum(made.values()) <= 10, made
    assert "GET /fapi/v3/positionRisk" in made
    assert set(made) == {"GET /fapi/v3/positionRisk"}, "open orders only where an order is unsettled"


def test_no_pass_reads_positions_before_it_is_due(live: Rig) -> None:
    """I4: every loop makes a pass, every thirty seconds one of them asks."""
    live.open()
    live.clock.sleep(31)
    assert weight_of_pass(live)
    for _ in range(5):
        live.clock.sleep(5)
        assert not weight_of_pass(live)
    live.clock.sleep(6)
    assert weight_of_pass(live)


def hedged(rig: Rig) -> None:
    rig.open()


def topped_up(rig: Rig) -> None:
    rig.fault(when={"leg": "B", "role": "e"}, fill={"fraction": "0.6"})
    rig.open()


def rolled_back(rig: Rig) -> None:
    rig.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    rig.open()


def found_after_a_lost_answer(rig: Rig) -> None:
    rig.fault(when={"leg": "B", "role": "e"}, answer="read_timeout")
    rig.open()


def trimmed_by_hand(rig: Rig) -> None:
    rig.open()
    rig.act(ClosePosition(symbol="ADAUSDT", fraction="0.5"))


def closed_by_hand(rig: Rig) -> None:
    rig.open()
    rig.act(ClosePosition(symbol="ADAUSDT"))


def joined_by_a_stranger(rig: Rig) -> None:
    rig.open()
    rig.act(OpenPosition(symbol="ALGOUSDT", side=Side.BUY, amount=500))


def restarted(rig: Rig) -> None:
    rig.open()
    rig.restart()


@pytest.mark.parametrize(
    "before",
    [hedged, topped_up, rolled_back, found_after_a_lost_answer, trimmed_by_hand, closed_by_hand,
     joined_by_a_stranger, restarted],
    ids=lambda value: value.__name__,
)  # fmt: skip
def test_a_second_pass_does_nothing(live: Rig, before: Any) -> None:
    """I4: not an order, not an event, not a message, whatever the first pass had to do."""
    before(live)
    live.loop(2, pause_secs=31)
    first = history(live)
    for _ in range(3):
        live.clock.sleep(31)
        live.desk.on_loop_start(None)
    assert history(live) == first
    live.check_rest(foreign={"ALGOUSDT": 500} if before is joined_by_a_stranger else None)
