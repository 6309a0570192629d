"""What is replaced on one bot, its exchange and wallets: its housekeeping waits, its exits are whole pairs.

Only instances are changed: nothing global, nothing that survives /reload_config.
"""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from freqtrade.enums import ExitCheckTuple, ExitType
from freqtrade.exceptions import DependencyException
from freqtrade.persistence import Trade

from pairbot_ext.host.deferral import FundingQuestion
from pairbot_ext.host.hooks import Hooks
from pairbot_ext.host.legs import ids_of_other_trades
from pairbot_ext.host.strangers import within_trade

if TYPE_CHECKING:
    from pairbot_ext.host.bridge import Bridge


def put_off_housekeeping(bridge: Bridge, hooks: Hooks) -> None:
    """Questions of Freqtrade's around an order wait until both legs are out."""
    exchange: Any = bridge.exchange
    wallets: Any = bridge.bot.wallets
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

    def fetch_l2_order_book(pair: str, limit: int = 100) -> Any:
        # Freqtrade asks for one level where it wants nothing but a price.
        book = (hooks.best_book(pair) if limit == 1 else None) or read_book(pair, limit)
        hooks.book_read(pair, book)
        return book

    exchange.fetch_l2_order_book = fetch_l2_order_book
    read_orders = exchange.fetch_orders

    def fetch_orders(pair: str, since: datetime, params: Any = None) -> list[dict[str, Any]]:
        if pair in bridge.histories:
            since, invented = bridge.histories[pair]
            if invented is not None:
                return [invented]
        orders = cast(list[dict[str, Any]], read_orders(pair, since, params))
        trade = bridge.open_trade(pair)
        if trade is None:
            return orders
        known = {order.order_id for order in trade.orders}
        # Freqtrade skips these itself from 2026.8 on only: before, it adds them to this trade, its database
        # refuses the second row of one order, and nothing of what was read is booked.
        others = ids_of_other_trades(trade, orders)
        orders = [order for order in orders if order["id"] not in others]
        return within_trade(orders, known, float(trade.amount), str(trade.exit_side))

    exchange.fetch_orders = fetch_orders

    def wallets_update(require_update: bool = True) -> None:
        if bridge.deferral.is_active:
            bridge.deferral.hold_wallet()
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
        if bridge.deferral.is_active:
            bridge.deferral.hold_fee(order_id, pair)
            return []
        return cast(list[Any], trades_for(order_id, pair, since, params))

    def get_funding_fees(pair: str, amount: float, is_short: bool, open_date: datetime) -> float:
        if not bridge.deferral.is_active:
            return float(funding(pair=pair, amount=amount, is_short=is_short, open_date=open_date))
        trade = bridge.open_trade(pair)
        if trade is None:
            return 0.0
        filled = frozenset(order.order_id for order in trade.orders if order.filled)
        bridge.deferral.hold_funding(FundingQuestion(trade.id, pair, amount, is_short, open_date, filled))
        return trade.funding_fee_running or 0.0

    def fetch_positions(pair: str | None = None, params: Any = None) -> Any:
        if bridge.deferral.is_active and pair is not None:
            bridge.deferral.hold_liquidation(pair)
            raise DependencyException(f"{pair}: the liquidation price is read when both legs are out")
        return positions(pair, params)

    def rate(pair: str, *args: Any, **kwargs: Any) -> float:
        is_refresh = kwargs.get("refresh", args[0] if args else False)
        if bridge.deferral.is_active and not is_refresh and pair in bridge.rates:
            return bridge.rates[pair]
        bridge.rates[pair] = float(get_rate(pair, *args, **kwargs))
        return bridge.rates[pair]

    def prepare_leverage(pair: str, leverage: float, side: Any, accept_fail: bool = False) -> None:
        if (pair, int(leverage)) not in bridge.prepared:
            lev_prep(pair, leverage, side, accept_fail)

    wallets.update = wallets_update
    wallets.validate_stake_amount = validate_stake_amount
    wallets.check_exit_amount = check_exit_amount
    exchange.get_trades_for_order = get_trades_for_order
    exchange.get_funding_fees = get_funding_fees
    exchange.fetch_positions = fetch_positions
    exchange.get_rate = rate
    exchange._lev_prep = prepare_leverage


def follow_bot(bridge: Bridge, hooks: Hooks) -> None:
    """The bot's entries, exits and loops are told to the engine, and asked of it."""
    bot: Any = bridge.bot
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
        with bridge.deferred():
            try:
                is_entered = bool(entry(pair, *args, **kwargs))
            except Exception:
                hooks.entry_done(pair)
                raise
            hooks.entry_done(pair)
            return is_entered

    def execute_trade_exit(trade: Trade, limit: float, exit_check: ExitCheckTuple, **kwargs: Any) -> bool:
        with bridge.deferred():
            if kwargs.get("sub_trade_amt") is None and not hooks.is_planned(trade.pair):
                # A force-exit that is refused would be dropped, and end `/forceexit all`: the engine's
                # goal of closing the pair stays until both legs are out.
                reason = kwargs.get("exit_tag") or exit_check.exit_reason
                is_by_hand = exit_check.exit_type is ExitType.FORCE_EXIT
                if hooks.close_pair(trade.pair, reason, is_by_hand):
                    return True
            return bool(exit_(trade, limit, exit_check, **kwargs))

    book_history = bot.handle_onexchange_order

    def handle_onexchange_order(trade: Trade) -> Any:
        """Also what /reload_trade does."""
        done = book_history(trade)
        _settle_books(trade)
        return done

    bot.handle_onexchange_order = handle_onexchange_order
    send = bot.rpc.send_msg

    def send_msg(message: Any) -> None:
        if bridge.deferral.is_active:
            bridge.deferral.hold_message(partial(send, message))
        else:
            send(message)

    bot.rpc.send_msg = send_msg

    def exit_positions(trades: list[Trade]) -> int:
        # Freqtrade asks for a leg's price before it asks whether to leave: a book that cannot be read
        # would hold up an exit that needs no price.
        with bridge.deferred():
            hooks.before_exits()
            return int(exits(trades))

    def run_process() -> None:
        began = time.perf_counter()
        hooks.loop_begins()
        process()
        # Freqtrade does this first, without a net: a question about the fee of a closed trade that fails
        # would keep every open one from being looked at.
        bridge.deferral.attempt("the fees of trades", update_fees)
        bridge.loop_secs = time.perf_counter() - began

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


def _settle_books(trade: Trade) -> None:
    """A trade whose last orders Freqtrade has found on the venue is closed with the profit of the last one
    alone; what it has earned is that of all."""
    if not trade.is_open and abs((trade.close_profit_abs or 0.0) - trade.realized_profit) > 1e-9:
        trade.recalc_trade_from_orders(is_closing=True)
        Trade.commit()
