"""A person's commands as Freqtrade's RPC class carries them out: Telegram, API server and FreqUI call it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from freqtrade.enums import State
from freqtrade.exceptions import FreqtradeException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc import RPCException

from pairbot_ext.model.commands import Command

NO_SUCH_TRADE = 4_242
ACTIVE = (State.RUNNING, State.PAUSED)


def give(bot: FreqtradeBot, command: Command, symbol: str | None, anew: Callable[[], None]) -> None:
    """Carry out a command while no loop runs, and live what it makes of the bot's state as Freqtrade's worker
    does. That Freqtrade refuses it is an answer too.

    :param symbol: unified; of commands that are about one. :param anew: makes the bot from its configuration
        again, after this one's cleanup.
    """
    was = bot.state
    with suppress(RPCException, FreqtradeException):
        _carry_out(bot.rpc._rpc, command, symbol or "")
    if bot.state is State.RELOAD_CONFIG:
        bot.cleanup()
        anew()
    elif bot.state in ACTIVE and was not in ACTIVE:
        bot.startup()
    elif bot.state is State.STOPPED and was is not State.STOPPED:
        bot.check_for_open_trades()


def is_active(bot: FreqtradeBot) -> bool:
    """Whether its worker lets it trade."""
    return bot.state in ACTIVE


def _carry_out(rpc: Any, command: Command, symbol: str) -> None:
    trade = next((each for each in Trade.get_open_trades() if each.pair == symbol), None)
    number = NO_SUCH_TRADE if trade is None else trade.id
    match command:
        case Command.FORCE_EXIT:
            rpc._rpc_force_exit(str(number))
        case Command.FORCE_EXIT_PART:
            rpc._rpc_force_exit(str(number), amount=0.0 if trade is None else trade.amount / 3)
        case Command.FORCE_EXIT_ALL:
            rpc._rpc_force_exit("all")
        case Command.FORCE_ENTRY:
            rpc._rpc_force_entry(symbol, None)
        case Command.DELETE:
            rpc._rpc_delete(number)
        case Command.RELOAD_TRADE:
            rpc._rpc_reload_trade_from_exchange(number)
        case Command.CANCEL_OPEN_ORDER:
            rpc._rpc_cancel_open_order(number)
        case Command.BLACKLIST:
            rpc._rpc_blacklist([symbol])
        case Command.PAUSE:
            rpc._rpc_pause()
        case Command.STOP:
            rpc._rpc_stop()
        case Command.START:
            rpc._rpc_start()
        case Command.RELOAD_CONFIG:
            rpc._rpc_reload_config()
