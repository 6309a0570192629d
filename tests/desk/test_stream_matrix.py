"""Whatever the streams do, the pair is whole or flat: each fault of a stream in each thing that can happen to
a pair, on the real bot under a virtual clock. The venue's books judge; docs/execution.md names the faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bent_streams import FAULTS, bend, rule
from harness import Rig

from pairbot_ext.model.heard import Topic
from pairbot_ext.sim.venue.actions import ClosePosition, EndListenKey, Liquidate

LOOKED_AT_WITHIN_SECS = 45.0
"""Positions are read every 30 s whatever is heard; then the mate's exit goes out."""


@pytest.fixture
def heard(make_rig: Callable[..., Rig]) -> Rig:
    """A bot of its own, whose streams no case before has bent."""
    return make_rig(symbols=("ADAUSDT", "ALGOUSDT"), pairbot={"streams": True})


def by_model(rig: Rig) -> None:
    rig.close()


def answer_of_leg_a_lost(rig: Rig) -> None:
    rig.fault(when={"leg": "A", "role": "x"}, answer="reset", execute=True)
    rig.close()


def both_answers_lost(rig: Rig) -> None:
    for leg in "AB":
        rig.fault(when={"leg": leg, "role": "x"}, answer="read_timeout", execute=True)
    rig.close()


def leg_closed_by_hand(rig: Rig) -> None:
    rig.act(ClosePosition(symbol="ADAUSDT"))


def leg_liquidated(rig: Rig) -> None:
    rig.act(Liquidate(symbol="ALGOUSDT"))


class Killed(BaseException):
    """kill -9: no handler catches it."""


def killed_between_the_exits(rig: Rig) -> None:
    """The process is gone when leg A's exit is at the venue and leg B's is not."""
    port, journal = rig.desk.port, rig.desk.journal
    send = port.send

    def deadly(order: Any, *client: Any) -> Any:
        if order.leg == "A":
            return send(order, *client)
        journal._commit = journal._file.put = journal._file.drop = lambda *_, **__: None
        raise Killed

    port.send = deadly
    with pytest.raises(Killed):
        rig.close()
    rig.script.exits.clear()
    rig.clock.sleep(10)
    rig.restart()


STORIES: dict[str, Callable[[Rig], None]] = {
    "closed by the model": by_model,
    "answer of leg A lost": answer_of_leg_a_lost,
    "both answers lost": both_answers_lost,
    "leg closed by hand": leg_closed_by_hand,
    "leg liquidated": leg_liquidated,
    "killed between the exits": killed_between_the_exits,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pair_is_entered_and_left(shared_heard: Rig, fault: str) -> None:
    """I1, I2, I3, I8, I9: no order twice, none forgotten, whatever is heard of them."""
    bend(shared_heard, FAULTS[fault])
    shared_heard.open()
    shared_heard.check_rest()
    assert shared_heard.states()[-1] == "HEDGED"
    shared_heard.close()
    shared_heard.script.exits.clear()
    shared_heard.loop(3)
    shared_heard.check_flat()


@pytest.mark.parametrize("story", [name for name in STORIES if name != "closed by the model"])
@pytest.mark.parametrize(
    "fault",
    [
        "account falls silent", "everything is dead", "cut in the middle of an order", "orders are lost",
        "positions are lost", "everything is lost", "everything is doubled", "orders are reordered",
        "orders an hour late", "orders three seconds late", "key gone without a word", "slow consumer",
    ],
)  # fmt: skip
def test_what_the_venue_does_is_found_out(shared_heard: Rig, fault: str, story: str) -> None:
    """I3, I5, I8: what was not heard is asked for; nobody waits for a stream."""
    rig = shared_heard
    rig.open()
    began_ms = rig.clock.now_ms()
    bend(rig, FAULTS[fault])
    STORIES[story](rig)
    while rig.positions() and rig.clock.now_ms() - began_ms < LOOKED_AT_WITHIN_SECS * 1000:
        rig.work()
    rig.script.exits.clear()
    assert not rig.positions()
    assert rig.clock.now_ms() - began_ms <= (LOOKED_AT_WITHIN_SECS + 5) * 1000
    rig.loop(3)
    rig.check_flat()


def test_a_leg_that_is_gone_is_heard_at_once(heard: Rig) -> None:
    """The other side of the case above: with the streams whole the mate follows within the pause."""
    for act in (leg_closed_by_hand, leg_liquidated):
        heard.open()
        act(heard)
        heard.pause_for(2.0)
        assert not heard.positions()
        heard.loop(3)
        heard.next_candle()


@pytest.mark.parametrize("told", [True, False])
def test_a_listen_key_that_ends_is_replaced(shared_heard: Rig, *, told: bool) -> None:
    """With its event at once; without a word the positions are read as ever."""
    shared_heard.open()
    shared_heard.act(EndListenKey(told=told))
    shared_heard.loop(2)
    leg_closed_by_hand(shared_heard)
    shared_heard.loop(8)
    assert not shared_heard.positions()
    shared_heard.check_flat()


def test_connections_that_are_a_day_old_end_and_begin_anew(heard: Rig) -> None:
    """The venue cuts each after 24 h; compressed to 20 s here."""
    engine = heard.venue.engine
    terms = engine.stream_terms
    engine.stream_terms = terms.model_copy(update={"connection_ms": 20_000})
    try:
        heard.open()
        heard.loop(12)
        assert min(line.connects for line in heard.desk.hearing.board.lines) >= 3
        leg_closed_by_hand(heard)
        heard.pause_for(2.0)
        assert not heard.positions()
        heard.loop(3)
        heard.check_flat()
    finally:
        engine.stream_terms = terms


def test_streams_and_requests_fail_at_once_and_come_back(shared_heard: Rig) -> None:
    """I5, I9: deaf and blind for half a minute, a leg closed by hand meanwhile."""
    shared_heard.open()
    bend(shared_heard, FAULTS["everything is dead"])
    shared_heard.transport.reachable = False
    leg_closed_by_hand(shared_heard)
    for _ in range(6):
        shared_heard.work()
    shared_heard.transport.reachable = True
    shared_heard.gateway.stream_faults.clear()
    for _ in range(10):
        shared_heard.work()
    assert not shared_heard.positions()
    shared_heard.check_flat()


def test_a_price_beyond_the_stop_is_heard_between_two_loops(heard: Rig) -> None:
    """Twice beyond it, at two instants: both legs leave before the next loop."""
    heard.open()
    heard.loop(2)
    for step in range(2):
        heard.market.prices["ADAUSDT"] = Decimal("0.7700") + Decimal(step) / 10_000
        heard.pause_for(0.5)
    heard.pause_for(0.5)
    assert not heard.positions()
    heard.loop()
    heard.check_flat()
    assert heard.pair_trades()[-1].reason == "pair_stop_live"


def test_silent_prices_stop_no_exit_and_are_told_once(shared_heard: Rig) -> None:
    """I5."""
    shared_heard.open()
    bend(shared_heard, [rule("dead", path="*"), rule("refused_upgrade")])
    shared_heard.loop(20)
    assert len([text for text in shared_heard.told if "say nothing since" in text]) == 1
    assert not shared_heard.desk.hearing.board.is_fresh(Topic.BOOKS)
    shared_heard.close()
    shared_heard.check_flat()
    shared_heard.gateway.stream_faults.clear()
    shared_heard.loop(3)
    assert len([text for text in shared_heard.told if "are heard again" in text]) == 1


def test_every_fault_is_named_in_the_docs(repo_root: Path) -> None:
    text = (repo_root / "docs/execution.md").read_text(encoding="utf-8")
    table = text.split("### Faults of streams")[1].split("\n#")[0]
    assert set(re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)) - {"fault", "---"} == {*FAULTS}
    assert len(FAULTS) >= 24
