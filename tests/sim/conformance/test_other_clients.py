"""Clients that nobody here wrote drive the simulated exchange over its own sockets.

ccxt's three are in `tests/sim/test_server.py` and `tests/sim/stream`. These two are no dependencies of the
project: the tests run where they are installed (`pip install binance-futures-connector python-binance`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.venue import Venue

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture
def address(world) -> Iterator[str]:
    """Where an exchange on the real clock listens."""
    gateway = Gateway(Venue(FixedMarket(world.market.prices), wall_clock_ms), CREDENTIALS)
    with LoopbackServer(SimulatedExchange(gateway)) as server:
        yield f"https://127.0.0.1:{server.port}"


def buy_ask_close(buy: Any, ask: Any, positions: Any, close: Any) -> None:
    """One position's life, as both clients tell it: each call returns Binance's own JSON."""
    bought = buy()
    assert (bought["status"], bought["executedQty"]) == ("FILLED", "100")
    assert ask(bought["orderId"])["avgPrice"] == bought["avgPrice"]
    (held,) = [row for row in positions() if float(row["positionAmt"])]
    assert (held["symbol"], held["positionAmt"]) == ("ADAUSDT", "100")
    assert close()["status"] == "FILLED"
    assert not [row for row in positions() if float(row["positionAmt"])]


def test_binance_futures_connector(address):
    um = pytest.importorskip("binance.um_futures", reason="binance-futures-connector is not installed")
    error = pytest.importorskip("binance.error")
    client = um.UMFutures(
        key=CREDENTIALS.key, secret=CREDENTIALS.secret, base_url=address, show_limit_usage=True
    )
    client.session.verify = client.session.trust_env = False
    assert client.time()["data"]["serverTime"] > 0
    told = client.klines("ADAUSDT", "1h", limit=3)
    assert len(told["data"]) == 3
    assert "x-mbx-used-weight-1m" in told["limit_usage"]
    assert client.depth("ADAUSDT", limit=5)["data"]["bids"]
    ada = {"symbol": "ADAUSDT", "type": "MARKET", "quantity": 100, "newOrderRespType": "RESULT"}
    buy_ask_close(
        lambda: client.new_order(side="BUY", **ada)["data"],
        lambda number: client.query_order("ADAUSDT", orderId=number)["data"],
        lambda: client.get_position_risk()["data"],
        lambda: client.new_order(side="SELL", reduceOnly="true", **ada)["data"],
    )
    assert client.balance()["data"][0]["asset"] == "USDT"
    key = client.new_listen_key()["data"]["listenKey"]
    client.renew_listen_key(key)
    with pytest.raises(error.ClientError) as refused:
        client.new_order(symbol="ADAUSDT", side="BUY", type="MARKET", quantity=1)
    assert (refused.value.status_code, refused.value.error_code) == (400, -4164)
    assert "x-mbx-used-weight-1m" in {name.lower() for name in refused.value.header}


def test_python_binance(address):
    client_module = pytest.importorskip("binance.client", reason="python-binance is not installed")
    exceptions = pytest.importorskip("binance.exceptions")
    client = client_module.Client(
        CREDENTIALS.key, CREDENTIALS.secret, ping=False, requests_params={"verify": False}
    )
    client.FUTURES_URL = f"{address}/fapi"
    assert client.futures_time()["serverTime"] > 0
    assert len(client.futures_klines(symbol="ADAUSDT", interval="1h", limit=3)) == 3
    assert client.futures_change_leverage(symbol="ADAUSDT", leverage=3)["leverage"] == 3
    ada = {"symbol": "ADAUSDT", "type": "MARKET", "quantity": 100, "newOrderRespType": "RESULT"}
    buy_ask_close(
        lambda: client.futures_create_order(side="BUY", **ada),
        lambda number: client.futures_get_order(symbol="ADAUSDT", orderId=number),
        client.futures_position_information,
        lambda: client.futures_create_order(side="SELL", reduceOnly="true", **ada),
    )
    assert client.futures_account_balance()[0]["asset"] == "USDT"
    with pytest.raises(exceptions.BinanceAPIException) as refused:
        client.futures_create_order(symbol="ADAUSDT", side="BUY", type="MARKET", quantity=1)
    assert refused.value.code == -4164
