"""Who hands the stages out.

A bot takes seconds of CPU to start, so cases that do not end the process share one bot and one exchange: a
`Stage` that is running and flat goes from case to case, one left in another condition is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import Stage
from venue_process import VenueProcess


class StageHand:
    """Hands out a stage that is running and flat, a fresh one where the last case has left it otherwise.

    :param directory: new on every call.
    """

    def __init__(self, directory: Callable[[], Path]) -> None:
        self._directory = directory
        self._venue: VenueProcess | None = None
        self._stage: Stage | None = None

    @property
    def venue(self) -> VenueProcess:
        """The exchange, started with the first case."""
        if self._venue is None:
            self._venue = VenueProcess(self._directory())
        return self._venue

    @contextmanager
    def ready(self) -> Iterator[Stage]:
        """A running bot without positions, faults, locks or signals."""
        if self._stage is None or not self._stage.is_reusable():
            self._drop()
            self._stage = Stage(self._directory(), self.venue)
            self._stage.start()
        self._await_api(self._stage)
        self._stage.unlock_pairs()
        self._stage.begin()
        try:
            yield self._stage
        finally:
            self._stage.end()

    @contextmanager
    def own(self, *, dry_run: bool = False) -> Iterator[Stage]:
        """A stage for one case alone, with a database of its own; the bot is not started."""
        self._drop()
        stage = Stage(self._directory(), self.venue, dry_run=dry_run)
        try:
            yield stage
        finally:
            stage.end()
            stage.close_everything()

    def _await_api(self, stage: Stage) -> None:
        def answers() -> bool:
            assert stage.is_alive, stage.log_text()[-3000:]
            try:
                return bool(stage.api("GET", "show_config")["state"] == "running")
            except OSError:
                return False

        stage.wait_for("the bot", answers)

    def _drop(self) -> None:
        if self._stage is not None:
            self._stage.close_everything()
            self._stage = None

    def stop(self) -> None:
        """End everything this hand has started."""
        self._drop()
        if self._venue is not None:
            self._venue.stop()
