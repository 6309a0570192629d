"""Random schedules by a real bot on the simulated exchange: whatever happens together, every pair ends whole
or flat by allowed means (I1-I3, I5, I7-I9). `make test` plays 300, `make chaos` (PAIRBOT_CHAOS=1) 10,000.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from drill_world import user_pair, user_setup

from pairbot_ext.rehearse.chance import random_scenarios
from pairbot_ext.rehearse.drill import Cast, play
from pairbot_ext.rehearse.schedule import ScheduleFile, text_of
from pairbot_ext.rehearse.setup import Setup

SEEDS, PARTS, FIRST = (10_000, 200, 1) if os.environ.get("PAIRBOT_CHAOS") == "1" else (300, 30, 1_000_000)
FOUND = sorted((Path(__file__).parent / "found").glob("*.json"))
"""Schedules by chance that something was broken in, made as short as they still showed it."""


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return user_setup(tmp_path_factory.mktemp("user"), user_pair("ADA-ALGO"), user_pair("XRP-DOGE"))


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_together(setup: Setup, part: int) -> None:
    each = SEEDS // PARTS
    first = FIRST + part * each
    for seed, scenario in enumerate(random_scenarios(each, first), first):
        pair = setup.pairs[seed % len(setup.pairs)].id
        result = play(setup, Cast(scenario, pair, seed))
        file = ScheduleFile(scenario=scenario, pair=pair, seed=seed)
        assert not result.broken, f"{result.broken}: {result.story}\n{text_of(file)}"


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_by_chance_is_mended(setup: Setup, path: Path) -> None:
    file = ScheduleFile.model_validate_json(path.read_text(encoding="utf-8"))
    assert file.found.startswith("BROKEN")
    result = play(setup, Cast(file.scenario, file.pair, file.seed))
    assert not result.broken, f"{result.broken}: {result.story}"
