"""`python -m pairbot_ext.demo.walkthrough`: what a new user does, for real, written down for the docs.

Scan, preflight, a `freqtrade trade` process in dry-run on the simulated exchange, the pair commands over a
Bot API on this machine, the report. The process is not changed in any way: it takes the loopback Bot API for
api.telegram.org because that is its HTTPS proxy. Run it in the cloned repository.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pairbot_ext.demo.process import BotProcess, ExchangeProcess
from pairbot_ext.demo.steps import Workplace, find_workplace, pairbot_command
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.telegram_api import FakeTelegram, Sent
from pairbot_ext.support.errors import PairbotError

SEED = 20260201
TRANSCRIPT = Path("docs/chat-transcript.md")
PICTURE = Path("docs/images/chat-pair.png")
_START = datetime(2025, 6, 1, tzinfo=UTC)
_FORMATION_CANDLES = 1440
_READY_SECS, _OPEN_SECS, _STEP_SECS, _ANSWER_SECS = 90.0, 180.0, 300.0, 30.0
_INTRODUCTION = """\
# A walk through the commands and the chat

Written by `python -m pairbot_ext.demo.walkthrough`, which does all of it for real on this machine: a scan of
generated candles, a `freqtrade trade` process in dry-run on the simulated exchange, Freqtrade's own Telegram
module in front of a Bot API on loopback. The market's spreads are scripted: the profits mean nothing.
"""


class _Transcript:
    """Collects what was typed and what came back.

    :param root: taken out of paths: a reader has another directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/"
        self._parts = [_INTRODUCTION]

    def title(self, text: str) -> None:
        """A heading."""
        self._parts.append(f"\n## {text}\n")

    def say(self, text: str) -> None:
        """A sentence between two boxes."""
        self._parts.append(f"\n{text}\n")

    def box(self, text: str) -> None:
        """Output as it was."""
        lines = [line.rstrip() for line in text.replace(self._root, "").strip("\n").splitlines()]
        self._parts.append("\n```\n" + "\n".join(lines) + "\n```\n")

    def chat(self, asked: str, answers: Sequence[Sent]) -> None:
        """A command and the bot's answer."""
        lines = [f"> {asked}"]
        for answer in answers:
            lines += ["", "[picture, below] " * bool(answer.photo) + answer.text]
        self.box("\n".join(lines))

    def text(self) -> str:
        """The document."""
        return "".join(self._parts)


def main() -> int:
    """Write the transcript and the picture. Raises PairbotError where a step fails."""
    with tempfile.TemporaryDirectory(prefix="walkthrough-", dir="user_data") as folder:
        workplace = find_workplace(Path(folder))
        transcript = _Transcript(workplace.root)
        with FakeTelegram() as chat:
            os.environ.update(chat.environment)
            _scan(workplace, transcript)
            _trade(workplace, transcript, chat)
        # The folder's name is chance.
        shown = transcript.text().replace(workplace.shown(workplace.folder), "user_data/walkthrough")
    TRANSCRIPT.write_text(shown, encoding="utf-8")
    print(f"Wrote {TRANSCRIPT} and {PICTURE}")
    return 0


def _run(workplace: Workplace, transcript: _Transcript, *arguments: str, codes: Sequence[int] = (0,)) -> None:
    """A `pairbot` command as a user types it."""
    done = subprocess.run(
        pairbot_command(*arguments), cwd=workplace.root, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, env=os.environ | {"COLUMNS": "100"}, timeout=_STEP_SECS, check=False,
    )  # fmt: skip
    if done.returncode not in codes:
        raise PairbotError(
            f"`pairbot {arguments[0]}` ended with exit code {done.returncode}", remedy=done.stderr[-2000:]
        )
    transcript.box(f"$ pairbot {shlex.join(arguments)}\n\n{done.stdout}")


def _scan(workplace: Workplace, transcript: _Transcript) -> None:
    transcript.title("Scan")
    data = write_synthetic_datadir(
        workplace.folder / "data", seed=SEED, start=_START, candles=_FORMATION_CANDLES
    )
    transcript.say(
        f"{len(data.symbols)} generated symbols, {len(data.planted)} planted pairs: "
        f"{', '.join(pair.pair_id for pair in data.planted)}."
    )
    end = _START + timedelta(hours=_FORMATION_CANDLES)
    _run(
        workplace, transcript, "scan", "--datadir", workplace.shown(data.path), "--timeframe", "1h",
        "--formation", str(_FORMATION_CANDLES), "--end", end.isoformat(), "--rule", "naive",
        "--out", workplace.shown(workplace.folder / "pairs.json"),
    )  # fmt: skip


def _trade(workplace: Workplace, transcript: _Transcript, chat: FakeTelegram) -> None:
    settings = {
        "bot_name": "pairbot walkthrough", "dry_run": True, "max_open_trades": 8, "stake_amount": 500,
        "dry_run_wallet": 10_000, "internals": {"process_throttle_secs": 2},
        "telegram": {"enabled": True, "token": chat.token, "chat_id": str(chat.chat_id)},
        "pairbot": {"streams": True},
    }  # fmt: skip
    with ExchangeProcess(workplace, seed=SEED) as exchange:
        exchange.control.state()
        with BotProcess(workplace, exchange, "bot", settings) as bot:
            transcript.title("Preflight")
            files = (workplace.config, workplace.folder / "bot.json", exchange.overlay)
            config = [part for path in files for part in ("-c", workplace.shown(path))]
            _run(workplace, transcript, "preflight", *config, codes=(0, 1))
            bot.wait_for("start trading", bot.is_running, _READY_SECS)
            database = f"sqlite:///{workplace.shown(bot.database)}"
            status = partial(
                _run, workplace, transcript, "status", "--open", "--db-url", database, codes=(0, 1)
            )
            _chat(transcript, chat, status)
            bot.finish()
        transcript.title("Report")
        pairs = workplace.shown(exchange.pairs)
        _run(workplace, transcript, "report", database, "--pairs-file", pairs, codes=(0, 1))


def _opened(chat: FakeTelegram) -> list[str]:
    """Ids of the pairs the bot has told of as opened, without those it has told of as closed."""
    open_: dict[str, None] = {}
    for message in list(chat.sent):
        words = message.text.removeprefix("Status: ").split()
        if words[:1] == ["Pair"] and "opened, both legs hedged" in message.text:
            open_[words[1]] = None
        elif words[:1] == ["Pair"] and ": closed (" in message.text:
            open_.pop(words[1], None)
    return list(open_)


def _ask(transcript: _Transcript, chat: FakeTelegram, text: str, *marks: str) -> list[Sent]:
    """Ask, wait for a message with each of the marks, and keep those: the bot also speaks on its own."""

    def marked(mark: str) -> list[Sent]:
        return [message for message in chat.sent[before:] if mark in message.text]

    before = len(chat.sent)
    chat.say(text)
    chat.wait(lambda: all(marked(mark) for mark in marks), f"answer {text}", _ANSWER_SECS)
    got = list(dict.fromkeys(message for mark in marks for message in marked(mark)[:1]))
    transcript.chat(text, got)
    return got


def _chat(transcript: _Transcript, chat: FakeTelegram, status: Callable[[], None]) -> None:
    transcript.title("Chat")
    chat.wait(lambda: bool(_opened(chat)), "open a pair", _OPEN_SECS)
    transcript.say("The bot tells of each pair once:")
    transcript.box(next(message.text for message in chat.sent if "both legs hedged" in message.text))
    transcript.say("It hears the venue's streams: each price is shown with its source and age.")
    _ask(transcript, chat, "/pairs", "risk ACTIVE")
    transcript.say("The same from outside, as the bot noted it last:")
    status()
    pair = _opened(chat)[0]
    for answer in _ask(transcript, chat, f"/pair {pair}", "\n  leg A ", f"{pair}: z of the spread"):
        if answer.photo is not None:
            PICTURE.write_bytes(answer.photo)
    transcript.say(f"![z of the spread of {pair}, thresholds, prices of both legs](images/chat-pair.png)")
    # The market turns every minute: a pair may have closed by itself meanwhile.
    chat.wait(lambda: bool(_opened(chat)), "have a pair open", _OPEN_SECS)
    pair = _opened(chat)[0]
    _ask(transcript, chat, f"/pair_close {pair}", "closed (pair_operator)", ") closed")
    _ask(transcript, chat, f"/pair_lock {pair}", "is locked")
    _ask(transcript, chat, "/pairs_scan", "scan of")
    transcript.say("The kill switch closes every pair and enters nothing until a person releases it:")
    _ask(transcript, chat, "/pairs_halt", "HALTED by Telegram")
    _ask(transcript, chat, "/pairs_resume", "ACTIVE again")
    _ask(transcript, chat, f"/pair_unlock {pair}", "is unlocked")
    transcript.say("Its own commands are in /help, after Freqtrade's:")
    _ask(transcript, chat, "/help", "/pairs_halt")


if __name__ == "__main__":
    raise SystemExit(main())
