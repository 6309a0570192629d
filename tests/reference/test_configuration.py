"""The generated reference: it says what the code does, and what it demands is really demanded."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from freqtrade.config_schema import CONF_SCHEMA
from referencing import Registry, Resource

from pairbot_ext.pairs import json_schema, load_pairs_file
from pairbot_ext.reference.__main__ import generated, outdated
from pairbot_ext.reference.freqtrade_settings import RECOMMENDED, REFUSED_AT_START
from pairbot_ext.reference.schemas import FREQTRADE_SCHEMA_URL, SCHEMAS, pairbot_block
from pairbot_ext.reference.tables import blocks
from pairbot_ext.settings import Settings, parse_settings
from pairbot_ext.startup.checks import (
    check_exits,
    check_live_venue,
    check_market,
    check_orders,
    check_pairs_source,
    check_slots,
    check_startup_candles,
)
from pairbot_ext.support.errors import PairbotError, SettingsError


def test_the_committed_files_are_what_the_code_generates(repo_root: Path) -> None:
    """After a change of a model: `make docs`."""
    assert outdated(repo_root) == []


def test_a_difference_is_found(repo_root: Path, tmp_path: Path) -> None:
    assert outdated(tmp_path) == list(generated())
    for path in generated():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((repo_root / path).read_text(encoding="utf-8"), encoding="utf-8")
    assert outdated(tmp_path) == []
    page = tmp_path / "docs/configuration.md"
    page.write_text(page.read_text(encoding="utf-8").replace("| `168` |", "| `169` |"), encoding="utf-8")
    assert outdated(tmp_path) == [Path("docs/configuration.md")]


@pytest.mark.parametrize("schema", [pairbot_block, json_schema], ids=["pairbot", "pairs file"])
def test_every_key_of_every_block_says_what_it_means(schema) -> None:
    found = list(blocks(schema(), "x"))
    assert [f"{block.path}.{key.name}" for block in found for key in block.keys if not key.description] == []
    assert sum(len(block.keys) for block in found) > 20


def test_every_default_in_the_page_is_the_default_of_the_code() -> None:
    """The tables are read back and compared with the models, not with the schema they were made from."""
    effective = parse_settings({}).model_dump(mode="json")
    compared = 0
    for block in blocks(pairbot_block(), "pairbot"):
        value: Any = effective
        for part in block.path.split(".")[1:]:
            value = value[part] if value is not None else None
        if value is None:
            continue  # an optional block that is not there by default
        for key in block.keys:
            if key.default.startswith("`"):
                assert json.loads(key.default.strip("`")) == pytest.approx(value[key.name]), key.name
                compared += 1
    assert compared >= 25


# --- schemas -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config_validator() -> jsonschema.Draft202012Validator:
    """As an editor has it: Freqtrade's schema under its address, the block's beside the file."""
    registry = Registry().with_resources(
        [
            (FREQTRADE_SCHEMA_URL, Resource.from_contents({**CONF_SCHEMA, "$schema": _DIALECT})),
            ("pairbot_block.schema.json", Resource.from_contents(SCHEMAS["pairbot_block.schema.json"]())),
        ]
    )
    return jsonschema.Draft202012Validator(SCHEMAS["config.schema.json"](), registry=registry)


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture
def config(repo_root: Path) -> dict[str, Any]:
    return json.loads((repo_root / "config.json").read_text())


def test_every_published_schema_is_one() -> None:
    for make in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(make())


def test_the_delivered_config_names_its_schema_and_follows_it(config, config_validator, repo_root) -> None:
    assert (repo_root / config["$schema"]).is_file()
    config_validator.validate(config)


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c["pairbot"].update(leverag=2),
        lambda c: c["pairbot"].update(leverage=1.5),
        lambda c: c["pairbot"].update(rolling_window_candles=5000),
        lambda c: c["pairbot"].update(scan={"filters": {"top": 0}}),
        lambda c: c.update(pairbot=[]),
        lambda c: c.update(trading_mode="swaps"),  # Freqtrade's half
    ],
)
def test_what_the_bot_refuses_an_editor_underlines(damage, config, config_validator) -> None:
    damage(config)
    with pytest.raises(jsonschema.ValidationError):
        config_validator.validate(config)
    if config.get("trading_mode") == "futures":
        with pytest.raises(SettingsError, match=r"docs/configuration\.md"):
            parse_settings(config["pairbot"])


# --- Freqtrade's settings ----------------------------------------------------------------------------------

STRATEGY = {
    "minimal_roi": {}, "trailing_stop": False, "use_custom_stoploss": False, "stoploss": -0.99,
    "use_exit_signal": True, "exit_profit_only": False, "position_adjustment_enable": False,
    "max_open_trades": 10, "startup_candle_count": 1608, "timeframe": "1h", "config": {},
    "order_types": {"entry": "limit", "exit": "market", "stoploss_on_exchange": False},
    "order_time_in_force": {"entry": "IOC", "exit": "GTC"},
}  # fmt: skip

BROKEN: dict[str, Any] = {
    "trading_mode": "spot",
    "margin_mode": "cross",
    "timeframe": "5m",
    "stake_currency": "BUSD",
    "exchange.ccxt_config.options.hedged": True,
    "exchange.ccxt_config.options.adjustForTimeDifference": True,
    "exchange.ccxt_config.verbose": True,
    "minimal_roi": {"0": 0.1},
    "trailing_stop": True,
    "use_custom_stoploss": True,
    "stoploss": -0.5,
    "use_exit_signal": False,
    "exit_profit_only": True,
    "position_adjustment_enable": True,
    "position_stacking": True,
    "order_types.stoploss_on_exchange": True,
    "order_types.entry": "limit, resting",
    "max_open_trades": 1,
    "pairlists": [{"method": "RemotePairList", "pairlist_url": "file:///other.json"}],
    "startup_candle_count": 100,
    "exchange.name": "kraken",
}
"""A value of each setting that the reference says is refused."""


def _checks(config: dict[str, Any], strategy: Any, repo_root: Path) -> list[Callable[[], None]]:
    pairs_file, block = load_pairs_file(repo_root / "pairs_config.json"), Settings()
    return [
        lambda: check_market(config, pairs_file),
        lambda: check_exits(strategy),
        lambda: check_orders(strategy),
        lambda: check_slots(strategy),
        lambda: check_pairs_source(config, block),
        lambda: check_startup_candles(strategy, pairs_file, block),
        lambda: check_live_venue(config),
    ]


def test_the_reference_breaks_each_demand() -> None:
    assert set(BROKEN) == {demand.key for demand in REFUSED_AT_START}


@pytest.mark.parametrize("key", BROKEN)
def test_each_demand_is_really_made(key, config, repo_root, monkeypatch) -> None:
    monkeypatch.chdir(repo_root)
    strategy = copy.deepcopy(STRATEGY)
    for check in _checks(config, SimpleNamespace(**strategy), repo_root):
        check()  # as delivered, nothing is refused
    if key == "order_types.entry":
        strategy["order_time_in_force"]["entry"] = "GTC"
    elif key == "position_stacking":
        strategy["config"] = {key: BROKEN[key]}
    elif key.startswith("order_types."):
        strategy["order_types"][key.partition(".")[2]] = BROKEN[key]
    elif key in strategy and key != "timeframe":
        strategy[key] = BROKEN[key]
    else:
        place: dict[str, Any] = config
        *parents, last = key.split(".")
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = BROKEN[key]
        config["dry_run"] = key != "exchange.name"
    refusals = []
    for check in _checks(config, SimpleNamespace(**strategy), repo_root):
        try:
            check()
        except PairbotError as error:
            refusals.append(error)
    if key == "exchange.name":
        # Another exchange than the file's is refused in every mode; which may trade live, after that.
        assert "made for binance" in str(refusals.pop(0))
    (refused,) = refusals
    wanted = {"pairlists": "pairlist_url", "exchange.name": "not on kraken"}.get(key, key)
    wanted = wanted.removeprefix("exchange.")
    assert wanted in str(refused)
    assert refused.remedy


def test_the_delivered_config_has_what_the_reference_says_it_has(config) -> None:
    for demand in RECOMMENDED:
        value: Any = config
        for part in demand.key.split("."):
            value = value[part]
        said = re.match(r"`([^`]+)`", demand.wanted)
        assert said is not None
        assert json.loads(said.group(1)) == value, demand.key
