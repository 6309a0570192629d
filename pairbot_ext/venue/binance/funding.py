"""Predicted funding of one symbol: rate, next settlement, interval.

Source: Binance USDⓈ-M futures, Mark Price (premiumIndex, weight 1 a symbol: `lastFundingRate` is the running
period's estimate) and Get Funding Rate Info (fundingInfo, weight 0: lists the symbols whose interval is not
the usual 8 hours).
"""

from typing import Any

from pairbot_ext.model.findings import Funding
from pairbot_ext.support.errors import PairbotError

USUAL_INTERVAL_HOURS = 8.0


class FundingReader:
    """Reads through one ccxt client; the intervals once per bot."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._interval_hours: dict[str, float] | None = None

    def read(self, symbol: str) -> Funding:
        """Raises ccxt.BaseError as ccxt does, and PairbotError for an answer without rate or time."""
        answer = self._client.fetch_funding_rate(symbol)
        rate, next_ms = answer.get("fundingRate"), answer.get("fundingTimestamp")
        if rate is None or next_ms is None:
            raise PairbotError(f"the venue names no funding rate of {symbol}", value=str(answer)[:80])
        return Funding(float(rate), int(next_ms), self._intervals().get(symbol, USUAL_INTERVAL_HOURS))

    def _intervals(self) -> dict[str, float]:
        if self._interval_hours is None:
            found: dict[str, float] = {}
            if self._client.has.get("fetchFundingIntervals"):
                for symbol, answer in self._client.fetch_funding_intervals().items():
                    text = str(answer.get("interval") or "")
                    if text.endswith("h") and text[:-1].isdigit() and int(text[:-1]):
                        found[symbol] = float(text[:-1])
            self._interval_hours = found
        return self._interval_hours
