"""The pairs' tables are gone beside trades with their tags: nothing is entered, a leg alone is closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from freqtrade.persistence import Trade
from harness import Rig
from sqlalchemy import text

from pairbot_ext.risk.state import RiskState
from pairbot_ext.sim.venue.actions import ClosePosition


def lose(rig: Rig, *, rows_only: bool) -> None:
    """`freqtrade convert-db`, or a backup of which half came back."""
    rig.kill()
    with Trade.session.get_bind().begin() as connection:
        found = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        names = [row[0] for row in found if row[0].startswith("pairbot_")]
        for name in names:
            if not rows_only:
                connection.execute(text(f"DROP TABLE {name}"))
            elif "schema" not in name and "meta" not in name:
                connection.execute(text(f"DELETE FROM {name}"))


@pytest.fixture(params=["tables", "rows"])
def lost(live: Rig, request: pytest.FixtureRequest) -> Rig:
    """A bot with an open pair that it knows nothing of."""
    live.open()
    assert live.states() == ["HEDGED"]
    lose(live, rows_only=request.param == "rows")
    live.start()
    return live


def test_it_is_told_and_held_and_a_whole_pair_is_left(lost: Rig) -> None:
    assert lost.desk.risk.state is RiskState.HALTED
    lost.loop(4, pause_secs=31)
    assert len(lost.positions()) == 2
    lost.open("XRP-DOGE")
    assert lost.states() == []
    assert lost.desk.risk.trip is not None
    assert "ADA/USDT:USDT (ADA-ALGO)" in lost.desk.risk.trip.text
    assert "pairbot flatten" in lost.desk.risk.trip.text


@pytest.mark.parametrize("symbol", ["ADAUSDT", "ALGOUSDT"])
def test_a_leg_alone_is_closed(lost: Rig, symbol: str) -> None:
    lost.act(ClosePosition(symbol=symbol))
    lost.loop(5, pause_secs=31)
    assert not lost.positions()
    assert not lost.trades()
    assert len([told for told in lost.told if "held alone" in told]) == 1


def test_no_question_about_the_mate_holds_up_the_exit(lost: Rig) -> None:
    """I5"""
    lost.fault(when={"call": "GET /fapi/v1/allOrders", "times": None}, answer="html_503")
    lost.act(ClosePosition(symbol="ADAUSDT"))
    lost.loop(5, pause_secs=31)
    assert not lost.positions()


def test_an_exit_that_is_refused_is_tried_again_and_told_once(lost: Rig) -> None:
    lost.fault(when={"reduce_only": True, "times": 3}, answer="reject", code=-1008)
    lost.act(ClosePosition(symbol="ADAUSDT"))
    lost.loop(9, pause_secs=31)
    assert not lost.positions()
    assert len([told for told in lost.told if "held alone" in told]) == 1


def test_one_answer_that_misses_a_leg_closes_nothing(lost: Rig) -> None:
    lost.fault(when={"call": "GET /fapi/v3/positionRisk", "times": 1}, answer="custom", status=200, body="[]")
    lost.loop(5, pause_secs=31)
    assert len(lost.positions()) == 2


def test_a_leg_closed_by_a_person_takes_its_mate_along(lost: Rig) -> None:
    lost.bot.rpc._rpc._rpc_force_exit(str(lost.trade_ids()[0]))
    lost.loop(5, pause_secs=31)
    assert not lost.positions()


def test_resuming_is_a_persons_business(lost: Rig, make_rig: Callable[..., Rig]) -> None:
    del make_rig
    lost.restart()
    assert lost.desk.risk.state is RiskState.HALTED, "over a restart"
    lost.bot.rpc._rpc._rpc_force_exit("all")
    lost.loop(3, pause_secs=31)
    lost.desk.risk.resume("a person")
    lost.next_candle()
    lost.open()
    assert lost.states() == ["HEDGED"]
