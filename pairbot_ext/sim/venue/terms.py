"""The venue's fixed terms: fees, limits, number formats.

Sources: https://developers.binance.com/docs/derivatives/usds-margined-futures (general info, exchange
information, account endpoints) and https://www.binance.com/en/fee/futureFee (VIP 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from pairbot_ext.sim.symbols import SymbolSpec

QUOTE_ASSET = "USDT"
WEIGHT_PER_MINUTE = 2400  # per IP
ORDERS_PER_MINUTE = 1200  # per account
ORDERS_PER_10_SECS = 300  # per account
MAX_OPEN_ORDERS = 200  # per symbol
MAX_ALGO_ORDERS = 10  # per symbol
LIQUIDATION_FEE = Decimal("0.0125")  # of the notional, to the insurance fund
DEFAULT_LEVERAGE = 20  # what a symbol starts with on a new account, capped by its first bracket
DAY_MS = 86_400_000
_CENTIMILLIONTH = Decimal("1E-8")
_MAX_PRICE_TICKS = 10_000_000_000


@dataclass(frozen=True)
class Fees:
    """Commission per notional; the defaults are a regular user's (VIP 0)."""

    maker: Decimal = Decimal("0.0002")
    taker: Decimal = Decimal("0.0005")


def plain(value: Decimal) -> str:
    """A Decimal in plain notation: Binance never sends exponents."""
    return format(value, "f")


def money(value: Decimal) -> Decimal:
    """An amount of quote as the venue books it: eight decimals."""
    return value.quantize(_CENTIMILLIONTH)


def money_text(value: Decimal) -> str:
    """An amount of quote as Binance writes it: "0.00000000", what is beyond cut off and not rounded."""
    return plain(value.quantize(_CENTIMILLIONTH, ROUND_DOWN))


def sum_text(value: Decimal) -> str:
    """As `money_text`, but "0" for nothing: as Binance writes what a position may lack."""
    return money_text(value) if value else "0"


def max_price(spec: SymbolSpec) -> Decimal:
    """PRICE_FILTER maxPrice. Not modelled per symbol: far above anything PERCENT_PRICE lets through."""
    return spec.price_tick * _MAX_PRICE_TICKS
