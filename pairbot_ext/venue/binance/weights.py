"""Request weight as Binance counts it: per address and minute, said in every answer; orders weigh nothing.

Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info (LIMITS), and
`exchangeInfo.rateLimits`.
"""

import re
from collections.abc import Mapping
from typing import Any

from pairbot_ext.venue.protocol import RateLimits, RequestBudget, WeightRules

USED_WEIGHT_HEADER = "x-mbx-used-weight-1m"
_ORDER_COUNT = re.compile(r"x-mbx-order-count-(\d+)([smhd])", re.IGNORECASE)
_UNIT_MS = {"S": 1_000, "M": 60_000, "H": 3_600_000, "D": 86_400_000}
"""By the first letter: headers say 10S, exchangeInfo SECOND and 10."""
_MINUTE_MS = _UNIT_MS["M"]
DOCUMENTED = RateLimits(2_400, {10_000: 300, _MINUTE_MS: 1_200}, ("weight", "orders"))

RULES = WeightRules(
    # 1,500 of 2,400: fifty pairs closing at once take 570, and exits never wait for weight.
    entry_share=0.625,
    # A ban would silence exits as well.
    wait_share=0.9375,
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
    # exchangeInfo says the limits: asked on a lane, it would hold up the end of the bot for a minute.
    never_wait=frozenset({"order", "openOrders", "time", "exchangeInfo"}),
    free=frozenset({("order", "POST")}),
    orders=frozenset({("order", "POST")}),
)
# Measured with this engine and the pinned Freqtrade on the simulated exchange, which counts as Binance does.
# Closing a pair reads both legs' fills; the income history is asked for once for all pairs, every 5 s within
# a minute of a settlement (see income.py). Entering a pair is 59, 2 of it for the funding rates.
# 5 a minute keep the connections open on which both exits leave.
BUDGET = RequestBudget(
    startup=81, candles=2, held_pair=4, funding=360, close_pair=10, housekeeping=30, all_best_prices=5
)


def rate_limits(stated: Any) -> RateLimits:
    """`rateLimits` of exchangeInfo; the documented ones where it has none of a kind."""
    weight: list[int] = []
    orders: dict[int, int] = {}
    for each in stated if isinstance(stated, list) else []:
        try:
            window_ms = _UNIT_MS[str(each["interval"])[:1].upper()] * int(each["intervalNum"])
            kind, most = each["rateLimitType"], int(each["limit"])
        except (KeyError, TypeError, ValueError):
            continue
        if window_ms <= 0 or most <= 0:
            continue
        if kind == "ORDERS":
            orders[window_ms] = min(most, orders.get(window_ms, most))
        elif kind == "REQUEST_WEIGHT":
            # Counted by the minute here: of another window what fits into any minute.
            weight.append(most * _MINUTE_MS // max(window_ms, _MINUTE_MS))
    unsaid = (*(() if weight else ("weight",)), *(() if orders else ("orders",)))
    return RateLimits(min(weight, default=DOCUMENTED.weight_per_minute), orders or DOCUMENTED.orders, unsaid)


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


def used_orders(headers: Mapping[str, Any] | None) -> dict[int, int]:
    """As the answer to an order says it in its headers: length of the window in ms -> orders in it."""
    found = {}
    for name, value in (headers or {}).items():
        match = _ORDER_COUNT.fullmatch(str(name))
        if match is not None and str(value).isdigit():
            found[_UNIT_MS[match[2].upper()] * int(match[1])] = int(value)
    return found
