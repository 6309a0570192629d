"""The start checks that a backtest does not reach: a bot's orders, live trading, where the addresses lead."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from freqtrade.enums import RunMode

from pairbot_ext.pairs import load_pairs_file
from pairbot_ext.settings import Settings
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.startup.checks import (
    check_exits,
    check_live_venue,
    check_market,
    check_orders,
    check_slots,
    required_startup_candles,
)
from pairbot_ext.support.errors import SettingsError
from pairbot_ext.venue.binance.hosts import is_on_loopback

ORDER_TYPES = {
    "entry": "limit", "exit": "market", "force_entry": "limit", "force_exit": "market",
    "emergency_exit": "market", "stoploss": "market", "stoploss_on_exchange": False,
}  # fmt: skip
IN_FORCE = {"entry": "IOC", "exit": "GTC"}


def bot(order_types: dict[str, Any], in_force: dict[str, str]) -> Any:
    return SimpleNamespace(
        order_types={**ORDER_TYPES, **order_types}, order_time_in_force={**IN_FORCE, **in_force}
    )


def test_the_strategys_own_orders_pass() -> None:
    check_orders(bot({}, {}))
    check_orders(bot({"entry": "limit"}, {"entry": "FOK"}))


@pytest.mark.parametrize(
    ("order_types", "in_force", "names"),
    [
        ({"stoploss_on_exchange": True}, {}, ["stoploss_on_exchange", "True", "false"]),
        ({"exit": "limit"}, {}, ["order_types.exit", "limit, GTC"]),
        ({}, {"entry": "GTC"}, ["order_types.entry", "limit, GTC"]),
        ({}, {"entry": "PO"}, ["order_types.entry", "limit, PO"]),
        ({"entry": "market"}, {"entry": "GTC"}, ["order_types.force_entry", "limit, GTC"]),
        ({"force_exit": "limit"}, {}, ["order_types.force_exit"]),
        ({"emergency_exit": "limit"}, {}, ["order_types.emergency_exit"]),
    ],
)
def test_orders_that_rest_are_refused(order_types, in_force, names) -> None:
    with pytest.raises(SettingsError) as error:
        check_orders(bot(order_types, in_force))
    for name in names:
        assert name in str(error.value)


FINE = {
    "minimal_roi": {}, "trailing_stop": False, "use_custom_stoploss": False, "stoploss": -0.99,
    "use_exit_signal": True, "exit_profit_only": False, "position_adjustment_enable": False, "config": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("minimal_roi", {"0": 10.0}),
        ("trailing_stop", True),
        ("use_custom_stoploss", True),
        ("stoploss", -0.89),
        ("use_exit_signal", False),
        ("exit_profit_only", True),
        ("position_adjustment_enable", True),
    ],
)
def test_every_exit_that_splits_a_pair_is_refused_by_name_and_value(name, value) -> None:
    check_exits(SimpleNamespace(**FINE))
    with pytest.raises(SettingsError) as error:
        check_exits(SimpleNamespace(**{**FINE, name: value}))
    assert f"effective setting {name}" in str(error.value)
    assert str(value) in str(error.value)
    assert error.value.remedy


@pytest.mark.parametrize(
    ("slots", "is_fine"), [(0, False), (1, False), (2, True), (-1, True), (float("inf"), True)]
)
def test_slots(slots, is_fine) -> None:
    if is_fine:
        check_slots(SimpleNamespace(max_open_trades=slots))
        return
    with pytest.raises(SettingsError, match="max_open_trades"):
        check_slots(SimpleNamespace(max_open_trades=slots))


def live(change=None) -> dict[str, Any]:
    """A live config on the loopback exchange, changed."""
    config = {"dry_run": False, "runmode": RunMode.LIVE, **copy.deepcopy(overlay(4711))}
    if change is not None:
        change(config["exchange"])
    return config


def test_dry_run_needs_no_loopback() -> None:
    check_live_venue({"dry_run": True, "exchange": {"name": "binance"}})


def test_another_exchange_refuses_live_with_that_sentence() -> None:
    with pytest.raises(SettingsError, match=r"Binance USDⓈ-M futures only, not on kraken"):
        check_live_venue(live(lambda exchange: exchange.update(name="kraken")))


@pytest.mark.parametrize("block", ["ccxt_config", "ccxt_sync_config", "ccxt_async_config"])
@pytest.mark.parametrize("interface", ["fapiPrivate", "fapiPublic", "sapi"])
def test_one_address_elsewhere_is_not_on_loopback(block, interface) -> None:
    def elsewhere(exchange: dict[str, Any]) -> None:
        for name in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
            exchange[name] = copy.deepcopy(exchange[name])
        if block == "ccxt_config":
            exchange.pop("ccxt_sync_config")
        exchange[block]["urls"]["api"][interface] = "https://fapi.binance.com/fapi/v1"

    assert is_on_loopback(live())
    assert not is_on_loopback(live(elsewhere))


@pytest.mark.parametrize("interface", ["fapiPrivate", "fapiPrivateV2", "fapiPublic"])
def test_an_address_left_to_ccxt_is_not_on_loopback(interface) -> None:
    """ccxt fills what the config leaves out with Binance's own addresses."""

    def left_out(exchange: dict[str, Any]) -> None:
        for name in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
            exchange[name] = copy.deepcopy(exchange[name])
            del exchange[name]["urls"]["api"][interface]

    assert not is_on_loopback(live(left_out))


@pytest.mark.parametrize("address", [None, "wss://fstream.binance.com/ws", "wss://127.0.0.1.example.com/ws"])
def test_streams_elsewhere_are_not_on_loopback(address) -> None:
    def elsewhere(exchange: dict[str, Any]) -> None:
        for name in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
            exchange[name] = copy.deepcopy(exchange[name])
            streams = exchange[name]["urls"]["api"]["ws"]
            del streams["linear"]
            if address is not None:
                streams["linear"] = address

    assert not is_on_loopback(live(elsewhere))


def test_a_host_that_only_looks_like_loopback() -> None:
    def lookalike(exchange: dict[str, Any]) -> None:
        for name in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
            urls = exchange[name]["urls"]["api"]
            exchange[name] = {"urls": {"api": dict.fromkeys(urls, "https://127.0.0.1.example.com/fapi")}}

    assert not is_on_loopback(live(lookalike))


def test_the_committed_config_and_pairs_file_belong_together(repo_root) -> None:
    import json

    config = json.loads((repo_root / "config.json").read_text())
    pairs_file = load_pairs_file(repo_root / "pairs_config.json")
    check_market(config, pairs_file)
    # 1440 of the rolling window, 168 in which a stop still blocks.
    assert required_startup_candles(pairs_file, Settings(), "1h") == 1608


@pytest.mark.parametrize("option", ["adjustForTimeDifference", "timeDifference"])
@pytest.mark.parametrize("block", ["ccxt_config", "ccxt_sync_config", "ccxt_async_config"])
def test_shifted_timestamps_are_refused(repo_root, block, option) -> None:
    config = {
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "exchange": {block: {"options": {option: 500}}},
    }
    pairs_file = load_pairs_file(repo_root / "pairs_config.json")
    with pytest.raises(SettingsError, match=f"{block}.options.{option}"):
        check_market(config, pairs_file)
