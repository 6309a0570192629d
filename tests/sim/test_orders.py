"""What becomes of orders: types, times in force, reduce-only, client ids, resting and conditional orders."""

from decimal import Decimal

import ccxt
import pytest

from pairbot_ext.sim.market.base import Book
from pairbot_ext.sim.venue.errors import VenueError
from pairbot_ext.sim.venue.orders import OrderStatus

ADA = "ADA/USDT:USDT"
DAY_MS = 86_400_000


def thin_book(world, amount: int = 100) -> None:
    """Three ask levels of `amount` each from 0.7321, bids likewise from 0.7319."""
    steps = [Decimal(n) / 10_000 for n in (1, 2, 3)]
    price = world.market.prices["ADAUSDT"]
    world.market.books["ADAUSDT"] = Book(
        bids=tuple((price - step, Decimal(amount)) for step in steps),
        asks=tuple((price + step, Decimal(amount)) for step in steps),
    )


def test_market_order_walks_the_book(world):
    thin_book(world)
    order = world.place("BUY", 250)
    assert order.status is OrderStatus.FILLED
    assert [(fill.price, fill.amount) for fill in world.venue.engine.fills] == [
        (Decimal("0.7321"), 100),
        (Decimal("0.7322"), 100),
        (Decimal("0.7323"), 50),
    ]


def test_market_order_larger_than_the_book_expires_for_the_rest(world, client):
    thin_book(world)
    order = client.create_order(ADA, "market", "buy", 500)
    assert (order["status"], order["filled"], order["remaining"]) == ("expired", 300, 200)
    assert world.held() == 300


def test_market_order_stops_at_the_price_band(world):
    cheap, dear = (Decimal("0.7321"), Decimal(100)), (Decimal("0.7690"), Decimal(1000))
    world.market.books["ADAUSDT"] = Book(bids=(), asks=(cheap, dear))
    order = world.place("BUY", 500)
    assert (order.status, order.executed) == (OrderStatus.EXPIRED, 100)
    world.clock.advance(60_000)
    world.market.books["ADAUSDT"] = Book(bids=(), asks=(dear,))
    with pytest.raises(VenueError) as refused:
        world.place("BUY", 500)
    assert refused.value.code == -4131


def test_ioc(world, client):
    thin_book(world)
    order = client.create_order(ADA, "limit", "buy", 500, 0.7322, {"timeInForce": "IOC"})
    assert (order["status"], order["filled"], order["average"]) == ("expired", 200, 0.73215)
    nothing = client.create_order(ADA, "limit", "buy", 500, 0.7300, {"timeInForce": "IOC"})
    assert (nothing["status"], nothing["filled"]) == ("expired", 0)


def test_the_book_refills(world):
    thin_book(world)
    world.place("BUY", 300)
    assert world.place("BUY", 100).status is OrderStatus.EXPIRED, "a level is taken only once"
    world.clock.advance(1001)
    assert world.place("BUY", 300).status is OrderStatus.FILLED


def test_resting_order_fills_as_maker_at_its_own_price(world, client):
    order = client.create_order(ADA, "limit", "buy", 1000, 0.7200)
    assert order["status"] == "open"
    assert client.fetch_balance()["USDT"]["used"] == pytest.approx(1000 * 0.72 / 20)
    world.market.prices["ADAUSDT"] = Decimal("0.7190")
    world.clock.advance(1000)
    done = client.fetch_order(order["id"], ADA)
    assert (done["status"], done["average"]) == ("closed", 0.72)
    (trade,) = client.fetch_my_trades(ADA)
    assert trade["takerOrMaker"] == "maker"
    assert trade["fee"]["cost"] == pytest.approx(1000 * 0.72 * 0.0002)


def test_reduce_only_is_cut_to_the_position(world, client):
    client.create_order(ADA, "market", "buy", 300)
    order = client.create_order(ADA, "market", "sell", 1000, None, {"reduceOnly": True})
    assert (order["status"], order["amount"], order["filled"]) == ("closed", 300, 300)
    assert world.held() == 0


def test_reduce_only_counts_resting_reductions(world):
    world.place("BUY", 300)
    world.place("SELL", 200, price="0.7500", reduce_only=True)
    assert world.place("SELL", 300, reduce_only=True).amount == 100
    with pytest.raises(VenueError) as refused:
        world.place("SELL", 200, reduce_only=True)
    assert refused.value.code == -2022


def test_resting_reduction_expires_with_its_position(world):
    world.place("BUY", 300)
    resting = world.place("SELL", 300, price="0.7500", reduce_only=True)
    world.place("SELL", 300)
    world.clock.advance(1000)
    world.gateway.tick()
    assert resting.status is OrderStatus.EXPIRED


def test_reduce_only_is_exempt_from_the_smallest_notional(world, client):
    client.create_order(ADA, "market", "buy", 10)
    assert client.create_order(ADA, "market", "sell", 3, None, {"reduceOnly": True})["filled"] == 3


def test_one_way_netting_flips(world, client):
    client.create_order(ADA, "market", "buy", 300)
    client.create_order(ADA, "market", "sell", 500)
    (position,) = client.fetch_positions([ADA])
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("short", 200, 0.7319)


def test_client_ids_are_unique_among_open_orders_only(world, client):
    named = {"newClientOrderId": "pb-abc-A-entry-1"}
    client.create_order(ADA, "market", "buy", 100, None, named)
    client.create_order(ADA, "market", "buy", 100, None, named)
    assert world.held() == 200, (
        "a closed order does not block its id: it is no protection against a double send"
    )
    client.create_order(ADA, "limit", "buy", 100, 0.7, named)
    with pytest.raises(ccxt.InvalidOrder, match="-4116"):
        client.create_order(ADA, "market", "buy", 100, None, named)


def test_strict_client_ids(new_world, new_client):
    world = new_world(strict_client_ids=True)
    client = new_client(world)
    client.create_order(ADA, "market", "buy", 100, None, {"newClientOrderId": "once"})
    with pytest.raises(ccxt.InvalidOrder, match="-4116"):
        client.create_order(ADA, "market", "buy", 100, None, {"newClientOrderId": "once"})


def test_asking_by_client_id(world, client):
    client.create_order(ADA, "market", "buy", 100, None, {"newClientOrderId": "mine"})
    found = client.fetch_order(None, ADA, {"clientOrderId": "mine"})
    assert (found["status"], found["filled"]) == ("closed", 100)
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        client.fetch_order(None, ADA, {"clientOrderId": "nobody's"})


def test_unfilled_orders_are_forgotten_after_three_days(world, client):
    empty = client.create_order(ADA, "limit", "buy", 100, 0.73, {"timeInForce": "IOC"})
    filled = client.create_order(ADA, "market", "buy", 100)
    world.clock.advance(3 * DAY_MS - 1000)
    assert client.fetch_order(empty["id"], ADA)["status"] == "expired"
    world.clock.advance(2000)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(empty["id"], ADA)
    assert client.fetch_order(filled["id"], ADA)["status"] == "closed"


def test_cancel_of_a_filled_order(world, client):
    order = client.create_order(ADA, "market", "buy", 100)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order(order["id"], ADA)


def test_cancel_an_open_order(world, client):
    order = client.create_order(ADA, "limit", "buy", 100, 0.7)
    assert client.fetch_open_orders(ADA)[0]["id"] == order["id"]
    assert client.cancel_order(order["id"], ADA)["status"] == "canceled"
    assert client.fetch_open_orders(ADA) == []


def test_halted_symbol(world, client):
    client.create_order(ADA, "market", "buy", 100)
    world.venue.engine.statuses["ADAUSDT"] = "SETTLING"
    with pytest.raises(ccxt.BaseError, match="-4140"):
        client.create_order(ADA, "market", "buy", 100)
    assert client.create_order(ADA, "market", "sell", 100, None, {"reduceOnly": True})["status"] == "closed"
    assert client.load_markets(True)[ADA]["active"] is False


def test_stop_order(world, client):
    client.create_order(ADA, "market", "buy", 100)
    stop = client.create_order(ADA, "market", "sell", 100, None, {"stopLossPrice": 0.70, "reduceOnly": True})
    assert client.fetch_order(stop["id"], ADA, {"trigger": True})["status"] == "open"
    assert [order["id"] for order in client.fetch_open_orders(ADA, None, None, {"trigger": True})] == [
        stop["id"]
    ]
    world.market.prices["ADAUSDT"] = Decimal("0.6999")
    world.clock.advance(1000)
    done = client.fetch_order(stop["id"], ADA, {"trigger": True})
    assert done["info"]["algoStatus"] == "FINISHED"
    assert Decimal(done["info"]["actualQty"]) == 100
    assert world.held() == 0


def test_stop_order_refusals(world, client):
    with pytest.raises(ccxt.BaseError, match="-2021"):
        client.create_order(ADA, "market", "sell", 100, None, {"stopLossPrice": 0.74})
    stop = client.create_order(ADA, "market", "sell", 100, None, {"stopLossPrice": 0.70})
    assert client.cancel_order(stop["id"], ADA, {"trigger": True})["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(stop["id"], ADA, {"trigger": True})


def test_histories(world, client):
    first = client.create_order(ADA, "market", "buy", 100)
    world.clock.advance(8 * DAY_MS)
    second = client.create_order(ADA, "market", "sell", 100)
    now = world.clock()
    assert [order["id"] for order in client.fetch_orders(ADA)] == [second["id"]], "seven days without a start"
    old = client.fetch_orders(ADA, now - 9 * DAY_MS)
    assert [order["id"] for order in old] == [first["id"]]
    assert len(client.fetch_my_trades(ADA, now - 2 * DAY_MS)) == 1
    assert len(client.fetch_my_trades(ADA, None, None, {"orderId": second["id"]})) == 1
    status, refusal = world.call(
        "GET /fapi/v1/userTrades", symbol="ADAUSDT", startTime=now - 9 * DAY_MS, endTime=now
    )
    assert (status, refusal["code"]) == (400, -1127)
