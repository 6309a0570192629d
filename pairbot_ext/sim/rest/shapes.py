"""The JSON objects of private endpoints, key for key as Binance documents them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.sim.venue.account import Income
from pairbot_ext.sim.venue.conditional import AlgoOrder
from pairbot_ext.sim.venue.engine import Engine
from pairbot_ext.sim.venue.orders import ZERO, Fill, Order, OrderRequest
from pairbot_ext.sim.venue.positions import Position, liquidation_price
from pairbot_ext.sim.venue.terms import QUOTE_ASSET, money_text, plain, sum_text


def price_text(spec: SymbolSpec, value: Decimal) -> str:
    """A price on the symbol's grid."""
    return f"{value:.{spec.price_precision}f}"


def amount_text(spec: SymbolSpec, value: Decimal) -> str:
    """An amount in base on the symbol's grid."""
    return f"{value:.{spec.amount_precision}f}"


def _ordinary_fields(spec: SymbolSpec, order: Order) -> dict[str, Any]:
    request = order.request
    return {
        "orderId": order.order_id,
        "symbol": request.symbol,
        "status": order.status.value,
        "clientOrderId": request.client_order_id,
        "price": price_text(spec, request.price or ZERO),
        "avgPrice": f"{order.average_price:.{spec.price_precision + 1}f}",
        "origQty": amount_text(spec, order.amount),
        "executedQty": amount_text(spec, order.executed),
        "cumQuote": f"{order.quote:.{spec.price_precision + spec.amount_precision}f}",
        "timeInForce": request.time_in_force.value,
        "type": request.type.value,
        "reduceOnly": request.reduce_only,
        "closePosition": False,
        "side": request.side.value,
        "positionSide": "BOTH",
        "stopPrice": price_text(spec, ZERO),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": request.type.value,
        "priceMatch": "NONE",
        "selfTradePreventionMode": request.self_trade_prevention.value,
        "goodTillDate": 0,
        "updateTime": order.updated_ms,
    }


def new_order(spec: SymbolSpec, order: Order) -> dict[str, Any]:
    """Answer to POST and DELETE `/fapi/v1/order`: with cumQty, without time."""
    return _ordinary_fields(spec, order) | {"cumQty": amount_text(spec, order.executed)}


def queried_order(spec: SymbolSpec, order: Order) -> dict[str, Any]:
    """Answer to GET `/fapi/v1/order`, openOrders and allOrders: with time, without cumQty."""
    return _ordinary_fields(spec, order) | {"time": order.created_ms}


def trade(spec: SymbolSpec, fill: Fill) -> dict[str, Any]:
    """One row of `/fapi/v1/userTrades`."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": fill.side.value,
        "price": price_text(spec, fill.price),
        "qty": amount_text(spec, fill.amount),
        "realizedPnl": sum_text(fill.realized_pnl),
        "marginAsset": QUOTE_ASSET,
        "quoteQty": f"{fill.price * fill.amount:.{spec.price_precision + spec.amount_precision}f}",
        "commission": money_text(fill.commission),
        "commissionAsset": QUOTE_ASSET,
        "time": fill.time_ms,
        "positionSide": "BOTH",
        "maker": fill.maker,
        "buyer": fill.side.sign > 0,
    }


def income(row: Income) -> dict[str, Any]:
    """One row of `/fapi/v1/income`."""
    return {
        "symbol": row.symbol,
        "incomeType": row.type.value,
        "income": money_text(row.amount),
        "asset": QUOTE_ASSET,
        "time": row.time_ms,
        "info": str(row.trade_id) if row.trade_id else row.type.value,
        "tranId": row.transaction_id,
        "tradeId": str(row.trade_id) if row.trade_id else "",
    }


def position_risk(engine: Engine, position: Position) -> dict[str, Any]:
    """One row of `/fapi/v3/positionRisk`: no leverage and no margin type, unlike v2."""
    spec, mark = engine.spec(position.symbol), engine.mark(position.symbol)
    account = engine.account
    initial = account.initial_margin(position)
    behind = position.isolated_wallet if position.isolated else account.behind_crossed(position)
    fee_share = engine.options.fees.taker * (1 if position.amount > 0 else -1)
    bids, asks = resting_notional(engine, position.symbol)
    return {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": amount_text(spec, position.amount),
        "entryPrice": plain(position.entry_price.quantize(spec.price_tick / 10000).normalize()),
        "breakEvenPrice": plain((position.entry_price * (1 + fee_share)).quantize(spec.price_tick / 10000)),
        "markPrice": money_text(mark),
        "unRealizedProfit": money_text(position.unrealized(mark)),
        "liquidationPrice": money_text(liquidation_price(position, spec.brackets, mark, behind)),
        "isolatedMargin": sum_text(
            position.isolated_wallet + position.unrealized(mark) if position.isolated else ZERO
        ),
        "notional": sum_text(position.notional(mark)),
        "marginAsset": QUOTE_ASSET,
        "isolatedWallet": sum_text(position.isolated_wallet),
        "initialMargin": money_text(initial),
        "maintMargin": money_text(account.maintenance(position)),
        "positionInitialMargin": money_text(initial),
        "openOrderInitialMargin": "0",
        "adl": 1,
        "bidNotional": sum_text(bids),
        "askNotional": sum_text(asks),
        "updateTime": position.updated_ms,
    }


def resting_notional(engine: Engine, symbol: str) -> tuple[Decimal, Decimal]:
    """Quote in open buy orders and in open sell orders of a symbol."""
    bids = asks = ZERO
    for order in engine.orders_open_on(symbol):
        notional = order.remaining * (order.request.price or engine.mark(symbol))
        if order.request.side.sign > 0:
            bids += notional
        else:
            asks += notional
    return bids, asks


def account(engine: Engine) -> dict[str, Any]:
    """Answer to GET `/fapi/v3/account`. `updateTime` is never 0: ccxt would drop the balance."""
    held = engine.account
    positions = held.open_positions()
    initial = sum((held.initial_margin(position) for position in positions), ZERO)
    maintenance = sum((held.maintenance(position) for position in positions), ZERO)
    orders = engine.order_margin()
    profit, cross_profit = held.unrealized(), held.unrealized(crossed_only=True)
    available = held.available(orders)
    total = {
        "initialMargin": money_text(initial + orders),
        "maintMargin": money_text(maintenance),
        "walletBalance": money_text(held.wallet),
        "unrealizedProfit": money_text(profit),
        "marginBalance": money_text(held.wallet + profit),
        "positionInitialMargin": money_text(initial),
        "openOrderInitialMargin": money_text(orders),
        "crossWalletBalance": money_text(held.cross_wallet()),
        "crossUnPnl": money_text(cross_profit),
    }
    tail = {"availableBalance": money_text(available), "maxWithdrawAmount": money_text(available)}
    nothing = {name: money_text(ZERO) for name in total | tail}
    amount = dict.fromkeys(("walletBalance", "marginBalance", *tail), money_text(held.credit))
    credit = [{"asset": "BNFCR"} | nothing | amount | {"updateTime": held.updated_ms}] if held.credit else []
    return (
        {f"total{name[0].upper()}{name[1:]}": value for name, value in total.items()}
        | tail
        | {
            "assets": [{"asset": QUOTE_ASSET} | total | tail | {"updateTime": held.updated_ms}, *credit],
            "positions": [_account_position(engine, position) for position in positions],
        }
    )


def _account_position(engine: Engine, position: Position) -> dict[str, Any]:
    spec, mark = engine.spec(position.symbol), engine.mark(position.symbol)
    profit = position.unrealized(mark)
    return {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": amount_text(spec, position.amount),
        "unrealizedProfit": money_text(profit),
        "isolatedMargin": sum_text(position.isolated_wallet + profit if position.isolated else ZERO),
        "notional": sum_text(position.notional(mark)),
        "isolatedWallet": sum_text(position.isolated_wallet),
        "initialMargin": money_text(engine.account.initial_margin(position)),
        "maintMargin": money_text(engine.account.maintenance(position)),
        "updateTime": position.updated_ms,
    }


def leverage_bracket(spec: SymbolSpec) -> dict[str, Any]:
    """One row of `/fapi/v1/leverageBracket`; numbers, not texts."""
    return {
        "symbol": spec.symbol,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": number,
                "initialLeverage": bracket.initial_leverage,
                "notionalCap": float(bracket.notional_cap),
                "notionalFloor": float(bracket.notional_floor),
                "maintMarginRatio": float(bracket.maint_margin_ratio),
                "cum": float(bracket.cum),
            }
            for number, bracket in enumerate(spec.brackets, start=1)
        ],
    }


def algo_order(spec: SymbolSpec, order: AlgoOrder) -> dict[str, Any]:
    """One conditional order, as DELETE `/fapi/v1/algoOrder` answers it, and GET and POST with more."""
    request: OrderRequest = order.request
    return {
        "algoId": order.algo_id,
        "clientAlgoId": request.client_order_id,
        "algoType": "CONDITIONAL",
        "orderType": order.type.value,
        "symbol": request.symbol,
        "side": request.side.value,
        "positionSide": "BOTH",
        "timeInForce": request.time_in_force.value,
        "quantity": amount_text(spec, request.amount),
        "algoStatus": order.status.value,
        "triggerPrice": price_text(spec, order.trigger_price),
        "price": price_text(spec, request.price or ZERO),
        "icebergQuantity": None,
        "selfTradePreventionMode": request.self_trade_prevention.value,
        "workingType": order.working_type.value,
        "priceMatch": "NONE",
        "closePosition": order.close_position,
        "priceProtect": False,
        "reduceOnly": request.reduce_only,
        "createTime": order.created_ms,
        "updateTime": order.updated_ms,
        "triggerTime": order.triggered_ms,
        "goodTillDate": 0,
    }


def new_algo_order(spec: SymbolSpec, order: AlgoOrder) -> dict[str, Any]:
    """`algo_order` with what belongs to trailing stops alone."""
    return algo_order(spec, order) | {"activatePrice": "", "callbackRate": ""}


def queried_algo_order(spec: SymbolSpec, order: AlgoOrder) -> dict[str, Any]:
    """`algo_order` with what became of it."""
    sent = order.sent
    none = price_text(spec, ZERO)
    return algo_order(spec, order) | {
        "actualOrderId": str(sent.order_id) if sent else "",
        "actualPrice": f"{sent.average_price:.{spec.price_precision + 1}f}" if sent else none,
        "actualQty": amount_text(spec, sent.executed if sent else ZERO),
        "actualType": sent.request.type.value if sent else "",
        "tpTriggerPrice": none,
        "tpPrice": none,
        "slTriggerPrice": none,
        "slPrice": none,
        "tpOrderType": "",
    }
