"""A plan carries the unit of its half-life: what is counted in candles, and how long a candle was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from journals import PLAN

from pairbot_ext.model.plan import EntryPlan

HOUR = 3600


@pytest.mark.parametrize(
    ("made_with_secs", "bot_secs", "expected_candles"),
    [(HOUR, HOUR, 20.0), (HOUR, 4 * HOUR, 5.0), (4 * HOUR, HOUR, 80.0), (HOUR, 900, 80.0), (0, 900, 20.0)],
)
def test_a_half_life_lasts_as_long_on_other_candles(
    made_with_secs: int, bot_secs: int, expected_candles: float
) -> None:
    """Plans of older versions (0) counted in whatever candles the bot had."""
    plan = replace(PLAN, candle_secs=made_with_secs)
    assert plan.half_life_candles(bot_secs) == pytest.approx(expected_candles)


@pytest.mark.parametrize("secs", [0, 60, 4 * HOUR])
def test_the_unit_is_stored_with_the_plan(secs: int) -> None:
    plan = replace(PLAN, candle_secs=secs)
    assert EntryPlan.from_json(plan.to_json()) == plan


def test_a_plan_of_an_older_version_is_read() -> None:
    document = PLAN.to_json()
    document.pop("candle_secs")
    assert EntryPlan.from_json(document) == replace(PLAN, candle_secs=0)
