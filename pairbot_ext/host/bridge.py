"""The only file that touches Freqtrade's private attributes.

The free functions serve the strategy in every mode, and commands that ask an exchange. `Bridge` serves a
trading bot: it replaces a few methods on the *instances* of one bot, its exchange and its ccxt client
(nothing global, nothing that survives /reload_config), so that every order passes the guard, and so that
Freqtrade's housekeeping requests wait until both legs are out.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any, cast

import ccxt
from freqtrade.configuration import Configuration
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import ExitCheckTuple, ExitType, RunMode
from freqtrade.exceptions import (
    DependencyException,
    InsufficientFundsError,
    InvalidOrderException,
    TemporaryError,
)
from freqtrade.exchange import Exchange
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from sqlalchemy import Engine

from pairbot_ext.host.deferral import Deferral, FundingQuestion
from pairbot_ext.host.hooks import Hooks
from pairbot_ext.host.strangers import within_trade
from pairbot_ext.support.errors import PairbotError

logger = logging.getLogger(__name__)


def exchange_of(provider: DataProvider) -> Exchange:
    """Freqtrade's exchange object, which the data provider keeps to itself.

    Its public methods answer what no provider method does: brackets, minimum stakes, amounts on the step.
    """
    return cast(Exchange, provider._exchange)


class _SilentConfiguration(Configuration):
    """Freqtrade's own, but reading it opens no log file and leaves the process's logging alone."""

    def _process_logging_options(self, config: dict[str, Any]) -> None:
        config.setdefault("verbosity", 0)


def read_configuration(arguments: dict[str, Any], runmode: RunMode | None) -> dict[str, Any]:
    """Freqtrade's configuration for parsed command-line arguments. Raises FreqtradeException.

    :param runmode: None infers dry-run or live from `dry_run`, as `freqtrade trade` does.
    """
    return _SilentConfiguration(arguments, runmode).get_config()


def client_of(exchange: Exchange) -> Any:
    """The ccxt client behind Freqtrade's exchange object, for questions Freqtrade has no method for."""
    return exchange._api


def credentials_of(strategy: IStrategy) -> list[str]:
    """What signs requests to the venue; Freqtrade takes it out of its configuration."""
    exchange = None if strategy.dp is None else strategy.dp._exchange
    if exchange is None:
        return []
    values = (getattr(exchange._api, name, None) for name in exchange._api.requiredCredentials)
    return [value for value in values if isinstance(value, str) and value]


def analyse_again(strategy: IStrategy, symbols: list[str]) -> None:
    """Make the next loop analyse these symbols although their last candle has been seen.

    Freqtrade analyses a symbol once per candle. Where the mate's candle arrives a loop later, the first
    symbol would not see it until its own next candle.
    """
    for symbol in symbols:
        strategy._last_candle_seen_per_pair.pop(symbol, None)


class Bridge:
    """One bot, seen by the execution engine."""

    def __init__(self, bot: FreqtradeBot) -> None:
        self.bot = bot
        self.exchange: Exchange = bot.exchange
        self.api: Any = bot.exchange._api
        self.is_dry_run = bool(bot.config["dry_run"])
        self._rates: dict[str, float] = {}
        self._prepared: set[tuple[str, int]] = set()
        self._histories: dict[str, tuple[datetime, dict[str, Any] | None]] = {}
        self._originals: dict[str, Callable[..., Any]] = {}
        self._deferral = Deferral(bot, self.open_trade, bot.wallets.update, self._read_funding)

    @classmethod
    def of(cls, strategy: IStrategy) -> "Bridge":
        """The bot a strategy runs in. Raises PairbotError where there is none (backtesting)."""
        rpc = getattr(strategy.dp, "_DataProvider__rpc", None)
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
        return self._originals.get(name) or partial(getattr(type(self.api), name), self.api)

    def install(self, hooks: Hooks) -> None:
        """Route the bot's orders and questions through `hooks`. Once per bot."""
        vars(self.api).pop("create_order", None)
        for name in ("create_order", "fetch_order", "cancel_order"):
            self._originals[name] = getattr(self.api, name)
        fetch, cancel = self._originals["fetch_order"], self._originals["cancel_order"]

        def create_order(
            symbol: str, type: str, side: str, amount: float, price: Any = None, params: Any = None
        ) -> dict[str, Any]:
            return hooks.create(symbol, type, side, amount, price, params or {})

        def fetch_order(id: str | None, symbol: str | None = None, params: Any = None) -> dict[str, Any]:
            return hooks.fetch(id, symbol or "", lambda: fetch(id, symbol, params or {}))

        def cancel_order(id: str | None, symbol: str | None = None, params: Any = None) -> dict[str, Any]:
            return hooks.cancelled(id, symbol or "", lambda: cancel(id, symbol, params or {}))

        self.api.create_order, self.api.fetch_order, self.api.cancel_order = (
            create_order,
            fetch_order,
            cancel_order,
        )
        self._install_limiter(hooks)
        self._install_dry_run(hooks)
        self._install_housekeeping(hooks)
        self._install_bot(hooks)

    def _install_limiter(self, hooks: Hooks) -> None:
        fetch2 = self.api.fetch2

        def counted(path: str, *args: Any, **kwargs: Any) -> Any:
            method = kwargs.get("method") or (args[1] if len(args) > 1 else "GET")
            hooks.before_request(path, method)
            try:
                answer = fetch2(path, *args, **kwargs)
            except ccxt.OperationFailed:
                hooks.request_ended(True)
                raise
            hooks.request_ended(False)
            return answer

        def request(path: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return counted(path, *args, **kwargs)
            except ccxt.InvalidNonce:
                # -1021: refused unread, so it may be sent again. Orders have a short recvWindow: with a clock
                # three seconds off every exit would be refused while questions are still answered.
                if path == "time" or not self._follow_venue_clock():
                    raise
            return counted(path, *args, **kwargs)

        heard = self.api.on_rest_response

        def on_rest_response(
            code: int, reason: str, url: str, method: str, response_headers: Any, *rest: Any
        ) -> Any:
            # Called for every answer and for no timeout: `last_response_headers` would then still be those
            # of an earlier answer.
            hooks.after_request(response_headers)
            return heard(code, reason, url, method, response_headers, *rest)

        self.api.fetch2 = request
        self.api.on_rest_response = on_rest_response
        # In place of ccxt's pause before every request, whose costs are not Binance's weights.
        self.api.throttle = lambda _cost=None: None

    def _follow_venue_clock(self) -> bool:
        """Have the client stamp its requests with the venue's time. Returns whether it could be read."""
        try:
            ahead_ms = int(self.api.load_time_difference())
        except Exception as error:  # noqa: BLE001 - ccxt stumbles over an empty answer with a TypeError
            logger.error(f"The venue refuses this machine's clock, and its own cannot be read: {error}")
            return False
        logger.error(
            f"A request was refused for its time: this clock is {ahead_ms} ms ahead of the venue's. "
            "Requests carry the venue's time from now on; set the clock"
        )
        return True

    def _install_dry_run(self, hooks: Hooks) -> None:
        def create_dry_run_order(
            pair: str, ordertype: str, side: str, amount: float, rate: float, *_: Any, **options: Any
        ) -> dict[str, Any]:
            trade = self.open_trade(pair)
            is_reduce = trade is not None and trade.exit_side == side
            is_stop = bool(options.get("stop_loss"))
            try:
                return hooks.create_dry(pair, ordertype, side, amount, rate, is_reduce, is_stop)
            # As Exchange.create_order maps them; its dry-run branch lies outside its own try block.
            except ccxt.InsufficientFunds as error:
                raise InsufficientFundsError(str(error)) from error
            except ccxt.InvalidOrder as error:
                raise InvalidOrderException(str(error)) from error
            except ccxt.BaseError as error:
                raise TemporaryError(str(error)) from error

        cast(Any, self.exchange).create_dry_run_order = create_dry_run_order

    def _install_housekeeping(self, hooks: Hooks) -> None:
        exchange: Any = self.exchange
        wallets: Any = self.bot.wallets
        update, validate, has_enough = (
            wallets.update,
            wallets.validate_stake_amount,
            wallets.check_exit_amount,
        )
        trades_for, funding, positions, get_rate, lev_prep = (
            exchange.get_trades_for_order,
            exchange.get_funding_fees,
            exchange.fetch_positions,
            exchange.get_rate,
            exchange._lev_prep,
        )
        read_book = exchange.fetch_l2_order_book

        def fetch_l2_order_book(pair: str, *args: Any, **kwargs: Any) -> Any:
            book = read_book(pair, *args, **kwargs)
            hooks.book_read(pair, book)
            return book

        exchange.fetch_l2_order_book = fetch_l2_order_book
        read_orders = exchange.fetch_orders

        def fetch_orders(pair: str, since: datetime, params: Any = None) -> list[dict[str, Any]]:
            if pair in self._histories:
                since, invented = self._histories[pair]
                if invented is not None:
                    return [invented]
            orders = cast(list[dict[str, Any]], read_orders(pair, since, params))
            trade = self.open_trade(pair)
            if trade is None:
                return orders
            known = {order.order_id for order in trade.orders}
            return within_trade(orders, known, float(trade.amount), str(trade.exit_side))

        exchange.fetch_orders = fetch_orders

        def wallets_update(require_update: bool = True) -> None:
            if self._deferral.is_active:
                self._deferral.hold_wallet()
            else:
                update(require_update)

        def validate_stake_amount(*args: Any, **kwargs: Any) -> float:
            pair = kwargs.get("pair") or args[0]
            if hooks.is_planned(pair):
                return float(kwargs["stake_amount"] if "stake_amount" in kwargs else args[1])
            return float(validate(*args, **kwargs))

        def check_exit_amount(trade: Trade) -> bool:
            # Freqtrade would fetch the symbol's orders and replay them in the middle of a pair's exit.
            return not trade.is_open or hooks.is_managed(trade.pair) or bool(has_enough(trade))

        def get_trades_for_order(order_id: str, pair: str, since: datetime, params: Any = None) -> list[Any]:
            if self._deferral.is_active:
                self._deferral.hold_fee(order_id, pair)
                return []
            return cast(list[Any], trades_for(order_id, pair, since, params))

        def get_funding_fees(pair: str, amount: float, is_short: bool, open_date: datetime) -> float:
            if not self._deferral.is_active:
                return float(funding(pair=pair, amount=amount, is_short=is_short, open_date=open_date))
            trade = self.open_trade(pair)
            if trade is None:
                return 0.0
            filled = frozenset(order.order_id for order in trade.orders if order.filled)
            self._deferral.hold_funding(FundingQuestion(trade.id, pair, amount, is_short, open_date, filled))
            return trade.funding_fee_running or 0.0

        def fetch_positions(pair: str | None = None, params: Any = None) -> Any:
            if self._deferral.is_active and pair is not None:
                self._deferral.hold_liquidation(pair)
                raise DependencyException(f"{pair}: the liquidation price is read when both legs are out")
            return positions(pair, params)

        def rate(pair: str, *args: Any, **kwargs: Any) -> float:
            is_refresh = kwargs.get("refresh", args[0] if args else False)
            if self._deferral.is_active and not is_refresh and pair in self._rates:
                return self._rates[pair]
            self._rates[pair] = float(get_rate(pair, *args, **kwargs))
            return self._rates[pair]

        def prepare_leverage(pair: str, leverage: float, side: Any, accept_fail: bool = False) -> None:
            if (pair, int(leverage)) not in self._prepared:
                lev_prep(pair, leverage, side, accept_fail)

        wallets.update = wallets_update
        wallets.validate_stake_amount = validate_stake_amount
        wallets.check_exit_amount = check_exit_amount
        exchange.get_trades_for_order = get_trades_for_order
        exchange.get_funding_fees = get_funding_fees
        exchange.fetch_positions = fetch_positions
        exchange.get_rate = rate
        exchange._lev_prep = prepare_leverage

    def _install_bot(self, hooks: Hooks) -> None:
        bot: Any = self.bot
        entry, exit_, exits, startup, stopped, process, update_fees = (
            bot.execute_entry,
            bot.execute_trade_exit,
            bot.exit_positions,
            bot.startup,
            bot.process_stopped,
            bot.process,
            bot.update_trades_without_assigned_fees,
        )

        def execute_entry(pair: str, *args: Any, **kwargs: Any) -> bool:
            with self.deferred():
                try:
                    is_entered = bool(entry(pair, *args, **kwargs))
                except Exception:
                    hooks.entry_done(pair)
                    raise
                hooks.entry_done(pair)
                return is_entered

        def execute_trade_exit(trade: Trade, limit: float, exit_check: ExitCheckTuple, **kwargs: Any) -> bool:
            with self.deferred():
                if kwargs.get("sub_trade_amt") is None and not hooks.is_planned(trade.pair):
                    # A force-exit that is refused would be dropped, and end `/forceexit all`: the engine's
                    # goal of closing the pair stays until both legs are out.
                    reason = kwargs.get("exit_tag") or exit_check.exit_reason
                    is_by_hand = exit_check.exit_type is ExitType.FORCE_EXIT
                    if hooks.close_pair(trade.pair, reason, is_by_hand):
                        return True
                return bool(exit_(trade, limit, exit_check, **kwargs))

        send = bot.rpc.send_msg

        def send_msg(message: Any) -> None:
            if self._deferral.is_active:
                self._deferral.hold_message(partial(send, message))
            else:
                send(message)

        bot.rpc.send_msg = send_msg

        def exit_positions(trades: list[Trade]) -> int:
            # Freqtrade asks for a leg's price before it asks whether to leave: a book that cannot be read
            # would hold up an exit that needs no price.
            with self.deferred():
                hooks.before_exits()
                return int(exits(trades))

        def run_process() -> None:
            process()
            # Freqtrade does this first, without a net: a question about the fee of a closed trade that fails
            # would keep every open one from being looked at.
            self._deferral.attempt("the fees of trades", update_fees)

        def run_startup() -> None:
            hooks.before_startup()
            startup()

        def process_stopped() -> None:
            hooks.while_stopped()
            stopped()

        bot.execute_entry, bot.execute_trade_exit = execute_entry, execute_trade_exit
        bot.exit_positions, bot.process = exit_positions, run_process
        bot.update_trades_without_assigned_fees = lambda: None
        bot.startup, bot.process_stopped = run_startup, process_stopped

    # -- housekeeping that waits -------------------------------------------------------------------

    def deferred(self) -> AbstractContextManager[None]:
        """See `Deferral.scope`."""
        return self._deferral.scope()

    def tell_later(self, tell: Callable[[], None]) -> None:
        """See `Deferral.hold_message`; only within a `deferred` scope."""
        self._deferral.hold_message(tell)

    def catch_up(self) -> None:
        """See `Deferral.catch_up`."""
        self._deferral.catch_up()

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

    def open_trade(self, symbol: str) -> Trade | None:
        """Freqtrade's open trade on a symbol (there is at most one: position_stacking is refused)."""
        return Trade.get_trades([Trade.is_open.is_(True), Trade.pair == symbol]).first()

    def book_history(self, trade: Trade, since: datetime, invented: dict[str, Any] | None = None) -> None:
        """Have Freqtrade book orders of the trade's symbol that it does not know. Raises FreqtradeException.

        :param since: Freqtrade itself would look no further back than the trade it made on adoption.
        :param invented: ccxt's structure of an order to be booked instead of what the venue lists.
        """
        self._histories[trade.pair] = (since, invented)
        try:
            self.bot.handle_onexchange_order(trade)
        finally:
            del self._histories[trade.pair]

    def prepare(self, symbol: str, leverage: int) -> None:
        """Set margin mode and leverage, once per symbol and bot. Raises FreqtradeException."""
        if (symbol, leverage) not in self._prepared:
            self.exchange.set_margin_mode(symbol, self.exchange.margin_mode)
            self.exchange._set_leverage(leverage, symbol)
            self._prepared.add((symbol, leverage))

    def remember_rate(self, symbol: str, rate: float) -> None:
        """A price just read from the book, for notifications sent while questions wait."""
        self._rates[symbol] = rate

    def last_rate(self, symbol: str) -> float | None:
        """The last price Freqtrade or the engine has seen."""
        return self._rates.get(symbol)

    def keep_dry_order(self, order: dict[str, Any]) -> None:
        """Put a finished order where Freqtrade looks for its dry-run orders."""
        self.exchange._dry_run_open_orders[order["id"]] = cast(Any, order)
