"""Green on a good set-up; the checks that need no exchange go red, each on its own broken set-up."""

from __future__ import annotations

import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exchange import Exchange
from preflight_judging import MakeSetup, check, red
from preflight_world import (
    ADA,
    World,
    days_ago,
    pairs_document,
)

from pairbot_ext.host import releases
from pairbot_ext.preflight import CHECKS, Check, Status, run_check, run_checks
from pairbot_ext.preflight.results import Finding


def test_green(make_setup: MakeSetup, healthy: World) -> None:
    report = run_checks(make_setup())
    assert report.total == f"{len(CHECKS)}/{len(CHECKS)} checks passed", "\n".join(report.lines())
    assert report.is_passed
    assert [found.name for found in report.results] == [check.name for check in CHECKS]
    assert not [call for call in healthy.calls() if not call.startswith("GET")], "preflight only reads"


def test_green_in_dry_run_without_keys(make_setup: MakeSetup) -> None:
    world = World()
    setup = make_setup(live=False, world=world)
    for name in ("key", "secret"):
        setup.config["exchange"][name] = ""
    report = run_checks(setup)
    assert report.is_passed
    assert {found.name for found in report.of(Status.WARN)} == {"account mode", "key permissions", "foreign"}
    asked = {call.rpartition("/")[2] for call in world.calls()}
    assert asked == {"exchangeInfo", "time", "klines", "depth"}, "public data only"


def test_every_check_has_a_red_test() -> None:
    sources = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    marked = [name for source in sources for name in re.findall(r'^@red\("(.+)"\)$', source, re.MULTILINE)]
    assert sorted(marked) == sorted(check.name for check in CHECKS)


def test_every_check_is_documented(repo_root: Path) -> None:
    rows = (repo_root / "docs" / "preflight.md").read_text().splitlines()
    documented = [row.split("|")[1].strip() for row in rows if row.count("|") == 5]
    assert documented[0] == "check"
    assert documented[2:] == [check.name for check in CHECKS]


@red("configuration")
@pytest.mark.parametrize(
    ("changes", "words"),
    [({"stake_amount": "lots"}, "lots"), ({"pairbot": {"leverag": 2}}, "leverag")],
)
def test_configuration(make_setup: MakeSetup, changes: dict[str, Any], words: str) -> None:
    check("configuration", make_setup(**changes), Status.FAIL, words)


def test_defaults_of_freqtrades_schema_are_used(make_setup: MakeSetup) -> None:
    setup = make_setup(live=False)
    del setup.config["tradable_balance_ratio"], setup.config["dry_run_wallet"]
    check("balance", setup, Status.FAIL, "990.00 of 1,000.00 USDT")


@red("pairs file")
def test_pairs_file(make_setup: MakeSetup) -> None:
    document = pairs_document()
    document["epochs"][0]["pairs"][0]["hedge_ratio"] = -1.2
    check("pairs file", make_setup(pairs=document), Status.FAIL, "hedge_ratio", "-1.2")


def test_pairs_file_missing(make_setup: MakeSetup, tmp_path: Path) -> None:
    setup = make_setup()
    (tmp_path / "pairs.json").unlink()
    check("pairs file", setup, Status.FAIL, "does not exist")
    # A strategy reads the pairs file, so it cannot be loaded either; nothing breaks.
    assert not [found for found in run_checks(setup).results if "the check itself broke" in found.text]


def test_an_empty_pairs_file_is_a_warning(make_setup: MakeSetup) -> None:
    empty = {"pairs": [], "epochs": []}
    report = run_checks(make_setup(pairs=empty))
    assert report.is_passed, "\n".join(report.lines())
    assert "pairs file" in {found.name for found in report.of(Status.WARN)}


@red("pairs age")
def test_pairs_age_open_ended(make_setup: MakeSetup) -> None:
    old = {"generated_at": days_ago(20), "epochs": _epochs(20, None)}
    check("pairs age", make_setup(pairs=old), Status.FAIL, "20.0 days ago", "limit 14 days")
    check("pairs age", make_setup(pairs=old, live=False), Status.WARN, "20.0 days ago")


def test_pairs_age_epoch_ended(make_setup: MakeSetup) -> None:
    ended = {"generated_at": days_ago(9), "epochs": _epochs(9, 2)}
    check("pairs age", make_setup(pairs=ended), Status.FAIL, "ended 2.0 days ago")


def test_pairs_age_old_file_within_its_epoch(make_setup: MakeSetup) -> None:
    long = {"generated_at": days_ago(20), "epochs": _epochs(20, -3)}
    check("pairs age", make_setup(pairs=long), Status.PASS, "valid for 3.0 days more")


def _epochs(from_days_ago: float, to_days_ago: float | None) -> list[dict[str, Any]]:
    return pairs_document(
        valid_from=days_ago(from_days_ago),
        valid_to=None if to_days_ago is None else days_ago(to_days_ago),
        formation_start=days_ago(from_days_ago + 60),
        formation_end=days_ago(from_days_ago),
    )["epochs"]


@red("whitelist")
def test_whitelist(make_setup: MakeSetup) -> None:
    other = [{"method": "RemotePairList", "pairlist_url": "file:////tmp/other.json", "number_assets": 0}]
    check("whitelist", make_setup(pairlists=other), Status.FAIL, "other.json")
    static = [{"method": "StaticPairList"}]
    check("whitelist", make_setup(pairlists=static), Status.FAIL, "4 of 4 legs")
    check("whitelist", make_setup(pairlists=[{"method": "VolumePairList"}]), Status.WARN, "VolumePairList")
    barring = {"name": "binance", "key": "", "secret": "", "pair_blacklist": ["AD.*/USDT:USDT"]}
    check("whitelist", make_setup(exchange=barring, live=False), Status.FAIL, "bars 1 legs", ADA)


def test_a_filter_behind_the_pairs_file_is_a_warning(make_setup: MakeSetup) -> None:
    setup = make_setup()
    setup.config["pairlists"].append({"method": "AgeFilter"})
    check("whitelist", setup, Status.WARN, "RemotePairList, AgeFilter")


@red("market mode")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"margin_mode": "cross"}, "margin_mode"),
        ({"trading_mode": "spot", "margin_mode": ""}, "trading_mode"),
        ({"timeframe": "5m"}, "timeframe"),
        ({"stake_currency": "USDC"}, "USDC"),
    ],
)
def test_market_mode(make_setup: MakeSetup, changes: dict[str, Any], words: str) -> None:
    check("market mode", make_setup(**changes), Status.FAIL, words)


@red("pricing")
def test_pricing(make_setup: MakeSetup) -> None:
    ticker = {"price_side": "other", "use_order_book": False}
    check("pricing", make_setup(exit_pricing=ticker), Status.FAIL, "exit_pricing")


@red("strategy settings")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"use_exit_signal": False}, "use_exit_signal"),
        ({"trailing_stop": True, "trailing_stop_positive": 0.02}, "trailing_stop"),
        ({"stoploss": -0.1}, "stoploss"),
        ({"minimal_roi": {"0": 0.05}}, "minimal_roi"),
        ({"strategy": "NoSuchStrategy"}, "NoSuchStrategy"),
    ],
)
def test_strategy_settings(make_setup: MakeSetup, changes: dict[str, Any], words: str) -> None:
    check("strategy settings", make_setup(**changes), Status.FAIL, words)


@red("slots")
def test_slots(make_setup: MakeSetup) -> None:
    check("slots", make_setup(max_open_trades=1), Status.FAIL, "1")
    check("slots", make_setup(max_open_trades=3), Status.WARN, "1 of 2 pairs", "one slot is never used")
    found = check("slots", make_setup(max_open_trades=-1), Status.PASS, "2 of 2 pairs", "unlimited")
    assert found.numbers["open_at_once"] == 2


@red("versions")
@pytest.mark.parametrize("live", [True, False])
def test_a_name_that_is_gone(make_setup: MakeSetup, live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Exchange, "_lev_prep")
    setup = make_setup(live=live)
    check("versions", setup, Status.FAIL, "Exchange._lev_prep is gone", releases.described(setup.versions()))


@pytest.mark.parametrize(
    ("ccxt", "status", "says"),
    [
        ("99.1.0", Status.WARN, "ccxt 99.1.0 (newer than tested)"),
        ("4.4.0", Status.WARN, "ccxt 4.4.0 (older than tested)"),
        ("missing", Status.WARN, "ccxt missing (no release)"),
    ],
)
def test_a_number_alone_only_warns(make_setup: MakeSetup, ccxt: str, status: Status, says: str) -> None:
    """A live bot, too: whether it can run is what the release has."""
    newest = releases.tested()[0].freqtrade
    setup = make_setup(versions={"freqtrade": newest, "ccxt": ccxt})
    check("versions", setup, status, f"freqtrade {newest} (tested)", says, releases.tested_range())


@red("database")
def test_database_in_an_unwritable_place(make_setup: MakeSetup, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("")
    setup = make_setup(db_url=f"sqlite:///{tmp_path}/a_file/trades.sqlite")
    check("database", setup, Status.FAIL, "cannot be written")


def test_database_locked(make_setup: MakeSetup, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "trades.sqlite", isolation_level=None)) as holder:
        holder.execute("CREATE TABLE t (x)")
        holder.execute("BEGIN EXCLUSIVE")
        check("database", make_setup(), Status.FAIL, "locked")


def test_database_is_not_changed(make_setup: MakeSetup, tmp_path: Path) -> None:
    path = tmp_path / "trades.sqlite"
    check("database", make_setup(), Status.PASS, "will be created")
    assert not path.exists()
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE t (x)")
    before = path.read_bytes()
    check("database", make_setup(), Status.PASS, "writable")
    assert path.read_bytes() == before


def test_a_dry_runs_database_is_no_live_bots(make_setup: MakeSetup, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/pairbot.dryrun.sqlite"
    check("database", make_setup(db_url=url), Status.FAIL, "a dry-run's")
    check("database", make_setup(db_url=url, live=False), Status.PASS, "will be created")


def test_database_in_memory(make_setup: MakeSetup) -> None:
    check("database", make_setup(db_url="sqlite://"), Status.FAIL, "in memory")


@red("directories")
def test_directories(make_setup: MakeSetup, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("")
    setup = make_setup(logfile=f"{tmp_path}/a_file/bot.log")
    check("directories", setup, Status.FAIL, "logs", "a_file")


def test_no_secret_reaches_the_report(make_setup: MakeSetup) -> None:
    marks = [f"marked-secret-{number}-abcdef" for number in range(5)]
    setup = make_setup(
        world=World(),
        telegram_url="http://127.0.0.1:9",
        telegram={"enabled": True, "token": marks[0], "chat_id": "1", "allow_custom_messages": True},
        exchange={"name": "binance", "key": marks[1], "secret": marks[2], "pair_whitelist": []},
        db_url=f"postgresql+nothing://me:{marks[3]}@127.0.0.1:9/db",
        api_server={"enabled": False, "listen_ip_address": "127.0.0.1", "listen_port": 8080, "username": "u",
                    "password": marks[4]},
    )  # fmt: skip
    broken = Check("broken", lambda _: _raise(RuntimeError(" ".join(marks))))
    report = run_checks(setup, [*CHECKS, broken])
    text = str(report.to_json()) + "\n".join(report.lines())
    assert not [mark for mark in marks if mark in text]
    assert "***" in text, "the token was in an URL of an error message"


def test_a_check_that_breaks_has_not_passed(make_setup: MakeSetup) -> None:
    found = run_check(Check("broken", lambda _: _raise(ZeroDivisionError("1/0"))), make_setup())
    assert found.status is Status.FAIL
    assert "ZeroDivisionError: 1/0" in found.text


def _raise(error: Exception) -> Finding:
    raise error


@red("api server")
@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", Status.PASS), ("0.0.0.0", Status.WARN)])
def test_the_address_of_the_api_server(make_setup: MakeSetup, host: str, status: Status) -> None:
    """Freqtrade waits for a server that never starts where its port is taken: no log line, no trade."""
    with socket.create_server((host, 0)) as taken:
        port = taken.getsockname()[1]
        block = {
            "enabled": True,
            "listen_ip_address": host,
            "listen_port": port,
            "username": "u",
            "password": "p",
        }
        setup = make_setup(api_server=block)
        check("api server", setup, Status.WARN, f"{host}:{port} cannot be opened")
        # The bot that starts has opened it itself.
        setup.is_starting = True
        check("api server", setup, status, f"{host}:{port}")
    setup.is_starting = False
    check("api server", setup, status, f"{host}:{port}")
    check("api server", make_setup(), Status.PASS, "is off")
