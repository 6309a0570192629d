"""Prices as the running bot noted them in its journal, for who looks from outside: `views.Market` by age."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

from pairbot_ext.model.plan import EntryPlan


class NotedPrices:
    """Implements `views.Market`.

    :param note: what `Hearing` has stored: at_ms, and by symbol bid, ask, source, age_secs.
    :param now_ms: epoch ms; every price has grown older since.
    """

    def __init__(self, note: Mapping[str, Any], now_ms: int) -> None:
        self._prices: Mapping[str, Mapping[str, Any]] = note["prices"]
        self._since_secs = max(0.0, (now_ms - note["at_ms"]) / 1000)

    def price(self, symbol: str) -> float | None:
        """See Market."""
        known = self._prices.get(symbol)
        return None if known is None else (known["bid"] + known["ask"]) / 2

    def source(self, symbol: str) -> tuple[str | None, float | None]:
        """See Market."""
        known = self._prices.get(symbol)
        return (None, None) if known is None else (known["source"], known["age_secs"] + self._since_secs)

    def profit(self, symbol: str, price: float) -> float | None:  # noqa: ARG002 - Market's signature
        """See Market: Freqtrade's accounts are the bot's."""
        return None

    def z(self, plan: EntryPlan, price_a: float | None, price_b: float | None) -> float | None:
        """See Market."""
        return float(plan.model.z(log(price_a), log(price_b))) if price_a and price_b else None
