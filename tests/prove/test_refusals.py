"""Where a proof sends nothing, and on whose account it orders nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests
from demo_venue import KEYS, Demo

from pairbot_ext.cli import main
from pairbot_ext.prove.account import WrongAccountError, keys_from
from pairbot_ext.prove.hosts import ForbiddenHostError, GuardedSession, check_addresses, site_of
from pairbot_ext.prove.proof import prove
from pairbot_ext.prove.stage import Keys
from pairbot_ext.sim.venue.orders import OrderRequest, OrderType, Side, TimeInForce
from pairbot_ext.venue.binance.sites import DEMO, LIVE, client_settings

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.mark.parametrize(
    "host",
    ["fapi.binance.com", "FAPI.BINANCE.COM", "fapi1.binance.com", "demo-fapi.binance.com.evil.example",
     "api.binance.com", "127.0.0.1", "demo-fapi.binance.com:8443", "evil.example/demo-fapi.binance.com", ""],
)  # fmt: skip
def test_only_the_demo_host_is_traded_on(host):
    with pytest.raises(ForbiddenHostError):
        site_of(host, None, read_only=False)


def test_the_live_host_is_read_and_no_other():
    assert site_of(None, None, read_only=False) is DEMO
    assert site_of(None, None, read_only=True) is LIVE
    assert site_of("demo-fapi.binance.com", None, read_only=True) is DEMO
    with pytest.raises(ForbiddenHostError):
        site_of("api.binance.com", None, read_only=True)


@pytest.mark.parametrize(
    "address",
    ["https://10.0.0.1:443", "http://127.0.0.1:9443", "https://localhost:9443", "https://127.0.0.1",
     "https://127.0.0.1:9443@fapi.binance.com", "https://fapi.binance.com@127.0.0.1:9443", "127.0.0.1:9443",
     "https://127.0.0.1:9443/fapi", "https://[::1]:9443", "https://127.0.0.2:9443", "https://127.0.0.1:x",
     ""],
)  # fmt: skip
def test_the_venue_is_rehearsed_on_this_machine_alone(address):
    with pytest.raises(ForbiddenHostError, match=r"127\.0\.0\.1"):
        site_of(None, address, read_only=False)


def test_a_session_reaches_one_site(demo: Demo):
    site = site_of(None, demo.address, read_only=False)
    session = GuardedSession(site, read_only=False)
    assert session.get(f"{demo.address}/fapi/v1/time", verify=False).json()["serverTime"]
    for url in (
        "https://fapi.binance.com/fapi/v1/time",
        "https://127.0.0.1:1/fapi/v1/time",
        "http://localhost/",
    ):
        with pytest.raises(ForbiddenHostError):
            session.get(url, timeout=0.1)
    reading = GuardedSession(site, read_only=True)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(ForbiddenHostError):
            reading.request(method, f"{demo.address}/fapi/v1/order", verify=False)
    assert [record.call for record in demo.gateway.log.requests] == ["GET /fapi/v1/time"]
    assert isinstance(session.another(), GuardedSession)


def test_a_redirect_leads_nowhere(demo: Demo):
    """What a site answers cannot send the next request elsewhere."""
    session = GuardedSession(site_of(None, demo.address, read_only=False), read_only=False)
    answer = requests.Response()
    answer.status_code, answer.url = 302, f"{demo.address}/fapi/v1/time"
    answer.headers["location"] = "https://fapi.binance.com/fapi/v1/order"
    request = requests.Request("GET", answer.url).prepare()
    with pytest.raises((ForbiddenHostError, requests.TooManyRedirects)):
        list(session.resolve_redirects(answer, request))


def test_every_interface_of_ccxt_is_the_sites_or_nowhere():
    from ccxt.pro import binance

    for site in (DEMO, LIVE):
        check_addresses(site, binance(client_settings(site)).urls["api"])
    with pytest.raises(ForbiddenHostError):
        check_addresses(DEMO, binance().urls["api"])
    with pytest.raises(ForbiddenHostError):
        check_addresses(DEMO, binance(client_settings(LIVE)).urls["api"])


DEMO_KEYS = {"PAIRBOT_DEMO_KEY": "demo-key", "PAIRBOT_DEMO_SECRET": "demo-secret"}
LIVE_KEYS = {"PAIRBOT_LIVE_KEY": "live-key", "PAIRBOT_LIVE_SECRET": "live-secret"}


@pytest.mark.parametrize(
    ("environment", "is_demo", "told"),
    [
        ({}, True, "PAIRBOT_DEMO_KEY and PAIRBOT_DEMO_SECRET are not set"),
        (LIVE_KEYS, True, "the other kind"),
        (DEMO_KEYS, False, "the other kind"),
        ({"PAIRBOT_DEMO_KEY": "demo-key"}, True, "not set"),
        (DEMO_KEYS | {"PAIRBOT_LIVE_KEY": "demo-key"}, True, "key of a live bot"),
        (DEMO_KEYS | {"FREQTRADE__EXCHANGE__KEY": "demo-key"}, True, "key of a live bot"),
    ],
)
def test_keys(environment, is_demo, told):
    with pytest.raises(WrongAccountError, match=told):
        keys_from(environment, is_demo=is_demo)


def test_keys_that_are_there():
    assert keys_from(DEMO_KEYS | LIVE_KEYS, is_demo=True) == Keys("demo-key", "demo-secret")
    assert keys_from(LIVE_KEYS, is_demo=False) == Keys("live-key", "live-secret")
    assert "demo" not in repr(Keys("demo-key", "demo-secret"))


def refused(demo: Demo, told: str, **changes: object) -> None:
    """The proof ends before anything is ordered or set."""
    with pytest.raises(WrongAccountError, match=told):
        prove(demo.options(**changes), lambda _line: None)
    assert {record.call.partition(" ")[0] for record in demo.gateway.log.requests} == {"GET"}


def test_a_live_key_is_not_known_there(demo):
    refused(demo, "does not accept this key.*live key", keys=Keys("a-live-key-of-somebody" * 3, KEYS.secret))


def test_a_funded_account_that_is_not_known(demo):
    refused(demo, "holds funds and is not known here.*--accept-account", accept_account=False)


def test_an_accepted_account_is_not_somebody_elses(demo):
    demo.directory.joinpath("prove").mkdir()
    demo.directory.joinpath("prove/known-accounts.json").write_text('["0123456789abcdef"]')
    refused(demo, "not known here", accept_account=False)


def test_an_account_in_use(demo):
    order = OrderRequest("ALGOUSDT", Side.BUY, OrderType.MARKET, Decimal(100), "somebody")
    demo.venue.place(order)
    refused(demo, "1 positions, 0 open orders")


def test_an_account_with_an_order(demo):
    order = OrderRequest(
        "ADAUSDT", Side.BUY, OrderType.LIMIT, Decimal(100), "somebody", Decimal("0.7000"), TimeInForce.GTC
    )
    demo.venue.place(order)
    refused(demo, "0 positions, 1 open orders")


def test_an_account_without_funds(new_demo):
    refused(new_demo(deposit=Decimal(0)), "no funds")


def test_an_account_that_may_not_trade(demo):
    demo.venue.account.can_trade = False
    refused(demo, "may not trade")


@pytest.mark.parametrize("arguments", [["--host", "fapi.binance.com"], ["--host", "evil.example"]])
def test_the_command_says_no(arguments, monkeypatch, capsys):
    for name, value in (DEMO_KEYS | LIVE_KEYS).items():
        monkeypatch.setenv(name, value)
    assert main(["prove", *arguments]) == 2
    assert "demo" in capsys.readouterr().err
