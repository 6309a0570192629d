"""A small venue and a small Freqtrade for the protocol machine: what they hold and what they say differ.

Only what the engine's protocols rest on: IOC and market orders found by client order id, reduce-only, lost,
late and refused answers, positions; trades built from answers, and the callbacks that follow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import ccxt
from freqtrade.exceptions import DependencyException

from pairbot_ext.host.legs import LegBooking
from pairbot_ext.model.orderbook import OrderBook
from pairbot_ext.model.records import LegSizing, OrderRecord, PairTrade
from pairbot_ext.model.sizing import MarketLimits
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.orders.port import Sent
from pairbot_ext.venue import venue_of

ZERO = Decimal(0)
STEPS = {"A": Decimal(1), "B": Decimal("0.1"), "C": Decimal(1)}
PRICES = {"A": 2.0, "B": 10.0, "C": 5.0}
TICK = Decimal("0.01")
BINANCE = venue_of("binance")


class Crash(BaseException):
    """kill -9: no handler catches it."""


class Answer(StrEnum):
    """What becomes of one request to create an order."""

    CLEAR = "clear"
    LOST_AFTER = "executed, the answer is lost"
    LOST_BEFORE = "never arrives"
    LATE = "arrives within the recvWindow, after the client gave up"
    REFUSED = "refused"
    CRASH_AFTER = "executed, the process is killed"
    CRASH_BEFORE = "the process is killed first"


@dataclass(frozen=True)
class Fate:
    """:param share: of the amount that fills. :param code: of a refusal."""

    answer: Answer = Answer.CLEAR
    share: str = "1"
    code: int = -2019


@dataclass
class ModelClock:
    """Time that passes when somebody waits."""

    ms: int

    def now_ms(self) -> int:
        return self.ms

    def sleep(self, secs: float) -> None:
        self.ms += round(secs * 1000)


@dataclass
class Executed:
    """An order the venue has taken. `filled` is what it did, base currency."""

    client_id: str
    symbol: str
    side: str
    reduce_only: bool
    amount: Decimal
    filled: Decimal
    order_id: str
    made_ms: int
    due_ms: int = 0

    @property
    def signed(self) -> Decimal:
        """What it did to the position."""
        return self.filled if self.side == "buy" else -self.filled


class ModelVenue:
    """The truth, and a port to it (guard.VenuePort)."""

    arrival_window_ms = BINANCE.orders.arrival_window_ms
    refusal_of = staticmethod(BINANCE.refusal_of)

    def __init__(self, clock: ModelClock) -> None:
        self.clock = clock
        self.orders: dict[str, Executed] = {}
        self.sent: list[OrderRecord] = []
        self.fates: list[Fate] = []
        self.can_query = True
        self.complaints: list[str] = []
        """What must never reach a venue. Not raised: the guard takes any exception for an unclear answer."""
        self.before_send: Callable[[OrderRecord], None] = lambda order: None

    # -- the truth ---------------------------------------------------------------------------------

    def held(self, symbol: str) -> Decimal:
        """Signed position. Orders that are still on their way are not in it."""
        self._arrive()
        done = (o.signed for o in self.orders.values() if o.symbol == symbol and not o.due_ms)
        return sum(done, ZERO)

    def positions(self) -> dict[str, Decimal]:
        """Every position."""
        return {symbol: held for symbol in STEPS if (held := self.held(symbol))}

    def by_hand(self, symbol: str, signed: Decimal) -> None:
        """Somebody trades at the website."""
        number, side = len(self.orders), "buy" if signed > 0 else "sell"
        self.orders[f"web_{number}"] = Executed(
            f"web_{number}", symbol, side, False, abs(signed), abs(signed), str(number), self.clock.ms
        )

    def _arrive(self) -> None:
        for order in self.orders.values():
            if order.due_ms and order.due_ms <= self.clock.ms:
                order.due_ms = 0
                order.filled = self._fillable(order.symbol, order.side, order.reduce_only, order.filled)

    def _fillable(self, symbol: str, side: str, reduce_only: bool, amount: Decimal) -> Decimal:
        if not reduce_only:
            return amount
        done = (o.signed for o in self.orders.values() if o.symbol == symbol and not o.due_ms)
        held = sum(done, ZERO)
        return min(amount, max(held if side == "sell" else -held, ZERO))

    # -- the port ----------------------------------------------------------------------------------

    def send(self, order: OrderRecord) -> dict[str, Any]:
        self.before_send(order)
        if order.client_id in {sent.client_id for sent in self.sent}:
            self.complaints.append(f"{order.client_id} is used twice")
        self.sent.append(order)
        fate = self.fates.pop(0) if self.fates else Fate()
        if fate.answer is Answer.CRASH_BEFORE:
            raise Crash
        if fate.answer is Answer.LOST_BEFORE:
            raise ccxt.RequestTimeout("no answer")
        if fate.answer is Answer.REFUSED:
            raise _refusal(fate.code)
        self._arrive()
        wanted = order.amount * Decimal(fate.share) // STEPS[order.symbol] * STEPS[order.symbol]
        filled = self._fillable(order.symbol, order.side, order.reduce_only, wanted)
        if order.reduce_only and wanted and not filled:
            raise _refusal(-2022)
        before = self.held(order.symbol)
        made = Executed(
            order.client_id, order.symbol, order.side, order.reduce_only, order.amount, filled,
            order_id=f"{len(self.orders)}", made_ms=self.clock.ms,
        )  # fmt: skip
        if fate.answer is Answer.LATE:
            # It cannot arrive later than its recvWindow allows; the venue would refuse it.
            made.due_ms = self.clock.ms + self.arrival_window_ms * 3 // 4
            self.orders[made.client_id] = made
            raise ccxt.RequestTimeout("no answer")
        self.orders[made.client_id] = made
        if order.reduce_only and before * self.held(order.symbol) < 0:
            self.complaints.append(f"I8: {order.client_id} has flipped the position")
        if fate.answer is Answer.CRASH_AFTER:
            raise Crash
        if fate.answer is Answer.LOST_AFTER:
            raise ccxt.RequestTimeout("no answer")
        return self._shown(made)

    def send_together(self, orders: Sequence[OrderRecord]) -> Generator[tuple[OrderRecord, Sent]]:
        """Both are out before either answer is heard, now this one first, now the other; a crash comes
        between any two of these instants."""
        heard: list[tuple[OrderRecord, Sent]] = []
        for order in reversed(orders) if len(self.sent) % 2 else orders:
            try:
                heard.append((order, self.send(order)))
            except Exception as error:  # noqa: BLE001 - as a lane gives it back
                heard.append((order, error))
        yield from heard

    def has_room_for(self, count: int) -> bool:
        return True

    def query(self, order: OrderRecord) -> dict[str, Any]:
        self.ask()
        self._arrive()
        found = self.orders.get(order.client_id)
        if found is None or found.due_ms:
            raise ccxt.OrderNotFound('binance {"code":-2013,"msg":"Order does not exist."}')
        return self._shown(found)

    def cancel(self, order: OrderRecord) -> None:
        self.complaints.append(f"{order.client_id} is cancelled, nothing of ours rests")

    def venue_ms(self) -> int:
        self.ask()
        return self.clock.ms

    def ask(self) -> None:
        """Any question: raises where the venue cannot be reached, after a while."""
        if not self.can_query:
            self.clock.sleep(0.5)
            raise ccxt.NetworkError("no connection")

    def _shown(self, order: Executed) -> dict[str, Any]:
        return {
            "id": order.order_id,
            "status": "closed" if order.filled == order.amount else "expired",
            "filled": float(order.filled),
            "amount": float(order.amount),
            "average": PRICES[order.symbol] if order.filled else None,
        }


def _refusal(code: int) -> ccxt.BaseError:
    return ccxt.ExchangeError("binance " + json.dumps({"code": code, "msg": "refused"}))


@dataclass
class Row:
    """Freqtrade's row of one order."""

    side: str
    filled: Decimal
    average: float


@dataclass
class BotTrade:
    """Freqtrade's trade: its rows make its amount."""

    number: int
    symbol: str
    is_short: bool
    rows: dict[str, Row] = field(default_factory=dict)

    @property
    def amount(self) -> Decimal:
        """Held, base currency."""
        grows = "sell" if self.is_short else "buy"
        return sum((row.filled if row.side == grows else -row.filled for row in self.rows.values()), ZERO)


class ModelBot:
    """What survives a crash of Freqtrade: its trades. And broker.Broker's surface for the engine."""

    def __init__(self, venue: ModelVenue) -> None:
        self.venue = venue
        self.trades: list[BotTrade] = []
        self.running = True
        self.locked: set[str] = set()
        self.told: list[str] = []
        self.guard: OrderGuard
        self.on_fill: Callable[[str, str], None]

    # -- Broker ------------------------------------------------------------------------------------

    def book(self, symbol: str) -> OrderBook:
        self.venue.ask()
        price = Decimal(str(PRICES[symbol]))
        return OrderBook(symbol, [(price, Decimal(10_000))], [(price, Decimal(10_000))])

    def positions(self) -> dict[str, Decimal]:
        self.venue.ask()
        return self.venue.positions()

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        self.venue.ask()
        return []

    def leg_sizing(self, symbol: str, amount: Decimal, price: float) -> LegSizing:
        return LegSizing(amount, STEPS[symbol], TICK, 5.0, price)

    def limits(self, symbol: str, stake: float) -> MarketLimits:
        return MarketLimits(STEPS[symbol], STEPS[symbol], 5.0, 20.0)

    def max_amount(self, symbol: str) -> Decimal | None:
        return None

    def is_tradable(self, symbol: str) -> bool:
        return True

    def booking(self, symbol: str, order_ids: list[str]) -> LegBooking | None:
        for trade in self.trades:
            if trade.symbol == symbol and any(order_id in trade.rows for order_id in order_ids):
                fills = {
                    key: (row.side, row.filled, row.average) for key, row in trade.rows.items() if row.filled
                }
                return LegBooking(trade.number, bool(trade.amount), trade.amount, fills, frozenset())
        return None

    def profit(self, symbol: str, order_ids: list[str]) -> float:
        return 0.0

    def free_slots(self) -> int:
        return 10 - sum(bool(trade.amount) for trade in self.trades)

    def was_closed_since(self, symbol: str, when: datetime) -> bool:
        return False

    def has_open_trade(self, symbol: str) -> bool:
        return self.open_trade(symbol) is not None

    def open_trade(self, symbol: str) -> BotTrade | None:
        """The trade that holds the symbol."""
        return next((trade for trade in self.trades if trade.symbol == symbol and trade.amount > 0), None)

    def is_running(self) -> bool:
        return self.running

    def free_stake(self) -> float:
        return 1_000_000.0

    def whitelist(self) -> list[str]:
        return list(STEPS)

    def lock_reason(self, symbol: str, side: str, now: datetime) -> str | None:
        return "locked" if symbol in self.locked else None

    def lock(self, symbol: str, until: datetime, reason: str) -> None:
        self.locked.add(symbol)

    def enter(self, order: OrderRecord, trade: PairTrade) -> bool:
        return self._execute(
            order.symbol, order.order_type, order.side, float(order.amount), reduce_only=False
        )

    def exit(self, order: OrderRecord, step: Decimal, reason: str) -> bool:
        if self.open_trade(order.symbol) is None:
            raise DependencyException(f"Freqtrade has no open trade on {order.symbol} to exit")
        return self._execute(
            order.symbol, order.order_type, order.side, float(order.amount), reduce_only=True
        )

    def update_row(self, order_id: str, symbol: str, answer: dict[str, Any]) -> None:
        raise AssertionError("no row here is ever stale")

    def discard_changes(self) -> None:
        """Nothing is pending."""

    def look_for_fills(self, symbol: str, since: datetime) -> None:
        """Freqtrade reads the symbol's orders since then and books those that no trade has."""
        self.venue.ask()
        trade = self.open_trade(symbol)
        if trade is None:
            return
        booked = {order_id for each in self.trades if each is not trade for order_id in each.rows}
        for order in self.venue.orders.values():
            is_new = order.made_ms >= since.timestamp() * 1000 and order.order_id not in booked
            if order.symbol == symbol and order.filled and not order.due_ms and is_new:
                trade.rows.setdefault(order.order_id, Row(order.side, order.filled, PRICES[symbol]))

    def account_settings(self) -> None:
        return None

    def is_stake_unlimited(self) -> bool:
        return False

    def last_price(self, symbol: str) -> float:
        return PRICES[symbol]

    def liquidation_level(self, symbol: str) -> None:
        return None

    def step_now(self, symbol: str) -> Decimal:
        return STEPS[symbol]

    def write_off(self, order: OrderRecord, price: float) -> None:
        """Freqtrade books an amount that is gone without a fill."""
        trade = self.open_trade(order.symbol)
        if trade is not None:
            trade.rows.setdefault(order.client_id, Row(order.side, order.filled, PRICES[order.symbol]))

    def tell(self, text: str, *, is_warning: bool = False) -> None:
        self.told.append(text)

    # -- Freqtrade ---------------------------------------------------------------------------------

    def force_exit(self, symbol: str) -> None:
        """/forceexit: Freqtrade's own order, through the guard."""
        trade = self.open_trade(symbol)
        if trade is not None:
            side = "buy" if trade.is_short else "sell"
            self._execute(symbol, "market", side, float(trade.amount), reduce_only=True)

    def _execute(self, symbol: str, kind: str, side: str, amount: float, *, reduce_only: bool) -> bool:
        claimed = self.guard.claim(symbol, kind, side, amount, reduce_only=reduce_only, conditional=False)
        answer = self.guard.transmit(claimed)
        filled = Decimal(str(answer["filled"]))
        if not filled:
            return False
        trade = self.open_trade(symbol)
        if trade is None:
            trade = BotTrade(len(self.trades) + 1, symbol, side == "sell")
            self.trades.append(trade)
        trade.rows[str(answer["id"])] = Row(side, filled, PRICES[symbol])
        self.on_fill(symbol, str(answer["id"]))
        return True


class ModelBridge:
    """bridge.Bridge's surface for the engine."""

    is_dry_run = False

    def __init__(self, venue: ModelVenue) -> None:
        self.venue = venue

    def tell_later(self, tell: Callable[[], None]) -> None:
        tell()

    def deferred(self) -> AbstractContextManager[None]:
        return nullcontext()

    def last_rate(self, symbol: str) -> float:
        return PRICES[symbol]
