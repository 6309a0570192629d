"""One futures account: wallet, positions, and the income history that explains every change of the wallet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.sim.venue.orders import ZERO, Side
from pairbot_ext.sim.venue.positions import Position, maintenance_margin
from pairbot_ext.sim.venue.terms import DEFAULT_LEVERAGE, money


class IncomeType(StrEnum):
    """Why the wallet changed."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"


@dataclass(frozen=True)
class Income:
    """One booking. `amount` in quote, positive where the wallet grew; `trade_id` 0 without a trade."""

    transaction_id: int
    type: IncomeType
    symbol: str
    amount: Decimal
    time_ms: int
    trade_id: int = 0


class Account:
    """What one account holds. The wallet always equals the sum of its income.

    :param symbols: rules by Binance id.
    :param mark: mark price of a symbol now.
    """

    def __init__(
        self, symbols: Mapping[str, SymbolSpec], mark: Callable[[str], Decimal], deposit: Decimal, now_ms: int
    ) -> None:
        self._symbols = symbols
        self._mark = mark
        self.wallet = ZERO
        self.income: list[Income] = []
        self._booked = 0
        self.positions: dict[str, Position] = {}
        self.dual_side = False
        self.multi_assets = False
        self.credit = ZERO
        self.can_trade = True
        self.updated_ms = now_ms
        self.book_income(IncomeType.TRANSFER, deposit, now_ms)

    def position(self, symbol: str) -> Position:
        """The position of a symbol, flat and with default settings before it is touched."""
        found = self.positions.get(symbol)
        if found is None:
            most = self._symbols[symbol].brackets[0].initial_leverage
            found = self.positions[symbol] = Position(symbol, leverage=min(DEFAULT_LEVERAGE, most))
        return found

    def open_positions(self) -> list[Position]:
        """Every position that is not flat."""
        return [position for position in self.positions.values() if position.amount]

    def book_income(
        self, kind: IncomeType, amount: Decimal, now_ms: int, symbol: str = "", trade_id: int = 0
    ) -> Decimal:
        """Change the wallet by `amount` (rounded to eight decimals, and returned so)."""
        amount = money(amount)
        if amount:
            self.wallet += amount
            self.updated_ms = now_ms
            self._booked += 1
            self.income.append(Income(self._booked, kind, symbol, amount, now_ms, trade_id=trade_id))
        return amount

    def apply_fill(
        self, symbol: str, side: Side, price: Decimal, amount: Decimal, now_ms: int, trade_id: int
    ) -> Decimal:
        """Net one execution into the position; returns the realized profit before commission, in quote.

        The part against the position closes it and frees its margin in proportion; what is left over opens
        the other way at the execution price.
        """
        position = self.position(symbol)
        closing = position.closing_part(side, amount)
        realized = ZERO
        if closing:
            realized = closing * (price - position.entry_price) * (1 if position.amount > 0 else -1)
            position.isolated_wallet -= position.isolated_wallet * closing / abs(position.amount)
            position.amount += side.sign * closing
            realized = self.book_income(IncomeType.REALIZED_PNL, realized, now_ms, symbol, trade_id)
            position.realized += realized
            if not position.amount:
                position.entry_price = position.isolated_wallet = ZERO
        opening = amount - closing
        if opening:
            size = abs(position.amount)
            position.entry_price = (size * position.entry_price + opening * price) / (size + opening)
            position.amount += side.sign * opening
            if position.isolated:
                position.isolated_wallet += money(opening * price / position.leverage)
        position.updated_ms = now_ms
        return realized

    def pay_funding(self, position: Position, mark: Decimal, rate: Decimal, stamp_ms: int) -> Decimal:
        """Book one funding payment, longs to shorts where the rate is positive; returns the income.

        An isolated position pays out of, and receives into, its own margin.
        """
        paid = self.book_income(
            IncomeType.FUNDING_FEE, -position.notional(mark) * rate, stamp_ms, position.symbol
        )
        if position.isolated:
            position.isolated_wallet += paid
        return paid

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Change the leverage; an isolated position gives back the margin a higher one no longer needs."""
        position = self.position(symbol)
        if position.amount and position.isolated:
            position.isolated_wallet = money(abs(position.amount) * position.entry_price / leverage)
        position.leverage = leverage

    # -- margin
    # -----------------------------------------------------------------------------------------------------

    def unrealized(self, *, crossed_only: bool = False) -> Decimal:
        """Profit of the open positions at the mark price, in quote."""
        return sum(
            (
                position.unrealized(self._mark(position.symbol))
                for position in self.open_positions()
                if not (crossed_only and position.isolated)
            ),
            ZERO,
        )

    def initial_margin(self, position: Position) -> Decimal:
        """Margin the position ties up at the mark price, in quote."""
        return abs(position.notional(self._mark(position.symbol))) / position.leverage

    def maintenance(self, position: Position) -> Decimal:
        """Maintenance margin of the position at the mark price, in quote."""
        notional = abs(position.notional(self._mark(position.symbol)))
        return maintenance_margin(self._symbols[position.symbol].brackets, notional)

    def cross_wallet(self) -> Decimal:
        """The wallet without what isolated positions have set aside."""
        return self.wallet - sum((position.isolated_wallet for position in self.positions.values()), ZERO)

    def behind_crossed(self, position: Position) -> Decimal:
        """What stands behind a crossed position before its own profit, in quote.

        The crossed wallet, with profit and without maintenance margin of the other crossed positions: WB −
        TMM + UPNL of https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93.
        """
        others = [other for other in self.open_positions() if not other.isolated and other is not position]
        profit = sum((other.unrealized(self._mark(other.symbol)) for other in others), ZERO)
        return self.cross_wallet() + profit - sum((self.maintenance(other) for other in others), ZERO)

    def available(self, order_margin: Decimal) -> Decimal:
        """What new positions may use: never below 0.

        :param order_margin: what open orders have reserved, in quote.
        """
        crossed = [position for position in self.open_positions() if not position.isolated]
        tied = sum((self.initial_margin(position) for position in crossed), ZERO)
        free = self.cross_wallet() + self.unrealized(crossed_only=True) - tied - order_margin
        return max(free, ZERO)

    def to_liquidate(self, ratio: Decimal = Decimal(1)) -> list[Position]:
        """Positions whose maintenance has reached `ratio` of their margin; at 1 they are liquidated.

        Each isolated one for itself; crossed ones together, and then all of them.
        """
        due: list[Position] = []
        crossed: list[Position] = []
        for position in self.open_positions():
            if not position.isolated:
                crossed.append(position)
                continue
            equity = position.isolated_wallet + position.unrealized(self._mark(position.symbol))
            if equity * ratio <= self.maintenance(position):
                due.append(position)
        if crossed:
            equity = self.cross_wallet() + self.unrealized(crossed_only=True)
            if equity * ratio <= sum((self.maintenance(position) for position in crossed), ZERO):
                due += crossed
        return due
