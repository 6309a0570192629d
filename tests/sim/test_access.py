"""Who may ask, how fresh a request must be, and how often."""

import ccxt
import pytest

from pairbot_ext.sim.rest.gateway import ROUTES
from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.venue.rate_limits import RateLimits

ADA = "ADA/USDT:USDT"


@pytest.mark.parametrize(
    ("change", "raised", "code"),
    [
        ({"apiKey": "somebody-else"}, ccxt.AuthenticationError, -2015),
        ({"secret": "wrong"}, ccxt.AuthenticationError, -1022),
    ],
)
def test_wrong_keys(world, client, change, raised, code):
    for name, value in change.items():
        setattr(client, name, value)
    with pytest.raises(raised, match=str(code)):
        client.fetch_balance()
    with pytest.raises(raised):
        client.create_order(ADA, "market", "buy", 100)
    assert world.held() == 0


def test_no_key_and_no_signature(world):
    bare = world.gateway.handle(Request("GET", "/fapi/v3/account", f"timestamp={world.clock()}"))
    assert (bare.status, b"-2014" in bare.body) == (401, True)
    key = {"x-mbx-apikey": world.gateway._credentials.key}
    unsigned = world.gateway.handle(
        Request("GET", "/fapi/v3/account", f"timestamp={world.clock()}", headers=key)
    )
    assert (unsigned.status, b"-1102" in unsigned.body) == (400, True)


def test_every_private_route_is_signed():
    private = {call for call, route in ROUTES.items() if route.signed}
    keyed = {call for call, route in ROUTES.items() if route.keyed}
    assert keyed == {f"{method} /fapi/v1/listenKey" for method in ("POST", "PUT", "DELETE")}
    assert {call for call in ROUTES if not call.startswith("GET")} <= private | keyed
    public = set(ROUTES) - private
    assert not {
        call for call in public if any(word in call for word in ("rder", "account", "position", "Trades"))
    }


def test_signature_covers_query_and_body_together(world):
    """Binance signs the query string followed by the body, without a separator between them."""
    status, order = world.call(
        "POST /fapi/v1/order", symbol="ADAUSDT", side="BUY", type="MARKET", quantity=100
    )
    assert (status, order["status"]) == (200, "FILLED")


@pytest.mark.parametrize(
    ("off_ms", "fine"), [(0, True), (-9_000, True), (-10_001, False), (900, True), (1001, False)]
)
def test_freshness(world, client, off_ms, fine):
    client.nonce = lambda: world.clock() + off_ms
    client.milliseconds = client.nonce
    if fine:
        assert client.fetch_balance()["USDT"]["total"] == 10_000
    else:
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            client.fetch_balance()


def test_own_recv_window(world, client):
    client.nonce = client.milliseconds = lambda: world.clock() - 3000
    assert client.create_order(ADA, "market", "buy", 100, None, {"recvWindow": 5000})["status"] == "closed"
    with pytest.raises(ccxt.InvalidNonce):
        client.create_order(ADA, "market", "buy", 100, None, {"recvWindow": 2000})
    assert world.held() == 100


# Official weights of what Freqtrade calls, from each endpoint's documentation.
WEIGHTS = {
    ("GET /fapi/v1/exchangeInfo", ()): 1,
    ("GET /fapi/v1/klines", (("limit", "99"),)): 1,
    ("GET /fapi/v1/klines", (("limit", "499"),)): 2,
    ("GET /fapi/v1/klines", ()): 5,
    ("GET /fapi/v1/klines", (("limit", "1500"),)): 10,
    ("GET /fapi/v1/depth", (("limit", "5"),)): 2,
    ("GET /fapi/v1/depth", (("limit", "1000"),)): 20,
    ("GET /fapi/v1/ticker/24hr", ()): 40,
    ("GET /fapi/v1/ticker/24hr", (("symbol", "ADAUSDT"),)): 1,
    ("GET /fapi/v1/ticker/bookTicker", ()): 5,
    ("GET /fapi/v1/premiumIndex", ()): 10,
    ("GET /fapi/v1/premiumIndex", (("symbol", "ADAUSDT"),)): 1,
    ("GET /fapi/v1/positionSide/dual", ()): 30,
    ("GET /fapi/v1/multiAssetsMargin", ()): 30,
    ("POST /fapi/v1/order", ()): 0,
    ("GET /fapi/v1/order", ()): 1,
    ("DELETE /fapi/v1/order", ()): 1,
    ("GET /fapi/v1/allOrders", ()): 5,
    ("GET /fapi/v1/userTrades", ()): 5,
    ("GET /fapi/v1/income", ()): 30,
    ("GET /fapi/v3/account", ()): 5,
    ("GET /fapi/v3/positionRisk", ()): 5,
    ("POST /fapi/v1/leverage", ()): 1,
    ("POST /fapi/v1/marginType", ()): 1,
    ("GET /fapi/v1/openOrders", ()): 40,
    ("GET /fapi/v1/openOrders", (("symbol", "ADAUSDT"),)): 1,
}


def test_weights():
    found = {key: ROUTES[key[0]].weight_of(dict(key[1])) for key in WEIGHTS}
    assert found == WEIGHTS


def test_headers_tell_the_meters(world, client):
    client.create_order(ADA, "market", "buy", 100)
    headers = client.last_response_headers
    assert headers["X-MBX-ORDER-COUNT-10S"] == headers["X-MBX-ORDER-COUNT-1M"] == "1"
    client.fetch_balance()
    assert client.last_response_headers["X-MBX-USED-WEIGHT-1M"] == "6", "exchangeInfo 1, order 0, account 5"


def test_weight_limit_then_ban(world, client):
    world.clock.advance(60_000 - world.clock() % 60_000)
    for _ in range(80):
        client.fapiPrivateGetIncome()
    with pytest.raises(ccxt.DDoSProtection, match="-1003"):
        client.fapiPrivateGetIncome()
    assert client.last_response_headers["Retry-After"] == "60"
    world.clock.advance(60_000)
    client.fapiPrivateGetIncome()
    for _ in range(79):
        client.fapiPrivateGetIncome()
    for _ in range(10):
        with pytest.raises(ccxt.DDoSProtection, match="429"):
            client.fapiPrivateGetIncome()
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        client.fetch_time()
    assert "banned until" in client.last_http_response
    world.clock.advance(120_000)
    assert client.fetch_time() == world.clock()


def test_order_limit(world):
    limits = RateLimits()
    start = world.clock() // 60_000 * 60_000
    for _ in range(300):
        limits.count_order(start)
    with pytest.raises(Exception, match="300 orders per 10 SECONDS"):
        limits.count_order(start)
    for window in range(1, 4):
        for _ in range(299 if window == 3 else 300):  # the refused one has counted too
            limits.count_order(start + window * 10_000)
    with pytest.raises(Exception, match="1200 orders per MINUTE"):
        limits.count_order(start + 40_000)
    limits.count_order(start + 60_000)


def test_limits_can_be_lifted(new_world, new_client):
    client = new_client(new_world(enforce_limits=False))
    for _ in range(100):
        client.fapiPrivateGetIncome()
    assert int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"]) >= 3000


def test_unknown_paths(world):
    status, answer = world.call("GET /api/v3/account")
    assert (status, answer["code"]) == (404, -5000)
    assert world.gateway.log.requests[-1].call == "GET /api/v3/account"
