"""Time that passes only when somebody waits: every clock of the process stands still in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import time_machine

from pairbot_ext.orders.lanes import Lanes


class VirtualTime:
    """Time that passes only when somebody waits for it, and not at all outside `running`.

    :param start: the first instant.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._traveller: Any = None
        self._is_held = False
        self.listeners: list[Callable[..., None]] = []
        """Told that time has passed: with between_requests=False also in the middle of one."""

    @contextmanager
    def running(self) -> Iterator[VirtualTime]:
        """Everybody's clock is this one; it goes on where it was left."""
        slept, owner = time.sleep, threading.get_ident()

        def sleep(secs: float) -> None:
            # A thread of somebody else's, such as one that watches for this process's parent, waits truly.
            (self.sleep if threading.get_ident() == owner else slept)(secs)

        with time_machine.travel(self._now, tick=False) as self._traveller:
            time.sleep = sleep  # type: ignore[assignment]
            try:
                yield self
            finally:
                time.sleep = slept
                self._now = datetime.now(UTC)

    def advance(self, ms: int) -> None:
        """Let `ms` pass."""
        self._pass(ms, between_requests=False)

    def sleep(self, secs: float) -> None:
        """In place of time.sleep. Whoever hears does so twice a second."""
        left_ms = round(secs * 1000)
        while left_ms > 0:
            step_ms = min(left_ms, 500) if self.listeners else left_ms
            self._pass(step_ms, between_requests=True)
            left_ms -= step_ms

    def _pass(self, ms: int, *, between_requests: bool) -> None:
        self._traveller.shift(ms / 1000)
        for listener in [] if self._is_held else list(self.listeners):
            listener(between_requests=between_requests)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody is told meanwhile: what happens at once is played one after the other, and the venue's time
        knows no way back."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    def now_ms(self) -> int:
        """Epoch ms."""
        return int(time.time() * 1000)


class VirtualLanes:
    """orders.lanes.Lanes under a virtual clock, without threads: each work is played from the same instant,
    and ends at its own.

    :ivar backwards: play the last one first.
    """

    def __init__(self, clock: VirtualTime, lanes: Lanes) -> None:
        self._clock = clock
        self._client = lanes.open_client()
        self._refresh = lanes.refresh
        self.backwards = False

    def run(self, works: Sequence[Callable[[Any], Any]]) -> Generator[tuple[int, Any]]:
        """See Lanes. What is no Exception (the process ends here) is raised where it happens."""
        begun_ms = self._clock.now_ms()
        ends: list[tuple[int, int, Any]] = []
        numbered = list(enumerate(works))
        for number, work in reversed(numbered) if self.backwards else numbered:
            with self._clock.held():
                self._clock.advance(begun_ms - self._clock.now_ms())
                try:
                    outcome = work(self._refresh(self._client))
                except Exception as error:  # noqa: BLE001 - as a lane gives it back
                    outcome = error
            ends.append((self._clock.now_ms(), number, outcome))
        for ended_ms, number, outcome in sorted(ends, key=lambda end: end[:2]):
            self._clock.advance(ended_ms - self._clock.now_ms())
            yield number, outcome

    def keep_warm(self) -> None:
        """Nothing gets cold."""

    def close(self) -> None:
        """Nothing to end."""
