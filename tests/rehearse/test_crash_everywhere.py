"""kill -9 at every effect: what leaves the process, is stored or said, it dies right there, once, and again
in what the next process does about it. In the end every pair is whole or flat.

`make test` takes a sample of one scenario; `make chaos` (PAIRBOT_CHAOS=1) every effect of twelve.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from drill_world import named, user_pair, user_setup

from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.drill import quiet
from pairbot_ext.rehearse.effects import MortalStage
from pairbot_ext.rehearse.outcome import Result, result_of
from pairbot_ext.rehearse.setup import START, Setup

HAS_CHAOS = os.environ.get("PAIRBOT_CHAOS") == "1"
SCENARIOS = (
    "calm", "entry-a-read-timeout", "entry-b-reset", "entry-a-half", "entry-b-half", "b-refused-for-good",
    "exit-a-lost", "exit-a-half", "closed-a-by-hand", "liquidated-a", "stop-reached", "unwind-lost",
)  # fmt: skip
STEP = 1 if HAS_CHAOS else 40
PARTS = 4 if HAS_CHAOS else 1
SECOND = 13
"""So many effects after the first death comes the second: within the next process's start, or just after."""


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return user_setup(tmp_path_factory.mktemp("user"), user_pair("ADA-ALGO"))


def played(setup: Setup, scenario: str, *deaths: int) -> tuple[Result, list[str]]:
    """One rehearsal with these deaths, and its effects."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        clock = VirtualTime(START)
        with clock.running():
            stage = MortalStage(
                Path(folder) / "bot", clock, setup, setup.pairs[0], named(scenario), seed=1, deaths=deaths
            )
            try:
                stage.play()
                # A death may come before the entry: what a scenario expects of it is not judged.
                return result_of(stage, opens_when_calm=False), stage.effects
            finally:
                stage.end()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", SCENARIOS if HAS_CHAOS else SCENARIOS[:1])
@pytest.mark.timeout(7_200)
def test_death_at_every_effect(setup: Setup, scenario: str, part: int) -> None:
    _, effects = played(setup, scenario)
    assert len(effects) > 150
    assert {"a commit", "a message is said"} <= set(effects)
    bad: list[str] = []
    for first in range(1 + part * STEP, len(effects) + 1, STEP * PARTS):
        deaths = [(first,), (first, first + SECOND)] if HAS_CHAOS or first % 2 else [(first, first + SECOND)]
        for chosen in deaths:
            result, _ = played(setup, scenario, *chosen)
            if result.broken or result.outcome != "flat":
                what = effects[first - 1]
                bad.append(f"{chosen} ({what}): {result.outcome} {result.broken} {result.story}")
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("scenario", ["entry-b-half", "exit-a-half"])
def test_death_at_every_commit_of_booking_the_exits(setup: Setup, scenario: str) -> None:
    """Freqtrade commits an order's row first and what it means for the trade afterwards (I9). With two
    entries, or two exits, of one leg its own recovery does not add up: half of a closed leg stayed open."""
    _, effects = played(setup, scenario)
    last_send = max(n for n, what in enumerate(effects) if what == "POST /fapi/v1/order is dealt with")
    first_read = next(n for n in range(last_send, len(effects)) if effects[n].startswith("GET"))
    booking = [n + 1 for n in range(last_send, first_read) if effects[n] == "a commit"]
    assert len(booking) >= 5
    for death in booking:
        result, _ = played(setup, scenario, death)
        assert (result.outcome, result.broken) == ("flat", []), f"{death}: {result.story}"
