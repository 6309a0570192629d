"""Funding payments of all symbols in one question, instead of one a symbol (weight 30 each).

Freqtrade asks for a trade's payments at each exit and for every open trade twice an hour. Source: Binance
USDⓈ-M futures, Get Income History: without a symbol it answers for the account, at most 1,000 rows, oldest
first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pairbot_ext.support.clock import Clock

ROWS = 1_000
MOST_PAGES = 10
"""More would cost more than asking for the symbol alone."""
FRESH_MS = 30_000
HOUR_MS = 3_600_000
BOOKED_MS, SOON_MS = 60_000, 5_000
"""Funding falls due on the hour and is booked within seconds: for a minute a reading is good for less."""


class FundingHistory:
    """Stands in for one client's `fetch_funding_history`.

    :param fetch: the client's own. :param oldest_ms: since when any open trade needs payments, None without
        one; asked before each reading, so that one covers them all.
    """

    def __init__(
        self, fetch: Callable[..., list[dict[str, Any]]], clock: Clock, oldest_ms: Callable[[], int | None]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._oldest_ms = oldest_ms
        self._rows: list[dict[str, Any]] = []
        self._from_ms: int | None = None
        self._read_ms = 0

    def __call__(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """As ccxt's, and raises as it does."""
        if symbol is None or since is None or limit is not None or params:
            return self._fetch(symbol, since, limit, params or {})
        if not self._covers(since) and not self._read(since):
            return self._fetch(symbol, since)
        return [row for row in self._rows if row["symbol"] == symbol and row["timestamp"] >= since]

    def _covers(self, since: int) -> bool:
        now_ms = self._clock.now_ms()
        age_ms = now_ms - self._read_ms
        good_for_ms = SOON_MS if now_ms % HOUR_MS < BOOKED_MS else FRESH_MS
        return (
            self._from_ms is not None
            and since >= self._from_ms
            and 0 <= age_ms < good_for_ms
            and now_ms // HOUR_MS == self._read_ms // HOUR_MS
        )

    def _read(self, since: int) -> bool:
        """Read all payments since the oldest open trade. Returns whether they are known now."""
        from_ms = min(since, self._oldest_ms() or since)
        now_ms, self._from_ms = self._clock.now_ms(), None
        found: dict[tuple[Any, Any, Any], dict[str, Any]] = {}
        start_ms = from_ms
        for _ in range(MOST_PAGES):
            page = self._fetch(None, start_ms, ROWS)
            known = len(found)
            # Payments of one stamp may lie on both sides of a page's end.
            found |= {(row["symbol"], row["timestamp"], row["id"]): row for row in page}
            if len(page) < ROWS:
                self._rows, self._from_ms, self._read_ms = list(found.values()), from_ms, now_ms
                return True
            if len(found) == known:
                break
            start_ms = page[-1]["timestamp"]
        return False
