"""Many rehearsals of one user's bot, on all cores, and what they say together."""

from __future__ import annotations

import gc
import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.outcome import Result, result_of
from pairbot_ext.rehearse.scenarios import curated
from pairbot_ext.rehearse.schedule import Scenario
from pairbot_ext.rehearse.setup import START, Setup
from pairbot_ext.rehearse.stage import Stage
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.tasks import Workers, run

CALM = "calm"
MOST_PAIRS = 12
"""So many pairs of a file are rehearsed, the first ones: each is first seen opening on a calm day."""


@dataclass(frozen=True)
class Cast:
    """One rehearsal to be played: by which pair, from which seed."""

    scenario: Scenario
    pair: str
    seed: int
    opens_when_calm: bool = True


def play(setup: Setup, cast: Cast) -> Result:
    """One rehearsal, in this process, whose clocks stand still meanwhile."""
    pair = next(each for each in setup.pairs if each.id == cast.pair)
    with tempfile.TemporaryDirectory(prefix="pairbot-drill-") as folder, quiet(), _rarely_collected():
        clock = VirtualTime(START)
        with clock.running():
            stage = Stage(Path(folder) / "bot", clock, setup, pair, cast.scenario, seed=cast.seed)
            try:
                stage.play()
                return result_of(stage, opens_when_calm=cast.opens_when_calm)
            finally:
                stage.end()


def play_rows(scenario: str, pair: str, seed: int, opens: bool, *, setup: Setup) -> list[dict[str, str]]:
    """`play` as a task of `tasks`."""
    cast = Cast(Scenario.model_validate_json(scenario), pair, seed, opens)
    return [{"result": json.dumps(play(setup, cast).to_json())}]


@contextmanager
def quiet() -> Generator[None, None, None]:
    """What a bot logs and warns of in a rehearsal is in its messages."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _rarely_collected() -> Generator[None, None, None]:
    """A bot is made of a million objects that are gone with it: looking for garbage among them took a tenth
    of a rehearsal."""
    before = gc.get_threshold()
    gc.set_threshold(10_000, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass
class Drill:
    """The results, in the order they came, and what is known of the setup.

    :param wanted: how many rehearsals were to be played.
    """

    setup: Setup
    wanted: int = 0
    calm: list[Result] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    @property
    def broken(self) -> list[Result]:
        """Rehearsals in which something was that must not be."""
        return [each for each in self.results if each.broken]

    @property
    def exceeded(self) -> list[Result]:
        """Rehearsals in which a configured limit did not hold."""
        return [each for each in self.results if each.exceeded]

    @property
    def is_passed(self) -> bool:
        """Whether something was played, a pair opens on a calm day, and nothing is broken."""
        return bool(self.results) and not self.broken and any(each.was_hedged for each in self.calm)

    def headline(self) -> str:
        """The worst that happened, and whether the configured limits held: one sentence or two."""
        if not self.results:
            return "Nothing was rehearsed."
        if self.calm and not any(each.was_hedged for each in self.calm):
            stories = list(dict.fromkeys(each.story for each in self.calm))
            return f"NO PAIR IS OPENED with this configuration, even on a calm day: {'; '.join(stories[:3])}"
        worst = max(self.results, key=lambda each: each.loss)
        longest = max(self.results, key=lambda each: each.alone_secs)
        broken = self.broken
        words = [
            f"BROKEN in {len(broken)} of {len(self.results)}: {broken[0].name}: {broken[0].broken[0]}."
            if broken
            else f"{len(self.results)} rehearsals, every pair ended whole or flat.",
            f"Worst loss {worst.loss:.2f} USDT ({worst.loss_percent:.1f} % of the stake) in {worst.name}; "
            f"longest alone {longest.alone_secs:g} s in {longest.name}.",
            f"Configured limits did not hold in {len(self.exceeded)}: {self.exceeded[0].exceeded[0]} "
            f"({self.exceeded[0].name})."
            if self.exceeded
            else "The configured limits held.",
        ]
        return " ".join(words)

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "headline": self.headline(),
            "is_passed": self.is_passed,
            "wanted": self.wanted,
            "assumed": list(self.setup.assumed),
            "calm": [each.to_json() for each in self.calm],
            "results": [each.to_json() for each in self.results],
        }


def chosen_scenarios(names: Sequence[str]) -> tuple[Scenario, ...]:
    """Of the curated set those of these names, or whose name begins so. All of them without a name.

    :raises PairbotError: nothing is called so.
    """
    if not names:
        return curated()
    found = tuple(each for each in curated() if any(each.name.startswith(name) for name in names))
    strange = [name for name in names if not any(each.name.startswith(name) for each in curated())]
    if strange:
        raise PairbotError(
            "No scenario is called so",
            value=", ".join(strange),
            remedy="`pairbot drill --list` shows the names; the first letters of one are enough",
        )
    return found


def rehearse(
    drill: Drill,
    scenarios: Iterable[Scenario],
    *,
    seed: int = 1,
    workers: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Play them all, in turn by the pairs that open on a calm day; results are in `drill` as they come, also
    where it is interrupted.

    :param seed: of the first; the others count on, so that spreads stand out on either side.
    """
    pairs = [pair.id for pair in drill.setup.pairs[:MOST_PAIRS]]
    calm = next(each for each in curated() if each.name == CALM)
    scenarios = [each for each in scenarios if each.name != CALM]
    drill.wanted = len(pairs) + len(scenarios)

    def told(done: int, _all: int) -> None:
        if progress is not None:
            progress(len(drill.calm) * bool(drill.results) + done, drill.wanted)

    first = [Cast(calm, pair, seed + number) for number, pair in enumerate(pairs)]
    for result in played(drill.setup, first, workers, told):
        drill.calm.append(result)
        drill.results.append(result)
    opening = [each.pair for each in drill.calm if each.was_hedged]
    casts = [
        Cast(scenario, (opening or pairs)[number % len(opening or pairs)], seed + number, bool(opening))
        for number, scenario in enumerate(scenarios)
    ]
    for result in played(drill.setup, casts, workers, told):
        drill.results.append(result)


def played(
    setup: Setup,
    casts: Sequence[Cast],
    workers: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Generator[Result, None, None]:
    """The result of each, in order."""
    tasks = [(cast.scenario.model_dump_json(), cast.pair, cast.seed, cast.opens_when_calm) for cast in casts]
    rows = run(play_rows, tasks, shared={"setup": setup}, workers=workers, progress=progress)
    with suppress(GeneratorExit):
        for found in rows:
            yield Result.of_json(json.loads(str(next(iter(found))["result"])))
