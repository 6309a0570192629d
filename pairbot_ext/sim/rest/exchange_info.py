"""`GET /fapi/v1/exchangeInfo`: the market list, built once from the symbols' rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pairbot_ext.sim.rest.shapes import price_text
from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.sim.venue.terms import (
    LIQUIDATION_FEE,
    MAX_ALGO_ORDERS,
    MAX_OPEN_ORDERS,
    ORDERS_PER_10_SECS,
    ORDERS_PER_MINUTE,
    WEIGHT_PER_MINUTE,
    max_price,
    plain,
)

# 2100-12-25, what Binance gives every perpetual as its delivery date.
PERPETUAL_DELIVERY_MS = 4_133_404_800_000
RATE_LIMITS: tuple[dict[str, Any], ...] = (
    {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": WEIGHT_PER_MINUTE,
    },
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": ORDERS_PER_MINUTE},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_PER_10_SECS},
)
# STOP and friends stay listed although POST /order refuses them: ccxt reads this list, as on the real venue.
_ORDER_TYPES = (
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
)  # fmt: skip
_TIME_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")


def _symbol(spec: SymbolSpec) -> dict[str, Any]:
    step, least = plain(spec.amount_step), plain(spec.min_amount)
    return {
        "symbol": spec.symbol,
        "pair": spec.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_DELIVERY_MS,
        "onboardDate": spec.onboard_ms,
        "status": spec.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": spec.base,
        "quoteAsset": spec.quote,
        "marginAsset": spec.quote,
        "pricePrecision": spec.price_precision,
        "quantityPrecision": spec.amount_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "permissionSets": ["GRID", "COPY"],
        "triggerProtect": "0.0500",
        "liquidationFee": f"{LIQUIDATION_FEE:.6f}",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": price_text(spec, spec.price_tick),
                "maxPrice": plain(max_price(spec)),
                "tickSize": price_text(spec, spec.price_tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": least,
                "maxQty": plain(spec.max_amount),
                "stepSize": step,
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": least,
                "maxQty": plain(spec.market_max_amount),
                "stepSize": step,
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": MAX_OPEN_ORDERS},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": MAX_ALGO_ORDERS},
            {"filterType": "MIN_NOTIONAL", "notional": plain(spec.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{spec.price_up:.4f}",
                "multiplierDown": f"{spec.price_down:.4f}",
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ],
        "orderTypes": list(_ORDER_TYPES),
        "timeInForce": list(_TIME_IN_FORCE),
    }


def symbol_entries(symbols: Iterable[SymbolSpec]) -> list[dict[str, Any]]:
    """The `symbols` list, in the given order."""
    return [_symbol(spec) for spec in symbols]


def exchange_info(entries: list[dict[str, Any]], now_ms: int) -> Mapping[str, Any]:
    """The whole answer around the `symbols` list."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": list(RATE_LIMITS),
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": entries,
    }
