"""Contract rules of the simulated venue's symbols: tick, step, limits and leverage brackets.

Which symbols exist and their leverage brackets come from the table bundled with Freqtrade
(`exchange/binance_leverage_tiers.json`, itself downloaded from Binance). It holds no tick and no step.
Where a public recording of Binance's `GET /fapi/v1/exchangeInfo` is known it is used and named in
`SymbolSpec.source`; everything else is derived from the magnitude of a reference price and says "simulated".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairbot_ext.support.errors import DataError

SIMULATED = "simulated"
QUOTE = "USDT"
_UNIFIED_SUFFIX = f"/{QUOTE}:{QUOTE}"
# The day Binance opened USDⓈ-M futures; also the onboardDate it reports for its first contracts.
FIRST_ONBOARD_MS = 1_569_398_400_000


@dataclass(frozen=True)
class Bracket:
    """One leverage bracket, as in `GET /fapi/v1/leverageBracket`. Notionals in USDT.

    Maintenance margin of a notional inside [`notional_floor`, `notional_cap`) is
    notional × `maint_margin_ratio` − `cum`.
    """

    initial_leverage: int
    notional_floor: Decimal
    notional_cap: Decimal
    maint_margin_ratio: Decimal
    cum: Decimal


@dataclass(frozen=True)
class SymbolSpec:
    """The rules of one perpetual contract. Prices in USDT, amounts in base.

    :param symbol: Binance id ("1000SHIBUSDT"); `ccxt_symbol` gives "1000SHIB/USDT:USDT".
    :param price_tick: PRICE_FILTER tickSize. `amount_step`, `min_amount`, `max_amount`: LOT_SIZE.
    :param market_max_amount: MARKET_LOT_SIZE maxQty, lower than `max_amount`.
    :param min_notional: MIN_NOTIONAL; reduce-only orders are exempt.
    :param price_up: PERCENT_PRICE multiplierUp of the mark price; `price_down` is its multiplierDown.
    :param onboard_ms: onboardDate, epoch ms.
    :param source: where tick and step come from, or "simulated".
    """

    symbol: str
    base: str
    quote: str
    price_tick: Decimal
    amount_step: Decimal
    min_amount: Decimal
    max_amount: Decimal
    market_max_amount: Decimal
    min_notional: Decimal
    price_up: Decimal
    price_down: Decimal
    price_precision: int
    amount_precision: int
    onboard_ms: int
    status: str
    brackets: tuple[Bracket, ...]
    source: str

    @property
    def ccxt_symbol(self) -> str:
        """The unified name ccxt and Freqtrade use, such as "1000SHIB/USDT:USDT"."""
        return f"{self.base}/{self.quote}:{self.quote}"


@dataclass(frozen=True)
class _Recorded:
    """Filters read from a public recording. `None` where the recording does not say."""

    source: str
    price_tick: str
    amount_step: str
    min_amount: str
    max_amount: str | None = None
    market_max_amount: str | None = None
    price_up: str | None = None
    price_down: str | None = None
    price_precision: int | None = None
    onboard_ms: int | None = None


_GCT = (
    "exchangeInfo of 2025-08-07 (serverTime 1754596814166) recorded in the GoCryptoTrader repository, "
    "exchanges/binance/testdata/http.json"
)
_SNAPSHOT = (
    "exchangeInfo values of 2024-25 copied into a published trading bot's table of rules "
    "(tick, minimum amount, step, minimum notional only)"
)
_RECORDED: Mapping[str, _Recorded] = {
    "ADAUSDT": _Recorded(
        source=_GCT, price_tick="0.0001", amount_step="1", min_amount="1", max_amount="6000000",
        market_max_amount="1300000", price_up="1.05", price_down="0.95", price_precision=5,
        onboard_ms=FIRST_ONBOARD_MS,
    ),
    "ALGOUSDT": _Recorded(
        source=_GCT, price_tick="0.0001", amount_step="0.1", min_amount="0.1", max_amount="5000000",
        market_max_amount="1000000", price_up="1.05", price_down="0.95", price_precision=4,
        onboard_ms=FIRST_ONBOARD_MS,
    ),
    "1000SATSUSDT": _Recorded(
        source="live exchangeInfo filters quoted in the tests of an Apache-2.0 Rust client (darkcite, 2026)",
        price_tick="0.00000001", amount_step="1", min_amount="1", max_amount="60000000000",
        market_max_amount="6000000000", price_up="1.15", price_down="0.85",
    ),
    "1MBABYDOGEUSDT": _Recorded(source=_SNAPSHOT, price_tick="0.0000001", amount_step="1", min_amount="1"),
    "1000CATUSDT": _Recorded(source=_SNAPSHOT, price_tick="0.00001", amount_step="1", min_amount="1"),
}  # fmt: skip

# Without any price nothing can be scaled: a grid too fine for every symbol distorts no real price or amount.
_UNKNOWN_PRICE_TICK = Decimal("0.00000001")
_UNKNOWN_PRICE_STEP = Decimal("0.001")
_UNKNOWN_PRICE_MAX_AMOUNT = Decimal(10_000_000)
_MARKET_SHARE_OF_MAX = Decimal("0.2")  # ADA 1.3/6, ALGO 1/5 in the recording above
_MAX_ORDER_NOTIONAL = Decimal(5_000_000)  # ADA about 4.5e6, ALGO about 1.3e6 USDT at the recording's prices
_DEFAULT_PRICE_BAND = Decimal("0.05")
_MIN_NOTIONAL = Decimal(5)


def leverage_tiers_path() -> Path:
    """Freqtrade's bundled leverage table, found without importing Freqtrade (which takes seconds).

    :raises DataError: Freqtrade is not installed or no longer bundles the table.
    """
    spec = find_spec("freqtrade")
    for location in (spec.submodule_search_locations or []) if spec else []:
        path = Path(location) / "exchange" / "binance_leverage_tiers.json"
        if path.is_file():
            return path
    raise DataError(
        "Freqtrade's bundled exchange/binance_leverage_tiers.json was not found",
        remedy="Install the pinned Freqtrade: pip install -r requirements.lock",
    )


@lru_cache(maxsize=1)
def _brackets() -> Mapping[str, tuple[Bracket, ...]]:
    """Leverage brackets of every USDT-settled perpetual, by base coin ("1000SHIB")."""
    tiers: dict[str, list[dict[str, Any]]] = json.loads(leverage_tiers_path().read_text(encoding="utf-8"))
    return {
        unified.removesuffix(_UNIFIED_SUFFIX): tuple(
            Bracket(
                initial_leverage=int(tier["maxLeverage"]),
                notional_floor=Decimal(str(tier["minNotional"])),
                notional_cap=Decimal(str(tier["maxNotional"])),
                maint_margin_ratio=Decimal(str(tier["maintenanceMarginRate"])),
                cum=Decimal(str(tier["info"]["cum"])),
            )
            for tier in rows
        )
        for unified, rows in tiers.items()
        if unified.endswith(_UNIFIED_SUFFIX)
    }


def power_of_ten(exponent: int) -> Decimal:
    """10 to an integer power, in plain notation (`Decimal("0.001")`, not `1E-3`)."""
    return Decimal(1).scaleb(exponent) if exponent <= 0 else Decimal(10**exponent)


def decimals(grid: Decimal) -> int:
    """Digits after the point that a multiple of `grid` needs: 0.0001 → 4, 1 → 0."""
    exponent = grid.normalize().as_tuple().exponent
    assert isinstance(exponent, int)  # a finite number; infinities have a letter here
    return max(0, -exponent)


def simulated_tick(price: Decimal) -> Decimal:
    """Five significant digits of `price`, between 1e-8 and 0.1: worth 0.1–1 bp, as on most contracts."""
    return power_of_ten(min(-1, max(-8, price.adjusted() - 4)))


def simulated_step(price: Decimal) -> Decimal:
    """The power of ten worth 0.1–1 USDT at `price`, between 0.001 and 1 base coin, as on most contracts."""
    return power_of_ten(min(0, max(-3, -price.adjusted() - 1)))


def _max_amount(price: Decimal) -> Decimal:
    return power_of_ten((_MAX_ORDER_NOTIONAL / price).adjusted())


def _spec(base: str, brackets: tuple[Bracket, ...], price: Decimal | None) -> SymbolSpec:
    symbol = base + QUOTE
    known = _RECORDED.get(symbol)
    if price is not None and not (price.is_finite() and price > 0):
        raise DataError(
            f"The reference price of {symbol} is no price", value=price, remedy="Give a positive number"
        )
    if known is not None:
        tick, step = Decimal(known.price_tick), Decimal(known.amount_step)
    elif price is not None:
        tick, step = simulated_tick(price), simulated_step(price)
    else:
        tick, step = _UNKNOWN_PRICE_TICK, _UNKNOWN_PRICE_STEP
    max_amount = _UNKNOWN_PRICE_MAX_AMOUNT if price is None else _max_amount(price)
    if known is not None and known.max_amount is not None:
        max_amount = Decimal(known.max_amount)
    market_max = max_amount * _MARKET_SHARE_OF_MAX
    if known is not None and known.market_max_amount is not None:
        market_max = Decimal(known.market_max_amount)
    return SymbolSpec(
        symbol=symbol,
        base=base,
        quote=QUOTE,
        price_tick=tick,
        amount_step=step,
        min_amount=Decimal(known.min_amount) if known else step,
        max_amount=max(max_amount, step),
        market_max_amount=max(market_max // step * step, step),
        min_notional=_MIN_NOTIONAL,
        price_up=Decimal(known.price_up) if known and known.price_up else 1 + _DEFAULT_PRICE_BAND,
        price_down=Decimal(known.price_down) if known and known.price_down else 1 - _DEFAULT_PRICE_BAND,
        price_precision=known.price_precision if known and known.price_precision else decimals(tick),
        amount_precision=decimals(step),
        onboard_ms=known.onboard_ms if known and known.onboard_ms else FIRST_ONBOARD_MS,
        status="TRADING",
        brackets=brackets,
        source=known.source if known else SIMULATED,
    )


def load_symbols(reference_prices: Mapping[str, Decimal] | None = None) -> dict[str, SymbolSpec]:
    """Every USDT-settled perpetual of Freqtrade's bundled leverage table, by Binance id.

    :param reference_prices: price in USDT by Binance id ("ADAUSDT"); it sets tick, step and maxima of
        symbols without a recorded exchangeInfo. A symbol without one gets a grid fine enough for any price.
    :raises DataError: the leverage table is missing, or a reference price is not positive.
    """
    prices = reference_prices or {}
    specs = (_spec(base, brackets, prices.get(base + QUOTE)) for base, brackets in _brackets().items())
    return {spec.symbol: spec for spec in specs}


def is_listed(symbol: str) -> bool:
    """Whether Freqtrade's leverage table, as bundled, has this USDT-settled perpetual.

    :param symbol: Binance id, "ADAUSDT".
    """
    return symbol.endswith(QUOTE) and symbol.removesuffix(QUOTE) in _brackets()


def load_symbol(symbol: str, reference_price: Decimal | None = None) -> SymbolSpec:
    """One symbol of `load_symbols`, without building the other 850.

    :param symbol: Binance id, "ADAUSDT".
    :param reference_price: price in USDT; sets tick, step and maxima where no exchangeInfo is recorded.
    :raises DataError: Freqtrade's leverage table has no USDT-settled perpetual of that name.
    """
    base = symbol.removesuffix(QUOTE)
    brackets = _brackets().get(base) if symbol == base + QUOTE else None
    if brackets is None:
        raise DataError(
            "No USDT perpetual of that name in Freqtrade's leverage table",
            value=symbol,
            remedy="Name a real contract such as ADAUSDT or 1000SHIBUSDT: Freqtrade needs its leverage tiers",
        )
    return _spec(base, brackets, reference_price)


def binance_id(ccxt_symbol: str) -> str:
    """ "1000SHIB/USDT:USDT" → "1000SHIBUSDT".

    :raises DataError: not a USDT-settled perpetual.
    """
    base, matched, _ = ccxt_symbol.partition(_UNIFIED_SUFFIX)
    if not matched or not base or ccxt_symbol != base + _UNIFIED_SUFFIX:
        raise DataError("Not a USDT-settled perpetual", value=ccxt_symbol, remedy="Write it as ADA/USDT:USDT")
    return base + QUOTE
