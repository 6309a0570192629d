"""systemd's units: their commands are there, a stop fits the bot's, and systemd itself has nothing to say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from freqtrade.commands.arguments import Arguments
from freqtrade.configuration.environment_vars import _flat_vars_to_nested_dict

from pairbot_ext.cli import build_parser
from pairbot_ext.commands.run import command_of
from pairbot_ext.hosting.secretfiles import with_secrets
from pairbot_ext.recovery.standstill import LOCK_TIMEOUT_SECS, SHUTDOWN_BUDGET_MS

NAMES = ("pairbot.service", "pairbot-scan.service", "pairbot-scan.timer")
SERVICES = NAMES[:2]
OTHER_MODULES_SECS = 30
"""API server, Telegram and log files, and the request that is under way, at their ends."""
MOST_EXPOSED = 20
"""Tenths of systemd's own measure: 0 is not exposed at all, 100 is root without any bounds."""
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def settings_of(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


@pytest.fixture
def folder(repo_root: Path) -> Path:
    return repo_root / "deploy/systemd"


def test_the_bot_s_command_is_freqtrade_s(folder: Path) -> None:
    (command,) = settings_of(folder / "pairbot.service")["ExecStart"]
    program, *arguments = shlex.split(command)
    assert program == "/opt/pairbot/.venv/bin/pairbot"
    parsed = build_parser("run").parse_args(arguments)
    freqtrade, *rest = command_of(parsed.arguments)
    assert Path(freqtrade).name == "freqtrade"
    assert Arguments(rest).get_parsed_arg()["config"] == ["config.json"]


def test_the_scan_s_command_is_pairbot_s(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = settings_of(folder / "pairbot-scan.service")["ExecStart"]
    program, *arguments = shlex.split(command)
    assert program == "/opt/pairbot/.venv/bin/pairbot"
    with pytest.raises(SystemExit):
        build_parser("scan").parse_args(["scan", "--help"])
    if "--every" not in capsys.readouterr().out:
        pytest.skip("this scan cannot renew a file by itself yet")
    parsed = build_parser("scan").parse_args(arguments)
    assert parsed.command == "scan"


@pytest.mark.parametrize("dropin", ["", "pairbot.service.d/live.conf"], ids=["dry-run", "live"])
def test_every_secret_is_a_credential(dropin: str, folder: Path, tmp_path: Path) -> None:
    files = ["pairbot.service", *filter(None, [dropin])]
    found = [settings_of(folder / name) for name in files]
    credentials = [value.split(":") for each in found for value in each["LoadCredential"]]
    for name, source in credentials:
        assert source == f"/etc/pairbot/secrets/{name}"
        (tmp_path / name).write_text(f"made-up-{name}\n")
        (tmp_path / name).chmod(0o400)
    environment = dict(value.split("=", 1) for each in found for value in each["Environment"])
    given, warnings = with_secrets(
        {name: value.replace("%d", str(tmp_path)) for name, value in environment.items()}
    )
    assert warnings == []
    config = _flat_vars_to_nested_dict(given, "FREQTRADE__")
    assert config["api_server"] == {
        "password": "made-up-api_password", "jwt_secret_key": "made-up-jwt_secret"
    }  # fmt: skip
    assert config["internals"] == {"sd_notify": True}
    if dropin:
        assert config["dry_run"] is False
        assert config["exchange"] == {"key": "made-up-exchange_key", "secret": "made-up-exchange_secret"}
    else:
        assert "dry_run" not in config
        assert "exchange" not in config


def test_a_stop_leaves_time_to_finish_a_pair_and_a_start_is_tried_for_ever(folder: Path) -> None:
    found = settings_of(folder / "pairbot.service")
    assert int(found["TimeoutStopSec"][0]) >= (
        SHUTDOWN_BUDGET_MS / 1000 + LOCK_TIMEOUT_SECS + OTHER_MODULES_SECS
    )
    assert found["Restart"] == ["always"]
    assert found["StartLimitIntervalSec"] == ["0"]
    assert found["SuccessExitStatus"] == ["130"], "Freqtrade's answer to SIGTERM: tests/deploy/test_entry.py"
    assert found["KillSignal"] == [], "SIGTERM, which Freqtrade takes for Ctrl+C"


@needs_systemd
def test_systemd_finds_nothing_wrong(folder: Path, tmp_path: Path) -> None:
    """With a program and a user that are there: what is installed is not its business here."""
    for name in NAMES:
        text = (folder / name).read_text().replace("/opt/pairbot/.venv/bin/pairbot", "/bin/true")
        (tmp_path / name).write_text(re.sub(r"^(User|Group)=pairbot$", r"\1=root", text, flags=re.MULTILINE))
    shutil.copytree(folder / "pairbot.service.d", tmp_path / "pairbot.service.d")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in NAMES)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "pairbot" in line]
    assert (ours, done.returncode) == ([], 0), done.stderr


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_little_is_exposed(name: str, folder: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--json=short",
         str(folder / name)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)
