"""A rehearsal in which the process dies at one effect after the other: what leaves it, is stored, is said.

An effect is a request, before it arrives and after the venue has dealt with it; a commit of a database; a
message. Between two effects nothing of the process outlives it, so dying at each is dying everywhere.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from pairbot_ext.pairs import Pair
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.schedule import Scenario
from pairbot_ext.rehearse.setup import Setup
from pairbot_ext.rehearse.stage import Stage
from pairbot_ext.sim.rest.messages import Request


class MortalStage(Stage):
    """A stage whose process dies at given effects.

    :param deaths: numbers of effects, counted from 1 over all processes of the rehearsal; none lets it live,
        and `effects` says afterwards how many there were.
    """

    def __init__(
        self, directory: Path, clock: VirtualTime, setup: Setup, pair: Pair, scenario: Scenario, *,
        seed: int, deaths: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self._deaths = frozenset(deaths)
        self.effects: list[str] = []
        super().__init__(directory, clock, setup, pair, scenario, seed=seed)

    def play(self) -> None:
        """See Stage."""
        with self._commits_counted():
            super().play()

    def before(self, request: Request) -> None:
        """See Stage."""
        super().before(request)
        self._effect(f"{request.call} leaves")

    def after(self, request: Request) -> None:
        """See Stage."""
        super().after(request)
        self._effect(f"{request.call} is dealt with")

    def hear(self, text: str) -> None:
        """See Machine."""
        self._effect("a message is said")
        super().hear(text)

    @contextmanager
    def _commits_counted(self) -> Generator[None, None, None]:
        def committing(_connection: Any) -> None:
            self._effect("a commit")

        event.listen(Engine, "commit", committing)
        try:
            yield
        finally:
            event.remove(Engine, "commit", committing)

    def _effect(self, what: str) -> None:
        if self.is_over or self.is_dead:
            return
        self.effects.append(what)
        if len(self.effects) in self._deaths:
            self.die()
