"""`GET /fapi/v1/exchangeInfo`: the market list, built once from the symbols' rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pairbot_ext.sim.symbols import SymbolSpec

# 2100-12-25, what Binance gives every perpetual as its delivery date.
PERPETUAL_DELIVERY_MS = 4_133_404_800_000
MAX_OPEN_ORDERS = 200
MAX_ALGO_ORDERS = 10
# Weight per minute and IP, orders per minute and per 10 s and account.
# https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Exchange-Information
RATE_LIMITS: tuple[dict[str, Any], ...] = (
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
)
# STOP and friends stay listed although POST /order refuses them: ccxt reads this list, as on the real venue.
_ORDER_TYPES = (
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
)  # fmt: skip
_TIME_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
MAX_PRICE_TICKS = 10_000_000_000


def plain(value: Decimal) -> str:
    """A Decimal in plain notation: Binance never sends exponents."""
    return format(value, "f")


def max_price(spec: SymbolSpec) -> Decimal:
    """PRICE_FILTER maxPrice. Not modelled per symbol: far above anything PERCENT_PRICE lets through."""
    return spec.price_tick * MAX_PRICE_TICKS


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
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": plain(spec.price_tick),
                "maxPrice": plain(max_price(spec)),
                "tickSize": plain(spec.price_tick),
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
