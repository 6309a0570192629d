"""Request weights, order counts and what is told of them, against Binance's documentation and recordings."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from recordings import load

from pairbot_ext.sim.rest.gateway import ROUTES
from pairbot_ext.sim.rest.messages import Request

# https://developers.binance.com/docs/derivatives/usds-margined-futures, "Request Weight" of each endpoint.
DOCUMENTED: dict[str, list[tuple[dict[str, str], int]]] = {
    "GET /fapi/v1/exchangeInfo": [({}, 1)],
    "GET /fapi/v1/time": [({}, 1)],
    "GET /fapi/v1/klines": [({"limit": "99"}, 1), ({"limit": "499"}, 2), ({}, 5), ({"limit": "1500"}, 10)],
    "GET /fapi/v1/indexPriceKlines": [({"limit": "99"}, 1), ({}, 5)],
    "GET /fapi/v1/premiumIndexKlines": [({"limit": "99"}, 1), ({}, 5)],
    "GET /fapi/v1/depth": [({"limit": "50"}, 2), ({"limit": "100"}, 5), ({}, 10), ({"limit": "1000"}, 20)],
    "GET /fapi/v1/ticker/24hr": [({"symbol": "ADAUSDT"}, 1), ({}, 40)],
    "GET /fapi/v1/ticker/bookTicker": [({"symbol": "ADAUSDT"}, 2), ({}, 5)],
    "GET /fapi/v1/premiumIndex": [({"symbol": "ADAUSDT"}, 1), ({}, 10)],
    "POST /fapi/v1/order": [({}, 0)],
    "GET /fapi/v1/order": [({}, 1)],
    "DELETE /fapi/v1/order": [({}, 1)],
    "GET /fapi/v1/openOrders": [({"symbol": "ADAUSDT"}, 1), ({}, 40)],
    "GET /fapi/v1/allOrders": [({}, 5)],
    "GET /fapi/v1/userTrades": [({}, 5)],
    "GET /fapi/v1/income": [({}, 30)],
    "GET /fapi/v1/leverageBracket": [({}, 1)],
    "POST /fapi/v1/leverage": [({}, 1)],
    "POST /fapi/v1/marginType": [({}, 1)],
    "GET /fapi/v1/positionSide/dual": [({}, 30)],
    "GET /fapi/v1/multiAssetsMargin": [({}, 30)],
    "GET /fapi/v1/accountConfig": [({}, 5)],
    "GET /fapi/v1/symbolConfig": [({}, 5)],
    "GET /fapi/v1/commissionRate": [({}, 20)],
    "GET /fapi/v3/account": [({}, 5)],
    "GET /fapi/v3/balance": [({}, 5)],
    "GET /fapi/v3/positionRisk": [({}, 5)],
    "POST /fapi/v1/listenKey": [({}, 1)],
    "PUT /fapi/v1/listenKey": [({}, 1)],
}


@pytest.mark.parametrize("call", DOCUMENTED)
def test_documented_weight(call):
    assert [ROUTES[call].weight_of(params) for params, _ in DOCUMENTED[call]] == [
        weight for _, weight in DOCUMENTED[call]
    ]


def test_measured_budget_of_a_bot(shared_dir):
    """Every request Freqtrade was seen to make costs here what it was counted at there, phase by phase."""
    phases = load(shared_dir, "freqtrade_request_budget.json")
    counted = 0
    for phase in phases:
        weights = []
        for text in phase["requests"]:
            method, path, *query = text.split(" ")
            weights.append(ROUTES[f"{method} {path}"].weight_of(dict(parse_qsl(query[0] if query else ""))))
        assert (len(weights), sum(weights)) == (phase["n"], phase["ip_weight"]), phase["phase"]
        counted += len(weights)
    assert counted >= 60


def test_headers(world):
    """Used weight with every answer, order counts with answers to orders; a refusal counts too."""

    def headers(method: str, path: str, query: str = "") -> dict[str, str]:
        return dict(world.gateway.handle(Request(method, path, query=query)).headers)

    assert headers("GET", "/fapi/v1/ticker/24hr") == {"X-MBX-USED-WEIGHT-1M": "40"}
    assert headers("GET", "/fapi/v1/depth", "symbol=ADAUSDT&limit=5") == {"X-MBX-USED-WEIGHT-1M": "42"}
    assert headers("GET", "/fapi/v1/depth", "symbol=NONE") == {"X-MBX-USED-WEIGHT-1M": "52"}
    buy = {"symbol": "ADAUSDT", "side": "BUY", "type": "MARKET", "quantity": 10}
    for _ in range(2):
        world.call("POST /fapi/v1/order", **buy)
    told = headers("POST", "/fapi/v1/order")
    assert told == {
        "X-MBX-USED-WEIGHT-1M": "52", "X-MBX-ORDER-COUNT-10S": "2", "X-MBX-ORDER-COUNT-1M": "2",
    }  # fmt: skip
    world.clock.advance(10_000)
    told = headers("POST", "/fapi/v1/order")
    assert (told["X-MBX-ORDER-COUNT-10S"], told["X-MBX-ORDER-COUNT-1M"]) == ("0", "2")
    world.clock.advance(60_000)
    assert headers("GET", "/fapi/v1/time") == {"X-MBX-USED-WEIGHT-1M": "1"}


def test_documented_limits(world):
    """2400 weight a minute, then 429 with Retry-After; 300 orders in ten seconds, then −1015."""
    answer = world.call("GET /fapi/v1/exchangeInfo")[1]
    limits = [
        (rule["rateLimitType"], rule["intervalNum"], rule["interval"], rule["limit"])
        for rule in answer["rateLimits"]
    ]
    assert limits == [
        ("REQUEST_WEIGHT", 1, "MINUTE", 2400), ("ORDERS", 1, "MINUTE", 1200), ("ORDERS", 10, "SECOND", 300),
    ]  # fmt: skip
    buy = {"symbol": "ADAUSDT", "side": "BUY", "type": "MARKET", "quantity": 7}
    codes = [world.call("POST /fapi/v1/order/test", **buy)[0] for _ in range(3)]
    assert codes == [200] * 3, "a test order is no order"
    world.gateway.limits.count_request(2396, world.clock())
    status, refused = world.call("GET /fapi/v1/income")
    assert (status, refused["code"]) == (429, -1003)
    world.clock.advance(60_000)
    for _ in range(300):
        world.gateway.limits.count_order(world.clock())
    status, refused = world.call("POST /fapi/v1/order", **buy)
    assert (status, refused["code"]) == (429, -1015)
