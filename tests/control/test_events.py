"""Pair events: one message each to webhook and Discord, the event log, and the lines to grep for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from harness import Rig

from pairbot_ext.voice.eventlog import EventLog


@contextmanager
def webhook_server(on_message: Any = None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that takes JSON, and what came."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if on_message is not None:
                message["seen"] = on_message()
            got.append(message)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", got
    finally:
        server.shutdown()
        server.server_close()


def webhook_block(url: str) -> dict[str, Any]:
    """As docs/control.md has it, and Freqtrade's own message of a leg."""
    return {
        "enabled": True, "url": url, "format": "json", "status": {"text": "{status}"},
        "warning": {"text": "{status}"}, "entry": {"leg": "{pair}"},
    }  # fmt: skip


def discord_block(url: str) -> dict[str, Any]:
    """As docs/control.md has it."""
    return {
        "enabled": True, "webhook_url": url, "entry_fill": [], "exit_fill": [],
        "status": [{"pairs": "{status}"}], "warning": [{"pairs": "{status}"}],
    }  # fmt: skip


def close_all(rig: Rig) -> None:
    """By hand, as the commands do it."""
    rig.bot.strategy.pairs._control.service.close("all", "a test")


def test_webhook_and_discord_get_every_pair_event_once(make_bot) -> None:
    rigs: list[Rig] = []
    with (
        webhook_server(lambda: len(rigs[0].posts()) if rigs else 0) as (hook, hooked),
        webhook_server() as (discord, discorded),
    ):
        rig = make_bot(dry_run=False, webhook=webhook_block(hook), discord=discord_block(discord))
        rigs.append(rig)
        rig.bot.process()
        close_all(rig)
        texts = [message["text"] for message in hooked if "text" in message]
        shown = [message["embeds"][0]["fields"][0]["value"] for message in discorded]
        for pair in ("ADA_ALGO", "XRP_DOGE"):
            for event in ("opened, both legs hedged", "closed (pair_operator), profit"):
                for channel in (texts, shown):
                    told = [text for text in channel if text.startswith(f"Pair {pair}") and event in text]
                    assert len(told) == 1, (pair, event, channel)
    # Freqtrade's own message of leg A leaves when leg B is out: a slow webhook cannot hold it up.
    assert [message["seen"] for message in hooked if "leg" in message] == [2, 2, 4, 4]


def read_events(rig: Rig) -> list[dict[str, Any]]:
    """The event log; what is queued is written first."""
    rig.desk.watch.events.close()
    return [json.loads(line) for line in rig.desk.watch.events.path.read_text("utf-8").splitlines()]


def test_the_event_log_and_the_lines_to_grep_for(make_bot, tmp_path: Path) -> None:
    pairs = {"pairs_file": str(tmp_path / "pairs.json"), "leverage": 2, "log": {"level": "INFO"}}
    rig = make_bot(dry_run=False, pairbot=pairs)
    rig.fault(when={"leg": "B", "role": "e", "symbol": "DOGEUSDT"}, answer="reject", code=-2019)
    rig.bot.strategy.pairs._control.service.lock("ADA_ALGO", "a test")
    with_log(rig)
    rig.bot.process()
    rig.bot.strategy.pairs._control.service.unlock("ADA_ALGO", "a test")
    unlock_all(rig)
    rig.bot.process()
    close_all(rig)
    events = read_events(rig)
    kinds = [event["event"] for event in events if event["event"] != "state"]
    assert kinds == [
        "signal_received", "rejected", "signal_received", "rollback", "not_opened",
        "signal_received", "opened", "closed",
    ], kinds  # fmt: skip
    rejected = events[1]
    assert (rejected["code"], rejected["pair"]) == ("pair_locked", "ADA_ALGO")
    opened = next(event for event in events if event["event"] == "opened")
    assert (opened["pair"], opened["state"], opened["mode"]) == ("ADA_ALGO", "HEDGED", "live")
    assert [leg["side"] for leg in opened["legs"]] == ["short", "long"]
    assert opened["legs"][0]["orders"][0]["client_id"].startswith(f"pb-{opened['pair_trade']}-A-e-1")
    assert float(opened["legs"][0]["orders"][0]["average"]) == pytest.approx(0.6963, abs=0.01)
    assert events[-1]["reason"] == "pair_operator"
    assert all(event["ts"].endswith("+00:00") for event in events)
    log = (Path(rig.bot.config["user_data_dir"]) / "logs" / "pairbot.log").read_text("utf-8")
    for line in (
        "SIGNAL RECEIVED: pair ADA_ALGO short spread, z +2.5", "REJECTED: pair ADA_ALGO is not entered "
        "(pair_locked)", "ROLLBACK: Pair XRP_DOGE", "ROLLBACK finished: Pair XRP_DOGE",
        "TRADE EXECUTED: Pair ADA_ALGO",
    ):  # fmt: skip
        assert line in log, line


def with_log(rig: Rig) -> None:
    """pytest leaves the root logger at WARNING, where Freqtrade has INFO."""
    import logging

    logging.getLogger().setLevel(logging.INFO)


def unlock_all(rig: Rig) -> None:
    """A refused pair is locked until the next candle, which is an hour away."""
    from freqtrade.persistence import PairLocks

    for symbol in ("ADA/USDT:USDT", "ALGO/USDT:USDT"):
        PairLocks.unlock_pair(symbol)


def test_events_that_cannot_be_written_stop_nothing(make_bot, tmp_path: Path) -> None:
    (tmp_path / "user_data" / "mine").mkdir(parents=True)
    (tmp_path / "user_data" / "mine" / "logs").write_text("a file where the folder should be")
    log = {"file": "mine/logs/pairbot.log"}
    pairs = {"pairs_file": str(tmp_path / "pairs.json"), "leverage": 2, "log": log}
    rig = make_bot(dry_run=False, pairbot=pairs)
    rig.bot.process()
    assert rig.states() == ["HEDGED", "HEDGED"]
    close_all(rig)
    rig.check_flat()
    rig.desk.watch.events.close()
    # When it can be written again, the log says how many are missing.
    (tmp_path / "user_data" / "mine" / "logs").unlink()
    rig.desk.watch.events.write({"event": "later"})
    first, second = read_events(rig)
    assert first["event"] == "events_lost"
    assert first["count"] >= 6
    assert second == {"event": "later"}


def test_rotation(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", max_bytes=200, backups=2)
    for number in range(30):
        log.write({"event": "state", "number": number})
        log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["events.jsonl", "events.jsonl.1", "events.jsonl.2"]
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    numbers = sorted(json.loads(line)["number"] for line in lines)
    assert numbers == list(range(numbers[0], 30)), "nothing is torn, the oldest go first"
    assert all(path.stat().st_size <= 200 for path in tmp_path.iterdir())


def test_an_event_that_is_no_json_costs_itself_only(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.write({"event": "bad", "value": float("nan")})
    log.write({"event": "good"})
    log.close()
    assert (tmp_path / "events.jsonl").read_text() == '{"event": "good"}\n'
