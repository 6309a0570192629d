"""The candles a pairs file needs, and the Freqtrade calls that fetch them."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pairbot_ext.candles.download import (
    Stored,
    first_candle_needed,
    plan_download,
    shortfalls,
    stored_candles,
)
from pairbot_ext.cli import main
from pairbot_ext.pairs import load_pairs_file
from pairbot_ext.settings import Settings


@pytest.fixture
def committed(repo_root):
    return load_pairs_file(repo_root / "pairs_config.json")


def _option(call: tuple[str, ...], name: str) -> str:
    return call[call.index(name) + 1]


def test_the_committed_pairs_are_downloaded_from_2025_11_20_on(committed):
    plan = plan_download(committed, Settings(), {}, configs=["config.json"])
    (call,) = plan.calls
    assert call[0] == "download-data"
    assert _option(call, "--timerange") == "20251120-"
    assert _option(call, "--trading-mode") == "futures"
    assert _option(call, "--timeframes") == "1h"
    assert _option(call, "-c") == "config.json"
    pairs = call[call.index("--pairs") + 1 :]
    assert pairs == committed.pairs
    # With it Freqtrade would not fetch the mark and funding candles it fetches by itself.
    assert "--candle-types" not in call


def test_freqtrade_understands_every_argument(committed, tmp_path):
    from freqtrade.commands.arguments import Arguments

    plan = plan_download(
        committed,
        Settings(),
        {"AI/USDT:USDT": Stored(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))},
        datadir=tmp_path,
        passed_on=["--erase"],
    )
    prepend, everything = (Arguments(list(call)).get_parsed_arg() for call in plan.calls)
    assert prepend["pairs"] == ["AI/USDT:USDT"]
    assert prepend["prepend_data"] is True
    assert everything["pairs"] == list(committed.pairs)
    assert not everything["prepend_data"]
    assert everything["exchange"] == "binance"
    assert everything["erase"] is True
    assert Path(everything["datadir"]) == tmp_path


def test_the_start_follows_the_window_and_the_earliest_epoch(committed):
    longer = first_candle_needed(committed, Settings(rolling_window_candles=2000))
    assert longer == datetime(2025, 10, 26, tzinfo=UTC)  # 2000 + 168 + 200 candles before 2026-02-01 20:40
    shorter = first_candle_needed(committed, Settings(rolling_window_candles=100))
    assert shorter == datetime(2025, 11, 20, tzinfo=UTC)  # the formation of 1440 candles still rules


def test_a_timerange_of_the_users_own_wins(committed):
    plan = plan_download(committed, Settings(), {}, timerange="20250501-20260101")
    assert _option(plan.calls[0], "--timerange") == "20250501-20260101"
    assert plan.start == datetime(2025, 5, 1, tzinfo=UTC)


def test_stored_candles_are_read_and_shortfalls_named(committed, market, store_candles):
    datadir = store_candles({"AI/USDT:USDT": market["WALK0/USDT:USDT"]})
    stored = stored_candles(datadir, committed.pairs, "1h")
    assert stored == {
        "AI/USDT:USDT": Stored(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 25, 23, tzinfo=UTC))
    }
    plan = plan_download(committed, Settings(), stored, timerange="20241220-")
    sentences = shortfalls(committed, plan, stored)
    assert len(sentences) == len(committed.pairs)
    assert any("AI/USDT:USDT: candles begin 2025-01-01, wanted 2024-12-20" in line for line in sentences)
    assert any(line.startswith("ADA/USDT:USDT: no candles") for line in sentences)
    assert "no candles at all for 13 symbols" in shortfalls(committed, plan, {})[0]


class _Freqtrade:
    """Stands where the process would be started; writes what a download would write."""

    def __init__(self, code: int, effect=lambda: None) -> None:
        self.calls: list[list[str]] = []
        self._code, self._effect = code, effect

    def run(self, command, check):
        self.calls.append(command)
        self._effect()
        return subprocess.CompletedProcess(command, self._code)


@pytest.fixture
def freqtrade(monkeypatch):
    def install(code: int = 0, effect=lambda: None) -> _Freqtrade:
        fake = _Freqtrade(code, effect)
        monkeypatch.setattr(subprocess, "run", fake.run)
        return fake

    return install


def test_the_command_runs_freqtrade_and_says_what_is_there(
    repo_root, tmp_path, monkeypatch, market, store_candles, freqtrade, capsys
):
    monkeypatch.chdir(repo_root)
    pairs = load_pairs_file(repo_root / "pairs_config.json").pairs
    frame = market["WALK0/USDT:USDT"]
    fake = freqtrade(effect=lambda: store_candles(dict.fromkeys(pairs, frame)))
    datadir = str(tmp_path / "binance")
    assert main(["download", "--datadir", datadir, "--timerange", "20250101-", "--", "-v"]) == 0
    (command,) = fake.calls
    assert command[:4] == [sys.executable, "-m", "freqtrade", "download-data"]
    assert command[-1] == "-v"
    assert "13 of 13 symbols have candles" in capsys.readouterr().out


def test_a_download_that_stores_nothing_is_a_problem_even_with_exit_code_0(
    repo_root, tmp_path, monkeypatch, freqtrade, capsys
):
    monkeypatch.chdir(repo_root)
    freqtrade(0)
    assert main(["download", "--datadir", str(tmp_path)]) == 1
    assert "no candles at all" in capsys.readouterr().err


def test_a_failed_freqtrade_is_a_problem(repo_root, tmp_path, monkeypatch, freqtrade, capsys):
    monkeypatch.chdir(repo_root)
    freqtrade(2)
    assert main(["download", "--datadir", str(tmp_path)]) == 1
    assert "exit code 2" in capsys.readouterr().err


def test_an_empty_pairs_file_needs_no_download(tmp_path, monkeypatch, freqtrade, capsys):
    monkeypatch.chdir(tmp_path)
    Path("pairs.json").write_text(
        '{"pairs": [], "refresh_period": 300, "generated_at": "2026-01-01T00:00:00Z", "exchange": "binance",'
        ' "timeframe": "1h", "scan": {"rule": "naive"}, "epochs": []}'
    )
    fake = freqtrade()
    assert main(["download", "--pairs-file", "pairs.json"]) == 0
    assert not fake.calls
    assert "nothing to download" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--pairs-file", "nowhere.json"], "pairs file nowhere.json does not exist"),
        (["--timerange", "tomorrow"], "--timerange is malformed"),
        (["-c", "nowhere.json"], "nowhere.json"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(repo_root, monkeypatch, freqtrade, capsys, args, message):
    monkeypatch.chdir(repo_root)
    fake = freqtrade()
    assert main(["download", *args]) == 2
    assert message in capsys.readouterr().err
    assert not fake.calls


@pytest.mark.process
def test_real_freqtrade_downloads_futures_mark_and_funding_and_prepends(tmp_path, monkeypatch, capfd):
    """The command as it is, real Freqtrade in a process of its own, against the loopback exchange."""
    import json
    from datetime import timedelta

    from pairbot_ext.sim.launch import ExchangeOptions, open_exchange
    from pairbot_ext.sim.overlay import overlay
    from pairbot_ext.sim.server import LoopbackServer

    monkeypatch.chdir(tmp_path)
    Path("user_data").mkdir()
    Path("table.csv").write_text("leg A,leg B,hedge ratio,ADF p,coint p\nAI,ALGO,0.7,0.01,0.01\n")
    assert main(["scan", "--import-table", "table.csv", "--out", "pairs.json"]) == 0
    now = datetime.now(tz=UTC)
    with LoopbackServer(open_exchange(ExchangeOptions(market="synthetic"))) as server:
        config = overlay(server.port) | {"stake_currency": "USDT", "dry_run": True}
        Path("config.json").write_text(json.dumps(config))
        for days in (3, 6):  # the second time the history must begin earlier
            begin = f"{now - timedelta(days=days):%Y%m%d}"
            assert main(["download", "--pairs-file", "pairs.json", "--timerange", f"{begin}-"]) == 0
            stored = stored_candles(Path("user_data/data/binance"), ["AI/USDT:USDT", "ALGO/USDT:USDT"], "1h")
            wanted = datetime.strptime(begin, "%Y%m%d").replace(tzinfo=UTC)
            assert [entry.first for entry in stored.values()] == [wanted, wanted]
            assert all(now - entry.last < timedelta(hours=3) for entry in stored.values())
    names = {path.name for path in Path("user_data/data/binance/futures").iterdir()}
    kinds = ("futures", "mark", "funding_rate")
    assert names == {f"{coin}_USDT_USDT-1h-{kind}.feather" for coin in ("AI", "ALGO") for kind in kinds}
    assert "2 of 2 symbols have candles" in capfd.readouterr().out
