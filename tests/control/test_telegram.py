"""Freqtrade's own Telegram module against a Bot API on loopback: every command, and who may not give it."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from pathlib import Path

import pytest
from control_world import telegram_block
from freqtrade.persistence import Trade
from freqtrade.rpc.telegram import Telegram
from harness import Rig
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from plain_bot import proves

from pairbot_ext.control.telegram import HELP
from pairbot_ext.host import rpc
from pairbot_ext.sim.telegram_api import FakeTelegram, RefusedError, shown

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def bot(make_bot, chat: FakeTelegram) -> Rig:
    """Two pairs open, the commands in place."""
    rig = make_bot(telegram=telegram_block(chat))
    rig.bot.process()
    assert rig.states() == ["HEDGED", "HEDGED"]
    wait_for_start(chat)
    chat.wait(lambda: count(chat, "opened, both legs hedged") == 2, "tell of both pairs")
    return rig


def count(chat: FakeTelegram, text: str) -> int:
    """Messages with this text in them."""
    return sum(text in message.text for message in list(chat.sent))


def wait_for_start(chat: FakeTelegram, starts: int = 1) -> None:
    """Until everything is said that so many starts say: messages overtake one another."""
    for text in ("Dry run is enabled", "Exchange:", "Searching for", "PairsArb: 2 pairs", "PairsArb: chosen"):
        chat.wait(lambda text=text: count(chat, text) == starts, f"say {text!r}")
    chat.wait(lambda: chat.calls.count("setMyCommands") == starts, "offer its commands")


def said(chat: FakeTelegram, text: str) -> str:
    """The bot's answer in one message."""
    (answer,) = chat.ask(text)
    return answer.text


def module_of(rig: Rig) -> Telegram:
    """Freqtrade's module."""
    return next(mod for mod in rig.bot.rpc.registered_modules if isinstance(mod, Telegram))


@proves("Telegram._app", "Telegram._config", "Telegram._send_msg", "Telegram._loop", "Telegram._keyboard")
def test_what_freqtrade_s_module_keeps_to_itself(make_bot, chat: FakeTelegram) -> None:
    rig = make_bot(telegram=telegram_block(chat))
    rig.bot.process()
    chat.wait(lambda: "setMyCommands" in chat.calls, "offer its commands", 120)
    module = module_of(rig)
    mouth = rpc.Chat(module)

    async def speak() -> bool:
        await mouth.say("<b>of ours</b>")
        return await mouth.show(PNG, "a picture")

    assert asyncio.run_coroutine_threadsafe(speak(), module._loop).result(120)
    assert count(chat, "of ours") == 1
    assert [message.photo for message in chat.sent if message.photo] == [PNG]
    assert module._app.running
    assert module._config is rig.bot.config
    assert all(isinstance(button, str) for row in module._keyboard for button in row)


def test_looking(bot: Rig, chat: FakeTelegram) -> None:
    text = said(chat, "/pairs")
    assert "2 pairs open, 0 watched, dry-run" in text
    assert "risk ACTIVE" in text
    for part in (
        "ADA_ALGO HEDGED short spread", "z +2.50 at entry, now +2.5", "hedge error 0.0", "PnL -",
        "funding +0.0000 included", "half-lives (stop at 4)", "XRP_DOGE HEDGED long spread",
    ):  # fmt: skip
        assert part in text
    numbers, photo = chat.ask("/pair ada_algo", answers=2)
    assert "A short ADA/USDT:USDT held 261.0 of 261.0" in numbers.text
    assert photo.photo is not None
    assert photo.photo.startswith(PNG)
    assert len(photo.photo) < 100_000
    trade_id = bot.desk.journal.open_pair_trades()[1].id
    assert "XRP_DOGE" in chat.ask(f"/pair {trade_id}", answers=2)[0].text
    scan = said(chat, "/pairs_scan")
    for part in ("tested 6 combinations", "about 0.3 of them", "planted for a test", "valid now", "XRP_DOGE"):
        assert part in scan
    freqtrades, ours = chat.ask("/help", answers=2)
    assert "/forceexit" in freqtrades.text
    for name, _, line in HELP:
        assert f"/{name}" in ours.text
        assert line in ours.text
    assert chat.refused == [], "Telegram has taken every message there was"


def test_menu_and_keyboard(bot: Rig, chat: FakeTelegram) -> None:
    (menu,) = chat.commands.values()
    assert [command["command"] for command in menu] == [name for name, _, _ in HELP]
    assert module_of(bot)._keyboard[-1] == ["/pairs", "/pairs_scan"]


def test_acting(bot: Rig, chat: FakeTelegram) -> None:
    assert "is locked" in said(chat, "/pair_lock XRP_DOGE")
    assert "LOCKED by Telegram" in chat.ask("/pair XRP_DOGE", answers=2)[0].text
    assert "is unlocked" in said(chat, "/pair_unlock XRP_DOGE")

    # One message for the pair, and the answer.
    event, answer = chat.ask("/pair_close ADA_ALGO", answers=2)
    assert "closed (pair_operator), profit" in event.text + answer.text
    assert "ADA_ALGO" in answer.text
    assert bot.states() == ["CLOSED", "HEDGED"]
    assert sorted(bot.trades()) == ["DOGEUSDT", "XRPUSDT"]
    assert all(trade.exit_reason == "pair_operator" for trade in Trade.get_trades([Trade.is_open.is_(False)]))

    assert "is not open" in said(chat, "/pair_close ADA_ALGO")
    chat.ask("/pairs_halt", answers=2)
    chat.wait(lambda: bot.states() == ["CLOSED", "CLOSED"], "close what was open")
    assert "risk HALTED" in said(chat, "/pairs")
    bot.bot.process()
    assert bot.trades() == {}
    assert "ACTIVE again" in said(chat, "/pairs_resume")
    assert bot.desk.risk.state == "ACTIVE"


def test_close_all_waits_for_the_exit_lock(bot: Rig, chat: FakeTelegram) -> None:
    with bot.bot._exit_lock:
        chat.say("/pair_close all")
        # The chat answers meanwhile: the close waits in a thread of its own.
        before = len(chat.sent)
        chat.say("/pairs")
        chat.wait(lambda: len(chat.sent) > before, "answer while it waits")
        assert "2 pairs open" in chat.sent[before].text
        assert bot.states() == ["HEDGED", "HEDGED"]
    chat.wait(lambda: bot.states() == ["CLOSED", "CLOSED"], "close both pairs")
    bot.check_flat()


def test_a_wrong_chat_gets_nothing(bot: Rig, chat: FakeTelegram) -> None:
    before = len(chat.sent)
    for name, _, _ in HELP:
        chat.say(f"/{name} all", chat_id=666)
    chat.say("/pair_close ADA_ALGO", chat_id=-1)
    # The next answer comes after those: updates are handled in order.
    assert len(chat.ask("/pairs")) == 1
    assert len(chat.sent) == before + 1
    assert bot.states() == ["HEDGED", "HEDGED"]
    assert bot.desk.risk.state == "ACTIVE"
    assert bot.desk.risk.locked_pairs() == {}


@pytest.mark.parametrize("users", [["42"], ["43"]])
def test_freqtrades_list_of_users_rules(make_bot, chat: FakeTelegram, users: list[str]) -> None:
    rig = make_bot(telegram={**telegram_block(chat), "authorized_users": users})
    chat.wait(lambda: "setMyCommands" in chat.calls, "offer its commands")
    chat.say("/pairs_halt", user_id=42)
    chat.say("/version", user_id=int(users[0]))
    chat.wait(lambda: any("Version" in message.text for message in chat.sent), "answer /version")
    chat.wait(lambda: (rig.desk.risk.state == "HALTED") == (users == ["42"]), "obey its own user only")


def test_wrong_arguments_do_nothing(bot: Rig, chat: FakeTelegram) -> None:
    for text, part in (
        ("/pair", "Write /pair ID"), ("/pair A B", "got 2 arguments"),
        ("/pair_close", "or /pair_close all"), ("/pair_close NO_SUCH", "no pair and no open pair trade"),
        ("/pair_lock <b>&*_`[", "no pair and no open pair trade"), ("/pair_unlock", "got 0 arguments"),
        ("/pairs_halt now", "takes no argument"), ("/pairs all", "takes no argument"),
        (f"/pair {'x' * 3000}", "..."),
    ):  # fmt: skip
        assert part in said(chat, text), text
    assert bot.states() == ["HEDGED", "HEDGED"]
    assert bot.desk.risk.state == "ACTIVE"
    assert chat.refused == []


ARGUMENT = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=80),
    st.text("_*`[]()<>&~#+-=|{}.!\\'\"/:;% \u202e\n\t\x00allADAXRP", max_size=80),
    st.sampled_from(["ALL ", "all all", "1", "-1", "ADA_ALGO; all", "../all", "ADA%5fALGO", "null", "*"]),
)


def test_fuzzed_arguments_change_nothing(bot: Rig, chat: FakeTelegram) -> None:
    pair_trades = [(row.id, row.state) for row in bot.pair_trades()]
    orders = len(bot.orders())

    @settings(
        max_examples=60, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )  # fmt: skip
    @given(st.sampled_from(["pair", "pair_close", "pair_lock", "pair_unlock"]), ARGUMENT)
    @example("pair_close", "all ADA_ALGO")
    def ask(command: str, argument: str) -> None:
        names = {"all", "ada_algo", "xrp_doge"}
        arguments = argument.split()
        if len(arguments) == 1 and arguments[0].lower() in names:
            return
        (answer,) = chat.ask(f"/{command} {argument}")
        assert "Nothing was done" in answer.text or "no pair and no open pair trade" in answer.text

    ask()
    assert [(row.id, row.state) for row in bot.pair_trades()] == pair_trades
    assert len(bot.orders()) == orders
    assert bot.desk.risk.locked_pairs() == {}
    assert chat.refused == []


def test_without_matplotlib_the_numbers_come(
    bot: Rig, chat: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    numbers, excuse = chat.ask("/pair ADA_ALGO", answers=2)
    assert "HEDGED" in numbers.text
    assert "matplotlib" in excuse.text
    assert excuse.photo is None


def test_reload_leaves_no_doubled_handler_and_no_old_bot(bot: Rig, chat: FakeTelegram) -> None:
    old_service = weakref.ref(bot.bot.strategy.pairs._control.service)
    old_bot = weakref.ref(bot.bot)
    # What Worker._reconfigure does.
    bot.bot.cleanup()
    del bot.bot
    bot.start()
    bot.bot.process()
    wait_for_start(chat, starts=2)
    for _ in range(3):
        bot.bot.strategy.pairs._control.attach()
    app = module_of(bot)._app
    handlers = [handler for group in app.handlers.values() for handler in group]
    ours = [name for handler in handlers for name in getattr(handler, "commands", ())]
    for name, _, _ in HELP:
        assert ours.count(name) == 1
    assert ours.count("help") == 2, "Freqtrade's and ours"
    assert "2 pairs open" in said(chat, "/pairs")
    gc.collect()
    assert old_service() is None
    assert old_bot() is None, "not even by Freqtrade's own Telegram thread"


def test_telegram_that_comes_up_late_gets_the_commands(
    make_bot, chat: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops: list[object] = []

    def late(owner: object, name: str, default: object = None) -> object:
        if name == "_loop" and not loops:
            loops.append(owner)
            return default
        return getattr(owner, name, default)

    monkeypatch.setattr(rpc, "getattr", late, raising=False)
    rig = make_bot(telegram=telegram_block(chat))
    assert loops, "its thread had not got so far when the strategy started"
    assert "setMyCommands" not in chat.calls
    rig.bot.process()
    wait_for_start(chat)
    chat.wait(lambda: count(chat, "opened, both legs hedged") == 2, "tell of both pairs")
    assert "2 pairs open" in said(chat, "/pairs")


def test_a_bot_that_goes_down_refuses(bot: Rig, chat: FakeTelegram) -> None:
    bot.bot.strategy.pairs._control.close()
    assert "not running" in said(chat, "/pairs_halt")
    assert bot.desk.risk.state == "ACTIVE"


@pytest.mark.parametrize("text", ["a_b", "`open", "*x", "[link", "<b>x", "a < b &"])
def test_the_fake_refuses_what_telegram_refuses(text: str) -> None:
    mode = "HTML" if "<b>" in text else "Markdown"
    if text == "a < b &":
        assert shown("a &lt; b &amp;", "HTML") == text
        return
    with pytest.raises(RefusedError, match="can't parse entities"):
        shown(text, mode)


def test_messages_of_the_start_reach_the_chat(make_bot, chat: FakeTelegram, tmp_path: Path) -> None:
    """The name of the pairs file has an underscore: Telegram would refuse it as unclosed Markdown."""
    rig = make_bot(telegram=telegram_block(chat))
    rig.bot.process()
    chat.wait(lambda: any("chosen among 6 combinations" in m.text for m in chat.sent), "say what it trades")
    chat.wait(lambda: any(str(tmp_path) in m.text for m in chat.sent), "name the pairs file")
    assert chat.refused == []
