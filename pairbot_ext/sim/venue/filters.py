"""The checks an order has to pass before the matching engine sees it.

Filters: https://developers.binance.com/docs/derivatives/usds-margined-futures/common-definition. Order of the
checks: symbol, form of the numbers, lot, price, price band, notional.
"""

from __future__ import annotations

from decimal import Decimal

from pairbot_ext.sim.symbols import SymbolSpec, decimals
from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.orders import ZERO, OrderRequest, OrderType, Side
from pairbot_ext.sim.venue.terms import max_price, plain


def check_amount(spec: SymbolSpec, request: OrderRequest) -> None:
    """LOT_SIZE, or MARKET_LOT_SIZE for market orders."""
    amount = request.amount
    if amount <= 0:
        raise VenueError(Code.QUANTITY_NOT_POSITIVE)
    if decimals(amount) > spec.amount_precision:
        raise VenueError(Code.BAD_PRECISION)
    if amount < spec.min_amount:
        raise VenueError(Code.QUANTITY_BELOW_MIN)
    most = spec.market_max_amount if request.type is OrderType.MARKET else spec.max_amount
    if amount > most:
        raise VenueError(Code.QUANTITY_ABOVE_MAX)
    if amount % spec.amount_step:
        raise VenueError(Code.QUANTITY_OFF_STEP)


def price_band(spec: SymbolSpec, mark: Decimal) -> tuple[Decimal, Decimal]:
    """PERCENT_PRICE around the mark price: (lowest price a sell may have, highest price a buy may have)."""
    return mark * spec.price_down, mark * spec.price_up


def check_price(spec: SymbolSpec, side: Side, price: Decimal, mark: Decimal) -> None:
    """PRICE_FILTER and PERCENT_PRICE. The band binds only the side on which a price could hurt its owner."""
    if price <= 0:
        raise VenueError(Code.PRICE_BELOW_ZERO)
    if decimals(price) > spec.price_precision:
        raise VenueError(Code.BAD_PRECISION)
    if price < spec.price_tick:
        raise VenueError(Code.PRICE_BELOW_MIN)
    if price > max_price(spec):
        raise VenueError(Code.PRICE_ABOVE_MAX)
    if price % spec.price_tick:
        raise VenueError(Code.PRICE_OFF_TICK)
    floor, cap = price_band(spec, mark)
    if side is Side.BUY and price > cap:
        raise VenueError(Code.PRICE_ABOVE_CAP, bound=plain(cap))
    if side is Side.SELL and price < floor:
        raise VenueError(Code.PRICE_BELOW_FLOOR, bound=plain(floor))


def check_notional(spec: SymbolSpec, request: OrderRequest, mark: Decimal) -> None:
    """MIN_NOTIONAL, at the limit price or the mark price of a market order. Reduce-only orders are exempt."""
    price = mark if request.price is None else request.price
    if not request.reduce_only and price * request.amount < spec.min_notional:
        raise VenueError(Code.MIN_NOTIONAL, notional=plain(spec.min_notional))


def open_loss(request: OrderRequest, mark: Decimal) -> Decimal:
    """What a limit order costs per base beside its margin: how far its price is beyond the mark price.

    https://www.binance.com/en/support/faq/87fa7ee33b574f7084d42bd2ce2e463b
    """
    return ZERO if request.price is None else max(ZERO, request.side.sign * (request.price - mark))


def check_order(spec: SymbolSpec, request: OrderRequest, mark: Decimal) -> None:
    """Every filter of one new order.

    :raises VenueError: the first one it does not pass.
    """
    check_amount(spec, request)
    if request.price is not None:
        check_price(spec, request.side, request.price, mark)
    check_notional(spec, request, mark)
