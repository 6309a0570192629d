"""Schedules as data: written, read, drawn by chance, searched."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from drill_world import drilled, user_setup

from pairbot_ext.model.sizing import Leg
from pairbot_ext.rehearse import schedule as plan
from pairbot_ext.rehearse.chance import MOST_STEPS, random_scenarios
from pairbot_ext.rehearse.schedule import ScheduleFile, read_schedule, text_of
from pairbot_ext.rehearse.search import search
from pairbot_ext.support.errors import PairbotError


def test_seeds_give_schedules_and_the_same_again() -> None:
    made = random_scenarios(400, 11)
    assert made == random_scenarios(400, 11)
    assert made[1:] == random_scenarios(399, 12), "each seed has a schedule of its own"
    assert all(1 <= len(each.steps) <= MOST_STEPS for each in made)
    assert len({each.model_dump_json(exclude={"name"}) for each in made}) > 390
    kinds = {step.effect.do for each in made for step in each.steps}
    assert kinds >= {"fault", "move", "kill", "act", "book"}


def test_any_seed_makes_a_schedule() -> None:
    """One in some dozens has more to say than a title holds."""
    made = random_scenarios(3_000, 100_000)
    assert all(each.title for each in made)


def test_a_schedule_goes_through_a_file(tmp_path: Path) -> None:
    for scenario in random_scenarios(50, 3):
        file = ScheduleFile(scenario=scenario, pair="ADA_ALGO", seed=4, found="something")
        path = tmp_path / "schedule.json"
        path.write_text(text_of(file), encoding="utf-8")
        assert read_schedule(path) == file


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "wrong at the file"),
        (b"[]", "JSON object"),
        (b'{"scenario": {"name": "x"}}', "scenario.title"),
        (b'{"scenario": {"name": "UPPER", "title": "t"}}', "scenario.name"),
        (b'{"schema_version": 2, "scenario": {"name": "x", "title": "t"}}', "schema_version"),
        (
            json.dumps(
                {
                    "scenario": {
                        "name": "x", "title": "t",
                        "steps": [{"at": {"phase": "night"}, "effect": {"do": "kill"}}],
                    }
                }
            ).encode(),
            "steps.0.at",
        ),
        (b"\xff\xfe\x00", "wrong at"),
    ],
)  # fmt: skip
def test_a_bad_schedule_is_refused_by_its_place(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "schedule.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PairbotError, match=says):
        read_schedule(path)


def test_what_a_search_finds_can_be_played_again(tmp_path: Path) -> None:
    """Its clock is counted looks: it ends after so many schedules."""
    setup = user_setup(tmp_path)
    ticks = itertools.count()
    notes: list[str] = []
    found = search(setup, minutes=0.15, seed=5, by="alone", note=notes.append, now=lambda: float(next(ticks)))
    assert found.tried >= 2
    assert found.result.alone_secs > 1, "worse than a calm day"
    assert notes
    assert f"among {found.tried} schedules" in found.schedule.found
    path = tmp_path / "worst.json"
    path.write_text(text_of(found.schedule), encoding="utf-8")
    again = drilled(setup, read_schedule(path).scenario, seed=read_schedule(path).seed)
    assert (again.alone_secs, again.loss, again.orders) == (
        found.result.alone_secs, found.result.loss, found.result.orders,
    )  # fmt: skip


def test_two_effects_at_one_instant_both_happen(tmp_path: Path) -> None:
    at = plan.OnOrder(leg=Leg.A, role="e", moment="after")
    scenario = plan.Scenario(
        name="both", title="A jump and a death",
        steps=(
            plan.Step(at=at, effect=plan.Move(leg=Leg.B, percent=1)),
            plan.Step(at=at, effect=plan.Kill()),
        ),
    )  # fmt: skip
    result = drilled(user_setup(tmp_path), scenario)
    assert "killed once" in result.story
    assert (result.outcome, result.broken) == ("flat", [])
