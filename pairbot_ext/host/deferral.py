"""Freqtrade's housekeeping requests that wait until both legs of a pair are out.

Between the two sends of a pair nothing else may be asked of the venue: it would take time, and a question
that fails would leave one leg alone. `Bridge` holds these questions back in here while a scope is open.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, cast

from freqtrade.exceptions import DependencyException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.leverage.liquidation_price import update_liquidation_prices
from freqtrade.persistence import Trade
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.legs import order_row

logger = logging.getLogger(__name__)

MESSAGE_RANK = 4
"""Messages come last: the profit they name has its fees and funding."""
CHARGES = "pairbot_charges"
"""What of the venue's charges is in a trade's books already: Freqtrade's custom data of it."""
MAX_TRIES = 5
"""Loops in which a question is asked again before it is given up (I6)."""


@dataclass(frozen=True)
class FundingQuestion:
    """What Freqtrade has asked before an order that changes a position.

    :param amount: of the trade, base currency.
    :param open_date: of the last fill: what was paid since then belongs to the next one.
    :param filled_before: exchange order ids of the trade's orders that had filled by then.
    """

    trade_id: int
    pair: str
    amount: float
    is_short: bool
    open_date: datetime
    filled_before: frozenset[str]


@dataclass
class _Task:
    """One question that waits. `rank` is its place among the others of a scope."""

    what: str
    rank: int
    run: Callable[[], None]
    tries: int = 0


@dataclass
class _Held:
    depth: int = 0
    tasks: dict[tuple[str, ...], _Task] = field(default_factory=dict)


class Deferral:
    """One bot's questions that wait, per thread: the loop's and the RPC's are not mixed.

    What fails, and what a scope that ended in an error has left behind, is asked again at the start of the
    next loops, MAX_TRIES times.

    :param open_trade: Freqtrade's open trade on a symbol, or None.
    :param update_wallet: reads the balances.
    :param read_funding: raises where the question fails, unlike Freqtrade's own, which answers 0 then.
    """

    def __init__(
        self,
        bot: FreqtradeBot,
        open_trade: Callable[[str], Trade | None],
        update_wallet: Callable[[], None],
        read_funding: Callable[[FundingQuestion], float],
    ) -> None:
        self._bot = bot
        self._open_trade = open_trade
        self._update_wallet = update_wallet
        self._read_funding = read_funding
        self._local = threading.local()
        self._lock = threading.Lock()
        self._left: dict[tuple[str, ...], _Task] = {}
        self._numbers = itertools.count()

    @property
    def is_active(self) -> bool:
        """Whether questions of this thread are held back now."""
        return self._held.depth > 0

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Hold back wallet, fee, funding, position and cached-rate requests of this thread until the
        outermost scope ends; then do them, where a failure harms nobody."""
        held = self._held
        held.depth += 1
        is_clean = is_error = False
        try:
            yield
            is_clean = True
        except Exception:
            is_error = True
            raise
        finally:
            held.depth -= 1
            if not held.depth:
                tasks, held.tasks = held.tasks, {}
                if is_clean:
                    self._do(tasks)
                else:
                    # Whoever catches the error may be a thread that never comes here again: the loop asks
                    # what is left, and what is to be told is told now, except on Ctrl+C.
                    messages = {
                        key: task for key, task in tasks.items() if is_error and task.rank == MESSAGE_RANK
                    }
                    self._leave({key: task for key, task in tasks.items() if key not in messages})
                    self._do(messages)

    def hold_wallet(self) -> None:
        """The balances are read later."""
        self._hold(("wallet",), _Task("the wallet", 0, self._update_wallet))

    def hold_fee(self, order_id: str, pair: str) -> None:
        """The fills of an order, for its fee, are read later."""
        task = _Task(f"the fee of {pair}", 1, partial(self._update_fee, order_id, pair))
        self._hold(("fee", order_id, pair), task)

    def hold_liquidation(self, pair: str) -> None:
        """The liquidation price is read later."""
        task = _Task(f"the liquidation price of {pair}", 2, partial(self._update_liquidation, pair))
        self._hold(("liquidation", pair), task)

    def hold_funding(self, question: FundingQuestion) -> None:
        """The funding paid so far is read later."""
        task = _Task(f"the funding of {question.pair}", 3, partial(self._update_funding, question))
        self._hold(("funding", str(question.trade_id), *sorted(question.filled_before)), task)

    def hold_message(self, send: Callable[[], None]) -> None:
        """Somebody is told later: a webhook that does not answer takes its whole timeout."""
        self._hold(("message", str(next(self._numbers))), _Task("the operator", MESSAGE_RANK, send))

    def ask_charges(
        self, trade_id: int, pair: str, read: Callable[[], float], booked: Callable[[float], None]
    ) -> None:
        """What the venue took beside a fill, for a liquidation, belongs into the books too. Asked at once; a
        question that fails is asked again in the next loops.

        :param booked: is told what was new.
        """
        book = partial(self._book_charges, trade_id, read, booked)
        task = _Task(f"what the venue took on {pair}", 3, book)
        self._do({("charges", str(trade_id)): task})

    def catch_up(self) -> None:
        """At the start of a loop: ask again what has failed or was left behind."""
        with self._lock:
            tasks, self._left = self._left, {}
        self._do(tasks)

    @property
    def _held(self) -> _Held:
        if not hasattr(self._local, "held"):
            self._local.held = _Held()
        return cast(_Held, self._local.held)

    def attempt(self, what: str, work: Callable[[], Any]) -> None:
        """Housekeeping: whatever it meets is logged."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - ccxt stumbles over an empty answer with a TypeError
            logger.warning(f"{what} could not be updated after the legs were sent, it is next time: {error}")
            if isinstance(error, SQLAlchemyError):
                # Else Freqtrade's next question to its session would raise, and end the process with open
                # pairs that could have been closed.
                Trade.rollback()

    def _hold(self, key: tuple[str, ...], task: _Task) -> None:
        self._held.tasks.setdefault(key, task)

    def _leave(self, tasks: dict[tuple[str, ...], _Task]) -> None:
        with self._lock:
            self._left = tasks | self._left

    def _do(self, tasks: dict[tuple[str, ...], _Task]) -> None:
        waiting = dict(sorted(tasks.items(), key=lambda item: item[1].rank))
        while waiting:
            key = next(iter(waiting))
            task = waiting[key]
            try:
                task.run()
            except Exception as error:  # noqa: BLE001 - whatever it is, the others have their turn
                task.tries += 1
                is_last = task.tries >= MAX_TRIES
                logger.warning(
                    f"{task.what} could not be updated after the legs were sent, "
                    f"{'not tried again' if is_last else 'it is tried in the next loop'} "
                    f"(attempt {task.tries} of {MAX_TRIES}): {type(error).__name__}: {error}"
                )
                if isinstance(error, SQLAlchemyError):
                    # Else Freqtrade's next question to its session would raise, and end the process with
                    # open pairs that could have been closed.
                    Trade.rollback()
                if not is_last:
                    self._leave({key: task})
            except BaseException:
                # Ctrl+C: the shutdown, or the next loop, goes on here.
                self._leave(waiting)
                raise
            del waiting[key]

    def _update_fee(self, order_id: str, pair: str) -> None:
        row = order_row(order_id, pair)
        if row is None or row.trade is None:
            return
        trade = cast(Trade, row.trade)
        self._bot.handle_order_fee(trade, row, cast(Any, row.to_ccxt_object()))
        if not self._bot.config["dry_run"] and not trade.fee_updated(row.ft_order_side):
            # Freqtrade logs what has failed and goes on.
            raise DependencyException(f"the fills of order {order_id} were not answered")
        trade.recalc_trade_from_orders(is_closing=not trade.is_open)
        Trade.commit()

    def _update_liquidation(self, pair: str) -> None:
        trade = self._open_trade(pair)
        if trade is not None:
            update_liquidation_prices(
                trade,
                exchange=self._bot.exchange,
                wallets=self._bot.wallets,
                stake_currency=self._bot.config["stake_currency"],
                dry_run=bool(self._bot.config["dry_run"]),
            )
            Trade.commit()

    def _book_charges(
        self, trade_id: int, read: Callable[[], float], booked: Callable[[float], None]
    ) -> None:
        taken, trade = read(), Trade.session.get(Trade, trade_id)
        if trade is None:
            return
        fresh = taken - float(trade.get_custom_data(CHARGES, 0.0))
        exits = [order for order in trade.orders if order.filled and order.ft_order_side == trade.exit_side]
        if not fresh or not exits:
            return
        # Freqtrade has no column for it; funding is what else comes and goes without a fill.
        exits[-1].funding_fee = (exits[-1].funding_fee or 0.0) + fresh
        trade.set_custom_data(CHARGES, taken)
        trade.recalc_trade_from_orders(is_closing=not trade.is_open)
        Trade.commit()
        booked(fresh)

    def _update_funding(self, question: FundingQuestion) -> None:
        fees = self._read_funding(question)
        trade = Trade.session.get(Trade, question.trade_id)
        if trade is None or not fees:
            return
        filled = [order for order in trade.orders if order.filled]
        fresh = [order for order in filled if order.order_id not in question.filled_before]
        if fresh:
            fresh[0].funding_fee = fees
            trade.recalc_trade_from_orders(is_closing=not trade.is_open)
        else:
            # The order it was asked for did not fill: nothing earlier has anything to do with it.
            trade.set_funding_fees(fees)
        Trade.commit()
