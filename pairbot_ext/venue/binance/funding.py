"""Predicted funding of one symbol: rate, next settlement, interval.

Source: Binance USDⓈ-M futures, Mark Price (premiumIndex, weight 1 a symbol: `lastFundingRate` is the running
period's estimate) and Get Funding Rate Info (fundingInfo, weight 0: lists the symbols whose interval is not
the usual 8 hours).
"""

from typing import Any

from pairbot_ext.model.findings import Funding
from pairbot_ext.support.clock import Clock, SystemClock
from pairbot_ext.support.errors import PairbotError

USUAL_INTERVAL_HOURS = 8.0


REREAD_MS = 3_600_000
"""The venue shortens the interval of a volatile coin within minutes."""


class FundingReader:
    """Reads through one ccxt client; the intervals anew every hour, and whenever the next settlement lies
    further away than the interval known allows."""

    def __init__(self, client: Any, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or SystemClock()
        self._interval_hours: dict[str, float] = {}
        self._read_ms: int | None = None

    def read(self, symbol: str) -> Funding:
        """Raises ccxt.BaseError as ccxt does, and PairbotError for an answer without rate or time."""
        answer = self._client.fetch_funding_rate(symbol)
        rate, next_ms = answer.get("fundingRate"), answer.get("fundingTimestamp")
        if rate is None or next_ms is None:
            raise PairbotError(f"the venue names no funding rate of {symbol}", value=str(answer)[:80])
        now_ms = self._clock.now_ms()
        if self._read_ms is None or now_ms - self._read_ms >= REREAD_MS:
            self._read_intervals(now_ms)
        hours = self._interval_hours.get(symbol, USUAL_INTERVAL_HOURS)
        if int(next_ms) - now_ms > hours * 3_600_000 and self._read_ms != now_ms:
            self._read_intervals(now_ms)
            hours = self._interval_hours.get(symbol, USUAL_INTERVAL_HOURS)
        return Funding(float(rate), int(next_ms), hours)

    def _read_intervals(self, now_ms: int) -> None:
        found: dict[str, float] = {}
        if self._client.has.get("fetchFundingIntervals"):
            for symbol, answer in self._client.fetch_funding_intervals().items():
                text = str(answer.get("interval") or "")
                if text.endswith("h") and text[:-1].isdigit() and int(text[:-1]):
                    found[symbol] = float(text[:-1])
        self._interval_hours, self._read_ms = found, now_ms
