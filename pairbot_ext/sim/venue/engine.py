"""The matching engine and everything it decides: orders in, fills and positions out.

What the venue *holds* lives here. What it *answers* is made from it in `sim.rest`, where a fault rule may
bend it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal

from pairbot_ext.sim.market.base import Book, Market
from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.sim.venue.account import Account, IncomeType
from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.filters import check_order, open_loss, price_band
from pairbot_ext.sim.venue.matching import Consumption, Level, counter_levels, take, within
from pairbot_ext.sim.venue.options import VenueOptions
from pairbot_ext.sim.venue.orders import (
    ZERO,
    Fill,
    FillRule,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from pairbot_ext.sim.venue.positions import notional_cap
from pairbot_ext.sim.venue.tape import AccountChanged, Execution, OrderChanged, Reason, Tape
from pairbot_ext.sim.venue.terms import DAY_MS, MAX_OPEN_ORDERS, money

TRADING = "TRADING"
# An order that ended without a fill can be asked for this long, any other one longer.
UNFILLED_MEMORY_MS = 3 * DAY_MS
ORDER_MEMORY_MS = 90 * DAY_MS


class Engine:
    """One account trading on one market.

    :param clock: the venue's own time, epoch ms. Never runs backwards.
    """

    def __init__(self, market: Market, clock: Callable[[], int], options: VenueOptions | None = None) -> None:
        self.market = market
        self.options = options or VenueOptions()
        self._clock = clock
        self.account = Account(market.symbols, self.mark, self.options.deposit, clock())
        self.orders: dict[int, Order] = {}
        self.open_orders: dict[int, Order] = {}
        self.fills: list[Fill] = []
        self.statuses: dict[str, str] = {}
        self.tape = Tape()
        self.stream_terms = self.options.streams
        self._by_client_id: defaultdict[str, list[Order]] = defaultdict(list)
        self._consumption = Consumption(self.options.refill_ms)
        self._next_order_id = 8_886_774_001
        self._next_trade_id = 500_000_001

    # -- the market as this account sees it --

    def now_ms(self) -> int:
        """The venue's time."""
        return self._clock()

    def spec(self, symbol: str) -> SymbolSpec:
        """Rules of a symbol.

        :raises VenueError: −1121 where the venue does not list it.
        """
        try:
            return self.market.symbols[symbol]
        except KeyError:
            raise VenueError(Code.BAD_SYMBOL) from None

    def status(self, symbol: str) -> str:
        """TRADING, or what the control API set it to (SETTLING, CLOSE, ...)."""
        return self.statuses.get(symbol) or self.spec(symbol).status

    def mark(self, symbol: str) -> Decimal:
        """Mark price now."""
        return self.market.mark_price(symbol, self._clock())

    def book(self, symbol: str) -> Book:
        """The book now, less what this account took out of it and has not been refilled."""
        now_ms = self._clock()
        book = self.market.book(symbol, now_ms)
        return Book(
            bids=self._consumption.remaining(symbol, Side.SELL, book.bids, now_ms),
            asks=self._consumption.remaining(symbol, Side.BUY, book.asks, now_ms),
        )

    def best(self, symbol: str) -> Book:
        """The first level of each side of `book`."""
        if self._consumption.has_taken(symbol):
            book = self.book(symbol)
            return Book(book.bids[:1], book.asks[:1])
        return self.market.best(symbol, self._clock())

    # -- orders --

    def place(self, request: OrderRequest, rule: FillRule | None = None) -> Order:
        """Check and execute a new order.

        :param rule: a fault's way with its execution.
        :raises VenueError: refused; nothing was recorded.
        """
        mark = self.check(request)
        amount = self._reducible(request) if request.reduce_only else request.amount
        now_ms = self._clock()
        order = Order(self._next_order_id, request, amount, created_ms=now_ms, updated_ms=now_ms)
        executions = self._match(order, mark, rule)
        self._check_margin(order, executions, mark)
        self._accept(order)
        self._execute(order, executions, maker=False)
        self._consumption.record(request.symbol, request.side, executions, now_ms)
        self._finish(order, rule)
        return order

    def _accept(self, order: Order) -> None:
        self._next_order_id += 1
        self.orders[order.order_id] = order
        self._by_client_id[order.request.client_order_id].append(order)
        self.tape.record(OrderChanged(order, Execution.NEW))

    def check(self, request: OrderRequest) -> Decimal:
        """What is asked of an order before it meets the book; the mark price. Raises VenueError."""
        mark = self.mark(request.symbol)
        if self.status(request.symbol) != TRADING and not request.reduce_only:
            raise VenueError(Code.SYMBOL_NOT_TRADING)
        check_order(self.spec(request.symbol), request, mark)
        self._check_client_id(request)
        if len(self.orders_open_on(request.symbol)) >= MAX_OPEN_ORDERS:
            raise VenueError(Code.MAX_OPEN_ORDERS)
        return mark

    def _check_client_id(self, request: OrderRequest) -> None:
        for known in self._by_client_id.get(request.client_order_id, ()):
            if self.options.strict_client_ids or known.status.is_open:
                raise VenueError(Code.DUPLICATED_CLIENT_ID)

    def orders_open_on(self, symbol: str) -> list[Order]:
        """Open orders of one symbol, oldest first."""
        return [order for order in self.open_orders.values() if order.request.symbol == symbol]

    def _reducible(self, request: OrderRequest) -> Decimal:
        """The amount of a reduce-only order: the venue cuts it to the position less other reducing orders."""
        position = self.account.position(request.symbol)
        reserved = sum(
            (
                order.remaining
                for order in self.orders_open_on(request.symbol)
                if order.request.reduce_only and order.request.side is request.side
            ),
            ZERO,
        )
        left = position.closing_part(request.side, abs(position.amount)) - reserved
        if left <= 0:
            raise VenueError(Code.REDUCE_ONLY_REJECT)
        return min(request.amount, left)

    def _match(self, order: Order, mark: Decimal, rule: FillRule | None) -> list[Level]:
        """The executions a new order finds at once. Raises where its type cannot live with them."""
        request = order.request
        levels = counter_levels(self.book(request.symbol), request.side)
        limit = request.price
        if request.type is OrderType.MARKET:
            floor, cap = price_band(self.spec(request.symbol), mark)
            limit = cap if request.side is Side.BUY else floor
            if levels and not within(levels[0][0], limit, request.side):
                raise VenueError(Code.MARKET_ORDER_REJECT)
        wanted = order.amount
        if rule is not None:
            step = self.spec(request.symbol).amount_step
            wanted = order.amount * rule.fraction // step * step
        executions = take(levels, request.side, wanted, limit)
        filled = sum((amount for _, amount in executions), ZERO)
        if request.time_in_force is TimeInForce.FOK and filled < order.amount:
            raise VenueError(Code.FOK_REJECT)
        if request.time_in_force is TimeInForce.GTX:
            if executions:
                raise VenueError(Code.POST_ONLY_REJECT)
            return []
        return executions

    def _check_margin(self, order: Order, executions: Iterable[Level], mark: Decimal) -> None:
        """The opening part needs free margin, and must fit the bracket of the symbol's leverage."""
        request = order.request
        if request.reduce_only:
            return
        position = self.account.position(request.symbol)
        opening = order.amount - position.closing_part(request.side, order.amount)
        if opening <= 0:
            return
        worst = max([price for price, _ in executions] + [request.price or mark])
        resting = sum(
            (
                other.remaining * (other.request.price or mark)
                for other in self.orders_open_on(request.symbol)
                if other.request.side is request.side and not other.request.reduce_only
            ),
            ZERO,
        )
        same_side = ZERO if opening < order.amount else abs(position.notional(mark))
        cap = notional_cap(self.spec(request.symbol).brackets, position.leverage)
        if same_side + resting + opening * mark > cap:
            raise VenueError(Code.MAX_LEVERAGE_RATIO)
        free = self.available() + (position.isolated_wallet if opening < order.amount else ZERO)
        if opening * worst / position.leverage + opening * open_loss(request, mark) > free:
            raise VenueError(Code.MARGIN_INSUFFICIENT)

    def order_margin(self) -> Decimal:
        """Margin reserved by resting orders that would open something, in quote."""
        total = ZERO
        for order in self.open_orders.values():
            request = order.request
            if request.reduce_only:
                continue
            position = self.account.position(request.symbol)
            opening = order.remaining - position.closing_part(request.side, order.remaining)
            total += opening * (request.price or self.mark(request.symbol)) / position.leverage
        return total

    def available(self) -> Decimal:
        """Quote that new positions may use."""
        return self.account.available(self.order_margin())

    def _execute(self, order: Order, executions: Iterable[Level], *, maker: bool) -> None:
        for price, amount in executions:
            self._fill(order, price, amount, maker=maker)
        if order.status is OrderStatus.FILLED:
            self.close(order, OrderStatus.FILLED)

    def _fill(self, order: Order, price: Decimal, amount: Decimal, *, maker: bool) -> None:
        request, now_ms = order.request, self._clock()
        trade_id = self._next_trade_id
        self._next_trade_id += 1
        realized = self.account.apply_fill(request.symbol, request.side, price, amount, now_ms, trade_id)
        fees = self.options.fees
        rate = ZERO if order.liquidation else (fees.maker if maker else fees.taker)
        commission = money(price * amount * rate)
        self.account.book_income(IncomeType.COMMISSION, -commission, now_ms, request.symbol, trade_id)
        order.executed += amount
        order.quote += price * amount
        order.updated_ms = now_ms
        order.status = OrderStatus.PARTIALLY_FILLED if order.remaining > 0 else OrderStatus.FILLED
        fill = Fill(
            trade_id=trade_id,
            order_id=order.order_id,
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            price=price,
            amount=amount,
            commission=commission,
            realized_pnl=realized,
            maker=maker,
            time_ms=now_ms,
            liquidation=order.liquidation,
        )
        self.fills.append(fill)
        self.tape.record(AccountChanged(Reason.ORDER, (self.account.position(request.symbol),)))
        execution = Execution.CALCULATED if order.liquidation else Execution.TRADE
        self.tape.record(OrderChanged(order, execution, fill))

    def _finish(self, order: Order, rule: FillRule | None) -> None:
        """Rest, hold or expire what a new order did not fill."""
        if not order.status.is_open:
            return
        if rule is not None and rule.hold_ms is not None:
            order.held = True
            self.open_orders[order.order_id] = order
        elif order.request.type is OrderType.LIMIT and order.request.time_in_force in (
            TimeInForce.GTC,
            TimeInForce.GTX,
        ):
            self.open_orders[order.order_id] = order
        else:
            self.close(order, OrderStatus.EXPIRED)

    def close(self, order: Order, status: OrderStatus) -> None:
        """End an order: it can fill no more."""
        order.status = status
        order.updated_ms = self._clock()
        order.held = False
        self.open_orders.pop(order.order_id, None)
        if status is not OrderStatus.FILLED:
            self.tape.record(OrderChanged(order, Execution(status.value)))

    def cancel(self, order: Order) -> Order:
        """Cancel an open order.

        :raises VenueError: −2011 where it is not open any more: it may be filled.
        """
        if not order.status.is_open:
            raise VenueError(Code.CANCEL_REJECTED)
        self.close(order, OrderStatus.CANCELED)
        return order

    def find(self, symbol: str, order_id: int | None, client_order_id: str | None) -> Order | None:
        """The order with this id, or the latest one with this client id; None where the venue knows none.

        Forgotten like on Binance: after 3 days where it ended without a fill, after 90 days in any case.
        """
        order = None
        if order_id is not None:
            order = self.orders.get(order_id)
        elif client_order_id is not None:
            named = reversed(self._by_client_id.get(client_order_id, []))
            order = next((each for each in named if each.request.symbol == symbol), None)
        if order is None or order.request.symbol != symbol or not self.remembered(order):
            return None
        return order

    def forget(self, order: Order) -> None:
        """Let go of an order that has ended: of a long simulation's memory, not of Binance's."""
        del self.orders[order.order_id]
        named = self._by_client_id[order.request.client_order_id]
        named.remove(order)
        if not named:
            del self._by_client_id[order.request.client_order_id]

    def remembered(self, order: Order) -> bool:
        """Whether queries still show the order."""
        age_ms = self._clock() - order.created_ms
        if order.status.is_open:
            return True
        return age_ms <= (ORDER_MEMORY_MS if order.executed else UNFILLED_MEMORY_MS)

    # -- what happens to resting orders --

    def match_resting(self) -> None:
        """Fill resting orders that the market has reached, at their own price, as maker."""
        for order in list(self.open_orders.values()):
            request = order.request
            if order.held or request.price is None:
                continue
            levels = counter_levels(self.book(request.symbol), request.side)
            reached = take(levels, request.side, self.fillable(order), request.price)
            self._consumption.record(request.symbol, request.side, reached, self._clock())
            self._execute(order, [(request.price, amount) for _, amount in reached], maker=True)
            self.expire_idle_reduction(order)

    def fillable(self, order: Order) -> Decimal:
        """What an open order may still execute: a reduce-only one never more than the position."""
        if not order.request.reduce_only:
            return order.remaining
        position = self.account.position(order.request.symbol)
        return position.closing_part(order.request.side, order.remaining)

    def expire_idle_reduction(self, order: Order) -> None:
        """A reduce-only order with nothing left to reduce does not stay in the book."""
        if order.status.is_open and order.request.reduce_only and not self.fillable(order):
            self.close(order, OrderStatus.EXPIRED)

    def fill_open(self, order: Order, amount: Decimal | None = None) -> Decimal:
        """Execute an open order now; what remains ends as its type says.

        One that a fault holds back takes from the book within its limit, as it would have. A resting one is
        hit by somebody else: at its own price, as maker.

        :param amount: at most so much, in base; None for all of it.
        :returns: what was executed, in base.
        """
        request = order.request
        wanted = min(self.fillable(order), order.remaining if amount is None else amount)
        if not order.held and request.price is not None:
            self._execute(order, [(request.price, wanted)] if wanted else [], maker=True)
            return wanted
        levels = counter_levels(self.book(request.symbol), request.side)
        executions = take(levels, request.side, wanted, request.price)
        self._consumption.record(request.symbol, request.side, executions, self._clock())
        self._execute(order, executions, maker=False)
        if order.status.is_open and amount is None:
            order.held = False
            self._finish(order, None)
        return sum((part for _, part in executions), ZERO)

    def forced_order(self, symbol: str, side: Side, amount: Decimal, price: Decimal, client_id: str) -> Order:
        """Record a forced close at `price`: no filter applies, and it is no order of ours."""
        now_ms = self._clock()
        request = OrderRequest(
            symbol=symbol,
            side=side,
            type=OrderType.LIMIT,
            amount=amount,
            client_order_id=client_id,
            price=price,
            time_in_force=TimeInForce.IOC,
        )
        order = Order(
            self._next_order_id, request, amount, created_ms=now_ms, updated_ms=now_ms, liquidation=True
        )
        self._accept(order)
        self._execute(order, [(price, amount)], maker=False)
        return order
