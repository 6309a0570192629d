"""compose.yaml: what each profile starts, with which settings and secrets, and who can reach it.

No container engine runs in a test: the file is read as Compose reads it and judged by the published schema.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from distributed.cli import dask_scheduler, dask_worker
from freqtrade.commands.arguments import Arguments
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.configuration.environment_vars import _flat_vars_to_nested_dict
from freqtrade.enums import RunMode
from freqtrade.misc import deep_merge_dicts

from pairbot_ext.commands.run import command_of
from pairbot_ext.hosting.secretfiles import with_secrets
from pairbot_ext.recovery.standstill import LOCK_TIMEOUT_SECS, SHUTDOWN_BUDGET_MS

BOTS = ("bot", "bot-postgres")
OTHER_MODULES_SECS = 30
"""API server, Telegram and log files, and the request that is under way, at their ends."""


def interpolated(node: Any, environment: dict[str, str]) -> Any:
    """As Compose does with what YAML has read: `${NAME}`, `${NAME:-default}`, `${NAME:+instead}`."""
    if isinstance(node, dict):
        return {key: interpolated(value, environment) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolated(value, environment) for value in node]
    if not isinstance(node, str):
        return node

    def value(found: re.Match[str]) -> str:
        name, kind, word = found.groups()
        given = environment.get(name, "")
        if kind == ":+":
            return word if given else ""
        return given or word or ""

    return re.sub(r"\$\{(\w+)(?:(:[-+])([^}]*))?\}", value, node)


def read(repo_root: Path, **environment: str) -> dict[str, Any]:
    return dict(interpolated(yaml.safe_load((repo_root / "compose.yaml").read_text()), environment))


@pytest.fixture(scope="module")
def compose(repo_root: Path) -> dict[str, Any]:
    return read(repo_root)


def settings(service: dict[str, Any], secrets: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """What Freqtrade makes of a service's environment, and that environment, with the test's secrets."""
    raw = {name: str(value) for name, value in service["environment"].items()}
    moved = {name: value.replace("/run/secrets", str(secrets)) for name, value in raw.items()}
    environment, warnings = with_secrets(moved)
    assert warnings == []
    return dict(_flat_vars_to_nested_dict(environment, "FREQTRADE__")), environment


@pytest.fixture
def secrets(tmp_path: Path, compose: dict[str, Any]) -> Path:
    for name in compose["secrets"]:
        (tmp_path / name).write_text(f"made-up-for-a-test-of-{name}\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_the_schema_of_compose_accepts_it(repo_root: Path) -> None:
    pytest.importorskip("check_jsonschema")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        cwd=repo_root, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_profile_starts_what_it_should(compose: dict[str, Any]) -> None:
    profiles: dict[str, set[str]] = {}
    for name, service in compose["services"].items():
        (profile,) = service["profiles"]
        profiles.setdefault(profile, set()).add(name)
    assert profiles == {
        "bot": {"bot"}, "postgres": {"bot-postgres", "postgres"}, "metrics": {"prometheus", "grafana"},
        "demo": {"demo"}, "dask": {"scheduler", "worker"},
    }  # fmt: skip


def test_nobody_else_reaches_a_port(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    assert compose["networks"]["database"] == {"internal": True}
    assert compose["services"]["postgres"]["networks"] == ["database"]


def test_what_is_mounted_is_there_and_cannot_be_written(compose: dict[str, Any], repo_root: Path) -> None:
    for name, service in compose["services"].items():
        for mount in service.get("volumes", ()):
            source, target, *mode = mount.split(":")
            if not source.startswith("."):
                assert source in compose["volumes"]
                continue
            assert (repo_root / source).exists()
            assert mode == ["ro"] or target == "/freqtrade/user_data", f"{name} can write {source}"


def test_everything_of_ours_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["security_opt"] == ["no-new-privileges:true"]
        if name != "postgres":
            # Its entry changes its user itself.
            assert (service["read_only"], service["cap_drop"], service["init"]) == (True, ["ALL"], True)


@pytest.mark.parametrize("name", BOTS)
def test_with_nothing_chosen_it_is_a_dry_run(
    name: str, compose: dict[str, Any], repo_root: Path, secrets: Path
) -> None:
    found, environment = settings(compose["services"][name], secrets)
    config = deep_merge_dicts(found, json.loads((repo_root / "config.json").read_text()))
    of_the_strategy = {"stoploss": -0.99, "minimal_roi": {}}
    validate_config_schema({**config, **of_the_strategy, "runmode": RunMode.DRY_RUN})
    assert config["dry_run"] is True
    assert config["telegram"]["enabled"] is False
    assert not config["exchange"]["key"]
    assert not config["exchange"]["secret"]
    assert config["api_server"] == {
        "enabled": True, "listen_ip_address": "0.0.0.0", "listen_port": 8080, "username": "pairbot",
        "password": "made-up-for-a-test-of-api_password",
        "jwt_secret_key": "made-up-for-a-test-of-jwt_secret",
    }  # fmt: skip
    if name == "bot":
        assert config["db_url"] == "sqlite:////freqtrade/user_data/tradesv3.dryrun.sqlite", "in the volume"
    else:
        assert config["db_url"] == "postgresql+psycopg://pairbot@postgres:5432/pairbot"
        assert environment["PGPASSWORD"] == "made-up-for-a-test-of-postgres_password"


def test_keys_come_from_the_files_that_are_named(repo_root: Path, secrets: Path) -> None:
    chosen = {
        "FREQTRADE__DRY_RUN": "false", "PAIRBOT_DATABASE": "tradesv3.sqlite",
        "PAIRBOT_EXCHANGE_KEY_FILE": "./secrets/exchange_key",
        "PAIRBOT_EXCHANGE_SECRET_FILE": "./secrets/exchange_secret",
    }  # fmt: skip
    compose = read(repo_root, **chosen)
    found, _ = settings(compose["services"]["bot"], secrets)
    assert found["dry_run"] is False
    assert found["exchange"] == {
        "key": "made-up-for-a-test-of-exchange_key", "secret": "made-up-for-a-test-of-exchange_secret",
    }  # fmt: skip
    assert found["db_url"].endswith("/tradesv3.sqlite")
    assert compose["secrets"]["exchange_key"] == {"file": "./secrets/exchange_key"}


def test_secrets_stand_in_files_only_and_reach_whom_they_concern(
    compose: dict[str, Any], repo_root: Path
) -> None:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable):
                assert variable.endswith("_FILE"), f"{name} has {variable} in the open"
                assert not value or value.removeprefix("/run/secrets/") in service["secrets"]
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
    assert compose["services"]["prometheus"]["secrets"] == ["api_password"]
    assert compose["services"]["demo"].get("secrets") is None
    ignored = (repo_root / ".gitignore").read_text().splitlines()
    assert {"secrets/", ".env"} <= set(ignored)
    assert (repo_root / ".dockerignore").read_text().splitlines()[1] == "*"


@pytest.mark.parametrize("arguments", ["", "--config json-log.json"])
def test_the_command_is_freqtrade_s(repo_root: Path, arguments: str) -> None:
    compose = read(repo_root, PAIRBOT_ARGUMENTS=arguments)
    for name in BOTS:
        program, *rest = command_of(["--", *shlex.split(compose["services"][name]["command"])])
        assert Path(program).name == "freqtrade"
        parsed = Arguments(rest).get_parsed_arg()
        assert parsed["strategy"] == "PairsArb"
        assert parsed["config"] == ["config.json", *arguments.split()[1:]]


@pytest.mark.parametrize("name", BOTS)
def test_a_stop_leaves_time_to_finish_a_pair(name: str, compose: dict[str, Any]) -> None:
    grace_secs = int(compose["services"][name]["stop_grace_period"].removesuffix("s"))
    assert grace_secs >= SHUTDOWN_BUDGET_MS / 1000 + LOCK_TIMEOUT_SECS + OTHER_MODULES_SECS


def test_the_commands_of_a_cluster_are_dask_s_and_stay_on_this_machine(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, command in (("scheduler", dask_scheduler.main), ("worker", dask_worker.main)):
        program, what, *arguments = shlex.split(services[name]["command"])
        assert (program, what) == ("dask", name)
        with command.make_context(name, list(arguments)):
            pass
        assert CliRunner().invoke(command, [*arguments, "--no-such-option"]).exit_code == 2
    assert "--host 127.0.0.1 " in services["scheduler"]["command"]
    assert " tcp://127.0.0.1:8786 " in services["worker"]["command"]
