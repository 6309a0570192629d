"""Signed endpoints about orders, plain and conditional."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pairbot_ext.sim.rest import shapes
from pairbot_ext.sim.rest.account_routes import history_window
from pairbot_ext.sim.rest.routes import Call, Route, by_symbol
from pairbot_ext.sim.venue.conditional import AlgoOrder, AlgoStatus, AlgoType, WorkingType, sent_request
from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.orders import (
    Order,
    OrderRequest,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_MOVED_TYPES = frozenset(("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"))


def _client_id(call: Call, name: str) -> str:
    """The client's id, checked; or one the venue makes up, as Binance does."""
    given = call.params.optional(name)
    if given is None:
        return f"sim{len(call.venue.engine.orders) + len(call.venue.conditional.orders):019d}"
    if not _CLIENT_ID.fullmatch(given):
        raise VenueError(Code.BAD_CLIENT_ORDER_ID)
    return given


def _check_position_side(call: Call) -> None:
    # One-way mode only knows BOTH; in hedge mode every order must name a side, and this venue refuses them
    # all.
    if call.venue.account.dual_side or call.params.raw.get("positionSide", "BOTH") != "BOTH":
        raise VenueError(Code.POSITION_SIDE_MISMATCH)


def _self_trade_prevention(call: Call) -> SelfTradePrevention:
    name = "selfTradePreventionMode"
    if name not in call.params:
        return SelfTradePrevention.EXPIRE_MAKER
    return call.params.choice(name, SelfTradePrevention, Code.INVALID_PARAMETER)


def _new_order_request(call: Call) -> OrderRequest:
    params = call.params
    symbol = call.venue.engine.spec(params.text("symbol")).symbol
    side = params.choice("side", Side, Code.INVALID_SIDE)
    if params.text("type") in _MOVED_TYPES:
        raise VenueError(Code.USE_ALGO_ORDERS)
    kind = params.choice("type", OrderType, Code.INVALID_ORDER_TYPE)
    _check_position_side(call)
    if params.flag("closePosition"):
        raise VenueError(Code.PARAM_NOT_REQUIRED, name="closePosition")
    time_in_force, price = TimeInForce.GTC, None
    if kind is OrderType.LIMIT:
        time_in_force = params.choice("timeInForce", TimeInForce, Code.INVALID_TIF)
        price = params.mandatory_decimal("price")
    elif "timeInForce" in params:
        raise VenueError(Code.TIF_NOT_REQUIRED)
    elif "price" in params:
        raise VenueError(Code.PARAM_NOT_REQUIRED, name="price")
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=kind,
        amount=params.mandatory_decimal("quantity"),
        client_order_id=_client_id(call, "newClientOrderId"),
        price=price,
        time_in_force=time_in_force,
        reduce_only=params.flag("reduceOnly"),
        self_trade_prevention=_self_trade_prevention(call),
    )


def _new_order(call: Call) -> Any:
    order = call.venue.place(_new_order_request(call), call.rule)
    return shapes.new_order(call.venue.engine.spec(order.request.symbol), order)


def _test_order(call: Call) -> Any:
    """Checked like any other, and executed by nobody."""
    call.venue.engine.check(_new_order_request(call))
    return {}


def _named_order(call: Call, error: int) -> Order:
    symbol = call.venue.engine.spec(call.params.text("symbol")).symbol
    order_id, client_id = call.params.integer("orderId"), call.params.optional("origClientOrderId")
    if order_id is None and client_id is None:
        raise VenueError(Code.MANDATORY_PARAM, name="orderId")
    order = call.venue.engine.find(symbol, order_id, client_id)
    if order is None:
        raise VenueError(error)
    return order


def _get_order(call: Call) -> Any:
    order = _named_order(call, Code.NO_SUCH_ORDER)
    return shapes.queried_order(call.venue.engine.spec(order.request.symbol), order)


def _get_open_order(call: Call) -> Any:
    order = _named_order(call, Code.NO_SUCH_ORDER)
    if not order.status.is_open:
        raise VenueError(Code.NO_SUCH_ORDER)
    return shapes.queried_order(call.venue.engine.spec(order.request.symbol), order)


def _cancel_order(call: Call) -> Any:
    order = call.venue.engine.cancel(_named_order(call, Code.CANCEL_REJECTED))
    return shapes.new_order(call.venue.engine.spec(order.request.symbol), order)


def _cancel_all(call: Call) -> Any:
    symbol = call.venue.engine.spec(call.params.text("symbol")).symbol
    for order in call.venue.engine.orders_open_on(symbol):
        call.venue.engine.cancel(order)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _open_orders(call: Call) -> Any:
    engine, wanted = call.venue.engine, call.params.optional("symbol")
    if wanted is not None:
        engine.spec(wanted)
    return [
        shapes.queried_order(engine.spec(order.request.symbol), order)
        for order in engine.open_orders.values()
        if wanted in (None, order.request.symbol)
    ]


def _all_orders(call: Call) -> Any:
    engine = call.venue.engine
    spec = engine.spec(call.params.text("symbol"))
    limit, from_id = call.params.limit(500, 1000), call.params.integer("orderId")
    start, end = history_window(call.params, call.now_ms)
    orders = [
        order
        for order in engine.orders.values()
        if order.request.symbol == spec.symbol
        and engine.remembered(order)
        and (order.order_id >= from_id if from_id is not None else start <= order.created_ms <= end)
    ]
    oldest_first = from_id is not None or "startTime" in call.params
    return [
        shapes.queried_order(spec, order) for order in (orders[:limit] if oldest_first else orders[-limit:])
    ]


def _new_algo_order(call: Call) -> Any:
    params = call.params
    symbol = call.venue.engine.spec(params.text("symbol")).symbol
    if params.text("algoType") != "CONDITIONAL":
        raise VenueError(Code.INVALID_PARAMETER, name="algoType")
    side = params.choice("side", Side, Code.INVALID_SIDE)
    kind = params.choice("type", AlgoType, Code.INVALID_ORDER_TYPE)
    _check_position_side(call)
    working = WorkingType.CONTRACT_PRICE
    if "workingType" in params:
        working = params.choice("workingType", WorkingType, Code.INVALID_PARAMETER)
    time_in_force = TimeInForce.GTC
    if "timeInForce" in params:
        time_in_force = params.choice("timeInForce", TimeInForce, Code.INVALID_TIF)
    closes = _closes_position(call, kind)
    request = sent_request(
        kind,
        symbol,
        side,
        Decimal(0) if closes else params.mandatory_decimal("quantity"),
        _client_id(call, "clientAlgoId"),
        params.decimal("price"),
        time_in_force,
        reduce_only=closes or params.flag("reduceOnly"),
    )
    request = replace(request, self_trade_prevention=_self_trade_prevention(call))
    trigger_price = params.mandatory_decimal("triggerPrice")
    order = call.venue.conditional.place(kind, request, trigger_price, working, close_position=closes)
    return shapes.new_algo_order(call.venue.engine.spec(symbol), order)


def _closes_position(call: Call, kind: AlgoType) -> bool:
    """`closePosition`: the whole position there is when it triggers; so no amount, and a market type.

    https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Algo-Order
    """
    if not call.params.flag("closePosition"):
        return False
    if kind.sends_limit:
        raise VenueError(Code.PARAM_NOT_REQUIRED, name="closePosition")
    for name in ("quantity", "reduceOnly"):
        if name in call.params:
            raise VenueError(Code.PARAM_NOT_REQUIRED, name=name)
    return True


def _named_algo(call: Call, error: int) -> AlgoOrder:
    algo_id, client_id = call.params.integer("algoId"), call.params.optional("clientAlgoId")
    if algo_id is None and client_id is None:
        raise VenueError(Code.MANDATORY_PARAM, name="algoId")
    order = call.venue.conditional.find(algo_id, client_id)
    if order is None:
        raise VenueError(error)
    return order


def _get_algo_order(call: Call) -> Any:
    order = _named_algo(call, Code.NO_SUCH_ORDER)
    return shapes.queried_algo_order(call.venue.engine.spec(order.request.symbol), order)


def _cancel_algo_order(call: Call) -> Any:
    order = call.venue.conditional.cancel(_named_algo(call, Code.CANCEL_REJECTED))
    return shapes.algo_order(call.venue.engine.spec(order.request.symbol), order)


def _cancel_all_algo(call: Call) -> Any:
    symbol = call.venue.engine.spec(call.params.text("symbol")).symbol
    for order in call.venue.conditional.open_orders(symbol):
        call.venue.conditional.cancel(order)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _algo_list(call: Call, *, open_only: bool) -> Any:
    wanted, engine = call.params.optional("symbol"), call.venue.engine
    return [
        shapes.queried_algo_order(engine.spec(order.request.symbol), order)
        for order in call.venue.conditional.orders.values()
        if wanted in (None, order.request.symbol) and (not open_only or order.status is AlgoStatus.NEW)
    ]


def _open_algo_orders(call: Call) -> Any:
    return _algo_list(call, open_only=True)


def _all_algo_orders(call: Call) -> Any:
    call.venue.engine.spec(call.params.text("symbol"))
    return _algo_list(call, open_only=False)


_LIST_WEIGHT = by_symbol(1, 40)

ROUTES: dict[str, Route] = {
    "POST /fapi/v1/order": Route(_new_order, 0, signed=True, counts_order=True),
    "POST /fapi/v1/order/test": Route(_test_order, 1, signed=True),
    "GET /fapi/v1/order": Route(_get_order, 1, signed=True),
    "DELETE /fapi/v1/order": Route(_cancel_order, 1, signed=True),
    "GET /fapi/v1/openOrder": Route(_get_open_order, 1, signed=True),
    "GET /fapi/v1/openOrders": Route(_open_orders, _LIST_WEIGHT, signed=True),
    "DELETE /fapi/v1/allOpenOrders": Route(_cancel_all, 1, signed=True),
    "GET /fapi/v1/allOrders": Route(_all_orders, 5, signed=True),
    "POST /fapi/v1/algoOrder": Route(_new_algo_order, 0, signed=True, counts_order=True),
    "GET /fapi/v1/algoOrder": Route(_get_algo_order, 1, signed=True),
    "DELETE /fapi/v1/algoOrder": Route(_cancel_algo_order, 1, signed=True),
    "DELETE /fapi/v1/algoOpenOrders": Route(_cancel_all_algo, 1, signed=True),
    "GET /fapi/v1/openAlgoOrders": Route(_open_algo_orders, _LIST_WEIGHT, signed=True),
    "GET /fapi/v1/allAlgoOrders": Route(_all_algo_orders, 5, signed=True),
}
