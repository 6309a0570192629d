"""Requests and orders as the venue counts them, in place of ccxt's fixed pause before every request.

ccxt spaces requests by its own costs: up to a second between the two legs, far below what a venue allows.
So requests go out at once while there is room, entries stop well before the limit, and orders never wait for
weight: what an entry uses up must not be missing when everything has to be closed (I5). How much there is the
venue says itself, and again every hour; what it does not say is taken from its documents, which is told.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.protocol import RateLimits, Venue

logger = logging.getLogger(__name__)

MINUTE_MS = 60_000
WAITED_OUT_MS = 2_000
"""A silence as short as this is waited out where it is met: a leg B that gives up costs the fees of leg A."""


LIMITS_READ_MS = 3_600_000
LIMITS_RETRY_MS = 60_000


class NotSentError(ccxt.RateLimitExceeded):
    """A request that was kept back: the venue has never seen it."""


class WeightLimiter:
    """Weight used in the running minute, and orders in each window: the venue's own counts, plus what was
    sent since they were heard. May be used by several threads."""

    def __init__(self, clock: Clock, venue: Venue) -> None:
        self._clock = clock
        self._venue = venue
        self.rules = venue.weights
        self.limits = venue.documented_limits
        """As the venue has said them last."""
        self._renew_ms = 0
        self._orders: dict[int, tuple[int, int]] = {}
        """Per window's length: (which window, orders in it)."""
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
        share = self.rules.entry_share
        if self.used() >= share * self.limits.weight_per_minute:
            return False
        return all(self._orders_in(ms) <= share * most for ms, most in self.limits.orders.items())

    @property
    def used_text(self) -> str:
        """How much of what the venue takes is used, for people."""
        orders = (
            f"{self._orders_in(ms)} of {most} orders in {ms / 1000:g} s"
            for ms, most in sorted(self.limits.orders.items())
        )
        return f"{self.used()} of {self.limits.weight_per_minute} request weight, {', '.join(orders)}"

    def has_room_for_orders(self, count: int) -> bool:
        """Whether the venue takes so many orders now: one more would be refused, and going on would ban this
        address. More than a window takes at all go out when it is empty. No exit waits for the end of a day:
        where a window is longer than a minute, the venue may say no itself (I5)."""
        return all(
            not (used := self._orders_in(ms)) or used + count <= most
            for ms, most in self.limits.orders.items()
            if ms <= MINUTE_MS
        )

    def _orders_in(self, window_ms: int) -> int:
        """Orders sent in the running window."""
        window, count = self._orders.get(window_ms, (0, 0))
        return count if window == self._clock.now_ms() // window_ms else 0

    def renew(self, read: Callable[[], RateLimits], *, is_busy: bool = False) -> None:
        """Ask the venue for its limits where that is due. What fails is asked again a minute later.

        :param read: raises ccxt.BaseError.
        :param is_busy: something is open, and no exit shall wait for this: it is left to the lanes.
        """
        if is_busy:
            return
        now_ms = self._clock.now_ms()
        # A longer way to go than any: the machine's clock was set back.
        if 0 < self._renew_ms - now_ms <= LIMITS_READ_MS:
            return
        is_first = not self._renew_ms
        # Now: the lane beside this one need not ask too.
        self._renew_ms = now_ms + LIMITS_RETRY_MS
        try:
            limits = read()
        except Exception as error:  # noqa: BLE001 - ccxt stumbles over an empty answer with a TypeError
            logger.warning(f"The venue's limits cannot be read, {self.limits.text} count: {error}")
            return
        if limits != self.limits or is_first:
            note = logger.warning if limits.documented else logger.info
            note(f"The venue takes {limits.text}")
        self.limits, self._renew_ms = limits, now_ms + LIMITS_READ_MS

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
        most = self.limits.weight_per_minute
        if path not in self.rules.never_wait and self.used() + weight > self.rules.wait_share * most:
            wait_ms = MINUTE_MS - self._clock.now_ms() % MINUTE_MS
            logger.warning(f"{self._used} of {most} weight used: {path} waits {wait_ms / 1000:.1f} s")
            self._clock.sleep(wait_ms / 1000)
        with self._lock:
            self._local.sent_in = self._turn()
            self._local.sent_ms = self._clock.now_ms()
            self._used += weight
            if (path, method) in self.rules.orders:
                for window_ms in self.limits.orders:
                    self._count_orders(window_ms, self._orders_in(window_ms) + 1)

    def _count_orders(self, window_ms: int, count: int) -> None:
        self._orders[window_ms] = (self._clock.now_ms() // window_ms, count)

    def after(self, headers: Mapping[str, Any] | None) -> None:
        """Take the venue's own counts over, in the thread that has called `before`.

        An answer to a request of an earlier window is not used: its count is that one's, or a mixture.
        """
        used = self._venue.used_weight(headers)
        orders = self._venue.used_orders(headers)
        now_ms = self._clock.now_ms()
        with self._lock:
            if used is not None and getattr(self._local, "sent_in", self._turn()) == self._turn():
                self._used = used
            sent_ms = getattr(self._local, "sent_ms", now_ms)
            for window_ms, count in orders.items():
                if sent_ms // window_ms == now_ms // window_ms:
                    # Two orders are out at once: the answer that comes later may have been counted first.
                    self._count_orders(window_ms, max(count, self._orders_in(window_ms)))
