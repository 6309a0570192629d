"""Clocks: the venue's own, which can be held at an instant, and one that tests move by hand."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator


def wall_clock_ms() -> int:
    """The real clock, epoch ms."""
    return time.time_ns() // 1_000_000


class VirtualClock:
    """A clock that moves only when told to: for tests and replay without waiting."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms

    def __call__(self) -> int:
        """Epoch ms."""
        return self._now_ms

    def advance(self, ms: int) -> None:
        """Move forward.

        :raises ValueError: backwards.
        """
        if ms < 0:
            raise ValueError(f"a clock cannot go back ({ms} ms)")
        self._now_ms += ms


class VenueClock:
    """The venue's time: a source plus an offset, never backwards, and held while one instant is worked on.

    :param source: epoch ms, from anywhere: the wall clock, a `VirtualClock`, a patched one.
    """

    def __init__(self, source: Callable[[], int]) -> None:
        self._source = source
        self._offset_ms = 0
        self._latest_ms = source()
        self._held_ms: int | None = None

    def __call__(self) -> int:
        """Epoch ms."""
        return self.running() if self._held_ms is None else self._held_ms

    def running(self) -> int:
        """The time outside, even while the venue's own is held."""
        self._latest_ms = max(self._latest_ms, self._source() + self._offset_ms)
        return self._latest_ms

    def advance(self, ms: int) -> None:
        """Set the venue ahead of its source by `ms` more."""
        if ms < 0:
            raise ValueError(f"a clock cannot go back ({ms} ms)")
        self._offset_ms += ms

    @contextlib.contextmanager
    def held_at(self, instant_ms: int) -> Iterator[None]:
        """Within the block the venue's time is `instant_ms`."""
        previous, self._held_ms = self._held_ms, instant_ms
        try:
            yield
        finally:
            self._held_ms = previous
