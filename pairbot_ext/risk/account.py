"""The wallet over time and the venue's answers over time, as the account-wide rules see them."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime


def fall_percent(now: float, before: float) -> float:
    """How far `now` lies below `before`, per cent of `before`; 0 where it does not."""
    return 100.0 * max(0.0, before - now) / before if before > 0 else math.nan


@dataclass(frozen=True)
class EquityMarks:
    """What equity is measured against. Kept over restarts, begun anew on a release by hand.

    :param peak: highest equity, stake currency.
    :param base: equity without what the trades have earned; None in marks of older versions.
    :param day: UTC day, ISO date; :param day_start: equity when it was first known on that day.
    """

    peak: float
    day: str
    day_start: float
    base: float | None = None

    def moved(self, low: float, now: datetime) -> EquityMarks:
        """The marks after equity was at least `low` for a while."""
        day = now.date().isoformat()
        if day != self.day:
            return EquityMarks(max(self.peak, low), day, low, self.base)
        return replace(self, peak=max(self.peak, low))

    def drawdown_percent(self, equity: float) -> float:
        """Fall below the peak."""
        return fall_percent(equity, self.peak)

    def daily_loss_percent(self, equity: float) -> float:
        """Fall since 00:00 UTC."""
        return fall_percent(equity, self.day_start)


class RecentEquity:
    """The last readings of equity. Only what all of them agree on is believed, at whichever side of the books
    is against it: a bad price neither makes a peak nor a fall."""

    def __init__(self, readings: int) -> None:
        self._least: deque[float] = deque(maxlen=readings)
        self._most: deque[float] = deque(maxlen=readings)

    def add(self, least: float, most: float) -> None:
        """One reading, stake currency: open legs at the far and at the near side of their books."""
        self._least.append(least)
        self._most.append(most)

    def clear(self) -> None:
        """Start anew."""
        self._least.clear()
        self._most.clear()

    @property
    def is_full(self) -> bool:
        """Whether there are enough readings to judge."""
        return len(self._least) == self._least.maxlen

    @property
    def low(self) -> float:
        """Equity was at least this in all of them."""
        return min(self._least)

    @property
    def high(self) -> float:
        """Equity was at most this in all of them."""
        return max(self._most)


class ErrorRate:
    """Requests to the venue and how many failed, in a sliding window of whole seconds. Noted by several
    threads."""

    def __init__(self, window_secs: float, min_requests: int) -> None:
        self._window_secs = window_secs
        self._min_requests = min_requests
        self._buckets: deque[tuple[int, int, int]] = deque()
        self._lock = threading.Lock()

    def note(self, now_ms: int, *, is_failure: bool) -> None:
        """One request has ended."""
        second = now_ms // 1000
        with self._lock:
            if self._buckets and self._buckets[-1][0] == second:
                _, total, failed = self._buckets.pop()
            else:
                total, failed = 0, 0
            self._buckets.append((second, total + 1, failed + is_failure))
            self._drop(now_ms)

    def percent(self, now_ms: int) -> float:
        """Share of failed requests in the window; 0 where there were too few to say."""
        with self._lock:
            self._drop(now_ms)
            total = sum(bucket[1] for bucket in self._buckets)
            failed = sum(bucket[2] for bucket in self._buckets)
        return 100.0 * failed / total if total >= self._min_requests else 0.0

    def clear(self) -> None:
        """Start anew."""
        with self._lock:
            self._buckets.clear()

    def _drop(self, now_ms: int) -> None:
        oldest = now_ms / 1000 - self._window_secs
        while self._buckets and self._buckets[0][0] < oldest:
            self._buckets.popleft()
