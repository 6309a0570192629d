"""Every refusal and every fault form reaches the client as the class unmodified ccxt gives it on the real
venue.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.overlay import ccxt_settings
from pairbot_ext.sim.server import LoopbackServer

ADA = "ADA/USDT:USDT"
# Which class ccxt 4.5.90 raises on Binance's linear futures hosts, by what the venue answers. Codes are those
# of https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code.
CODES: dict[int, str] = {
    -1000: "OperationFailed",
    -1001: "OperationFailed",
    -1003: "DDoSProtection",
    -1006: "OperationFailed",
    -1007: "RequestTimeout",
    -1008: "OperationFailed",
    -1015: "DDoSProtection",
    -1021: "InvalidNonce",
    -1111: "BadRequest",
    -2010: "InvalidOrder",
    -2011: "OrderNotFound",
    -2013: "OrderNotFound",
    -2015: "AuthenticationError",
    -2018: "InsufficientFunds",
    -2019: "InsufficientFunds",
    -2020: "OperationFailed",
    -2022: "InvalidOrder",
    -2027: "OperationRejected",
    -4005: "BadRequest",
    -4023: "BadRequest",
    -4116: "InvalidOrder",
    -4118: "OperationRejected",
    -4131: "OperationRejected",
    -4164: "InvalidOrder",
    -4400: "PermissionDenied",
    -5021: "OrderNotFillable",
    -5022: "OrderNotFillable",
}
NO_ORDER = "OK status=None id=None"
FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "503 msg only": ({"answer": "unknown_503_msg"}, "ExchangeNotAvailable"),
    "503 code0": ({"answer": "unknown_503_code_0"}, "ExchangeNotAvailable"),
    "503 code-1000": ({"answer": "unknown_503_code_1000"}, "OperationFailed"),
    "503 SvcUnavail msg only": ({"answer": "unavailable_503"}, "ExchangeNotAvailable"),
    "503 html": ({"answer": "html_503"}, "ExchangeNotAvailable"),
    "502 html": ({"answer": "html_502"}, "ExchangeNotAvailable"),
    "504 html": ({"answer": "html_504"}, "RequestTimeout"),
    "403 waf html": ({"answer": "html_403"}, "ExchangeNotAvailable"),
    "418 ban": ({"answer": "reject", "code": -1003, "status": 418}, "DDoSProtection"),
    "-1003 @400": ({"answer": "reject", "code": -1003, "status": 400}, "RateLimitExceeded"),
    "200 empty": ({"answer": "empty_200"}, NO_ORDER),
    "200 truncated json": ({"answer": "truncated_200"}, NO_ORDER),
    "read timeout (server holds 6s, client timeout 2s)": ({"answer": "read_timeout"}, "RequestTimeout"),
    "conn dropped after request received": ({"answer": "reset"}, "NetworkError"),
    "-1006": ({"answer": "unexpected_1006"}, "OperationFailed"),
    "-1007": ({"answer": "timeout_1007"}, "RequestTimeout"),
    "-1008": ({"answer": "overloaded_1008"}, "OperationFailed"),
}
CASES = {str(code): ({"answer": "reject", "code": code}, name) for code, name in CODES.items()} | FORMS


def outcome(client: ccxt.binance) -> str:
    """What a market order comes to: the class that was raised, or the order's status and id."""
    try:
        order = client.create_order(ADA, "market", "buy", 100)
    except ccxt.BaseError as error:
        return type(error).__name__
    return f"OK status={order['status']} id={order['id']}"


@pytest.mark.parametrize(("rule", "expected"), CASES.values(), ids=list(CASES))
def test_in_process(world, client, rule, expected):
    world.fault(**rule)
    assert outcome(client) == expected
    assert outcome(client).startswith("OK status=closed"), "the fault was for one request"


def test_connection_refused(world, client):
    world.transport.reachable = False
    assert outcome(client) == "NetworkError"
    assert not world.gateway.log.calls("POST /fapi/v1/order"), "it never reached the venue"


def test_every_measured_row(shared_dir, new_world, new_client):
    """The classes measured with unmodified ccxt against a stub, over TLS with the linear table."""
    rows = json.loads((shared_dir / "fixtures/binance/error_mapping_measured.json").read_text())
    assert len(rows) > 40
    for row in rows:
        world = new_world()
        client = new_client(world)
        case = row["case"]
        if case == "conn refused (never sent)":
            world.transport.reachable = False
        else:
            rule = dict(CASES[case][0])
            if rule["answer"] == "reject":
                rule["status"] = row["http"]
            world.fault(**rule)
        assert outcome(client) == row["sync_tls(linear table)"], case


@pytest.fixture
def served(world) -> Iterator[tuple[Any, int]]:
    with LoopbackServer(world.exchange) as server:
        yield world, server.port


def settings(world: Any, port: int) -> dict[str, Any]:
    config = ccxt_settings(port) | {"timeout": 1500}
    config["options"] |= {"defaultType": "swap"}
    return {**config, "apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret, "enableRateLimit": False}


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_over_https(served):
    world, port = served
    client = ccxt.binance(settings(world, port))
    client.milliseconds = client.nonce = world.clock
    client.load_markets()
    wrong = {}
    for case, (rule, expected) in CASES.items():
        world.fault(**rule)
        found = outcome(client)
        if found != expected:
            wrong[case] = (found, expected)
    assert not wrong


def test_over_https_with_the_async_client(served):
    world, port = served
    # Measured: where the sync client reports a dropped connection as NetworkError, the async one says so.
    differs = {"conn dropped after request received": "ExchangeNotAvailable"}

    async def run() -> dict[str, tuple[str, str]]:
        client = ccxt.async_support.binance(settings(world, port))
        client.milliseconds = client.nonce = world.clock
        wrong = {}
        try:
            await client.load_markets()
            for case, (rule, expected) in CASES.items():
                world.fault(**rule)
                try:
                    order = await client.create_order(ADA, "market", "buy", 100)
                    found = f"OK status={order['status']} id={order['id']}"
                except ccxt.BaseError as error:
                    found = type(error).__name__
                if found != differs.get(case, expected):
                    wrong[case] = (found, expected)
        finally:
            await client.close()
        return wrong

    assert not asyncio.run(run())


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (("market", "buy", 0.5), -1111),
        (("market", "buy", 3), -4164),
        (("market", "buy", 1_300_001), -4005),
        (("market", "buy", 20_000), -2019),
        (("market", "buy", 50_000), -2027),
        (("limit", "buy", 100, 0.73205), -4014),
        (("limit", "buy", 100, 0.732051), -1111),
        (("limit", "buy", 100, 0.7690), -4016),
        (("limit", "sell", 100, 0.6950), -4024),
        (("limit", "buy", 100, 0.7321, {"timeInForce": "GTX"}), -5022),
        (("limit", "buy", 100, 0.7300, {"timeInForce": "FOK"}), -5021),
        (("limit", "buy", 100, 0.7300, {"timeInForce": "GTD"}), -1115),
        (("market", "sell", 100, None, {"reduceOnly": True}), -2022),
        (("market", "buy", 100, None, {"newClientOrderId": "with blank"}), -4015),
        (("market", "buy", 100, None, {"positionSide": "LONG"}), -4061),
    ],
)
def test_refusals_of_its_own(world, client, order, code):
    """Orders that Binance refuses, by the code it refuses them with. ccxt must not round them away first."""
    client.set_leverage({-2019: 1, -2027: 75}.get(code, 20), ADA)
    client.amount_to_precision = lambda symbol, amount: str(amount)
    client.price_to_precision = lambda symbol, price: str(price)
    with pytest.raises(ccxt.BaseError) as refused:
        client.create_order(ADA, *order)
    assert f'"code":{code},' in str(refused.value)
    assert not world.venue.engine.orders, "a refused order leaves no trace"
    assert world.gateway.log.requests[-1].code == code


def test_conditional_orders_are_refused_on_the_old_route(world, client):
    with pytest.raises(ccxt.BaseError, match="-4120"):
        client.fapiPrivatePostOrder(
            {"symbol": "ADAUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": "0.7", "quantity": "10"}
        )


def test_unchanged_margin_type(client):
    assert client.set_margin_mode("isolated", ADA) == {"code": 200, "msg": "success"}
    with pytest.raises(ccxt.MarginModeAlreadySet) as refused:
        client.set_margin_mode("isolated", ADA)
    assert '{"code":-4046,"msg":"No need to change margin type."}' in str(refused.value)
