"""One bot, seen by the engine: what is private in Freqtrade is reached through here.

`install` replaces a few methods on the *instances* of one bot, its exchange and its ccxt client (nothing
global, nothing that survives /reload_config), so that every order passes the guard (I1), and so that
Freqtrade's housekeeping requests wait until both legs are out.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any, cast

import ccxt
from freqtrade.exchange import Exchange
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from sqlalchemy import Engine

from pairbot_ext.host import bot_hooks, client_hooks
from pairbot_ext.host.access import with_own_connections
from pairbot_ext.host.deferral import Deferral, FundingQuestion
from pairbot_ext.host.hooks import Hooks
from pairbot_ext.host.private import RPC_OF_PROVIDER
from pairbot_ext.support.errors import PairbotError


class Bridge:
    """One bot, seen by the execution engine."""

    def __init__(self, bot: FreqtradeBot) -> None:
        self.bot = bot
        self.exchange: Exchange = bot.exchange
        self.api: Any = bot.exchange._api
        self.is_dry_run = bool(bot.config["dry_run"])
        self.rates: dict[str, float] = {}
        self.prepared: set[tuple[str, int]] = set()
        self.histories: dict[str, tuple[datetime, dict[str, Any] | None]] = {}
        self.originals: dict[str, Callable[..., Any]] = {}
        self.loop_secs: float | None = None
        """How long the last loop took; None before the first."""
        self._hooks: Hooks | None = None
        self.deferral = Deferral(bot, self.open_trade, bot.wallets.update, self._read_funding)

    @classmethod
    def of(cls, strategy: IStrategy) -> "Bridge":
        """The bot a strategy runs in. Raises PairbotError where there is none (backtesting)."""
        rpc = getattr(strategy.dp, RPC_OF_PROVIDER, None)
        if rpc is None:
            raise PairbotError("this strategy runs without a bot: there is nothing to send orders with")
        return cls(rpc._rpc._freqtrade)

    @property
    def engine(self) -> Engine:
        """Freqtrade's database."""
        return cast(Engine, Trade.session.get_bind())

    @property
    def exit_lock(self) -> threading.Lock:
        """Freqtrade's lock between the loop and the RPC thread. Not reentrant; held in callbacks."""
        return self.bot._exit_lock

    # -- installing --------------------------------------------------------------------------------

    def refuse_orders(self) -> None:
        """Until `install`: Freqtrade's RPC is up before its strategy, and would send without an intent."""

        def refuse(*_: Any, **__: Any) -> dict[str, Any]:
            raise ccxt.OperationRejected("pairbot: the bot is still starting, try again in a moment")

        self.api.create_order = refuse

    def original(self, name: str) -> Callable[..., Any]:
        """An unguarded method of the ccxt client: create_order, fetch_order, cancel_order, fetch_time."""
        # Of the class: the instance's own may be the refusing one.
        return self.originals.get(name) or partial(getattr(type(self.api), name), self.api)

    def another_client(self) -> Any:
        """An unguarded copy of the bot's ccxt client with connections of its own: settings, credentials,
        options (the clock's correction is in them) and markets are the bot's."""
        client = with_own_connections(self.api)
        for name in (
            "create_order",
            "fetch_order",
            "cancel_order",
            "fetch2",
            "on_rest_response",
            "set_margin_mode",
        ):
            vars(client).pop(name, None)
        assert self._hooks is not None
        client_hooks.count_requests(client, self._hooks)
        return client

    def refresh(self, client: Any) -> Any:
        """The client with the markets and options Freqtrade's own has now, handed on as Freqtrade does."""
        client.set_markets_from_exchange(self.api)
        client.options = self.api.options
        return client

    def install(self, hooks: Hooks) -> None:
        """Route the bot's orders and questions through `hooks`. Once per bot."""
        self._hooks = hooks
        vars(self.api).pop("create_order", None)
        for name in ("create_order", "fetch_order", "cancel_order"):
            self.originals[name] = getattr(self.api, name)
        client_hooks.route_orders(self, hooks)
        client_hooks.count_requests(self.api, hooks)
        client_hooks.accept_margin_mode(self.api)
        client_hooks.rehearse_orders(self, hooks)
        bot_hooks.put_off_housekeeping(self, hooks)
        bot_hooks.follow_bot(self, hooks)

    # -- housekeeping that waits -------------------------------------------------------------------

    def deferred(self) -> AbstractContextManager[None]:
        """See `Deferral.scope`."""
        return self.deferral.scope()

    def tell_later(self, tell: Callable[[], None]) -> None:
        """See `Deferral.hold_message`; only within a `deferred` scope."""
        self.deferral.hold_message(tell)

    def catch_up(self) -> None:
        """See `Deferral.catch_up`."""
        self.deferral.catch_up()

    def _read_funding(self, question: FundingQuestion) -> float:
        """Funding since the last fill. Raises where it cannot be read: Freqtrade's own answers 0 then."""
        if self.is_dry_run:
            return float(
                self.exchange._fetch_and_calculate_funding_fees(
                    question.pair, question.amount, question.is_short, question.open_date
                )
            )
        return float(self.exchange._get_funding_fees_from_exchange(question.pair, question.open_date))

    # -- the rest of what is private ---------------------------------------------------------------

    def oldest_fill_ms(self) -> int | None:
        """When the open trades were filled last, of the one for which that is longest ago; epoch ms."""
        filled = [trade.date_last_filled_utc for trade in Trade.get_open_trades()]
        return min((int(when.timestamp()) * 1000 for when in filled if when is not None), default=None)

    def open_trade(self, symbol: str) -> Trade | None:
        """Freqtrade's open trade on a symbol (there is at most one: position_stacking is refused)."""
        return Trade.get_trades([Trade.is_open.is_(True), Trade.pair == symbol]).first()

    def book_history(self, trade: Trade, since: datetime, invented: dict[str, Any] | None = None) -> None:
        """Have Freqtrade book orders of the trade's symbol that it does not know. Raises FreqtradeException.

        :param since: Freqtrade itself would look no further back than the trade it made on adoption.
        :param invented: ccxt's structure of an order to be booked instead of what the venue lists.
        """
        self.histories[trade.pair] = (since, invented)
        try:
            self.bot.handle_onexchange_order(trade)
        finally:
            del self.histories[trade.pair]

    def set_symbol(self, symbol: str, leverage: int, *, is_isolated: bool, has_leverage: bool) -> None:
        """Set what differs of margin mode and leverage. Raises FreqtradeException.

        :param is_isolated, has_leverage: what the venue has just said it is already.
        """
        if not is_isolated:
            self.exchange.set_margin_mode(symbol, self.exchange.margin_mode)
        if not has_leverage:
            self.exchange._set_leverage(leverage, symbol)
        # Freqtrade would set both before each order.
        self.prepared.add((symbol, leverage))

    def remember_rate(self, symbol: str, rate: float) -> None:
        """A price just read from the book, for notifications sent while questions wait."""
        self.rates[symbol] = rate

    def remember_fill(self, symbol: str, average: float | None) -> None:
        """Freqtrade's message of an order names the market's price. A process that has seen none yet would
        read the book for it, in five attempts, while the other leg waits: what was paid will do."""
        if average is not None:
            self.rates.setdefault(symbol, average)

    def last_rate(self, symbol: str) -> float | None:
        """The last price Freqtrade or the engine has seen."""
        return self.rates.get(symbol)

    def keep_dry_order(self, order: dict[str, Any]) -> None:
        """Put a finished order where Freqtrade looks for its dry-run orders."""
        self.exchange._dry_run_open_orders[order["id"]] = cast(Any, order)
