"""The worst that can be found: hypothesis looks for schedules, and shrinks what it finds.

Each round asks for a schedule that is clearly worse than the worst so far, and has it shrunk to the shortest
that still is; then the bar is raised, until the time is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable

from pairbot_ext.rehearse.chance import compose
from pairbot_ext.rehearse.drill import Cast, play
from pairbot_ext.rehearse.outcome import Result
from pairbot_ext.rehearse.schedule import Scenario, ScheduleFile
from pairbot_ext.rehearse.setup import Setup

MEASURES: dict[str, Callable[[Result], float]] = {
    "loss": lambda result: result.loss,
    "alone": lambda result: result.alone_secs,
}
_UNITS = {"loss": "USDT lost at worst", "alone": "s alone"}
_CLEARLY = 1.05
_BROKEN = 1e9
"""What is broken is worse than any figure."""
_MOST_EXAMPLES = 100_000


class _WorseError(Exception):
    """A schedule beyond the bar: how hypothesis is told to shrink it."""


@dataclass(frozen=True)
class Found:
    """The worst schedule and what came of it. :param tried: different schedules that were played."""

    schedule: ScheduleFile
    result: Result
    tried: int


class _Search:
    def __init__(self, setup: Setup, seed: int, by: str, end: float, now: Callable[[], float]) -> None:
        self._setup, self._seed, self._end, self._now = setup, seed, end, now
        self._measure = MEASURES[by]
        self._pair = setup.pairs[0].id
        self._known: dict[str, Result] = {}
        self.best: tuple[float, Scenario, Result] | None = None

    @property
    def is_over(self) -> bool:
        return self._now() >= self._end

    @property
    def tried(self) -> int:
        return len(self._known)

    def score(self, result: Result) -> float:
        return (_BROKEN if result.broken else 0.0) + self._measure(result)

    def play(self, scenario: Scenario) -> Result:
        key = scenario.model_dump_json()
        if key not in self._known:
            self._known[key] = play(self._setup, Cast(scenario, self._pair, self._seed))
        return self._known[key]

    def take(self, scenario: Scenario, result: Result) -> None:
        self.best = (self.score(result), scenario, result)

    def round(self, number: int, note: Callable[[str], None]) -> bool:
        """Raise the bar once. Returns whether something beyond it was found."""
        assert self.best is not None
        bar = self.best[0] * _CLEARLY + 1e-9
        beyond: list[tuple[int, Scenario, Result]] = []

        @seeded(self._seed + number)
        @settings(
            max_examples=_MOST_EXAMPLES,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.target, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )
        @given(st.data())
        def look(data: Any) -> None:
            if self.is_over:
                # Nothing more is played: what was found is shrunk no further.
                return
            scenario = compose(lambda choices: data.draw(st.sampled_from(list(choices))), "found")
            result = self.play(scenario)
            if self.score(result) > bar:
                beyond.append((len(scenario.model_dump_json()), scenario, result))
                raise _WorseError

        # Flaky: the time was over in the middle of shrinking.
        with suppress(_WorseError, Flaky, Unsatisfiable):
            look()
        if not beyond:
            return False
        _, scenario, result = min(beyond, key=lambda found: found[0])
        self.take(scenario, result)
        note(f"{self.tried} schedules: {self._measure(result):.2f} ({scenario.title})")
        return True


def search(
    setup: Setup,
    *,
    minutes: float,
    seed: int,
    by: str = "loss",
    note: Callable[[str], None] = lambda _text: None,
    now: Callable[[], float] = time.monotonic,
) -> Found:
    """Look for so long. What is broken is worse than any loss.

    :param by: "loss" or "alone". :param now: seconds, of a real clock.
    """
    run = _Search(setup, seed, by, now() + 60 * minutes, now)
    calm = Scenario(name="found", title="nothing happens", group="chance")
    run.take(calm, run.play(calm))
    number = 0
    try:
        while not run.is_over:
            run.round(number, note)
            number += 1
    except KeyboardInterrupt:
        note("Stopped by Ctrl+C: the worst so far follows")
    assert run.best is not None
    _, scenario, result = run.best
    value = MEASURES[by](result)
    words = f"{value:.2f} {_UNITS[by]} among {run.tried} schedules"
    if result.broken:
        words = f"BROKEN: {result.broken[0]}; {words}"
    schedule = ScheduleFile(scenario=scenario, pair=result.pair, seed=seed, found=words)
    return Found(schedule, result, run.tried)
