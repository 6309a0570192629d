"""The checks that need an exchange go red, each on an exchange broken in its way alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from preflight_judging import MakeSetup, check, red
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
    pairs_document,
)

from pairbot_ext.host.access import client_of
from pairbot_ext.preflight import Status, run_checks
from pairbot_ext.preflight.venue import _closest_limit
from pairbot_ext.sim.venue.actions import AccountMode, OpenPosition, RestingOrder, SymbolStatus, Transfer
from pairbot_ext.sim.venue.orders import Side
from pairbot_ext.venue.protocol import RateLimits


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


@pytest.mark.parametrize(("halted", "sizes"), [(("ADAUSDT",), "all 1 pairs"), (("ADAUSDT", "XRPUSDT"), ADA)])
def test_symbols_that_are_only_halted_are_waited_for(
    make_setup: MakeSetup, halted: tuple[str, ...], sizes: str
) -> None:
    """A bot that is started, or told to reload, in the hour of a halt comes back and enters when it is over;
    refused it would stay away."""
    world = World()
    for symbol in halted:
        world.act(SymbolStatus(symbol=symbol, status="PENDING_TRADING"))
    setup = make_setup(world=world)
    found = check("symbols", setup, Status.WARN, ADA, "PENDING_TRADING", f"{len(halted)} of 2 pairs wait")
    assert found.numbers["problems"] == len(halted)
    check("pair sizes", setup, Status.WARN if len(halted) == 2 else Status.PASS, sizes)
    check("candles", setup, Status.PASS, f"{4 - len(halted)} symbols")


def test_a_halt_beside_a_contract_that_ends_is_no_excuse_for_it(make_setup: MakeSetup) -> None:
    world = World()
    world.act(SymbolStatus(symbol="ADAUSDT", status="PENDING_TRADING"))
    world.act(SymbolStatus(symbol="XRPUSDT", status="SETTLING"))
    check("symbols", make_setup(world=world), Status.FAIL, ADA, "SETTLING", "2 of 2 pairs")


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
        (AccountMode(credit=Decimal(900)), "BNFCR"),
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
    world.answers[ACCOUNT_PATH] = {}
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
    block = {"pairs_file": str(tmp_path / "pairs.json"), "leverage": 20, "risk": {"max_leverage": 20}}
    setup = make_setup(pairbot=block, stake_amount=1_500_000)
    check("leverage", setup, Status.FAIL, "do not take leverage 20")
    check("leverage", make_setup(pairbot=block, stake_amount=100), Status.PASS, "leverage 20")


@red("pair sizes")
def test_pair_sizes_below_the_minimum(make_setup: MakeSetup) -> None:
    found = check(
        "pair sizes", make_setup(stake_amount=4), Status.FAIL, "ADA_ALGO", "below the venue's minimum"
    )
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
    assert found.numbers["closest_limit"] in found.text


@pytest.mark.parametrize(
    ("weight", "orders", "said"),
    [
        (600, 40, "600 of 2400 weight in a minute"),
        (600, 100, "100 of 300 orders in 10 s when all leave"),
        (2_350, 290, "2350 of 2400 weight in a minute"),
    ],
)
def test_the_limit_that_binds_is_named(weight: int, orders: int, said: str) -> None:
    assert _closest_limit(RateLimits(2_400, {10_000: 300, 60_000: 1_200}), weight, orders) == said


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
