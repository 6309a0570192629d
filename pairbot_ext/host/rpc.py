"""The part of the bridge that touches Freqtrade's Telegram module and API server.

Like `bridge.py` it changes only the instances of one bot: /reload_config builds new ones, and what was added
to the old ones goes with them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from fastapi import APIRouter, Depends
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.api_server import ApiServer
from freqtrade.rpc.api_server.api_auth import http_basic_or_jwt_token
from freqtrade.rpc.api_server.deps import get_rpc, is_trading_mode

# The class that RPCManager imports when Telegram is enabled, and the decorators its own handlers have.
from freqtrade.rpc.telegram import Telegram, authorized_only, safe_async_db
from telegram import BotCommand, BotCommandScopeChat, Update
from telegram.constants import ParseMode
from telegram.error import TelegramError
from telegram.ext import CommandHandler

logger = logging.getLogger(__name__)

API_PREFIX = "/api/v1"
_MARK = "pairbot"
"""Key in the Telegram application's own store: its commands have been added."""
_HELP_GROUP = 1
"""Handlers of one group exclude each other: ours for /help runs after Freqtrade's, in a group of its own."""
_END_SECS = 2.0
_MENU_TRIES, _MENU_PAUSE_SECS = 300, 0.2
"""How long the menu waits for Telegram to answer at all; Freqtrade gives up after three attempts."""


@dataclass(frozen=True)
class Routes:
    """Routes of the API server.

    :param is_private: below /api/v1 and behind the login of Freqtrade's own private routes; else public, and
        below nothing.
    :param lasts: whether an answer takes long: no database session is kept for it.
    """

    router: APIRouter
    is_private: bool = True
    lasts: bool = False


class Chat:
    """The configured chat of one bot, inside its Telegram thread's event loop."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram

    async def run(self, work: Callable[[], Any]) -> Any:
        """Do blocking work in a thread of its own, as Freqtrade does its force-exits: the chat goes on
        meanwhile. The thread's database session is given back afterwards."""
        return await asyncio.get_running_loop().run_in_executor(None, safe_async_db(work))

    async def say(self, html: str) -> None:
        """A message in Telegram's HTML. A failure is logged by Freqtrade, not raised."""
        await self._telegram._send_msg(html, parse_mode=ParseMode.HTML)

    async def show(self, png: bytes, caption: str) -> bool:
        """A photo. Returns whether Telegram has taken it."""
        config = self._telegram._config["telegram"]
        try:
            await self._telegram._app.bot.send_photo(
                config["chat_id"], photo=png, caption=caption, message_thread_id=config.get("topic_id")
            )
        except TelegramError as error:
            logger.warning(f"Telegram has not taken the picture: {error.message}")
            return False
        return True


Command = Callable[[Chat, Sequence[str]], Awaitable[None]]
"""(chat, arguments)."""


def add_telegram_commands(
    bot: FreqtradeBot,
    commands: Mapping[str, tuple[Command, str]],
    help_command: Command,
    keyboard_row: Sequence[str],
) -> bool:
    """Add commands to a bot's Telegram module, once, from any thread.

    They pass Freqtrade's own check of chat, topic and user. The module builds its application in a thread of
    its own: what is added before that waits in its event loop.

    :param commands: name without slash -> (what it does, one line for Telegram's menu).
    :param help_command: runs after Freqtrade's own /help.
    :param keyboard_row: added to Freqtrade's default keyboard; a keyboard of the user's own is left alone.
    :return: whether nothing is left to do; False where the module's thread has not got so far.
    """
    telegram = next((mod for mod in bot.rpc.registered_modules if isinstance(mod, Telegram)), None)
    if telegram is None:
        return True
    loop = cast("asyncio.AbstractEventLoop | None", getattr(telegram, "_loop", None))
    if loop is None:
        return False

    if "cleanup" not in vars(telegram):
        telegram.cleanup = partial(_end, telegram.cleanup, loop)

    def add() -> None:
        app = telegram._app
        if _MARK in app.bot_data:
            return
        menu = {name: text for name, (_, text) in commands.items()}
        # Kept: the event loop itself holds no strong reference to a task.
        app.bot_data[_MARK] = asyncio.get_running_loop().create_task(_add_to_menu(telegram, menu))
        for name, (command, _) in commands.items():
            # Not one after the other: a close that waits for the loop must not keep a halt waiting.
            app.add_handler(CommandHandler(name, _guarded(telegram, command), block=False))
        app.add_handler(CommandHandler("help", _guarded(telegram, help_command)), group=_HELP_GROUP)
        if not telegram._config["telegram"].get("keyboard"):
            telegram._keyboard = [*telegram._keyboard, list(keyboard_row)]

    try:
        loop.call_soon_threadsafe(add)
    except RuntimeError:
        # The module is shutting down and its loop is closed.
        return True
    return True


def _end(cleanup: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
    """Freqtrade's own end of its module leaves its loop in the middle of closing: what is pending there keeps
    the whole bot in memory after /reload_config. The thread is gone: the rest is done here."""
    cleanup()
    try:
        if not loop.is_running() and not loop.is_closed():
            left = asyncio.all_tasks(loop)
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=_END_SECS))
            loop.close()
    except RuntimeError as error:
        logger.debug(f"Telegram's loop: {error}")


def _guarded(telegram: Telegram, command: Command) -> Callable[..., Coroutine[Any, Any, None]]:
    async def handle(module: Telegram, _update: Update, context: Any) -> None:
        await command(Chat(module), list(context.args or ()))

    return partial(authorized_only(handle), telegram)


async def _add_to_menu(telegram: Telegram, menu: Mapping[str, str]) -> None:
    """Offer the commands in the chat's menu, beside those that are there. A chat without them still works."""
    bot = telegram._app.bot
    for _ in range(_MENU_TRIES):
        if telegram._app.running:
            break
        await asyncio.sleep(_MENU_PAUSE_SECS)
    else:
        return
    scope = BotCommandScopeChat(telegram._config["telegram"]["chat_id"])
    try:
        present = await bot.get_my_commands(scope=scope) or await bot.get_my_commands()
        kept = [command for command in present if command.command not in menu]
        await bot.set_my_commands([*kept, *(BotCommand(*each) for each in menu.items())], scope=scope)
    except TelegramError as error:
        logger.warning(f"The commands could not be put into Telegram's menu, they work: {error.message}")


def add_api_routes(bot: FreqtradeBot, make_routers: Callable[[Any], Sequence[Routes]]) -> None:
    """Add routes to a bot's API server, once.

    :param make_routers: builds them; its argument is the dependency that gives the user's name, and refuses
        a request without Freqtrade's login.
    """
    server = next((mod for mod in bot.rpc.registered_modules if isinstance(mod, ApiServer)), None)
    if server is None or getattr(server.app.state, _MARK, False):
        return
    setattr(server.app.state, _MARK, True)
    for each in make_routers(http_basic_or_jwt_token):
        behind: list[Any] = []
        if each.is_private:
            behind = [Depends(http_basic_or_jwt_token), Depends(is_trading_mode)]
        if each.is_private and not each.lasts:
            # It gives each request a database session of its own and takes it back at its end.
            behind.append(Depends(get_rpc))
        server.app.include_router(
            each.router, prefix=API_PREFIX if each.is_private else "", dependencies=behind
        )
        routes = server.app.router.routes
        # Freqtrade's last route answers every path that is left: ours go before it, in one assignment, since
        # the server is serving already.
        routes[:] = [*routes[:-2], routes[-1], routes[-2]]
    # The description of the API was perhaps asked for before.
    server.app.openapi_schema = None


def give_session_back() -> None:
    """A thread that is done with Freqtrade's database."""
    Trade.session.remove()
