"""Drills: what they show of a user's bot is what the venue's books say; a fault turns them red."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drill_world import drilled, named, user_pair, user_setup

from pairbot_ext.entry.both_legs import BothLegs
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.orders.liveport import LivePort
from pairbot_ext.rehearse.drill import CALM, Drill, rehearse
from pairbot_ext.rehearse.outcome import Result
from pairbot_ext.rehearse.scenarios import curated
from pairbot_ext.rehearse.schedule import Scenario
from pairbot_ext.rehearse.setup import Setup
from pairbot_ext.rehearse.show import show
from pairbot_ext.risk.freshness import Freshness


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """A cautious user's."""
    return user_setup(tmp_path_factory.mktemp("user"))


def test_the_curated_set_is_large_and_can_be_written_down() -> None:
    names = [each.name for each in curated()]
    assert len(names) == len(set(names)) >= 40
    for scenario in curated():
        assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
        assert scenario.then


def test_a_calm_day_opens_and_closes(setup: Setup) -> None:
    result = drilled(setup, CALM)
    assert (result.outcome, result.was_hedged, result.orders, result.broken) == ("flat", True, 4, [])
    # Leg A leaves first and leg B a round trip later: so long, and so much, a leg is alone.
    assert 0 < result.exposure < 250
    assert result.alone_secs < 1
    assert [mark.role for mark in result.marks] == ["e", "e", "x", "x"]
    assert result.profit > 0
    assert result.stake == pytest.approx(2 * 100, rel=0.2)


@pytest.mark.parametrize(
    ("name", "hedged", "alone_secs"),
    [
        ("entry-b-never-arrived", True, (5, 60)),
        ("b-refused-for-good", False, (0, 5)),
        ("down-between-legs", None, (600, 700)),
        ("kill-entry-b-before", True, (10, 30)),
        ("kill-twice", True, (20, 60)),
        ("closed-a-by-hand", True, (0, 10)),
        ("database-locked", None, (0, 120)),
        ("disk-full", None, (0, 5)),
        ("streams-silent", True, (0, 10)),
        ("second-bot", True, (0, 1)),
    ],
)
def test_disasters_end_flat(
    setup: Setup, name: str, hedged: bool | None, alone_secs: tuple[int, int]
) -> None:
    result = drilled(setup, name)
    assert (result.outcome, result.broken) == ("flat", []), result.messages
    assert hedged in (None, result.was_hedged)
    low, high = alone_secs
    assert low <= result.alone_secs <= high, result.held


def test_a_limit_that_nothing_can_hold_is_named(setup: Setup) -> None:
    result = drilled(setup, "down-between-legs")
    assert [text for text in result.exceeded if "max_naked_secs is 60" in text]


def test_a_leg_that_was_unwound_without_a_trace_gets_no_mate(setup: Setup) -> None:
    """Found by this drill: with the disk full leg A was unwound by an order no store could keep; the next
    process asked about the entry alone, believed it held, and sent leg B."""
    result = drilled(setup, "disk-full")
    assert {mark.leg for mark in result.marks if mark.filled} == {"A"}
    assert result.exposure < 250, "leg A alone, then nothing"


def without_reduce_only(monkeypatch: pytest.MonkeyPatch) -> str:
    send = LivePort.send

    def sent(self: LivePort, order: OrderRecord, *client: Any) -> Any:
        return send(self, replace(order, reduce_only=False), *client)

    monkeypatch.setattr(LivePort, "send", sent)
    return CALM


def without_the_question(monkeypatch: pytest.MonkeyPatch) -> str:
    """What is not heard is taken for not executed."""
    monkeypatch.setattr(OrderGuard, "settle", lambda self, order, budget_ms=None: self._void(order))
    return "entry-a-reset"


def without_both_legs_check(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(BothLegs, "_check_depth", lambda *_: None)
    return "thin-book-b"


def test_what_freqtrade_only_logs_is_told(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pair opens and closes all the same: nothing else would say that half of every loop is left out."""
    with_an_error_in_every_loop(monkeypatch)
    result = drilled(setup, CALM)
    assert result.outcome == "flat"
    assert len(result.broken) == 1, result.broken
    assert result.broken[0].startswith("caught and only logged: KeyError: 'injected' (test_drill.py:")


def with_an_error_in_every_loop(monkeypatch: pytest.MonkeyPatch) -> str:
    """Freqtrade logs what a callback raises, and goes on without the rest of it."""
    monkeypatch.setattr(Freshness, "look", lambda *_: {}["injected"])
    return CALM


@pytest.mark.parametrize(
    "defect",
    [without_reduce_only, without_the_question, without_both_legs_check, with_an_error_in_every_loop],
)
def test_a_defect_turns_the_first_line_red(
    setup: Setup, defect: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drill = Drill(setup, calm=[drilled(setup, CALM)])
    scenario = defect(monkeypatch)
    drill.results.append(drilled(setup, scenario))
    assert drill.broken
    assert not drill.is_passed
    assert drill.headline().startswith("BROKEN in 1 of 1")
    show(drill)
    assert capsys.readouterr().out.startswith("BROKEN")


def test_an_absurd_configuration_is_told_so(tmp_path: Path) -> None:
    """Leverage far up, a stake below every minimum, a coin in both pairs."""
    setup = user_setup(
        tmp_path, user_pair("ADA-ALGO"), user_pair("ADA-XRP", leg_b="ALGO/USDT:USDT", leg_a="XRP/USDT:USDT"),
        stake_amount=1, pairbot={"leverage": 20, "risk": {"max_leverage": 20}},
    )  # fmt: skip
    drill = Drill(setup)
    rehearse(drill, [named("kill-entry-a-after")])
    assert not drill.is_passed
    assert drill.headline().startswith("NO PAIR IS OPENED")
    assert {each.orders for each in drill.results} == {0}
    assert json.loads(json.dumps(drill.to_json()))["is_passed"] is False


def test_pairs_take_turns_and_every_one_is_seen_opening_first(setup: Setup) -> None:
    drill = Drill(setup)
    seen: list[tuple[int, int]] = []
    rehearse(drill, [named("entry-a-half"), named("exit-a-lost")], progress=lambda *step: seen.append(step))
    assert [(each.name, each.pair) for each in drill.results] == [
        (CALM, "ADA_ALGO"), (CALM, "XRP_DOGE"), ("entry-a-half", "ADA_ALGO"), ("exit-a-lost", "XRP_DOGE"),
    ]  # fmt: skip
    assert drill.is_passed
    assert seen[-1] == (4, 4)
    assert Result.of_json(json.loads(json.dumps(drill.results[0].to_json()))) == drill.results[0]


def test_the_pages_say_how_many_scenarios_there_are(repo_root: Path) -> None:
    for page in ("README.md", "docs/tutorial.md"):
        assert f"{len(curated())} scenarios" in (repo_root / page).read_text(encoding="utf-8"), page
