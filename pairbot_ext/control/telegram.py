"""The pair commands of Telegram: arguments in, `PairService` asked in a thread, text and picture out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from pairbot_ext.control.service import EVERYTHING, PairService
from pairbot_ext.control.text import chunks, overview_lines, pair_lines, proposal_lines, scan_lines
from pairbot_ext.host.rpc import Chat, Command
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import scrub

logger = logging.getLogger(__name__)

MESSAGE_CHARS = 4096
"""Telegram's limit, after its markup is taken out."""
MOST_MESSAGES = 5
"""An answer longer than this is cut: it would flood the chat."""
BY = "Telegram"
KEYBOARD_ROW = ("/pairs", "/pairs_scan")

HELP = (
    ("pairs", "", "Pairs: state, z, hedge error, PnL with funding, age in half-lives"),
    ("pair", "ID", "One pair: its numbers and a picture of its spread"),
    ("pair_close", "ID|all", "Close both legs of a pair, or every pair, now"),
    ("pair_lock", "ID", "Enter this pair no more; an open one goes on"),
    ("pair_unlock", "ID", "Let this pair be entered again"),
    ("pairs_halt", "", "Kill switch: close every pair, enter nothing"),
    ("pairs_resume", "", "Release the bot after a halt or a tripped risk rule"),
    ("pairs_scan", "", "When the last scan was made and what it found"),
    ("pairs_accept", "ID", "Take the new selection over that waits; without ID: show it"),
)


def commands(service: Callable[[], PairService | None]) -> dict[str, tuple[Command, str]]:
    """Every command with its line for Telegram's menu.

    :param service: None where the strategy is not running (any more).
    """
    plain: dict[str, Callable[[PairService], list[str]]] = {
        "pairs": lambda pairs: overview_lines(pairs.overview()),
        "pairs_halt": lambda pairs: [pairs.halt(BY).result],
        "pairs_resume": lambda pairs: [pairs.resume(BY).result],
        "pairs_scan": lambda pairs: scan_lines(pairs.scan()),
    }
    with_id: dict[str, Callable[[PairService, str], list[str]]] = {
        "pair_close": lambda pairs, wanted: [pairs.close(wanted, BY).result],
        "pair_lock": lambda pairs, wanted: [pairs.lock(wanted, BY).result],
        "pair_unlock": lambda pairs, wanted: [pairs.unlock(wanted, BY).result],
    }
    made: dict[str, Command] = {"pair": _pair(service), "pairs_accept": _accept(service)}
    made |= {name: _plain(service, name, ask) for name, ask in plain.items()}
    made |= {name: _with_id(service, name, ask) for name, ask in with_id.items()}
    return {
        name: (made[name], f"{argument + ': ' if argument else ''}{text}") for name, argument, text in HELP
    }


async def help_command(chat: Chat, _arguments: Sequence[str]) -> None:
    """A second message after Freqtrade's own /help, which fills almost a whole one."""
    lines = [
        f"<b>/{name}{' ' + escape(f'<{argument}>') if argument else ''}:</b> <code>{escape(text)}</code>"
        for name, argument, text in HELP
    ]
    await chat.say("\n".join(["<i>Pairs</i>", "------------", *lines]))


def _plain(
    service: Callable[[], PairService | None], name: str, ask: Callable[[PairService], list[str]]
) -> Command:
    async def answer(chat: Chat, arguments: Sequence[str]) -> None:
        if arguments:
            await _say(chat, [f"/{name} takes no argument, got {len(arguments)}. Nothing was done."])
            return
        await _answer(chat, service, ask)

    return answer


def _with_id(
    service: Callable[[], PairService | None], name: str, ask: Callable[[PairService, str], list[str]]
) -> Command:
    async def answer(chat: Chat, arguments: Sequence[str]) -> None:
        wanted = await _one_id(chat, name, arguments)
        if wanted is not None:
            await _answer(chat, service, lambda pairs: ask(pairs, wanted))

    return answer


def _pair(service: Callable[[], PairService | None]) -> Command:
    async def answer(chat: Chat, arguments: Sequence[str]) -> None:
        wanted = await _one_id(chat, "pair", arguments)
        if wanted is None:
            return
        if not await _answer(chat, service, lambda pairs: pair_lines(pairs.pair(wanted))):
            return
        # The numbers are out: drawing takes a second, and may not be possible.
        png = await _ask(chat, service, lambda pairs: pairs.picture(wanted))
        if png is not None and not await chat.show(png, caption=f"{wanted}: z of the spread"):
            await _say(chat, ["Telegram has not taken the picture; the log says why"])

    return answer


def _accept(service: Callable[[], PairService | None]) -> Command:
    async def answer(chat: Chat, arguments: Sequence[str]) -> None:
        # The id is asked for: a newer selection may have come since the one that was read.
        if not arguments:
            await _answer(chat, service, lambda pairs: proposal_lines(pairs.scan()))
            return
        wanted = await _one_id(chat, "pairs_accept", arguments)
        if wanted is not None:
            await _answer(chat, service, lambda pairs: [pairs.accept(wanted, BY).result])

    return answer


async def _one_id(chat: Chat, name: str, arguments: Sequence[str]) -> str | None:
    if len(arguments) == 1:
        return arguments[0]
    usage = f"/{name} ID" + (f", or /{name} {EVERYTHING}" if name == "pair_close" else "")
    await _say(
        chat, [f"Write {usage}: got {len(arguments)} arguments. Nothing was done; /pairs lists the ids."]
    )
    return None


async def _answer(
    chat: Chat, service: Callable[[], PairService | None], ask: Callable[[PairService], list[str]]
) -> bool:
    """Ask in a thread and say it. Returns whether there was an answer."""
    lines = await _ask(chat, service, ask)
    if lines is None:
        return False
    await _say(chat, lines)
    return True


async def _ask(
    chat: Chat, service: Callable[[], PairService | None], ask: Callable[[PairService], Any]
) -> Any:
    """What the service says, or None where it refused: then that was said."""
    pairs = service()
    if pairs is None:
        await _say(chat, ["The strategy is not running: it is being stopped or reloaded"])
        return None
    try:
        return await chat.run(lambda: ask(pairs))
    except PairbotError as error:
        await _say(chat, [str(error)])
    except Exception as error:
        logger.exception("A pair command failed")
        await _say(chat, [f"This failed: {type(error).__name__}: {error}", "The log has the details"])
    return None


async def _say(chat: Chat, lines: Sequence[str]) -> None:
    texts = chunks(scrub("\n".join(lines)).split("\n"), MESSAGE_CHARS)
    for text in texts[:MOST_MESSAGES]:
        await chat.say(f"<pre>{escape(text)}</pre>")
    if len(texts) > MOST_MESSAGES:
        await chat.say(escape(f"... {len(texts) - MOST_MESSAGES} more messages; the API has it all"))
