"""Troubles of the bot's machine that overlap: each lasts to its own end, and none outlives the last."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from drill_world import drilled, user_setup

from pairbot_ext.model.commands import Command
from pairbot_ext.model.sizing import Leg
from pairbot_ext.rehearse import schedule as plan
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.setup import START
from pairbot_ext.rehearse.stage import Stage
from pairbot_ext.rehearse.trouble import Spoiling
from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.voice.eventlog import THREAD_NAME, EventLog


def is_writable(database: Path) -> bool:
    connection = sqlite3.connect(database, timeout=0)
    try:
        with connection:
            connection.execute("CREATE TABLE t (c)")
            connection.execute("DROP TABLE t")
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return True


@pytest.mark.parametrize("how", ["full", "locked"])
def test_the_first_begins_it_and_the_last_ends_it(tmp_path: Path, how: str) -> None:
    database, before = tmp_path / "trades.sqlite", resource.getrlimit(resource.RLIMIT_FSIZE)
    sqlite3.connect(database).close()
    spoiling = Spoiling(database)
    for _ in range(2):
        spoiling.begin(how)
        spoiling.begin(how)
        assert not is_writable(database)
        spoiling.end(how)
        assert not is_writable(database)
        spoiling.end(how)
        assert is_writable(database)
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before


@pytest.mark.parametrize("how", ["full", "locked"])
@pytest.mark.parametrize("apart_secs", [0.0, 15.0, 45.0])
def test_a_database_spoiled_twice_is_a_drill_like_any_other(
    tmp_path: Path, how: str, apart_secs: float
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    scenario = plan.Scenario(
        name="twice", title="A database spoiled twice",
        steps=tuple(
            plan.Step(
                at=plan.InPhase(phase="held", secs=1 + later), effect=plan.Database(how=how, lasts_secs=30)
            )
            for later in (0.0, apart_secs)
        ),
    )  # fmt: skip
    result = drilled(user_setup(tmp_path), scenario)
    assert (result.outcome, result.broken) == ("flat", [])
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before
    (tmp_path / "still").write_text("this process can write")


@pytest.mark.parametrize(
    ("effect", "says"),
    [
        (plan.PairsFile(how="broken"), "pairs file"),
        (plan.PairsFile(how="empty"), "pairs"),
        (plan.Kill(), "killed once"),
        (plan.SecondBot(), "another bot"),
    ],
    ids=lambda each: getattr(each, "do", ""),
)
def test_what_happens_beside_a_full_disk_still_happens(
    tmp_path: Path, effect: plan.PairsFile | plan.Kill | plan.SecondBot, says: str
) -> None:
    """The disk is full for the bot: what a rehearsal itself writes is not lost."""
    at = plan.InPhase(phase="held", secs=1)
    scenario = plan.Scenario(
        name="beside", title="Beside a full disk",
        steps=(
            plan.Step(at=at, effect=plan.Database(how="full", lasts_secs=30)), plan.Step(at=at, effect=effect)
        ),
    )  # fmt: skip
    result = drilled(user_setup(tmp_path), scenario)
    assert (result.outcome, result.broken) == ("flat", [])
    told = f"{result.story} {[text for _, text in result.messages]}"
    assert says in told
    assert "too large" not in told


def test_a_fault_that_happens_twice_lasts_to_the_second_s_end(tmp_path: Path) -> None:
    """Both come of one step: the first one's end is not the second's."""
    rule = FaultRule.model_validate({"when": {"call": "POST /fapi/v1/order"}, "answer": "html_503"})
    fault = plan.Fault(rule=rule, lasts_secs=30)
    setup, clock = user_setup(tmp_path / "user"), VirtualTime(START)
    scenario = plan.Scenario(name="again", title="A fault, twice", steps=())
    request = Request("GET", "/fapi/v1/time")
    with clock.running():
        stage = Stage(tmp_path / "bot", clock, setup, setup.pairs[0], scenario, seed=1)
        lasting = []
        for _ in range(5):
            if len(lasting) < 2:
                stage.fault_for(fault)
            stage.before(request)
            lasting.append(len(stage.gateway.faults))
            clock.advance(20_000)
    assert lasting == [1, 2, 1, 0, 0]


@pytest.mark.parametrize("phase", ["before", "entry", "held", "exit"])
def test_a_death_at_any_time_with_a_broken_pairs_file(tmp_path: Path, phase: str) -> None:
    """With nothing open the bot waits for a person to mend the file; with a pair open it starts."""
    at = plan.InPhase(phase=phase, secs=0)
    steps = (plan.Step(at=at, effect=plan.Kill()), plan.Step(at=at, effect=plan.PairsFile(how="broken")))
    runs = phase != "before"
    scenario = plan.Scenario(
        name="broken", title="A broken pairs file, and a death", steps=steps[::-1] if runs else steps[:1]
    )
    result = drilled(user_setup(tmp_path), scenario)
    assert (result.outcome, result.broken) == ("flat", [])
    assert ("killed once" in result.story) == runs, "before its start nothing is there to be killed"


@pytest.mark.parametrize("phase", ["entry", "held", "exit"])
def test_a_second_bot_while_the_first_is_dead(tmp_path: Path, phase: str) -> None:
    """Nothing keeps it from starting: that shows nothing, and the first comes back."""
    steps = (
        plan.Step(at=plan.InPhase(phase=phase, secs=0), effect=plan.Kill()),
        plan.Step(at=plan.InPhase(phase=phase, secs=5), effect=plan.SecondBot()),
    )
    result = drilled(user_setup(tmp_path), plan.Scenario(name="two", title="Dead, and another", steps=steps))
    assert (result.outcome, result.broken) == ("flat", [])
    assert "killed once" in result.story


@pytest.mark.parametrize("phase", ["entry", "held", "exit"])
@pytest.mark.parametrize("ends", [plan.Kill(), plan.Person(command=Command.RELOAD_CONFIG, leg=Leg.A)])
def test_too_little_money_for_a_pair_and_a_new_start(
    tmp_path: Path, phase: str, ends: plan.Kill | plan.Person
) -> None:
    """With nothing open the start is refused until a person pays in; with a pair open it is not."""
    at = plan.InPhase(phase=phase, secs=0)
    scenario = plan.Scenario(
        name="poor", title="Nearly everything is taken out, and a new start",
        steps=(plan.Step(at=at, effect=plan.Money(share=-0.9)), plan.Step(at=at, effect=ends)),
    )  # fmt: skip
    result = drilled(user_setup(tmp_path), scenario)
    assert (result.outcome, result.broken) == ("flat", [])


def test_nothing_of_a_dead_process_writes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event log has a thread of its own: caught in the middle, it wrote where the next process starts."""
    is_writing, may_go_on = threading.Event(), threading.Event()
    append = EventLog._append

    def held_up(log: EventLog, lines: list[str]) -> None:
        is_writing.set()
        may_go_on.wait(1)
        append(log, lines)

    monkeypatch.setattr(EventLog, "_append", held_up)
    log = EventLog(tmp_path / "bot" / "user_data" / "logs" / "pair-events.jsonl")
    setup, clock = user_setup(tmp_path / "user"), VirtualTime(START)
    scenario = plan.Scenario(name="writes", title="It writes", steps=())
    with clock.running():
        stage = Stage(tmp_path / "bot", clock, setup, setup.pairs[0], scenario, seed=1)
        log.write({"event": "the last"})
        assert is_writing.wait(5)
        stage.kill()
        shutil.rmtree(tmp_path / "bot")
        may_go_on.set()
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
    assert not (tmp_path / "bot").exists()
