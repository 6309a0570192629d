"""Request weight as the venue counts it, in place of ccxt's fixed pause before every request.

ccxt spaces requests by its own costs: up to a second between the two legs, far below what a venue allows.
So requests go out at once while there is room, entries stop well before the limit, and orders never wait:
what an entry uses up must not be missing when everything has to be closed (I5).
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any

import ccxt

from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.protocol import Venue

logger = logging.getLogger(__name__)

MINUTE_MS = 60_000
WAITED_OUT_MS = 2_000
"""A silence as short as this is waited out where it is met: a leg B that gives up costs the fees of leg A."""


class NotSentError(ccxt.RateLimitExceeded):
    """A request that was kept back: the venue has never seen it."""


class WeightLimiter:
    """Weight used in the running minute: the venue's own count, plus what was sent since it was heard."""

    def __init__(self, clock: Clock, venue: Venue) -> None:
        self._clock = clock
        self._venue = venue
        self.rules = venue.weights
        self.silent_until_ms = 0
        """Until then nothing is sent: the venue has asked for it, or has banned this address."""
        self._minute = 0
        self._used = 0
        self._lock = threading.Lock()
        self._local = threading.local()

    def used(self) -> int:
        """Weight used in the running minute."""
        with self._lock:
            self._turn()
            return self._used

    def _turn(self) -> int:
        """Start counting anew where a minute has begun. Returns the minute."""
        minute = self._clock.now_ms() // MINUTE_MS
        if minute != self._minute:
            self._minute, self._used = minute, 0
        return minute

    @property
    def has_room_for_entries(self) -> bool:
        """Whether a new pair leaves enough for closing everything."""
        return self.used() < self.rules.entry_ceiling

    def asked_to_wait(self, status: int, headers: Mapping[str, Any] | None, body: str) -> None:
        """An answer may ask to send nothing more for a while: whoever goes on is banned, and for longer."""
        secs = self._venue.wait_secs(status, headers, body, self._clock.now_ms())
        if secs is not None:
            self.silent_until_ms = max(self.silent_until_ms, self._clock.now_ms() + round(secs * 1000))

    def before(self, path: str, method: str) -> None:
        """Count a request, or wait for the next minute. Orders and questions about them never wait.

        :raises NotSentError: the venue has asked to send nothing for longer; nothing is sent.
        """
        left_ms = self.silent_until_ms - self._clock.now_ms()
        if 0 < left_ms <= WAITED_OUT_MS:
            self._clock.sleep(left_ms / 1000)
        elif left_ms > 0:
            raise NotSentError(
                f"pairbot: the venue takes nothing from this address for {left_ms / 1000:.0f} s more"
            )
        weight = self.rules.weight_of(path, method)
        if path not in self.rules.never_wait and self.used() + weight > self.rules.wait_ceiling:
            wait_ms = MINUTE_MS - self._clock.now_ms() % MINUTE_MS
            logger.warning(
                f"{self._used} of {self.rules.per_minute} weight used: {path} waits {wait_ms / 1000:.1f} s"
            )
            self._clock.sleep(wait_ms / 1000)
        with self._lock:
            self._local.sent_in = self._turn()
            self._used += weight

    def after(self, headers: Mapping[str, Any] | None) -> None:
        """Take the venue's own count over, in the thread that has called `before`.

        An answer to a request of an earlier minute is not used: its count is that minute's, or a mixture.
        """
        used = self._venue.used_weight(headers)
        if used is not None:
            with self._lock:
                if getattr(self._local, "sent_in", self._turn()) == self._turn():
                    self._used = used
