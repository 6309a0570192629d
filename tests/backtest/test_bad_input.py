"""Bad input: one clear message that names the file or setting, the value and the remedy; exit code 2."""

from __future__ import annotations

import copy
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from backtest_harness import REPO_ROOT, Market
from backtest_markets import MarketFiles, rolling_file
from freqtrade.exceptions import OperationalException
from freqtrade.main import main

from pairbot_ext.pairs import PairsFile

ORDER_TYPES = {"entry": "limit", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}
RESTING_EXIT = {**ORDER_TYPES, "exit": "limit"}
# Backtesting switches it off by itself; a bot refuses (see test_a_bot_refuses...).
ON_EXCHANGE = {**ORDER_TYPES, "stoploss_on_exchange": True}


@pytest.fixture
def files(market_files) -> MarketFiles:
    return market_files("calm")


def start(market: Market, folder: Path, files: MarketFiles, settings: dict[str, Any]) -> str:
    """The error a backtest stops with before anything has been traded; "" where it starts."""
    config = market.config(folder, rolling_file(), files.datadir, settings)
    try:
        backtesting = market.backtesting(config)
        backtesting.load_bt_data()
        backtesting._set_strategy(backtesting.strategylist[0])
    except OperationalException as error:
        return str(error)
    return ""


def test_the_defaults_start(market, tmp_path, files) -> None:
    assert start(market, tmp_path, files, {}) == ""


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"timeframe": "5m"}, ["timeframe", "'5m'", "'1h'", "change one of the two"]),
        ({"margin_mode": "cross"}, ["margin_mode", "cross", "isolated"]),
        ({"max_open_trades": 1}, ["max_open_trades", "1", "twice the number of pairs"]),
        ({"max_open_trades": 0}, ["max_open_trades", "0"]),
        ({"minimal_roi": {"0": 0.1}}, ["minimal_roi", "0.1", "use {}", "config files", ".json"]),
        ({"trailing_stop": True}, ["trailing_stop", "True", "use false"]),
        ({"stoploss": -0.1}, ["stoploss", "-0.1", "-0.9"]),
        ({"use_exit_signal": False}, ["use_exit_signal", "False", "use true"]),
        ({"exit_profit_only": True}, ["exit_profit_only", "True", "use false"]),
        ({"ignore_buying_expired_candle_after": 60}, []),
        ({"position_adjustment_enable": True}, ["position_adjustment_enable", "True", "use false"]),
        ({"position_stacking": True}, ["position_stacking", "True", "Remove it"]),
        ({"startup_candle_count": 10}, ["startup_candle_count", "10", "120", "Remove"]),
        ({"startup_candle_count": 130}, []),
        ({"stake_currency": "BTC"}, ["stake_currency", "BTC", "ADA/USDT:USDT"]),
        ({"order_types": RESTING_EXIT}, ["order_types.exit", "limit, GTC", "IOC"]),
        ({"order_types": ON_EXCHANGE}, []),
        ({"order_time_in_force": {"entry": "GTC", "exit": "GTC"}}, ["order_types.entry", "limit, GTC"]),
        ({"pairbot": {"rolling_window": 10}}, ["pairbot.rolling_window", "10"]),
        ({"pairbot": {"leverage": 2.5}}, ["pairbot.leverage", "2.5"]),
        ({"pairbot": {"rolling_window_candles": 3000}}, ["pairbot.rolling_window_candles", "3000", "2494"]),
        ({"pairbot": {"pairs_file": "nowhere.json"}}, ["nowhere.json", "does not exist", "pairbot scan"]),
        (
            {"exchange": {"ccxt_config": {"options": {"hedgeMode": True}}}},
            ["exchange.ccxt_config.options.hedgeMode", "True", "one-way"],
        ),
        (
            {"exchange": {"ccxt_async_config": {"options": {"defaultHedged": True}}}},
            ["exchange.ccxt_async_config.options.defaultHedged", "one-way"],
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_setting_that_cannot_work_is_named(market, tmp_path, files, settings, names) -> None:
    message = start(market, tmp_path, files, settings)
    assert (message == "") == (not names), message
    for name in names:
        assert name in message
    assert "\n" not in message


PAIRLIST = {
    "method": "RemotePairList", "mode": "whitelist", "processing_mode": "append", "number_assets": 0,
    "refresh_period": 300,
}  # fmt: skip


def test_a_whitelist_from_another_file_is_refused(market, tmp_path, files) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"pairs": ["ADA/USDT:USDT"], "refresh_period": 300}')
    url = f"file:///{other}"
    message = start(market, tmp_path, files, {"pairlists": [{**PAIRLIST, "pairlist_url": url}]})
    for name in (url, "pairlist_url", "pairbot.pairs_file", str(tmp_path / "pairs.json"), "same file"):
        assert name in message


def test_the_whitelist_from_the_pairs_file_is_accepted(market, tmp_path, files) -> None:
    url = f"file:///{tmp_path / 'pairs.json'}"
    assert start(market, tmp_path, files, {"pairlists": [{**PAIRLIST, "pairlist_url": url}]}) == ""


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("futures", ["1h futures candles", "LINK/USDT:USDT", "pairbot download", "--datadir"]),
        ("mark", ["1h mark candles", "LINK/USDT:USDT", "pairbot download"]),
        ("funding_rate", ["1h funding_rate candles", "LINK/USDT:USDT", "pairbot download"]),
    ],
)
def test_missing_candle_files_are_named(market, tmp_path, files, kind, names) -> None:
    datadir = tmp_path / "binance"
    shutil.copytree(files.datadir, datadir)
    (datadir / "futures" / f"LINK_USDT_USDT-1h-{kind}.feather").unlink()
    (tmp_path / "run").mkdir()
    message = start(market, tmp_path / "run", MarketFiles(datadir, files.candles), {})
    for name in [*names, str(datadir / "futures")]:
        assert name in message


def test_a_symbol_the_venue_does_not_trade_disables_its_pair_with_one_message(
    market, tmp_path, files, caplog
) -> None:
    datadir = tmp_path / "binance"
    shutil.copytree(files.datadir, datadir)
    for path in (datadir / "futures").glob("ADA_USDT*"):
        path.rename(path.with_name(path.name.replace("ADA_", "NOSUCHCOIN_")))
    document = rolling_file(["ADA_LINK", "AVAX_LINK"]).model_dump_json().replace("ADA/", "NOSUCHCOIN/")
    pairs_file = PairsFile.model_validate_json(document)
    (tmp_path / "run").mkdir()
    settings = {"timerange": "20250126-20250202", "max_open_trades": -1}
    with caplog.at_level(logging.INFO, logger="pairbot_ext"):
        run = market.run(tmp_path / "run", pairs_file, datadir, settings)
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "ADA_LINK is disabled" in line and "NOSUCHCOIN" in line]) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    # The disabled pair takes no symbol from the other one either.
    alone = rolling_file(["AVAX_LINK"])
    (tmp_path / "alone").mkdir()
    expected = market.run(tmp_path / "alone", alone, files.datadir, settings)
    columns = ["pair", "enter_tag", "open_date", "close_date", "amount"]
    assert len(run.trades) >= 4
    one, two = (each.trades.sort_values(["open_date", "pair"])[columns] for each in (run, expected))
    pd.testing.assert_frame_equal(one.reset_index(drop=True), two.reset_index(drop=True))


def broken_pairs_files() -> dict[str, tuple[str, list[str]]]:
    good = rolling_file().model_dump(mode="json", exclude_none=True)

    def changed(change: Callable[[dict[str, Any]], None]) -> str:
        document = copy.deepcopy(good)
        change(document)
        return json.dumps(document)

    def pair(document: dict[str, Any]) -> dict[str, Any]:
        return document["epochs"][0]["pairs"][0]

    return {
        "empty": ("", ["not JSON", "line 1", "pairbot scan"]),
        "cut off": (json.dumps(good)[:-20], ["not JSON", "column"]),
        "a list": ("[]", ["the document", "pairbot scan"]),
        "itself": (
            changed(lambda d: pair(d).update(leg_b=pair(d)["leg_a"])),
            ["epochs[0].pairs[0]", "same symbol ADA/USDT:USDT"],
        ),
        "duplicate id": (
            changed(lambda d: d["epochs"][0]["pairs"][1].update(id="ADA_LINK")), ["ADA_LINK", "twice"]
        ),
        "beta": (changed(lambda d: pair(d).update(hedge_ratio=-0.5)), ["(ADA_LINK).hedge_ratio", "-0.5"]),
        "zero beta": (changed(lambda d: pair(d).update(hedge_ratio=0)), [".hedge_ratio", "found: 0"]),
        "thresholds": (
            changed(lambda d: pair(d).update(stop_z=1.0)), ["exit_z < entry_z < stop_z", "0.4 / 1.6 / 1.0"]
        ),
        "unknown key": (changed(lambda d: pair(d).update(gamma=1)), ["(ADA_LINK).gamma"]),
        "half a model": (changed(lambda d: pair(d).update(alpha=0.1)), ["alpha and sigma"]),
        "in sample": (
            changed(lambda d: d["epochs"][0].update(valid_from="2025-01-21T00:00:00Z")),
            ["valid_from", "formation_end"],
        ),
        "not the union": (changed(lambda d: d["pairs"].pop()), ["union", "missing"]),
    }  # fmt: skip


@pytest.mark.parametrize("name", broken_pairs_files())
def test_a_bad_pairs_file_is_refused_and_left_as_it_is(market, tmp_path, files, name) -> None:
    text, needles = broken_pairs_files()[name]
    config = market.config(tmp_path, rolling_file(), files.datadir, {})
    path = tmp_path / "pairs.json"
    path.write_text(text)
    before = sorted(file for file in tmp_path.rglob("*") if file.is_file())
    with pytest.raises(OperationalException) as error:
        market.backtesting(config)
    for needle in ["pairs file", str(path), *needles]:
        assert needle in str(error.value)
    assert path.read_text() == text
    assert sorted(file for file in tmp_path.rglob("*") if file.is_file()) == before


@pytest.fixture
def own_strategies(tmp_path) -> Path:
    """A strategy folder of this test's own, for a parameter file."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    shutil.copy(REPO_ROOT / "strategies" / "PairsArb.py", folder)
    return folder


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"roi": {"0": 0.05}}, ["minimal_roi", "0.05", ".json parameter file"]),
        ({"stoploss": {"stoploss": -0.2}}, ["stoploss", "-0.2", ".json parameter file"]),
        ({"trailing": {"trailing_stop": True}}, ["trailing_stop", "True"]),
        ({"max_open_trades": {"max_open_trades": 1}}, ["max_open_trades", "1"]),
        ({"buy": {"entry_z": 4.5}}, ["ADA_LINK", "0.4 / 4.5 / 4.0", "entry 4.5", ".json parameter file"]),
        ({"sell": {"exit_z": 1.7}}, ["ADA_LINK", "1.7 / 1.6 / 4.0", "exit 1.7"]),
        ({"buy": {"entry_z": 2.0}, "sell": {"exit_z": 0.2}}, []),
    ],
    ids=json.dumps,
)
def test_the_parameter_file_is_checked_like_the_config(
    market, tmp_path, files, own_strategies, params, names
) -> None:
    content = {"strategy_name": "PairsArb", "params": params, "ft_stratparam_v": 1}
    (own_strategies / "PairsArb.json").write_text(json.dumps(content))
    # The repository's config sets max_open_trades, and the config outranks the parameter file.
    settings = {"strategy_path": str(own_strategies)}
    config = market.config(tmp_path, rolling_file(), files.datadir, settings)
    if "max_open_trades" in params:
        del config["max_open_trades"]
    message = ""
    try:
        backtesting = market.backtesting(config)
        backtesting._set_strategy(backtesting.strategylist[0])
    except OperationalException as error:
        message = str(error)
    assert (message == "") == (not names), message
    for name in names:
        assert name in message


def run_main(arguments: list[str], caplog: pytest.LogCaptureFixture) -> tuple[int, list[str]]:
    """Freqtrade's own entry point: exit code and error lines."""
    with caplog.at_level(logging.ERROR), pytest.raises(SystemExit) as stop:
        main(arguments)
    return stop.value.code, [record.getMessage() for record in caplog.records if record.exc_info is None]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"pairbot": {"pairs_file": "nowhere.json"}}, "nowhere.json"),
        ({"pairbot": {"nonsense": 1}}, "pairbot.nonsense"),
        ({"max_open_trades": 1}, "max_open_trades"),
        ({"trading_mode": "spot", "margin_mode": ""}, "trading_mode"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_freqtrade_ends_with_exit_code_2_and_one_line(
    market, tmp_path, files, caplog, monkeypatch, settings, name
) -> None:
    monkeypatch.chdir(REPO_ROOT)
    paths = market.write_config(tmp_path, rolling_file(), files.datadir, settings)
    arguments = ["backtesting", "--datadir", str(files.datadir)]
    arguments += [part for path in paths for part in ("-c", path)]
    code, lines = run_main(arguments, caplog)
    assert code == 2
    assert len(lines) == 1
    assert name in lines[0]
