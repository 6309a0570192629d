"""Every measured refusal and failure, put to unmodified clients: ccxt's async one, and Freqtrade's layer.

`tests/sim/test_errors.py` has the sync client, and both over a real socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import ccxt
import ccxt.async_support
import pytest
from freqtrade.enums import CandleType, MarginMode, RunMode, TradingMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.resolvers import ExchangeResolver
from recordings import load

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import NO_PORT, AsyncSession, InProcessTransport
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.overlay import ccxt_settings
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.faults import FaultRule, Schedule
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.venue import Venue

ADA = "ADA/USDT:USDT"
ORDERS = "* /fapi/v1/order"
# What a measured case is called → the fault that makes it.
FORMS: dict[str, dict[str, Any]] = {
    "503 msg only": {"answer": "unknown_503_msg"},
    "503 unknown": {"answer": "unknown_503_msg"},
    "503 code0": {"answer": "unknown_503_code_0"},
    "503 code-1000": {"answer": "unknown_503_code_1000"},
    "503 SvcUnavail msg only": {"answer": "unavailable_503"},
    "503 html": {"answer": "html_503"},
    "502 html": {"answer": "html_502"},
    "504 html": {"answer": "html_504"},
    "403 waf html": {"answer": "html_403"},
    "418": {"answer": "reject", "code": -1003, "status": 418},
    "418 ban": {"answer": "reject", "code": -1003, "status": 418},
    "200 empty": {"answer": "empty_200"},
    "200 truncated json": {"answer": "truncated_200"},
    "read timeout (server holds 6s, client timeout 2s)": {"answer": "read_timeout"},
    "timeout": {"answer": "read_timeout"},
    "conn dropped after request received": {"answer": "reset"},
    "drop": {"answer": "reset"},
}


def fault_of(case: str) -> dict[str, Any]:
    """The fault behind a case's name: one of `FORMS`, or "−code", "−code/status", "−code @status"."""
    if case in FORMS:
        return FORMS[case]
    code, _, status = case.replace(" @", "/").partition("/")
    return {"answer": "reject", "code": int(code)} | ({"status": int(status)} if status else {})


def test_every_measured_row_with_the_async_client(shared_dir, world):
    rows = load(shared_dir, "error_mapping_measured.json")
    config = ccxt_settings(NO_PORT)
    config["options"] |= {"defaultType": "swap"}
    keys = {"apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret, "enableRateLimit": False}

    async def run() -> dict[str, tuple[str, str]]:
        client = ccxt.async_support.binance({**config, **keys, "session": AsyncSession(world.transport)})
        client.milliseconds = client.nonce = world.clock
        await client.load_markets()
        wrong = {}
        for row in rows:
            world.transport.reachable = row["case"] != "conn refused (never sent)"
            if world.transport.reachable:
                world.gateway.load_schedule(Schedule())
                world.fault(**fault_of(row["case"]))
            try:
                order = await client.create_order(ADA, "market", "buy", 10)
                found = f"OK status={order['status']} id={order['id']}"
            except ccxt.BaseError as error:
                found = type(error).__name__
            if found != row["async_tls"]:
                wrong[row["case"]] = (found, row["async_tls"])
        return wrong

    assert len(rows) > 40
    assert not asyncio.run(run())


class Freqtrade:
    """Freqtrade's Binance layer on a venue in this process; what it sleeps is added up, not waited for."""

    def __init__(self, market: Any) -> None:
        self.gateway = Gateway(Venue(market, wall_clock_ms), CREDENTIALS, limits=RateLimits(enforced=False))
        self.slept_secs = 0.0
        transport = InProcessTransport(SimulatedExchange(self.gateway))
        config = {
            "runmode": RunMode.LIVE, "dry_run": False, "trading_mode": TradingMode.FUTURES,
            "margin_mode": MarginMode.ISOLATED, "stake_currency": "USDT",
            "candle_type_def": CandleType.FUTURES, "timeframe": "1h",
            "entry_pricing": {"use_order_book": True, "order_book_top": 1, "price_side": "other"},
            "exit_pricing": {"use_order_book": True, "order_book_top": 1, "price_side": "other"},
            **transport.overlay(),
        }  # fmt: skip
        config["exchange"] |= {"pair_whitelist": [ADA]}
        self.exchange = ExchangeResolver.load_exchange(config, validate=False)

    def outcome(self, path: str, call: Any) -> str:
        """The class raised, how often `path` was asked, how long was slept."""
        before, self.slept_secs = self.gateway.log.requests[-1].number, 0.0
        name = "OK"
        try:
            call()
        except FreqtradeException as error:
            name = type(error).__name__
        asked = [record.call for record in self.gateway.log.since(before)]
        times = sum(entry.endswith(path) for entry in asked)
        return f"{name} x{times} sleep={self.slept_secs:.0f}s"

    def order(self, *, initial: bool = True) -> Any:
        """A market order for 100 ADA, with its leverage and margin type."""
        return self.exchange.create_order(
            pair=ADA,
            ordertype="market",
            side="buy",
            amount=100,
            rate=0.732,
            leverage=3.0,
            initial_order=initial,
        )

    def fault(self, call: str, rule: dict[str, Any]) -> None:
        """From now on, and nothing else."""
        self.gateway.load_schedule(Schedule())
        self.gateway.faults.add(FaultRule.model_validate({"when": {"call": call, "times": None}, **rule}))


@pytest.fixture
def freqtrade(world) -> Iterator[Freqtrade]:
    made = Freqtrade(world.market)

    def sleep(secs: float) -> None:
        made.slept_secs += secs

    with patch("freqtrade.exchange.common.time.sleep", sleep):
        yield made
    with suppress(FreqtradeException):
        made.exchange.close()


def test_every_measured_row_with_freqtrade(shared_dir, freqtrade):
    """Class, number of requests and time slept, of `create_order`, `fetch_order` and `cancel_order`."""
    rows = [row for row in load(shared_dir, "freqtrade_mapping_measured.json") if "create_order" in row]
    wrong, known = {}, freqtrade.order()["id"]
    calls = {
        "create_order": freqtrade.order,
        "fetch_order": lambda: freqtrade.exchange.fetch_order(known, ADA),
        "cancel_order": lambda: freqtrade.exchange.cancel_order(known, ADA),
    }
    for row in rows:
        for name, call in calls.items():
            freqtrade.fault(ORDERS, fault_of(row["fault"]))
            found = freqtrade.outcome("/fapi/v1/order", call)
            if found != row[name]:
                wrong[row["fault"], name] = (found, row[name])
    assert len(rows) == 20
    assert not wrong


def test_settings_before_an_order(shared_dir, freqtrade):
    """The measured rows about leverage and margin type: what is repeated, and whether the order leaves."""
    rows = [row for row in load(shared_dir, "freqtrade_mapping_measured.json") if "result" in row]
    wrong = {}
    for row in rows:
        path, _, rest = row["fault"].partition(" ")
        case, _, initial = rest.rpartition(" initial_order=")
        freqtrade.fault(f"POST /fapi/v1{path}", fault_of(case))
        sent = len(freqtrade.gateway.log.calls("POST /fapi/v1/order"))
        name, times, slept = freqtrade.outcome(
            f"/fapi/v1{path}", lambda initial=initial: freqtrade.order(initial=initial == "True")
        ).split()
        orders = len(freqtrade.gateway.log.calls("POST /fapi/v1/order")) - sent
        shown = "OK order placed" if name == "OK" else name
        found = f"{shown} {path}{times} order x{orders} {slept}"
        if found != row["result"]:
            wrong[row["fault"]] = (found, row["result"])
    assert len(rows) == 16
    assert not wrong
