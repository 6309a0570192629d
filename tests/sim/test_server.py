"""Over real sockets: unmodified ccxt, unmodified Freqtrade, the control API, and what the server must not
do.
"""

import asyncio
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import pytest
from freqtrade.enums import CandleType, MarginMode, RunMode, TradingMode
from freqtrade.exceptions import DependencyException, TemporaryError
from freqtrade.resolvers import ExchangeResolver

from pairbot_ext.sim.control import ControlClient, SimulatedExchange
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.overlay import ccxt_settings, overlay
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.venue.actions import ClosePosition, OpenPosition
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.support.errors import PairbotError

ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture
def exchange() -> SimulatedExchange:
    market = FixedMarket({"ADAUSDT": Decimal("0.7320"), "ALGOUSDT": Decimal("0.2110")})
    return SimulatedExchange(Gateway(Venue(market, wall_clock_ms), CREDENTIALS))


@pytest.fixture
def server(exchange) -> Iterator[LoopbackServer]:
    with LoopbackServer(exchange) as running:
        yield running


def settings(port: int) -> dict[str, Any]:
    config = ccxt_settings(port) | {"timeout": 5000}
    config["options"] |= {"defaultType": "swap"}
    return {**config, "apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret, "enableRateLimit": False}


def freqtrade_config(port: int, **changes: Any) -> dict[str, Any]:
    """What a Freqtrade configuration becomes once the overlay is merged in."""
    config = {
        "runmode": RunMode.LIVE,
        "dry_run": False,
        "trading_mode": TradingMode.FUTURES,
        "margin_mode": MarginMode.ISOLATED,
        "stake_currency": "USDT",
        "candle_type_def": CandleType.FUTURES,
        "timeframe": "1h",
        "entry_pricing": {"use_order_book": True, "order_book_top": 1, "price_side": "other"},
        "exit_pricing": {"use_order_book": True, "order_book_top": 1, "price_side": "other"},
    }
    config |= overlay(port) | changes
    config["exchange"]["pair_whitelist"] = [ADA, ALGO]
    for block in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        config["exchange"][block] |= {"enableRateLimit": False}
    return config


def test_freqtrade_trades(server, exchange):
    """Freqtrade's own Exchange class, live: startup checks, candles, leverage, entry, fees, exit, history."""
    bot = ExchangeResolver.load_exchange(freqtrade_config(server.port), load_leverage_tiers=True)
    try:
        assert set(bot.markets) == {ADA, ALGO}
        assert bot.get_balances()["USDT"]["free"] == 10_000
        tickers = bot.get_tickers()
        assert tickers[ADA]["last"] == 0.7320
        candles = bot.refresh_latest_ohlcv([(ADA, "1h", CandleType.FUTURES)])
        assert len(candles[ADA, "1h", CandleType.FUTURES]) > 400
        order = bot.create_order(
            pair=ADA,
            ordertype="market",
            side="sell",
            amount=300,
            rate=0.732,
            leverage=3.0,
            initial_order=True,
        )
        assert (order["status"], order["filled"]) == ("closed", 300)
        assert exchange.gateway.venue.account.position("ADAUSDT").leverage == 3
        assert exchange.gateway.venue.account.position("ADAUSDT").isolated
        (position,) = bot.fetch_positions()
        assert (position["side"], position["contracts"]) == ("short", 300)
        (trade,) = bot.get_trades_for_order(order["id"], ADA, bot_start(order))
        assert trade["fee"]["cost"] == pytest.approx(300 * 0.7319 * 0.0005)
        assert bot.fetch_order(order["id"], ADA)["average"] == 0.7319
        done = bot.create_order(
            pair=ADA, ordertype="market", side="buy", amount=300, rate=0.732, leverage=3.0, reduceOnly=True
        )
        assert done["filled"] == 300
        assert bot.fetch_positions() == []
        assert bot.get_max_leverage(ADA, 100) > 20
    finally:
        bot.close()
    refused = [record for record in exchange.gateway.log.requests if record.code]
    assert [record.code for record in refused] in ([], [-4046]), "nothing but the unchanged margin type"


def bot_start(order: dict[str, Any]) -> datetime:
    """A moment before the order, from which its trades are asked for."""
    return datetime.fromtimestamp(order["timestamp"] / 1000, tz=UTC) - timedelta(seconds=5)


def test_freqtrade_stop_order(server, exchange):
    bot = ExchangeResolver.load_exchange(freqtrade_config(server.port), validate=False)
    try:
        bot.create_order(pair=ADA, ordertype="market", side="buy", amount=300, rate=0.732, leverage=3.0)
        stop = bot.create_stoploss(
            pair=ADA,
            amount=300,
            stop_price=0.70,
            order_types={"stoploss": "market"},
            side="sell",
            leverage=3.0,
        )
        assert bot.fetch_stoploss_order(stop["id"], ADA)["status"] == "open"
        assert bot.cancel_stoploss_order(stop["id"], ADA)["status"] == "canceled"
        assert exchange.gateway.venue.conditional.open_orders() == []
    finally:
        bot.close()


@pytest.mark.parametrize(
    ("rule", "raised"),
    [
        ({"answer": "unknown_503_msg"}, TemporaryError),
        ({"answer": "reset"}, TemporaryError),
        ({"answer": "reject", "code": -2019}, DependencyException),
    ],
)
def test_freqtrade_sees_faults(server, exchange, rule, raised):
    bot = ExchangeResolver.load_exchange(freqtrade_config(server.port), validate=False)
    exchange.gateway.faults.add(FaultRule.model_validate(rule))
    try:
        with pytest.raises(raised):
            bot.create_order(pair=ADA, ordertype="market", side="buy", amount=300, rate=0.732, leverage=1.0)
    finally:
        bot.close()
    assert (exchange.gateway.venue.account.position("ADAUSDT").amount != 0) is (rule["answer"] != "reject")


def test_async_client(server):
    async def run() -> list[Any]:
        client = ccxt.async_support.binance(settings(server.port))
        try:
            await client.load_markets()
            # Before the order: which of two requests arrives first is nobody's promise.
            balance = await client.fetch_balance()
            candles, order = await asyncio.gather(
                client.fetch_ohlcv(ADA, "1h", limit=5), client.create_order(ALGO, "market", "buy", 100)
            )
            return [candles, balance, order]
        finally:
            await client.close()

    candles, balance, order = asyncio.run(run())
    assert len(candles) == 5
    assert balance["USDT"]["total"] == 10_000
    assert order["status"] == "closed"


def test_round_trip_passes_in_real_time(server, exchange):
    client = ccxt.binance(settings(server.port))
    client.fetch_time()
    exchange.gateway.round_trip_ms = 60
    started = time.monotonic()
    client.fetch_time()
    assert time.monotonic() - started > 0.055


def test_late_fill_happens_without_a_request(server, exchange):
    client = ccxt.binance(settings(server.port))
    exchange.gateway.faults.add(FaultRule.model_validate({"fill": {"fraction": 0, "hold_ms": 100}}))
    client.create_order(ADA, "market", "buy", 100)
    deadline = time.monotonic() + 60
    while not exchange.gateway.venue.engine.fills and time.monotonic() < deadline:
        time.sleep(0.02)
    assert exchange.gateway.venue.engine.fills[0].amount == 100


def test_listens_on_loopback_only(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=2):
        pass
    listening = subprocess.run(
        [sys.executable, "-c", _LISTENERS], capture_output=True, text=True, check=True
    ).stdout.split()
    assert f"0100007F:{server.port:04X}" in listening
    assert not [
        entry for entry in listening if entry.endswith(f":{server.port:04X}") and entry[:8] != "0100007F"
    ]


_LISTENERS = """
import pathlib
for name in ("tcp", "tcp6"):
    path = pathlib.Path("/proc/net") / name
    for line in path.read_text().splitlines()[1:] if path.exists() else []:
        fields = line.split()
        if fields[3] == "0A":
            print(fields[1])
"""
if not sys.platform.startswith("linux"):
    test_listens_on_loopback_only = pytest.mark.skip("reads /proc")(test_listens_on_loopback_only)


def test_plain_http_is_not_served(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as plain:
        plain.sendall(b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"serverTime" not in plain.recv(1000)


def test_certificate_is_new_at_every_start(exchange):
    found = set()
    for _ in range(2):
        with LoopbackServer(exchange) as running:
            found.add(ssl.get_server_certificate(("127.0.0.1", running.port)))
    assert len(found) == 2


def test_port_in_use(server, exchange):
    with pytest.raises(PairbotError, match=r"could not listen.*--port"):
        LoopbackServer(exchange, server.port).start()


def test_control(server, exchange):
    control = ControlClient(server.port)
    results = control.act(
        OpenPosition(symbol="ADAUSDT", side="BUY", amount=Decimal(100)),
        OpenPosition(symbol="ADAUSDT", side="BUY", amount=Decimal("0.5")),
        ClosePosition(),
    )
    assert [result["refused"] and result["refused"]["code"] for result in results] == [None, -1111, 0]
    state = control.state()
    assert [row["positionAmt"] for row in state["positions"]] == ["100"]
    assert control.fills()[0]["clientOrderId"].startswith("web_")
    control.set_round_trip(20)
    assert exchange.gateway.round_trip_ms == 20
    control.set_round_trip(0)
    control.add_fault(FaultRule.model_validate({"when": {"call": "GET /fapi/v1/time"}, "answer": "html_502"}))
    client = ccxt.binance(settings(server.port))
    with pytest.raises(ccxt.ExchangeNotAvailable):
        client.fetch_time()
    (record,) = control.requests()
    assert (record["call"], record["status"], record["fault"]) == ("GET /fapi/v1/time", 502, "html_502")
    assert abs(record["received_ms"] - wall_clock_ms()) < 60_000
    control.clear_faults()
    assert control.state()["fault_rules"] == 0
    assert control.requests(since=record["number"]) == []


def test_control_refuses_nonsense(server):
    control = ControlClient(server.port)
    with pytest.raises(PairbotError, match="no such control path"):
        control._send("GET", "nothing")
    with pytest.raises(PairbotError, match="explode"):
        control._send("POST", "actions", {"actions": [{"do": "explode"}]})
    with pytest.raises(PairbotError, match="does not answer"):
        ControlClient(1).state()
