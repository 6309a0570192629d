"""README names every command, every command has help, and the compose file sets what Freqtrade accepts."""

from __future__ import annotations

import json
import pkgutil
import re
from pathlib import Path

import pytest
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.configuration.environment_vars import _flat_vars_to_nested_dict
from freqtrade.enums import RunMode
from freqtrade.misc import deep_merge_dicts

from pairbot_ext import commands
from pairbot_ext.cli import main

COMMANDS = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_a_line_in_the_readme(name, repo_root, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"usage: pairbot {name}" in capsys.readouterr().out
    assert f"\n| `pairbot {name}" in (repo_root / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose(repo_root: Path) -> str:
    return (repo_root / "compose.yaml").read_text(encoding="utf-8")


def test_the_image_is_the_pinned_freqtrade(compose, repo_root) -> None:
    (version,) = re.findall(r"^freqtrade==(\S+)", (repo_root / "requirements.lock").read_text(), re.MULTILINE)
    assert f"image: freqtradeorg/freqtrade:{version}\n" in compose


def test_what_it_mounts_is_there_and_the_port_is_this_machines_alone(compose, repo_root) -> None:
    mounts = re.findall(r"- \./([\w.]+):/freqtrade/([\w.]+)(:ro)?\n", compose)
    assert {(source, target) for source, target, _ in mounts} == {
        (name, name)
        for name in ("user_data", "config.json", "strategies", "pairbot_ext", "pairs_config.json")
    }
    assert all((repo_root / source).exists() for source, _, _ in mounts)
    assert re.findall(r'- "([\d.]+:\d+:\d+)"', compose) == ["127.0.0.1:8080:8080"]


def test_its_environment_is_a_configuration_freqtrade_accepts(compose, repo_root) -> None:
    """With nothing but the two required secrets set: dry-run, Telegram off, the API server on."""
    found = dict(re.findall(r"^      (FREQTRADE__\w+): (.+)$", compose, re.M))
    assert len(found) >= 12
    values = {name: _with_defaults(value.strip('"')) for name, value in found.items()}
    config = deep_merge_dicts(
        _flat_vars_to_nested_dict(values, "FREQTRADE__"),
        json.loads((repo_root / "config.json").read_text()),
    )
    of_the_strategy = {"stoploss": -0.99, "minimal_roi": {}}
    validate_config_schema({**config, **of_the_strategy, "runmode": RunMode.DRY_RUN})
    assert config["dry_run"] is True
    assert config["db_url"] == "sqlite:////freqtrade/user_data/tradesv3.dryrun.sqlite", "kept in the volume"
    assert config["telegram"]["enabled"] is False
    assert config["api_server"] | {"password": "x", "jwt_secret_key": "x"} == {
        "enabled": True, "listen_ip_address": "0.0.0.0", "listen_port": 8080, "username": "pairbot",
        "password": "x", "jwt_secret_key": "x",
    }  # fmt: skip
    assert not re.search(r"(KEY|SECRET|TOKEN|PASSWORD): (?!\$\{)\S", compose), "no secret stands in the file"


def _with_defaults(value: str) -> str:
    """As Compose interpolates: `${NAME:-default}`, and a made-up value for `${NAME:?message}`."""
    value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
    return re.sub(r"\$\{\w+:\?[^}]*\}", "made-up" * 5, value)


def test_the_health_check_is_a_program(compose) -> None:
    body = compose.split("        - |\n")[1].split("      interval:")[0]
    code = "\n".join(line.removeprefix(" " * 10) for line in body.splitlines())
    assert "last_process_ts" in compile(code, "healthcheck", "exec").co_consts
