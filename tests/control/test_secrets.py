"""Marked secrets through a real bot that meets every kind of failure, at DEBUG: they are written nowhere."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import requests
from control_world import api_block, telegram_block
from freqtrade.loggers import LOGFORMAT, bufferHandler
from freqtrade.rpc.api_server import ApiServer
from harness import Rig

from pairbot_ext.cli import main
from pairbot_ext.sim.overlay import API_KEY, API_SECRET
from pairbot_ext.sim.telegram_api import FakeTelegram
from pairbot_ext.startup.checks import check_market
from pairbot_ext.support.errors import SettingsError
from pairbot_ext.support.redact import hide, protect, scrub, secrets_of

WEBHOOK = "http://127.0.0.1:9/services/marked-webhook-path-7Q"
DISCORD = "http://127.0.0.1:9/api/webhooks/123/marked-discord-path-8R"
MARKED = ("marked-webhook-path-7Q", "marked-discord-path-8R", "marked-jwt", "marked-ws-token", "marked-pass")


@pytest.fixture
def written() -> io.StringIO:
    """What a console at DEBUG would show: every logger, libraries included."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(LOGFORMAT))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    return stream


@pytest.fixture
def all_levels() -> Any:
    """As with -vvv, after the start."""
    names = ("ccxt", "ccxt.base.exchange", "urllib3", "httpx", "httpcore", "telegram", "freqtrade", "uvicorn")
    before = {name: logging.getLogger(name).level for name in names}

    def lower() -> None:
        for name in names:
            logging.getLogger(name).setLevel(logging.DEBUG)

    yield lower
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.swallows("InvalidToken", "headers {")
def test_no_secret_is_written_anywhere(
    make_bot, chat: FakeTelegram, tmp_path: Path, capfd: pytest.CaptureFixture[str], written: io.StringIO,
    all_levels: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in chat.environment.items():
        # The preflight of a live start asks the real address: the fake stands in its place, as a proxy.
        monkeypatch.setenv(name, value)
    bufferHandler.buffer.clear()
    logging.getLogger().addHandler(bufferHandler)
    server = api_block() | {
        "password": "marked-pass-4711-abc", "jwt_secret_key": "marked-jwt-4711-abcdefghijklmnop-0123456789",
        "ws_token": "marked-ws-token-4711",
    }  # fmt: skip
    fields = {"status": {"text": "{status}"}, "warning": {"text": "{status}"}, "entry": {"text": "{pair}"}}
    log = {"file": "logs/pairbot.log", "level": "DEBUG"}
    rig = make_bot(
        dry_run=False,
        telegram=telegram_block(chat),
        api_server=server,
        webhook={"enabled": True, "url": WEBHOOK, "format": "json", **fields},
        discord={"enabled": True, "webhook_url": DISCORD, "status": [{"pairs": "{status}"}]},
        pairbot={"pairs_file": str(tmp_path / "pairs.json"), "leverage": 2, "log": log},
    )
    all_levels()
    texts: list[str] = []
    try:
        # Every kind of answer that makes ccxt raise, on orders, questions and housekeeping.
        for answer in ("html_502", "reset", "read_timeout", "unknown_503_msg", "empty_200"):
            rig.fault(when={"call": "POST /fapi/v1/order", "leg": "B", "times": 1}, answer=answer)
            rig.fault(when={"call": "GET /fapi/*", "times": 2}, answer=answer)
        rig.fault(when={"leg": "A", "role": "x"}, answer="reject", code=-2015)
        rig.bot.process()
        for _ in range(3):
            rig.bot.process()
        # A token Telegram refuses is in the error python-telegram-bot raises.
        chat.token, mine = "1:other", chat.token
        chat.say("/pairs")
        chat.wait(lambda: "getUpdates: Unauthorized" in chat.refused, "be refused")
        chat.token = mine
        base = f"http://127.0.0.1:{server['listen_port']}/api/v1"
        login = (server["username"], server["password"])
        for path in ("pairs", "show_config", "logs", "pairs/NO_SUCH", "pairs_scan"):
            texts.append(requests.get(f"{base}/{path}", auth=login, timeout=20).text)
        requests.get(f"{base}/pairs", auth=(login[0], "marked-pass-4711-abx"), timeout=20)
        rig.bot.strategy.pairs._control.service.close("all", "a test")
        rig.bot.process()
        logging.getLogger("a.library").error("GET https://x/?symbol=A&signature=%s", "ab12" * 16)
        try:
            raise RuntimeError(f"headers {{'X-MBX-APIKEY': '{API_KEY}'}} of {WEBHOOK}")
        except RuntimeError:
            logging.getLogger("a.library").exception("It broke with %s", API_SECRET)
        rig.desk.watch.events.close()
        assert rig.pair_trades(), "the bot has traded"
    finally:
        rig.bot.rpc.cleanup()
        ApiServer.shutdown()
    database = f"sqlite:///{tmp_path / 'trades.sqlite'}"
    for command in (
        ["status", "--db-url", database, "--orders"], ["status", "--db-url", database, "--json"],
        ["report", database, "--out", str(tmp_path / "report")],
        ["preflight", "-c", str(tmp_path / "config.json"), "--json"],
        ["preflight", "-c", str(tmp_path / "config.json")],
    ):  # fmt: skip
        assert main(command) in (0, 1, 2)
    out, err = capfd.readouterr()
    files = {
        path: path.read_text("utf-8", errors="replace")
        for folder in (tmp_path / "user_data", tmp_path / "report")
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".log", ".jsonl", ".json", ".html", ".csv", ".md")
    }
    logs = [path for path in files if path.suffix in (".log", ".jsonl")]
    assert len(logs) == 2, logs
    console = written.getvalue()
    buffered = "\n".join(bufferHandler.format(record) for record in bufferHandler.buffer)
    chatted = "\n".join(message.text for message in chat.sent)
    everything = {**files, "console": console, "out": out, "err": err, "buffer": buffered, "chat": chatted,
                  "api": "\n".join(texts), "database": database_text(rig)}  # fmt: skip
    assert "Could not call webhook url" in console, "the webhook has failed, and said so"
    assert "/fapi/v1/order" in console, "requests were logged"
    assert "It broke with ***" in console
    for place, text in everything.items():
        for secret in (API_KEY, API_SECRET, chat.token, *MARKED):
            assert secret not in text, f"{secret} in {place}"
        signed = text.partition("signature=")[2]
        assert not signed or signed.startswith("[removed]"), f"a signature in {place}: {signed[:100]}"


def database_text(rig: Rig) -> str:
    """Journal and pair trades as they are stored."""
    rows = [*rig.orders(), *rig.events(), *rig.pair_trades()]
    return json.dumps([{key: str(value) for key, value in vars(row).items()} for row in rows])


@pytest.mark.parametrize("block", ["ccxt_config", "ccxt_sync_config", "ccxt_async_config"])
def test_ccxt_verbose_is_refused(block: str) -> None:
    """It prints headers past all logging."""
    config = {"trading_mode": "futures", "margin_mode": "isolated", "exchange": {block: {"verbose": True}}}
    with pytest.raises(SettingsError, match=rf"exchange\.{block}\.verbose"):
        check_market(config, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "secrets"),
    [
        ({"db_url": "postgresql://bot:p%40ss-word-9@db/x"}, {"p%40ss-word-9", "p@ss-word-9"}),
        ({"exchange": {"key": "k" * 10, "ccxt_config": {"apiKey": "a" * 10}}}, {"k" * 10, "a" * 10}),
        ({"webhook": {"url": "https://h/x/y-z-1"}}, {"https://h/x/y-z-1", "/x/y-z-1"}),
        ({"pairlists": [{"bearer_token": "bearer-1234"}]}, {"bearer-1234"}),
        ({"api_server": {"ws_token": ["token-one-1", "token-two-2"]}}, {"token-one-1", "token-two-2"}),
        ({"bot_name": "https://example.org", "exchange": {"key": ""}}, set()),
    ],
)
def test_what_is_secret_in_a_configuration(config: dict[str, Any], secrets: set[str]) -> None:
    assert secrets_of(config) == secrets


def test_scrubbing() -> None:
    protect("very-secret-value")
    for text in (
        "x very-secret-value y", "POST https://v/fapi?a=1&signature=0a1b2c&recvWindow=2",
        '{"apiKey": "abc123"}',
        "Error: The token `123456789:AAbbccddeeffgghhiijjkkllmmnnooppqqr` was rejected", "very%2Dsecret",
    ):  # fmt: skip
        clean = scrub(text)
        for secret in ("very-secret-value", "0a1b2c", "abc123", "AAbbccdd"):
            assert secret not in clean
    assert scrub("recvWindow=2 symbol=ADAUSDT z=2.5") == "recvWindow=2 symbol=ADAUSDT z=2.5"
    assert hide("abc ab", {"ab", "abc"}) == "*** ***"
    protect()
    protect()
    factory: Any = logging.getLogRecordFactory()
    assert not isinstance(factory._inner, type(factory)), "installed once"
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%d wrong %s", (1,), None)
    assert record.msg == "%d wrong %s"
    logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, "%d wrong %s", (1,), None)
