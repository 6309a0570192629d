"""Request weight as Binance counts it: per address and minute, said in every answer; orders weigh nothing.

Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info (LIMITS), and
`exchangeInfo.rateLimits`.
"""

import re
from collections.abc import Mapping
from typing import Any

from pairbot_ext.venue.protocol import RequestBudget, WeightRules

USED_WEIGHT_HEADER = "x-mbx-used-weight-1m"

RULES = WeightRules(
    per_minute=2_400,
    # Ten pairs closing at once take about 900.
    entry_ceiling=1_500,
    # A ban would silence exits as well.
    wait_ceiling=2_250,
    weights={
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
    },
    never_wait=frozenset({"order", "openOrders", "time"}),
    free=frozenset({("order", "POST")}),
)
# Measured with this engine and the pinned Freqtrade on the simulated exchange, which counts as Binance does.
# Of closing a pair 60 is the income history; entering one is 59, 2 of it for the funding rates.
BUDGET = RequestBudget(startup=80, candles=2, held_pair=4, funding_pair=60, close_pair=91, housekeeping=25)


_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
_LONGEST_BAN_SECS = 3 * 86_400.0
"""Bans last two minutes to three days."""


def wait_secs(status: int, headers: Mapping[str, Any] | None, body: str, now_ms: int) -> float | None:
    """429 and 418 say in `Retry-After`, a ban in its text too, for how long nothing more may be sent."""
    if status not in (418, 429):
        return None
    until = _BANNED_UNTIL.search(body)
    if until is not None:
        return min(max(0.0, (int(until[1]) - now_ms) / 1000), _LONGEST_BAN_SECS)
    for name, value in (headers or {}).items():
        if str(name).lower() == "retry-after" and str(value).isdigit():
            return min(float(value), _LONGEST_BAN_SECS)
    return 1.0


def used_weight(headers: Mapping[str, Any] | None) -> int | None:
    """As the answer's headers say it; None where they do not."""
    for name, value in (headers or {}).items():
        if str(name).lower() == USED_WEIGHT_HEADER and str(value).isdigit():
            return int(value)
    return None
