"""Freqtrade's housekeeping requests that wait until both legs of a pair are out.

Between the two sends of a pair nothing else may be asked of the venue: it would take time, and a question
that fails would leave one leg alone. `Bridge` holds these questions back in here while a scope is open.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, cast

from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.leverage.liquidation_price import update_liquidation_prices
from freqtrade.persistence import Order, Trade
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FundingQuestion:
    """What Freqtrade has asked before an exit.

    :param amount: of the trade, base currency.
    """

    trade_id: int
    pair: str
    amount: float
    is_short: bool
    open_date: datetime


@dataclass
class _Held:
    depth: int = 0
    wallets: bool = False
    fees: list[tuple[str, str]] = field(default_factory=list)
    liquidations: set[str] = field(default_factory=set)
    funding: list[FundingQuestion] = field(default_factory=list)
    messages: list[Callable[[], None]] = field(default_factory=list)


class Deferral:
    """One bot's questions that wait, per thread: the loop's and the RPC's are not mixed.

    :param open_trade: Freqtrade's open trade on a symbol, or None.
    """

    def __init__(self, bot: FreqtradeBot, open_trade: Callable[[str], Trade | None]) -> None:
        self._bot = bot
        self._open_trade = open_trade
        self._local = threading.local()
        self._update_wallet: Callable[[], None] = bot.wallets.update
        self._read_funding: Callable[..., float] = bot.exchange.get_funding_fees

    def use(self, update_wallet: Callable[[], None], read_funding: Callable[..., float]) -> None:
        """The methods to ask with, once those of the bot have been replaced."""
        self._update_wallet, self._read_funding = update_wallet, read_funding

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
        try:
            yield
        except Exception:
            if held.depth == 1:
                # The questions are asked in the next loop, but a thread of the RPC may never come back.
                self._send_messages()
            raise
        finally:
            held.depth -= 1
        if not held.depth:
            self.catch_up()

    def hold_wallet(self) -> None:
        """The balances are read later."""
        self._held.wallets = True

    def hold_fee(self, order_id: str, pair: str) -> None:
        """The fills of an order, for its fee, are read later."""
        self._held.fees.append((order_id, pair))

    def hold_liquidation(self, pair: str) -> None:
        """The liquidation price is read later."""
        self._held.liquidations.add(pair)

    def hold_funding(self, question: FundingQuestion) -> None:
        """The funding paid so far is read later."""
        self._held.funding.append(question)

    def hold_message(self, send: Callable[[], None]) -> None:
        """Somebody is told later: a webhook that does not answer takes its whole timeout."""
        self._held.messages.append(send)

    def catch_up(self) -> None:
        """Do what was held back. Also called at the start of a loop, for a scope that ended in an error."""
        work, self._local.held = self._held, _Held()
        if work.wallets:
            self.attempt("the wallet", self._update_wallet)
        for order_id, pair in work.fees:
            self.attempt(f"the fee of {pair}", partial(self._update_fee, order_id, pair))
        for pair in sorted(work.liquidations):
            self.attempt(f"the liquidation price of {pair}", partial(self._update_liquidation, pair))
        for question in work.funding:
            self.attempt(f"the funding of {question.pair}", partial(self._update_funding, question))
        self._local.held.messages = work.messages
        self._send_messages()

    def _send_messages(self) -> None:
        messages, self._held.messages = self._held.messages, []
        for send in messages:
            send()

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

    def _update_fee(self, order_id: str, pair: str) -> None:
        row = Order.order_by_id(order_id, pair)
        if row is None or row.trade is None:
            return
        trade = cast(Trade, row.trade)
        self._bot.handle_order_fee(trade, row, cast(Any, row.to_ccxt_object()))
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

    def _update_funding(self, question: FundingQuestion) -> None:
        fees = self._read_funding(
            pair=question.pair,
            amount=question.amount,
            is_short=question.is_short,
            open_date=question.open_date,
        )
        trade = Trade.session.get(Trade, question.trade_id)
        # 0.0 is also what Freqtrade answers where the question failed.
        if trade is None or not fees:
            return
        exits = [order for order in trade.orders if order.ft_order_side == trade.exit_side and order.filled]
        if exits:
            exits[-1].funding_fee = fees
            trade.recalc_trade_from_orders(is_closing=not trade.is_open)
            Trade.commit()
