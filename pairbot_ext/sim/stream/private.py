"""The events of the user data stream, key for key as Binance documents them.

https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pairbot_ext.sim.rest.shapes import amount_text, price_text, resting_notional
from pairbot_ext.sim.venue.engine import Engine
from pairbot_ext.sim.venue.orders import ZERO, Order, OrderStatus, OrderType, TimeInForce
from pairbot_ext.sim.venue.positions import Position
from pairbot_ext.sim.venue.tape import (
    AccountChanged,
    AssetModeChanged,
    Happening,
    LeverageChanged,
    ListenKeyEnded,
    MarginCalled,
    OrderChanged,
)
from pairbot_ext.sim.venue.terms import QUOTE_ASSET, money_text, plain

_LIQUIDATION = "LIQUIDATION"
# "er": why an order expired.
_NOT_EXPIRED, _COULD_NOT_FILL, _NOTHING_TO_REDUCE = "0", "2", "4"


def event_of(engine: Engine, happening: Happening, now_ms: int) -> dict[str, Any] | None:
    """The event a happening is told with, None for one the stream does not tell."""
    if isinstance(happening, OrderChanged):
        return _order_trade_update(engine, happening, now_ms)
    if isinstance(happening, AccountChanged):
        return _account_update(engine, happening, now_ms)
    if isinstance(happening, LeverageChanged):
        return _config(now_ms, {"ac": {"s": happening.symbol, "l": happening.leverage}})
    if isinstance(happening, AssetModeChanged):
        return _config(now_ms, {"ai": {"j": happening.multi_assets}})
    if isinstance(happening, MarginCalled):
        return _margin_call(engine, happening, now_ms)
    if isinstance(happening, ListenKeyEnded) and happening.expired:
        return {"e": "listenKeyExpired", "E": now_ms, "listenKey": happening.key}
    return None


def _order_trade_update(engine: Engine, happening: OrderChanged, now_ms: int) -> dict[str, Any]:
    order, fill = happening.order, happening.fill
    request, spec = order.request, engine.spec(order.request.symbol)
    kind = _LIQUIDATION if order.liquidation else request.type.value
    bids, asks = resting_notional(engine, request.symbol)
    body = {
        "s": request.symbol,
        "c": request.client_order_id,
        "S": request.side.value,
        "o": kind,
        "f": request.time_in_force.value,
        "q": amount_text(spec, order.amount),
        "p": price_text(spec, request.price or ZERO),
        "ap": f"{order.average_price:.{spec.price_precision + 1}f}",
        "sp": "0",
        "x": happening.execution.value,
        "X": order.status.value,
        "i": order.order_id,
        "l": amount_text(spec, fill.amount if fill else ZERO),
        "z": amount_text(spec, order.executed),
        "L": price_text(spec, fill.price if fill else ZERO),
        "T": order.updated_ms,
        "t": fill.trade_id if fill else 0,
        "b": plain(bids),
        "a": plain(asks),
        "m": fill.maker if fill else False,
        "R": request.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": kind,
        "ps": "BOTH",
        "cp": False,
        "rp": money_text(fill.realized_pnl if fill else ZERO),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": request.self_trade_prevention.value,
        "pm": "NONE",
        "gtd": 0,
        "er": _expiry(order),
    }
    if fill:  # not pushed without a commission
        body |= {"N": QUOTE_ASSET, "n": money_text(fill.commission)}
    return {"e": "ORDER_TRADE_UPDATE", "T": order.updated_ms, "E": now_ms, "o": body}


def _expiry(order: Order) -> str:
    if order.status is not OrderStatus.EXPIRED:
        return _NOT_EXPIRED
    rested = order.request.type is OrderType.LIMIT and order.request.time_in_force is TimeInForce.GTC
    return _NOTHING_TO_REDUCE if rested else _COULD_NOT_FILL


def _account_update(engine: Engine, happening: AccountChanged, now_ms: int) -> dict[str, Any]:
    account = engine.account
    balance = {
        "a": QUOTE_ASSET,
        "wb": money_text(account.wallet),
        "cw": money_text(account.cross_wallet()),
        "bc": money_text(happening.change),
    }
    body = {
        "B": [balance],
        "P": [_position(engine, position) for position in happening.positions],
        "m": happening.reason.value,
    }
    return {"e": "ACCOUNT_UPDATE", "T": now_ms, "E": now_ms, "a": body}


def _position(engine: Engine, position: Position) -> dict[str, Any]:
    spec, mark = engine.spec(position.symbol), engine.mark(position.symbol)
    entry = position.entry_price
    fee_share = engine.options.fees.taker * (1 if position.amount > 0 else -1)
    return {
        "s": position.symbol,
        "pa": amount_text(spec, position.amount),
        "ep": plain(entry.quantize(spec.price_tick / 10_000).normalize()),
        "bep": plain((entry * (1 + fee_share)).quantize(spec.price_tick / 10_000)),
        "cr": money_text(position.realized),
        "up": money_text(position.unrealized(mark)),
        "mt": _margin_type(position).lower(),
        "iw": money_text(position.isolated_wallet),
        "ps": "BOTH",
        "ma": QUOTE_ASSET,
    }


def _margin_type(position: Position) -> str:
    return "ISOLATED" if position.isolated else "CROSS"


def _margin_call(engine: Engine, happening: MarginCalled, now_ms: int) -> dict[str, Any]:
    account = engine.account
    event: dict[str, Any] = {"e": "MARGIN_CALL", "E": now_ms}
    if not all(position.isolated for position in happening.positions):
        event["cw"] = money_text(account.cross_wallet())
    return event | {"p": list(_called(engine, happening.positions))}


def _called(engine: Engine, positions: Iterable[Position]) -> Iterable[dict[str, Any]]:
    for position in positions:
        mark: Decimal = engine.mark(position.symbol)
        yield {
            "s": position.symbol,
            "ps": "BOTH",
            "pa": amount_text(engine.spec(position.symbol), position.amount),
            "mt": position.margin_type.value,
            "iw": money_text(position.isolated_wallet),
            "mp": money_text(mark),
            "up": money_text(position.unrealized(mark)),
            "mm": money_text(engine.account.maintenance(position)),
        }


def _config(now_ms: int, what: dict[str, Any]) -> dict[str, Any]:
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, **what}
