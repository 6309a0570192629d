"""A schedule that shows a fault, made as short as it still shows one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from pairbot_ext.rehearse.chance import described
from pairbot_ext.rehearse.drill import Cast, play
from pairbot_ext.rehearse.outcome import Result
from pairbot_ext.rehearse.schedule import LONGEST_TITLE, Scenario, ScheduleFile
from pairbot_ext.rehearse.setup import Setup


def smallest(
    setup: Setup, cast: Cast, result: Result, *, plays: Callable[[Setup, Cast], Result] = play
) -> tuple[ScheduleFile, Result]:
    """Leave out one step after the other, and repetitions, while something is still broken.

    :param result: what `cast` has shown. :param plays: how a cast is played.
    :returns: the shortest schedule found, as a file that `pairbot drill --schedule` plays, and its result.
    """
    scenario, is_shorter = cast.scenario, True
    while is_shorter:
        is_shorter = False
        for shorter in _shorter(scenario):
            found = plays(setup, replace(cast, scenario=shorter))
            if found.broken:
                scenario, result, is_shorter = shorter, found, True
                break
    title = "; ".join(described(step) for step in scenario.steps) or "nothing happens"
    scenario = scenario.model_copy(update={"title": title[:LONGEST_TITLE]})
    file = ScheduleFile(
        scenario=scenario, pair=cast.pair, seed=cast.seed, found=f"BROKEN: {'; '.join(result.broken)}"
    )
    return file, result


def _shorter(scenario: Scenario) -> Iterator[Scenario]:
    steps = scenario.steps
    for left_out in range(len(steps)):
        kept = steps[:left_out] + steps[left_out + 1 :]
        yield scenario.model_copy(update={"steps": kept})
    for number, step in enumerate(steps):
        if step.times > 1:
            once = step.model_copy(update={"times": 1})
            yield scenario.model_copy(update={"steps": (*steps[:number], once, *steps[number + 1 :])})
    if scenario.streams:
        yield scenario.model_copy(update={"streams": False})
