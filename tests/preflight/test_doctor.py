"""`pairbot doctor`: everything a report needs where things work and where they do not, and no secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pairbot_ext import __version__
from pairbot_ext.cli import main
from pairbot_ext.preflight import doctor
from pairbot_ext.preflight.doctor import examine
from pairbot_ext.support.errors import PairbotError

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECRETS = (
    "k3y-of-mine-12", "s3cret-of-mine", "pw", "987654321:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", "geheim99",
    "Chat4711", "hook-path-1234", "ws-t0ken-77",
)  # fmt: skip
OWN = {
    "stake_currency": "USDT",
    "stake_amount": 4321,
    "trading_mode": "futures",
    "margin_mode": "isolated",
    "exchange": {"name": "binance", "key": SECRETS[0], "secret": SECRETS[1]},
    "api_server": {"enabled": False, "password": SECRETS[2], "ws_token": SECRETS[7], "username": "me",
                   "listen_ip_address": "127.0.0.1", "listen_port": 8080},
    "telegram": {"enabled": False, "token": SECRETS[3], "chat_id": SECRETS[5]},
    "webhook": {"enabled": False, "url": f"http://127.0.0.1:9/{SECRETS[6]}"},
}  # fmt: skip


@pytest.fixture
def userdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a bot that has run and met trouble."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FREQTRADE__EXCHANGE__UID", SECRETS[4])
    folder = tmp_path / "user_data"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(OWN))
    assert main(["init"]) == 0
    (folder / "logs" / "pairbot.log").write_text(
        "".join(f"t - pairbot_ext.desk - INFO - line {number}\n" for number in range(1000))
        + f"t - freqtrade.rpc - ERROR - https://api.telegram.org/bot{SECRETS[3]}/getMe\n"
        + f"t - ccxt - WARNING - GET /fapi/v1/order?symbol=X&signature=0123456789abcdef&k={SECRETS[0]}\n"
    )
    (folder / "logs" / "pair-events.jsonl").write_text('{"event": "opened"}\n')
    return folder


def test_everything_is_there_and_nothing_secret(
    userdir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    text = (tmp_path / "pairbot-doctor.json").read_text()
    for secret in (*SECRETS, "0123456789abcdef", "4321"):
        assert f'"{secret}"' not in text, secret
        assert len(secret) < 6 or secret not in text, secret
        assert len(secret) < 6 or secret not in said, secret
    found = json.loads(text)
    assert found["versions"]["said"][0] == f"pairbot {__version__}"
    assert {"freqtrade", "ccxt", "numpy"} <= found["versions"]["packages"].keys()
    assert found["configuration"]["strategy"] == "PairsArb"
    assert found["environment"] == ["FREQTRADE__EXCHANGE__UID"]
    assert found["userdir"]["files"]["pairbot.json"] == "as written"
    assert found["pairs_file"]["epochs"] == []
    assert [row["name"] for row in found["preflight"]][:2] == ["configuration", "pairs file"]
    assert "exchange" not in [row["name"] for row in found["preflight"]], "nobody is asked"
    assert len(found["log"]["lines"]) == doctor.LOG_LINES
    assert found["log"]["levels"] == {"ERROR": 1, "WARNING": 1}
    assert found["events"]["lines"] == ['{"event": "opened"}']
    assert "does not exist" in found["pair_trades"]["not_there"]
    assert "pair_trades: " in said


def test_a_file_of_somebody_else_is_kept(
    userdir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """I18; its own report of yesterday is replaced."""
    assert main(["doctor"]) == 0
    assert main(["doctor"]) == 0
    (tmp_path / "pairbot-doctor.json").write_text("[]")
    assert main(["doctor"]) == 2
    assert "not overwritten" in capsys.readouterr().err
    assert main(["doctor", "--json"]) == 0
    assert (tmp_path / "pairbot-doctor.json").read_text() == "[]"


def test_what_is_broken_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text('{"a": }')
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "cannot be read" in found["configuration"]["not_there"]
    assert found["versions"]["said"]


def test_one_broken_part_does_not_take_the_others_with_it(userdir: Path) -> None:
    from pairbot_ext.preflight import load_config

    def unreadable(_url: str) -> list:
        raise PairbotError("the database is a teapot")

    found = examine(lambda: load_config([str(userdir / "pairbot.json")], live=False), unreadable, now=NOW)
    assert found["pair_trades"] == {"not_there": "PairbotError: the database is a teapot"}
    assert found["log"]["lines"]
    assert found["made"] == "2026-11-28T12:00:00+00:00"
