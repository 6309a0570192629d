"""Every check goes red on a set-up that is broken in its way alone; the whole is green on a good one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from preflight_world import (
    ACCOUNT_PATH,
    ADA,
    ALGO,
    DOGE,
    INFO_PATH,
    KEY_RIGHTS,
    RIGHTS_PATH,
    XRP,
    World,
    days_ago,
    pairs_document,
)

from pairbot_ext.bridge import client_of
from pairbot_ext.preflight import CHECKS, Check, CheckResult, Setup, Status, run_check, run_checks
from pairbot_ext.preflight.results import Finding
from pairbot_ext.preflight.setup import PINNED_VERSIONS
from pairbot_ext.sim.venue.actions import (
    AccountMode,
    OpenPosition,
    RestingOrder,
    SymbolStatus,
    Transfer,
)
from pairbot_ext.sim.venue.orders import Side

MakeSetup = Callable[..., Setup]
_BY_NAME = {check.name: check for check in CHECKS}
_RED: set[str] = set()


def red(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as the one that sees a check red."""
    _RED.add(name)
    return lambda test: test


def result(name: str, setup: Setup) -> CheckResult:
    """One check's result."""
    return run_check(_BY_NAME[name], setup)


def check(name: str, setup: Setup, status: Status, *words: str) -> CheckResult:
    """One check's result, which must have this status and say these words; a remedy unless it passed."""
    found = result(name, setup)
    assert found.status is status, found.line()
    for word in words:
        assert word in found.text, found.line()
    assert bool(found.remedy) is (status is not Status.PASS), found.line()
    return found


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
    assert {check.name for check in CHECKS} == _RED


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
def test_versions(make_setup: MakeSetup) -> None:
    wrong = {**PINNED_VERSIONS, "ccxt": "4.4.0"}
    check("versions", make_setup(versions=wrong), Status.FAIL, "ccxt 4.4.0, needed 4.5.90")
    check("versions", make_setup(versions=wrong, live=False), Status.WARN, "4.4.0")


def test_pinned_versions_are_those_of_the_project(repo_root: Path) -> None:
    project = (repo_root / "pyproject.toml").read_text()
    for package, version in PINNED_VERSIONS.items():
        assert f'"{package}=={version}"' in project


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


def test_database_in_memory(make_setup: MakeSetup) -> None:
    check("database", make_setup(db_url="sqlite://"), Status.FAIL, "in memory")


@red("directories")
def test_directories(make_setup: MakeSetup, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("")
    setup = make_setup(logfile=f"{tmp_path}/a_file/bot.log")
    check("directories", setup, Status.FAIL, "logs", "a_file")


@red("live venue")
def test_live_venue(make_setup: MakeSetup) -> None:
    exchange = {"name": "bybit", "key": "", "secret": "", "pair_whitelist": []}
    check("live venue", make_setup(exchange=exchange), Status.FAIL, "bybit")
    check("live venue", make_setup(exchange=exchange, live=False), Status.PASS, "dry-run")


@red("exchange")
def test_exchange_unreachable(make_setup: MakeSetup) -> None:
    world = World()
    world.transport.reachable = False
    check("exchange", make_setup(world=world), Status.FAIL, "no exchange is reachable", "refused")
    setup = make_setup(world=world, live=False)
    check("exchange", setup, Status.WARN, "refused")
    report = run_checks(setup)
    assert report.is_passed, "without an exchange a dry-run set-up is warned, not failed"
    skipped = [found for found in report.results if "no exchange is reachable" in found.text]
    assert {found.name for found in skipped} == {"exchange", "clock", "symbols", "leverage", "pair sizes"}


@red("clock")
def test_clock(make_setup: MakeSetup) -> None:
    world = World()
    for skew_ms, status, words in (
        (4_000, Status.FAIL, "ahead of"),
        (-4_000, Status.FAIL, "behind"),
        (750, Status.WARN, "ahead of"),
    ):
        world.skew_ms = skew_ms
        found = check("clock", make_setup(world=world), status, words)
        assert found.numbers["skew_ms"] == pytest.approx(skew_ms, abs=200)


@red("symbols")
def test_symbols_halted(make_setup: MakeSetup) -> None:
    world = World()
    world.act(SymbolStatus(symbol="ADAUSDT", status="SETTLING"))
    setup = make_setup(world=world)
    found = check("symbols", setup, Status.FAIL, ADA, "SETTLING", "1 of 2 pairs")
    assert found.numbers["problems"] == 1
    check("symbols", make_setup(world=world, live=False), Status.WARN, ADA)
    check("pair sizes", setup, Status.FAIL, f"ADA_ALGO: no order book of {ADA}")


def test_symbols_to_be_delisted(make_setup: MakeSetup) -> None:
    world = World()

    def announce(info: dict[str, Any]) -> None:
        row = next(row for row in info["symbols"] if row["symbol"] == "DOGEUSDT")
        row["deliveryDate"] = info["serverTime"] + 5 * 86_400_000

    world.edits[INFO_PATH] = announce
    check("symbols", make_setup(world=world), Status.FAIL, DOGE, "delisted on")


def test_symbols_unlisted(make_setup: MakeSetup) -> None:
    world = World()
    world.edits[INFO_PATH] = lambda info: info.update(
        symbols=[row for row in info["symbols"] if row["symbol"] not in ("ADAUSDT", "XRPUSDT")]
    )
    # Both pairs lose a leg: nothing could be traded, which is no mere warning in dry-run either.
    check("symbols", make_setup(world=world, live=False), Status.FAIL, ADA, XRP, "2 of 2 pairs")


@red("candles")
def test_candles_stale(make_setup: MakeSetup) -> None:
    world = World()
    world.market.late_ms["ALGOUSDT"] = 5 * 3_600_000
    check("candles", make_setup(world=world), Status.FAIL, ALGO, "candles behind")
    check("candles", make_setup(world=world, live=False), Status.WARN, ALGO)


def test_candles_on_disk_without_an_exchange(make_setup: MakeSetup) -> None:
    world = World()
    world.transport.reachable = False
    check("candles", make_setup(world=world, live=False), Status.WARN, "has none")


@red("account mode")
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (AccountMode(dual_side=True), "Hedge Mode"),
        (AccountMode(multi_assets=True), "Multi-Asset Mode"),
    ],
)
def test_account_mode(make_setup: MakeSetup, mode: AccountMode, words: str) -> None:
    world = World()
    world.act(mode)
    check("account mode", make_setup(world=world), Status.FAIL, words)


def test_account_key_rejected(make_setup: MakeSetup) -> None:
    exchange = {"name": "binance", "key": "not-the-right-key", "secret": "x" * 20, "pair_whitelist": []}
    setup = make_setup(world=World(), exchange=exchange)
    found = check("account mode", setup, Status.FAIL, "-2015")
    assert "not-the-right-key" not in str(found.to_json())
    check("balance", setup, Status.FAIL, "not checked")


def test_account_without_a_key(make_setup: MakeSetup) -> None:
    setup = make_setup()
    setup.config["exchange"]["key"] = ""
    check("account mode", setup, Status.FAIL, "no API key")


@red("key permissions")
@pytest.mark.parametrize(
    ("rights", "status", "words"),
    [
        ({"enableWithdrawals": True}, Status.FAIL, "WITHDRAW"),
        ({"enableFutures": False}, Status.FAIL, "may not trade futures"),
        ({"ipRestrict": False}, Status.WARN, "every IP address"),
        ({"permitsUniversalTransfer": True}, Status.WARN, "permitsUniversalTransfer"),
    ],
)
def test_key_permissions(make_setup: MakeSetup, rights: dict[str, Any], status: Status, words: str) -> None:
    check("key permissions", make_setup(world=World(rights=KEY_RIGHTS | rights)), status, words)


def test_key_permissions_unknown_on_a_venue_without_a_wallet_interface(make_setup: MakeSetup) -> None:
    world = World()
    found = check("key permissions", make_setup(world=world), Status.WARN, "futures trading and withdrawal")
    assert found.numbers["may_withdraw"] is None
    world.answers[ACCOUNT_PATH] = {"canTrade": True, "canWithdraw": True}
    # canWithdraw is the account's, not the key's: it says nothing about this key.
    check("key permissions", make_setup(world=world), Status.WARN, "does not say about withdrawal")
    world.answers[ACCOUNT_PATH] = {"canTrade": False}
    world.answers[RIGHTS_PATH] = KEY_RIGHTS
    check("key permissions", make_setup(world=world), Status.FAIL, "may not trade futures")


@red("balance")
def test_balance(make_setup: MakeSetup) -> None:
    world = World()
    world.act(Transfer(amount=Decimal(-8_500)))
    check("balance", make_setup(world=world), Status.WARN, "enough for 1, 2 can be open")
    world.act(Transfer(amount=Decimal(-600)))
    found = check("balance", make_setup(world=world), Status.FAIL, "enough for 0")
    assert found.numbers["total"] == 900.0
    check("balance", make_setup(live=False, dry_run_wallet=900), Status.FAIL, "of 900.00")


def test_balance_of_an_unlimited_stake(make_setup: MakeSetup) -> None:
    # 9,900 / 4 slots: the last pair lacks the slippage.
    setup = make_setup(stake_amount="unlimited", max_open_trades=4)
    found = check("balance", setup, Status.WARN, "enough for 1, 2 can be open")
    assert found.numbers["stake"] == 2475.0


@red("leverage")
def test_leverage(make_setup: MakeSetup, tmp_path: Path) -> None:
    block = {"pairs_file": str(tmp_path / "pairs.json"), "leverage": 20}
    setup = make_setup(pairbot=block, stake_amount=1_500_000)
    check("leverage", setup, Status.FAIL, "do not take leverage 20")
    check("leverage", make_setup(pairbot=block, stake_amount=100), Status.PASS, "leverage 20")


@red("pair sizes")
def test_pair_sizes_below_the_minimum(make_setup: MakeSetup) -> None:
    found = check("pair sizes", make_setup(stake_amount=4), Status.FAIL, "ADA_ALGO", "below the smallest")
    assert found.numbers["refused"] == 2


def test_pair_sizes_see_leg_b(make_setup: MakeSetup) -> None:
    document = pairs_document()
    document["epochs"][0]["pairs"][1]["hedge_ratio"] = 0.004
    setup = make_setup(pairs=document, live=False)
    found = check("pair sizes", setup, Status.WARN, "1 of 2 pairs", "XRP_DOGE: leg B notional")
    assert found.details[1]["problem"]


def test_pair_sizes_hedge_error(make_setup: MakeSetup) -> None:
    # A step of XRP is worth 0.21, of ADA 0.73: with 8 a leg rounding may cost more than 2 %.
    check("pair sizes", make_setup(stake_amount=8), Status.FAIL, "ADA_ALGO: hedge error", "2%")
    found = check("pair sizes", make_setup(), Status.PASS, "hedge error after rounding")
    errors = [row["hedge_error"] for row in found.details]
    assert all(isinstance(error, float) and 0 <= error < 0.001 for error in errors)
    # beta 1.2: of 1000 leg A gets 454.55, 621 ADA; leg B 1.2 times as much.
    assert found.details[0]["notional_a"] == pytest.approx(621 * 0.732, abs=0.005)
    assert found.details[0]["notional_b"] == pytest.approx(1.2 * 621 * 0.732, abs=0.02)


@red("request weight")
def test_request_weight(make_setup: MakeSetup) -> None:
    setup = make_setup(internals={"process_throttle_secs": 0})
    check("request weight", setup, Status.FAIL, "of 2400 weight")
    found = check("request weight", make_setup(), Status.PASS, "2 open pairs")
    assert isinstance(found.numbers["used_now"], int)


@red("foreign")
def test_foreign(make_setup: MakeSetup) -> None:
    world = World()
    world.act(OpenPosition(symbol="ADAUSDT", side=Side.SELL, amount=Decimal(100)))
    check("foreign", make_setup(world=world), Status.FAIL, f"{ADA} position of -100")
    world.act(RestingOrder(symbol="DOGEUSDT", side=Side.BUY, amount=Decimal(100), price=Decimal("0.19")))
    found = check("foreign", make_setup(world=world), Status.FAIL, f"{DOGE} order of 100")
    assert found.numbers["foreign"] == 2


def test_foreign_conditional_orders(make_setup: MakeSetup) -> None:
    world = World()
    stop = {
        "symbol": "XRPUSDT", "side": "SELL", "algoType": "CONDITIONAL", "type": "STOP_MARKET",
        "quantity": "30", "triggerPrice": "1.9",
    }  # fmt: skip
    account = make_setup(world=world).account()
    client_of(account).fapiPrivatePostAlgoOrder(stop)
    check("foreign", make_setup(world=world), Status.FAIL, f"{XRP} order of 30")


def test_what_the_database_explains_is_not_foreign(make_setup: MakeSetup, tmp_path: Path) -> None:
    world = World()
    world.act(OpenPosition(symbol="ADAUSDT", side=Side.SELL, amount=Decimal(100)))
    world.act(OpenPosition(symbol="XRPUSDT", side=Side.BUY, amount=Decimal(50)))
    with closing(sqlite3.connect(tmp_path / "trades.sqlite")) as made, made:
        made.execute("CREATE TABLE trades (pair TEXT, amount REAL, is_short INT, is_open INT)")
        made.execute("CREATE TABLE pairbot_pair_trades (leg_a TEXT, leg_b TEXT, state TEXT)")
        made.execute("INSERT INTO trades VALUES (?, 100, 1, 1)", (ADA,))
        # The process died after this order was sent: only the journal knows of it.
        made.execute("INSERT INTO pairbot_pair_trades VALUES (?, ?, 'A_SENT')", (XRP, DOGE))
    check("foreign", make_setup(world=world), Status.PASS, "1 positions are this bot's own")


def test_foreign_on_other_symbols(make_setup: MakeSetup) -> None:
    world = World()
    world.act(OpenPosition(symbol="XRPUSDT", side=Side.BUY, amount=Decimal(50)))
    document = pairs_document()
    document["pairs"] = [ADA, ALGO]
    document["epochs"][0]["pairs"].pop()
    check("foreign", make_setup(world=world, pairs=document), Status.WARN, XRP)


@red("telegram")
@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"token": "999999:another-bots-token"}, Status.FAIL, "401 Unauthorized"),
        ({"chat_id": "1"}, Status.FAIL, "chat not found"),
        ({"allow_custom_messages": False}, Status.FAIL, "allow_custom_messages"),
        ({"enabled": False}, Status.WARN, "off"),
    ],
)
def test_telegram(
    make_setup: MakeSetup, bot_api: Any, changes: dict[str, Any], status: Status, words: str
) -> None:
    block = {"enabled": True, "token": bot_api.TOKEN, "chat_id": bot_api.CHAT, "allow_custom_messages": True}
    check("telegram", make_setup(telegram=block | changes), status, words)


def test_telegram_unreachable(make_setup: MakeSetup) -> None:
    nobody = "http://127.0.0.1:9"
    check("telegram", make_setup(telegram_url=nobody), Status.FAIL, "does not answer")
    check("telegram", make_setup(telegram_url=nobody, live=False), Status.WARN, "does not answer")


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
