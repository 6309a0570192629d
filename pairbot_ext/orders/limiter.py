"""Request weight as Binance counts it, in place of ccxt's fixed pause before every request.

ccxt spaces requests by its own costs: up to a second between the two legs, far below what Binance allows.
Binance counts weight per IP and minute (2,400 for USDⓈ-M futures) and says in every answer how much is used;
orders themselves weigh nothing. So requests go out at once while there is room, entries stop well before the
limit, and orders never wait: what an entry uses up must not be missing when everything has to be closed.

Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info (LIMITS).
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any

from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

LIMIT_PER_MINUTE = 2_400
ENTRY_CEILING = 1_500
"""No new pair while more than this is used: ten pairs closing at once take about 900."""
WAIT_CEILING = 2_250
"""Other requests wait for the next minute above this: a ban would silence exits as well."""
MINUTE_MS = 60_000
USED_WEIGHT_HEADER = "x-mbx-used-weight-1m"

_WEIGHTS = {
    "depth": 2,
    "klines": 5,
    "markPriceKlines": 5,
    "premiumIndex": 10,
    "ticker/24hr": 40,
    "ticker/bookTicker": 5,
    "account": 5,
    "positionRisk": 5,
    "userTrades": 5,
    "allOrders": 5,
    "income": 30,
    "positionSide/dual": 30,
    "multiAssetsMargin": 30,
}
_ORDER_PATHS = frozenset({"order", "openOrders", "time"})


def weight_of(path: str, method: str) -> int:
    """Weight of one request by its path below /fapi/vN/; 1 where the table does not know it."""
    return 0 if path == "order" and method == "POST" else _WEIGHTS.get(path, 1)


class WeightLimiter:
    """Weight used in the running minute: the venue's own count, plus what was sent since it was heard."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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
        return self.used() < ENTRY_CEILING

    def before(self, path: str, method: str) -> None:
        """Count a request, or wait for the next minute. Orders and questions about them never wait."""
        weight = weight_of(path, method)
        if path not in _ORDER_PATHS and self.used() + weight > WAIT_CEILING:
            wait_ms = MINUTE_MS - self._clock.now_ms() % MINUTE_MS
            logger.warning(
                f"{self._used} of {LIMIT_PER_MINUTE} weight used: {path} waits {wait_ms / 1000:.1f} s"
            )
            self._clock.sleep(wait_ms / 1000)
        with self._lock:
            self._local.sent_in = self._turn()
            self._used += weight

    def after(self, headers: Mapping[str, Any] | None) -> None:
        """Take the venue's own count over, in the thread that has called `before`.

        An answer to a request of an earlier minute is not used: its count is that minute's, or a mixture.
        """
        for name, value in (headers or {}).items():
            if str(name).lower() == USED_WEIGHT_HEADER and str(value).isdigit():
                with self._lock:
                    if getattr(self._local, "sent_in", self._turn()) == self._turn():
                        self._used = int(value)
