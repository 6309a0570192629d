"""Candles from an exchange through Freqtrade's own layer, against the loopback exchange."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pairbot_ext.cli import main
from pairbot_ext.pairs import load_pairs_file
from pairbot_ext.scan.live import Stretch, missing_stretches

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({}, Stretch(head=False, tail=True)),
        ({"X": (0, 9)}, None),
        ({"X": (-5, 20)}, None),
        ({"X": (0, 8)}, Stretch(head=False, tail=True)),
        ({"X": (1, 9)}, Stretch(head=True, tail=False)),
        ({"X": (3, 5)}, Stretch(head=True, tail=True)),
    ],
)
def test_only_what_is_missing_is_asked_for(stored, expected):
    """Ten candles are wanted, 0 to 9; stored are those from the first to the second number."""
    times = {symbol: (START + a * HOUR, START + b * HOUR) for symbol, (a, b) in stored.items()}
    lacking = missing_stretches(times, ["X"], START, START + 10 * HOUR, HOUR)
    assert lacking == ({} if expected is None else {"X": expected})


@pytest.fixture
def venue(tmp_path, monkeypatch):
    """A loopback exchange with synthetic prices, and a working directory whose config points at it."""
    from pairbot_ext.sim.launch import ExchangeOptions, open_exchange
    from pairbot_ext.sim.overlay import overlay
    from pairbot_ext.sim.server import LoopbackServer

    monkeypatch.chdir(tmp_path)
    Path("user_data").mkdir()
    with LoopbackServer(open_exchange(ExchangeOptions(market="synthetic"))) as server:
        config = overlay(server.port) | {"stake_currency": "USDT", "dry_run": True}
        Path("config.json").write_text(json.dumps(config))
        yield server


def test_a_scan_of_an_exchange_fetches_scans_and_resumes(venue, capsys):
    command = ["scan", "--exchange", "binance", "--universe", "4", "--rule", "naive", "--formation"]
    assert main([*command, "120", "--out", "pairs.json"]) == 0
    streams = capsys.readouterr()
    assert "candles to fetch for 4 of them" in streams.err
    assert "Combinations tested: 6 (4 symbols)" in streams.out
    document = load_pairs_file(Path("pairs.json"))
    assert document.exchange == "binance"
    epoch = document.epochs[0]
    assert epoch.formation_end <= epoch.valid_from < epoch.formation_end + HOUR
    stored = sorted(path.name for path in Path("user_data/data/binance/futures").iterdir())
    assert sum(name.endswith("-1h-futures.feather") for name in stored) == 4
    assert sum(name.endswith("-1h-funding_rate.feather") for name in stored) == 4

    assert main([*command, "120"]) == 0
    assert "candles to fetch for 0 of them" in capsys.readouterr().err
    assert main([*command, "150"]) == 0  # an earlier start: the head is fetched, the tail is there
    assert "Formation: 150 candles" in capsys.readouterr().out

    every = ["--every", "week", "--once"]
    assert main([*command, "150", "--out", "renewed.json", *every]) == 0
    assert "the pairs were renewed" in capsys.readouterr().err
    assert main([*command, "150", "--out", "renewed.json", *every]) == 0
    assert "renewed.json is renewed on" in capsys.readouterr().err


def test_an_exchange_that_cannot_be_reached_is_one_message(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("user_data").mkdir()
    assert main(["scan", "--exchange", "nosuchexchange"]) == 2
    assert "exchange nosuchexchange cannot be used" in capsys.readouterr().err
    every = ["--out", "pairs.json", "--every", "week", "--once"]
    assert main(["scan", "--exchange", "nosuchexchange", *every]) == 1
    assert "cannot be used" in Path("pairs.json.failed.json").read_text()
    assert not Path("pairs.json").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "scan needs one source"),
        (["--exchange", "binance", "--import-table", "t.md"], "scan needs one source"),
        (["--exchange", "binance", "--universe", "1"], "--universe must hold two"),
        (
            ["--exchange", "binance", "--walk-forward", "--timerange", "20250101-"],
            "would look into the future",
        ),
    ],
)
def test_sources_that_make_no_sense_together_are_refused(args, message, capsys):
    assert main(["scan", *args]) == 2
    assert message in capsys.readouterr().err
