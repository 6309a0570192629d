"""Signed endpoints about the account: balance, positions, settings, histories."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

from pairbot_ext.sim.rest import shapes
from pairbot_ext.sim.rest.params import Params
from pairbot_ext.sim.rest.routes import Call, Route
from pairbot_ext.sim.venue.account import Income, IncomeType
from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.orders import Fill
from pairbot_ext.sim.venue.positions import MarginType, notional_cap
from pairbot_ext.sim.venue.terms import DAY_MS

WEEK_MS = 7 * DAY_MS
T = TypeVar("T")


def history_window(params: Params, now_ms: int) -> tuple[int, int]:
    """The [start, end] of a history query: 7 days at most, the latest ones without a start."""
    start, end = params.time_range(WEEK_MS)
    if start is not None:
        return start, min(start + WEEK_MS, now_ms) if end is None else end
    last = now_ms if end is None else end
    return last - WEEK_MS, last


def window(rows: Sequence[T], time_of: Callable[[T], int], start_ms: int, end_ms: int) -> Sequence[T]:
    """The part of `rows` (in order of time) that lies within [start, end]."""
    first = bisect_left(rows, start_ms, key=time_of)
    return rows[first : bisect_right(rows, end_ms, lo=first, key=time_of)]


def page(rows: Iterable[T], keep: Callable[[T], bool], limit: int) -> list[T]:
    """The first `limit` of the rows to keep."""
    return list(islice(filter(keep, rows), limit))


def latest(rows: Sequence[T], keep: Callable[[T], bool], limit: int) -> list[T]:
    """The last `limit` of the rows to keep, oldest first."""
    return page(reversed(rows), keep, limit)[::-1]


def _account(call: Call) -> Any:
    return shapes.account(call.venue.engine)


def _balance(call: Call) -> Any:
    row = shapes.account(call.venue.engine)["assets"][0]
    return [
        {
            "accountAlias": "SgsR",
            "asset": row["asset"],
            "balance": row["walletBalance"],
            "crossWalletBalance": row["crossWalletBalance"],
            "crossUnPnl": row["crossUnPnl"],
            "availableBalance": row["availableBalance"],
            "maxWithdrawAmount": row["maxWithdrawAmount"],
            "marginAvailable": True,
            "updateTime": row["updateTime"],
        }
    ]


def _position_risk(call: Call) -> Any:
    engine = call.venue.engine
    wanted = call.params.optional("symbol")
    if wanted is not None:
        engine.spec(wanted)
    with_orders = {order.request.symbol for order in engine.open_orders.values()}
    return [
        shapes.position_risk(engine, position)
        for position in engine.account.positions.values()
        if (position.amount or position.symbol in with_orders) and wanted in (None, position.symbol)
    ]


def _leverage_bracket(call: Call) -> Any:
    wanted = call.params.optional("symbol")
    if wanted is not None:
        return [shapes.leverage_bracket(call.venue.engine.spec(wanted))]
    return [shapes.leverage_bracket(spec) for spec in call.venue.listed.values()]


def _set_leverage(call: Call) -> Any:
    spec = call.venue.engine.spec(call.params.text("symbol"))
    leverage = call.params.integer("leverage")
    if leverage is None:
        raise VenueError(Code.MANDATORY_PARAM, name="leverage")
    call.venue.set_leverage(spec.symbol, leverage)
    return {
        "symbol": spec.symbol,
        "leverage": leverage,
        "maxNotionalValue": f"{notional_cap(spec.brackets, leverage):.0f}",
    }


def _set_margin_type(call: Call) -> Any:
    spec = call.venue.engine.spec(call.params.text("symbol"))
    wanted = call.params.choice("marginType", MarginType, Code.INVALID_PARAMETER)
    call.venue.set_margin_type(spec.symbol, wanted)
    return {"code": 200, "msg": "success"}


def _position_mode(call: Call) -> Any:
    return {"dualSidePosition": call.venue.account.dual_side}


def _set_position_mode(call: Call) -> Any:
    wanted, venue = call.params.flag("dualSidePosition"), call.venue
    if wanted is venue.account.dual_side:
        raise VenueError(Code.SAME_POSITION_MODE)
    if venue.engine.open_orders or venue.conditional.open_orders():
        raise VenueError(Code.MODE_OPEN_ORDERS)
    if venue.account.open_positions():
        raise VenueError(Code.MODE_POSITION)
    venue.account.dual_side = wanted
    return {"code": 200, "msg": "success"}


def _asset_mode(call: Call) -> Any:
    return {"multiAssetsMargin": call.venue.account.multi_assets}


def _set_asset_mode(call: Call) -> Any:
    wanted = call.params.flag("multiAssetsMargin")
    if wanted is call.venue.account.multi_assets:
        raise VenueError(Code.SAME_ASSET_MODE)
    call.venue.set_multi_assets(wanted)
    return {"code": 200, "msg": "success"}


def _account_config(call: Call) -> Any:
    account = call.venue.account
    return {
        "feeTier": 0,
        "canTrade": account.can_trade,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": account.dual_side,
        "updateTime": 0,
        "multiAssetsMargin": account.multi_assets,
        "tradeGroupId": -1,
    }


def _symbol_config(call: Call) -> Any:
    engine = call.venue.engine
    wanted = call.params.optional("symbol")
    rows = []
    for symbol in [engine.spec(wanted).symbol] if wanted else list(call.venue.market.symbols):
        position = engine.account.position(symbol)
        cap = notional_cap(engine.spec(symbol).brackets, position.leverage)
        rows.append(
            {
                "symbol": symbol,
                "marginType": position.margin_type.value,
                "isAutoAddMargin": False,
                "leverage": position.leverage,
                "maxNotionalValue": f"{cap:.0f}",
            }
        )
    return rows


def _open_listen_key(call: Call) -> Any:
    return {"listenKey": call.venue.listen_keys.open(_key_end(call))}


def _extend_listen_key(call: Call) -> Any:
    return {"listenKey": call.venue.listen_keys.extend(_key_end(call))}


def _key_end(call: Call) -> int:
    return call.now_ms + call.venue.engine.stream_terms.listen_key_ms


def _close_listen_key(call: Call) -> Any:
    call.venue.listen_keys.close()
    return {}


def _commission_rate(call: Call) -> Any:
    fees = call.venue.engine.options.fees
    return {
        "symbol": call.venue.engine.spec(call.params.text("symbol")).symbol,
        "makerCommissionRate": f"{fees.maker:.6f}",
        "takerCommissionRate": f"{fees.taker:.6f}",
    }


def _trades(call: Call) -> Any:
    spec = call.venue.engine.spec(call.params.text("symbol"))
    limit = call.params.limit(500, 1000)
    order_id, from_id = call.params.integer("orderId"), call.params.integer("fromId")
    given = "startTime" in call.params
    if from_id is not None and (given or "endTime" in call.params):
        raise VenueError(Code.BAD_OPTIONAL_COMBO)
    start, end = history_window(call.params, call.now_ms)
    fills: Sequence[Fill] = call.venue.engine.fills
    if from_id is None:
        fills = window(fills, lambda fill: fill.time_ms, start, end)

    def wanted(fill: Fill) -> bool:
        return (
            fill.symbol == spec.symbol
            and order_id in (None, fill.order_id)
            and (from_id is None or fill.trade_id >= from_id)
        )

    oldest_first = given or from_id is not None
    shown = page(fills, wanted, limit) if oldest_first else latest(fills, wanted, limit)
    return [shapes.trade(spec, fill) for fill in shown]


def _income(call: Call) -> Any:
    symbol = call.params.optional("symbol")
    kind = call.params.optional("incomeType")
    if kind is not None and kind not in IncomeType.__members__:
        return []  # a type this venue never books
    start, end = history_window(call.params, call.now_ms)
    limit, number = call.params.limit(100, 1000), call.params.integer("page") or 1
    rows = window(call.venue.account.income, lambda row: row.time_ms, start, end)

    def wanted(row: Income) -> bool:
        return symbol in (None, row.symbol) and kind in (None, row.type.value)

    if "startTime" in call.params or number > 1:
        shown = page(rows, wanted, number * limit)[(number - 1) * limit :]
    else:
        shown = latest(rows, wanted, limit)
    return [shapes.income(row) for row in shown]


ROUTES: dict[str, Route] = {
    "GET /fapi/v3/account": Route(_account, 5, signed=True),
    "GET /fapi/v3/balance": Route(_balance, 5, signed=True),
    "GET /fapi/v2/balance": Route(_balance, 5, signed=True),
    "GET /fapi/v3/positionRisk": Route(_position_risk, 5, signed=True),
    "GET /fapi/v1/leverageBracket": Route(_leverage_bracket, 1, signed=True),
    "POST /fapi/v1/leverage": Route(_set_leverage, 1, signed=True),
    "POST /fapi/v1/marginType": Route(_set_margin_type, 1, signed=True),
    "GET /fapi/v1/positionSide/dual": Route(_position_mode, 30, signed=True),
    "POST /fapi/v1/positionSide/dual": Route(_set_position_mode, 1, signed=True),
    "GET /fapi/v1/multiAssetsMargin": Route(_asset_mode, 30, signed=True),
    "POST /fapi/v1/multiAssetsMargin": Route(_set_asset_mode, 1, signed=True),
    "GET /fapi/v1/accountConfig": Route(_account_config, 5, signed=True),
    "GET /fapi/v1/symbolConfig": Route(_symbol_config, 5, signed=True),
    "POST /fapi/v1/listenKey": Route(_open_listen_key, keyed=True),
    "PUT /fapi/v1/listenKey": Route(_extend_listen_key, keyed=True),
    "DELETE /fapi/v1/listenKey": Route(_close_listen_key, keyed=True),
    "GET /fapi/v1/commissionRate": Route(_commission_rate, 20, signed=True),
    "GET /fapi/v1/userTrades": Route(_trades, 5, signed=True),
    "GET /fapi/v1/income": Route(_income, 30, signed=True),
}
