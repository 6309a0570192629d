"""Another account of the same trades: what a futures account must hold, folded from what was asked and done.

Knows nothing of the simulated exchange, and is given plain rows. Source of the rules: Binance USDⓈ-M futures,
one-way mode: average entry price, profit of the closed part, commission of each execution's value, funding of
the position's value at the mark price, reduce-only orders that never add, market and IOC orders that expire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

ZERO, EIGHT_DECIMALS = Decimal(0), Decimal("1e-8")
RESTS = ("GTC", "GTX")


@dataclass(frozen=True)
class Asked:
    """One order as it was sent, and how the venue says it stands.

    :param side: 1 buys, -1 sells. :param limit: None for a market order. :param rests: may wait in the book;
        so may what a fault holds back.
    """

    order_id: int
    symbol: str
    side: int
    amount: Decimal
    limit: Decimal | None
    reduce_only: bool
    rests: bool
    status: str
    executed: Decimal


@dataclass(frozen=True)
class Execution:
    """One fill as the venue tells it. :param forced: by the venue itself, without a commission."""

    order_id: int
    symbol: str
    side: int
    price: Decimal
    amount: Decimal
    commission: Decimal
    realized: Decimal
    maker: bool
    forced: bool
    at_ms: int


@dataclass(frozen=True)
class Funding:
    """One payment. :param rate, mark: of the market at its stamp."""

    symbol: str
    amount: Decimal
    rate: Decimal
    mark: Decimal
    at_ms: int


@dataclass
class Account:
    """The fold.

    :ivar mark_slack: by which share a mark price may have moved since its stamp.
    :ivar complaints: what cannot be, in words.
    """

    taker: Decimal
    maker: Decimal
    steps: Mapping[str, Decimal]
    mark_slack: Decimal = ZERO
    wallet: Decimal = ZERO
    held: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def fold(
        self, asked: Iterable[Asked], done: Iterable[Execution | Funding], other_bookings: Decimal
    ) -> None:
        """:param done: in the order of time. :param other_bookings: deposits and the insurance fund."""
        orders, filled = {each.order_id: each for each in asked}, dict[int, Decimal]()
        self.wallet += other_bookings
        for each in done:
            if isinstance(each, Funding):
                self._pay(each)
                continue
            self._execute(each, orders.get(each.order_id))
            filled[each.order_id] = filled.get(each.order_id, ZERO) + each.amount
        for order in orders.values():
            self._end(order, filled.get(order.order_id, ZERO))

    def _check(self, is_right: bool, *words: object) -> None:
        if not is_right:
            self.complaints.append(" ".join(map(str, words)))

    def _pay(self, paid: Funding) -> None:
        amount, _ = self.held.get(paid.symbol, (ZERO, ZERO))
        due = (-amount * paid.mark * paid.rate).quantize(EIGHT_DECIMALS)
        slack = abs(due) * self.mark_slack + EIGHT_DECIMALS
        self._check(abs(due - paid.amount) <= slack, "funding", paid, "due", due)
        self.wallet += paid.amount

    def _execute(self, done: Execution, order: Asked | None) -> None:
        amount, entry = self.held.get(done.symbol, (ZERO, ZERO))
        if order is not None:
            self._check(
                (order.symbol, order.side) == (done.symbol, done.side), "another order's", done, order
            )
            beyond = order.limit is not None and (done.price - order.limit) * done.side > 0
            self._check(not beyond, "beyond its limit:", done, order)
        closing = min(done.amount, abs(amount)) if amount * done.side < 0 else ZERO
        if order is not None and order.reduce_only:
            self._check(closing == done.amount, "reduce-only has added:", done, "to", amount)
        realized = (closing * (done.price - entry) * (1 if amount > 0 else -1)).quantize(EIGHT_DECIMALS)
        self._check(abs(realized - done.realized) <= EIGHT_DECIMALS, "profit", done, "should be", realized)
        rate = ZERO if done.forced else self.maker if done.maker else self.taker
        fee = (done.price * done.amount * rate).quantize(EIGHT_DECIMALS)
        self._check(abs(fee - done.commission) <= EIGHT_DECIMALS, "commission", done, "should be", fee)
        self._check(done.amount % self.steps[done.symbol] == 0, "no whole step:", done)
        opening, left = done.amount - closing, amount + done.side * closing
        if opening:
            entry = (abs(left) * entry + opening * done.price) / (abs(left) + opening)
        amount = left + done.side * opening
        self.held[done.symbol] = (amount, entry if amount else ZERO)
        self.wallet += done.realized - done.commission

    def _end(self, order: Asked, filled: Decimal) -> None:
        self._check(filled == order.executed <= order.amount, "filled", filled, "of", order)
        self._check((filled == order.amount) == (order.status == "FILLED"), "status of", order)
        if filled < order.amount and not order.rests:
            self._check(order.status == "EXPIRED", "what is left has not expired:", order)
