"""A person's commands in a rehearsal: what Freqtrade makes of each, and what becomes of the pair (I2, I5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drill_world import drilled, user_pair, user_setup

from pairbot_ext.model.commands import Command
from pairbot_ext.model.sizing import Leg
from pairbot_ext.rehearse import schedule as plan
from pairbot_ext.rehearse.drill import Cast
from pairbot_ext.rehearse.outcome import Result
from pairbot_ext.rehearse.setup import Setup
from pairbot_ext.rehearse.shrink import smallest

CLOSES = {Command.FORCE_EXIT, Command.FORCE_EXIT_ALL}


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return user_setup(tmp_path_factory.mktemp("user"), user_pair("ADA-ALGO"))


def said(command: Command, phase: str = "held", **more: float) -> plan.Scenario:
    step = plan.Step(
        at=plan.InPhase.model_validate({"phase": phase, "secs": 0}),
        effect=plan.Person(command=command, leg=Leg.B, **more),
    )
    return plan.Scenario(name="said", title=f"/{command}", steps=(step,))


@pytest.mark.parametrize("command", Command, ids=str)
def test_each_command_ends_well(setup: Setup, command: Command) -> None:
    result = drilled(setup, said(command, lasts_secs=20))
    assert (result.outcome, result.broken) == ("flat", [])
    assert ("force_exit" in result.story) is (command in CLOSES)
    trimmed = [mark for mark in result.marks if mark.role == "r"]
    assert bool(trimmed) is (command is Command.FORCE_EXIT_PART), "the mate of a smaller leg is made as small"


def test_a_bot_that_is_stopped_enters_nothing_until_it_is_started(setup: Setup) -> None:
    result = drilled(setup, said(Command.STOP, "entry", lasts_secs=40))
    assert result.was_hedged
    assert min(mark.intent for mark in result.marks) >= 40
    assert not result.broken


def test_a_schedule_is_made_as_short_as_it_still_shows_the_fault(setup: Setup) -> None:
    guilty = plan.Step(at=plan.OnOrder(leg=Leg.A, role="e"), effect=plan.Kill(), times=3)
    idle = [plan.Step(at=plan.InPhase(phase="held", secs=secs), effect=plan.Kill()) for secs in (1, 2, 3)]
    whole = plan.Scenario(name="long", title="long", steps=(idle[0], guilty, *idle[1:]), streams=True)
    base = drilled(setup, said(Command.START))

    def plays(_setup: Setup, cast: Cast) -> Result:
        is_guilty = guilty.at in [step.at for step in cast.scenario.steps]
        return replace(base, broken=["a fault"] if is_guilty else [])

    cast = Cast(whole, setup.pairs[0].id, 7)
    file, result = smallest(setup, cast, plays(setup, cast), plays=plays)
    assert [step.at for step in file.scenario.steps] == [guilty.at]
    assert file.scenario.steps[0].times == 1
    assert not file.scenario.streams
    assert (file.pair, file.seed, result.broken) == (cast.pair, 7, ["a fault"])
    assert "kill @after A-e" in file.scenario.title
