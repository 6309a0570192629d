"""Predicted funding of one symbol: rate, next settlement, interval.

Source: Binance USDⓈ-M futures, Mark Price (premiumIndex, weight 1 a symbol: `lastFundingRate` is the running
period's estimate) and Get Funding Rate Info (fundingInfo, weight 0: lists the symbols whose interval is not
the usual 8 hours).
"""

from collections.abc import Mapping
from typing import Any

from pairbot_ext.model.findings import Funding
from pairbot_ext.support.errors import PairbotError

USUAL_INTERVAL_HOURS = 8.0


def read_funding(client: Any, symbol: str, interval_hours: Mapping[str, float]) -> Funding:
    """Raises ccxt.BaseError as ccxt does, and PairbotError for an answer without rate or time.

    :param interval_hours: of the symbols that have not the usual one.
    """
    answer = client.fetch_funding_rate(symbol)
    rate, next_ms = answer.get("fundingRate"), answer.get("fundingTimestamp")
    if rate is None or next_ms is None:
        raise PairbotError(f"the venue names no funding rate of {symbol}", value=str(answer)[:80])
    return Funding(float(rate), int(next_ms), interval_hours.get(symbol, USUAL_INTERVAL_HOURS))


def read_intervals(client: Any) -> dict[str, float]:
    """Hours between two settlements, of the symbols that have not the usual interval."""
    found: dict[str, float] = {}
    if client.has.get("fetchFundingIntervals"):
        for symbol, answer in client.fetch_funding_intervals().items():
            text = str(answer.get("interval") or "")
            if text.endswith("h") and text[:-1].isdigit() and int(text[:-1]):
                found[symbol] = float(text[:-1])
    return found
