"""The command as a person runs it, against the simulated exchange over HTTPS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from preflight_world import KEY_RIGHTS, World, days_ago, pairs_document

from pairbot_ext.cli import main
from pairbot_ext.preflight import CHECKS
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.server import LoopbackServer


@dataclass
class Answer:
    """What the command did."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def served() -> Iterator[int]:
    """Port of an exchange served over HTTPS."""
    with LoopbackServer(World(rights=KEY_RIGHTS)) as server:
        yield server.port


@pytest.fixture
def preflight(
    files: Callable[..., Path], served: int, bot_api: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Run `pairbot preflight` with options; keywords replace keys of the configuration."""

    def run(*options: str, **changes: Any) -> Answer:
        config, exchange = files(**changes), tmp_path / "overlay.json"
        block = overlay(served)
        block["exchange"]["ccxt_config"] |= {"enableRateLimit": False}
        exchange.write_text(json.dumps(block))
        given = ("-c", str(config), "-c", str(exchange), "--telegram-url", bot_api.url)
        code = main(["preflight", *given, *options])
        return Answer(code, *capsys.readouterr())

    return run


def test_all_is_well(preflight: Callable[..., Answer]) -> None:
    answer = preflight("--live")
    assert answer.code == 0, answer.out
    lines = answer.out.splitlines()
    assert lines[0] == "Preflight for LIVE trading"
    assert lines[-1] == f"{len(CHECKS)}/{len(CHECKS)} checks passed"
    assert len(lines) == len(CHECKS) + 2
    assert all(line.startswith("PASS  ") for line in lines[1:-1])
    assert answer.err == ""


def test_warnings_count_as_passed_and_are_listed(preflight: Callable[..., Answer]) -> None:
    answer = preflight(telegram={"enabled": False, "token": "", "chat_id": ""})
    assert answer.code == 0
    total = answer.out.splitlines()[-1]
    assert total.startswith(f"{len(CHECKS)}/{len(CHECKS)} checks passed (4 with a warning: ")
    assert "telegram" in total


def test_a_failed_check_is_exit_code_1(preflight: Callable[..., Answer]) -> None:
    answer = preflight(max_open_trades=1)
    assert answer.code == 1
    assert answer.out.splitlines()[-1].endswith("failed: slots")
    assert f"{len(CHECKS) - 1}/{len(CHECKS)} checks passed" in answer.out


def test_dry_run_false_is_judged_as_live(preflight: Callable[..., Answer]) -> None:
    document = pairs_document() | {"generated_at": days_ago(20)}
    document["epochs"] = pairs_document(
        valid_from=days_ago(20), formation_start=days_ago(80), formation_end=days_ago(20)
    )["epochs"]
    assert preflight(pairs=document).code == 0
    assert preflight(pairs=document, dry_run=False).code == 1


def test_json(preflight: Callable[..., Answer]) -> None:
    answer = preflight("--json", "--live", stake_amount=4)
    assert answer.code == 1
    document = json.loads(answer.out)
    assert document["mode"] == "live"
    assert document["passed"] is False
    assert document["checks"] == len(CHECKS)
    assert document["checks_passed"] == len(CHECKS) - 1
    failed = [row for row in document["results"] if row["status"] == "FAIL"]
    assert [row["name"] for row in failed] == ["pair sizes"]
    assert [row["pair"] for row in failed[0]["details"]] == ["ADA_ALGO", "XRP_DOGE"]
    assert failed[0]["remedy"]


@pytest.mark.parametrize("text", [None, "{", "[1, 2]"])
def test_an_unreadable_configuration_is_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    path = tmp_path / "bad.json"
    if text is not None:
        path.write_text(text)
    assert main(["preflight", "-c", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "configuration cannot be read" in err


def test_reading_the_configuration_opens_no_log_file(
    preflight: Callable[..., Answer], tmp_path: Path
) -> None:
    logfile = tmp_path / "logs" / "bot.log"
    assert preflight(logfile=str(logfile)).code == 0
    assert not logfile.parent.exists()
