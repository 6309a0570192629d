"""Request weights and order counts, metered as Binance meters them.

https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info#limits: weight per minute
and IP, order count per 10 s and per minute and account, in fixed windows of the clock. Breaking a limit
answers 429 with `Retry-After`; going on after that answers 418, and the ban grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.terms import ORDERS_PER_10_SECS, ORDERS_PER_MINUTE, WEIGHT_PER_MINUTE

MINUTE_MS = 60_000
TEN_SECS_MS = 10_000
# A ban follows this many requests sent in spite of a 429; Binance documents 2 minutes to 3 days, no count.
_IGNORED_BEFORE_BAN = 10
_FIRST_BAN_MS = 2 * MINUTE_MS
_LONGEST_BAN_MS = 3 * 86_400_000


@dataclass
class _Window:
    """A count within a fixed window of the clock."""

    length_ms: int
    start_ms: int = 0
    count: int = 0

    def add(self, amount: int, now_ms: int) -> int:
        start_ms = now_ms - now_ms % self.length_ms
        if start_ms != self.start_ms:
            self.start_ms, self.count = start_ms, 0
        self.count += amount
        return self.count

    def left_ms(self, now_ms: int) -> int:
        return self.length_ms - now_ms % self.length_ms


class LimitError(VenueError):
    """A refusal for too many requests. `retry_after_secs` goes out as a header."""

    def __init__(
        self, code: int, retry_after_secs: int, *, banned_until_ms: int | None, **values: object
    ) -> None:
        super().__init__(code, **values)
        self.retry_after_secs = retry_after_secs
        if banned_until_ms is not None:
            self.status = 418
            self.msg = (
                f"Way too many requests; IP(127.0.0.1) banned until {banned_until_ms}. "
                "Please use the websocket for live updates to avoid bans."
            )


@dataclass
class RateLimits:
    """The meters of the one IP and account. `enforced` off still counts, but refuses nothing."""

    enforced: bool = True
    weight_limit: int = WEIGHT_PER_MINUTE
    _weight: _Window = field(default_factory=lambda: _Window(MINUTE_MS))
    _orders_10_secs: _Window = field(default_factory=lambda: _Window(TEN_SECS_MS))
    _orders_minute: _Window = field(default_factory=lambda: _Window(MINUTE_MS))
    _ignored: int = 0
    _bans: int = 0
    _banned_until_ms: int = 0

    def count_request(self, weight: int, now_ms: int) -> None:
        """Count one request.

        :raises LimitError: 429 over the limit, 418 while banned.
        """
        used = self._weight.add(weight, now_ms)
        if not self.enforced:
            return
        if now_ms < self._banned_until_ms:
            raise self._ban(now_ms)
        if used <= self.weight_limit:
            self._ignored = 0
            return
        self._ignored += 1
        if self._ignored > _IGNORED_BEFORE_BAN:
            self._banned_until_ms = now_ms + min(_FIRST_BAN_MS * 2**self._bans, _LONGEST_BAN_MS)
            self._bans += 1
            self._ignored = 0
            raise self._ban(now_ms)
        wait_secs = -(-self._weight.left_ms(now_ms) // 1000)
        raise LimitError(Code.TOO_MANY_REQUESTS, wait_secs, banned_until_ms=None, limit=self.weight_limit)

    def _ban(self, now_ms: int) -> LimitError:
        wait_secs = -(-(self._banned_until_ms - now_ms) // 1000)
        return LimitError(
            Code.TOO_MANY_REQUESTS, wait_secs, banned_until_ms=self._banned_until_ms, limit=self.weight_limit
        )

    def count_order(self, now_ms: int) -> None:
        """Count one new order.

        :raises LimitError: −1015 over 300 per 10 s or 1200 per minute.
        """
        windows = (
            (self._orders_10_secs, ORDERS_PER_10_SECS, "10 SECONDS"),
            (self._orders_minute, ORDERS_PER_MINUTE, "MINUTE"),
        )
        for window, _, _ in windows:
            window.add(1, now_ms)
        for window, limit, interval in windows:
            if window.add(0, now_ms) > limit and self.enforced:
                wait_secs = -(-window.left_ms(now_ms) // 1000)
                raise LimitError(
                    Code.TOO_MANY_ORDERS, wait_secs, banned_until_ms=None, limit=limit, interval=interval
                )

    def used_weight(self, now_ms: int) -> int:
        """Weight used in the current minute."""
        return self._weight.add(0, now_ms)

    def headers(self, now_ms: int, *, with_orders: bool) -> dict[str, str]:
        """What Binance tells about the meters with every answer."""
        found = {"X-MBX-USED-WEIGHT-1M": str(self._weight.add(0, now_ms))}
        if with_orders:
            found["X-MBX-ORDER-COUNT-10S"] = str(self._orders_10_secs.add(0, now_ms))
            found["X-MBX-ORDER-COUNT-1M"] = str(self._orders_minute.add(0, now_ms))
        return found
