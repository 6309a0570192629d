"""Order life cycles over the wire: every state and amount a client sees, from the answer to the history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pairbot_ext.sim.stream.within import StreamTap

ADA = {"symbol": "ADAUSDT"}
LIMIT = {**ADA, "type": "LIMIT"}
# FixedMarket: 20 levels of 10,000 each side, a tick apart, the best one a tick from 0.7320.
WHOLE_SIDE = 200_000


def order(world: Any, **params: Any) -> dict[str, Any]:
    status, answer = world.call("POST /fapi/v1/order", **params)
    assert status == 200, answer
    return answer


def seen_alike(world: Any, answer: dict[str, Any]) -> None:
    """The query and the history tell what the answer told."""
    queried = world.call("GET /fapi/v1/order", **ADA, orderId=answer["orderId"])[1]
    (listed,) = [
        row for row in world.call("GET /fapi/v1/allOrders", **ADA)[1] if row["orderId"] == answer["orderId"]
    ]
    assert queried == listed
    shared = answer.keys() & queried.keys()
    assert {key: answer[key] for key in shared} == {key: queried[key] for key in shared}
    fills = world.call("GET /fapi/v1/userTrades", **ADA, orderId=answer["orderId"])[1]
    assert sum((Decimal(row["qty"]) for row in fills), Decimal(0)) == Decimal(answer["executedQty"])
    assert sum((Decimal(row["quoteQty"]) for row in fills), Decimal(0)) == Decimal(answer["cumQuote"])


def test_market_order_larger_than_the_book_expires_with_what_it_got(world):
    for symbol in ("ADAUSDT",):
        world.call("POST /fapi/v1/leverage", symbol=symbol, leverage=20)
    answer = order(world, **ADA, side="BUY", type="MARKET", quantity=WHOLE_SIDE + 50_000)
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", str(WHOLE_SIDE))
    assert (answer["origQty"], answer["timeInForce"], answer["price"]) == ("250000", "GTC", "0.00000")
    seen_alike(world, answer)
    assert world.held() == WHOLE_SIDE


@pytest.mark.parametrize(
    ("price", "amount", "status", "executed"),
    [
        ("0.7321", 10_000, "FILLED", "10000"),
        ("0.7321", 15_000, "EXPIRED", "10000"),
        ("0.7320", 10_000, "EXPIRED", "0"),
    ],
    ids=["whole", "in part", "not at all"],
)
def test_immediate_or_cancel(world, price, amount, status, executed):
    answer = order(world, **LIMIT, side="BUY", timeInForce="IOC", price=price, quantity=amount)
    assert (answer["status"], answer["executedQty"]) == (status, executed)
    seen_alike(world, answer)
    assert world.call("GET /fapi/v1/openOrders", **ADA)[1] == []
    code = world.call("DELETE /fapi/v1/order", **ADA, orderId=answer["orderId"])[1]["code"]
    assert code == -2011, "an order that has ended can not be cancelled: it may be filled"


def test_post_only_rests_or_is_refused(world):
    answer = order(world, **LIMIT, side="BUY", timeInForce="GTX", price="0.7319", quantity=100)
    assert (answer["status"], answer["executedQty"]) == ("NEW", "0")
    seen_alike(world, answer)
    status, refused = world.call(
        "POST /fapi/v1/order", **LIMIT, side="BUY", timeInForce="GTX", price="0.7321", quantity=100
    )
    assert (status, refused["code"]) == (400, -5022)
    assert len(world.call("GET /fapi/v1/allOrders", **ADA)[1]) == 1, "it is not in the history"
    cancelled = world.call("DELETE /fapi/v1/order", **ADA, orderId=answer["orderId"])[1]
    assert cancelled["status"] == "CANCELED"
    seen_alike(world, cancelled)


def test_reduce_only_is_cut_to_the_position(world):
    order(world, **ADA, side="BUY", type="MARKET", quantity=100)
    answer = order(world, **ADA, side="SELL", type="MARKET", quantity=150, reduceOnly="true")
    assert (answer["status"], answer["origQty"], answer["executedQty"]) == ("FILLED", "100", "100")
    assert answer["reduceOnly"] is True
    seen_alike(world, answer)
    assert world.held() == 0
    status, refused = world.call(
        "POST /fapi/v1/order", **ADA, side="SELL", type="MARKET", quantity=1, reduceOnly="true"
    )
    assert (status, refused["code"]) == (400, -2022)


def test_close_position_takes_what_is_there_when_it_triggers(world):
    order(world, **ADA, side="BUY", type="MARKET", quantity=100)
    stop = {**ADA, "algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "0.7000"}
    status, answer = world.call("POST /fapi/v1/algoOrder", **stop, closePosition="true")
    assert status == 200, answer
    assert (answer["closePosition"], answer["reduceOnly"], answer["quantity"]) == (True, True, "0")
    for params in ({"quantity": 100}, {"reduceOnly": "true"}, {"type": "STOP", "price": "0.7"}):
        status, refused = world.call("POST /fapi/v1/algoOrder", **stop | params, closePosition="true")
        assert (status, refused["code"]) == (400, -1106), params
    order(world, **ADA, side="BUY", type="MARKET", quantity=50)
    world.market.prices["ADAUSDT"] = Decimal("0.7000")
    world.clock.advance(1000)
    world.exchange.tick()
    asked = world.call("GET /fapi/v1/algoOrder", algoId=answer["algoId"])[1]
    assert (asked["algoStatus"], asked["actualQty"]) == ("FINISHED", "150")
    assert world.held() == 0


def test_close_position_without_a_position_comes_to_nothing(world):
    stop = {**ADA, "algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "0.7000"}
    answer = world.call("POST /fapi/v1/algoOrder", **stop, closePosition="true")[1]
    world.market.prices["ADAUSDT"] = Decimal("0.7000")
    world.exchange.tick()
    assert world.call("GET /fapi/v1/algoOrder", algoId=answer["algoId"])[1]["algoStatus"] == "REJECTED"
    assert world.held() == 0


def test_close_position_belongs_to_conditional_orders(world):
    status, refused = world.call(
        "POST /fapi/v1/order", **ADA, side="SELL", type="MARKET", quantity=1, closePosition="true"
    )
    assert (status, refused["code"]) == (400, -1106)


@pytest.mark.parametrize("mode", ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"])
def test_self_trade_prevention_is_told_back(world, mode):
    key = world.call("POST /fapi/v1/listenKey")[1]["listenKey"]
    tap = StreamTap(world.exchange, f"/private/ws/{key}")
    named = {**LIMIT, "side": "BUY", "timeInForce": "GTC", "price": "0.70", "quantity": 100}
    answer = order(world, **named, selfTradePreventionMode=mode)
    assert answer["selfTradePreventionMode"] == mode
    seen_alike(world, answer)
    assert [event["o"]["V"] for event in tap.messages() if "o" in event] == [mode]


def test_self_trade_prevention_of_another_name_is_refused(world):
    named = {**LIMIT, "side": "BUY", "timeInForce": "GTC", "price": "0.70", "quantity": 100}
    status, refused = world.call("POST /fapi/v1/order", **named, selfTradePreventionMode="DECREMENT")
    assert (status, refused["code"]) == (400, -1130)
    assert order(world, **named)["selfTradePreventionMode"] == "EXPIRE_MAKER"


def test_partly_filled_resting_order_is_cancelled_with_what_it_has(world):
    answer = order(world, **LIMIT, side="BUY", timeInForce="GTC", price="0.7321", quantity=15_000)
    assert (answer["status"], answer["executedQty"]) == ("PARTIALLY_FILLED", "10000")
    cancelled = world.call("DELETE /fapi/v1/order", **ADA, orderId=answer["orderId"])[1]
    assert (cancelled["status"], cancelled["executedQty"]) == ("CANCELED", "10000")
    seen_alike(world, cancelled)
