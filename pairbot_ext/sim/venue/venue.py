"""The venue as a whole: engine, conditional orders, passing time, and the settings of the account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from pairbot_ext.sim.market.base import Market
from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.sim.venue.account import Account, IncomeType
from pairbot_ext.sim.venue.clock import VenueClock
from pairbot_ext.sim.venue.conditional import ConditionalOrders
from pairbot_ext.sim.venue.engine import Engine, VenueOptions
from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.listen_keys import ListenKeys
from pairbot_ext.sim.venue.orders import FillRule, Order, OrderRequest
from pairbot_ext.sim.venue.positions import MarginType
from pairbot_ext.sim.venue.tape import AccountChanged, AssetModeChanged, LeverageChanged, Reason
from pairbot_ext.sim.venue.timeline import Timeline

# What a user of the simulation must not take for granted. Printed at every start.
NOT_MODELLED = (
    "other traders' reaction to our orders (a book refills after a second), queues of resting orders",
    "prices between two looks at resting orders, stops and margin: at every request, else each minute",
    "hedge mode, multi-assets and portfolio margin, coin-margined and spot markets, orders over websockets",
    "trailing stops, GTD, batch and amended orders, price matching, self-trade prevention",
    "auto-deleveraging by itself, the insurance fund's size, liquidation in steps",
    "Binance's outages and latency beyond the faults you inject, and its filters of today",
)


class Venue:
    """Everything the simulated exchange holds.

    :param clock: epoch ms; the wall clock, or one that a test moves.

    `listed` is what the market list shows; it may hold symbols without prices, which cannot be traded.
    """

    def __init__(self, market: Market, clock: Callable[[], int], options: VenueOptions | None = None) -> None:
        self.clock = VenueClock(clock)
        self.market = market
        self.listed: Mapping[str, SymbolSpec] = market.symbols
        self.engine = Engine(market, self.clock, options)
        self.conditional = ConditionalOrders(self.engine)
        self.timeline = Timeline(self.engine, self.conditional, self.clock)
        self.listen_keys = ListenKeys(self.engine.tape)

    @property
    def account(self) -> Account:
        """The one account."""
        return self.engine.account

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        self.timeline.settle()
        self.listen_keys.expire(self.clock())

    def place(self, request: OrderRequest, rule: FillRule | None = None) -> Order:
        """Execute a new order; a rule's held remainder is executed when its time comes.

        :raises VenueError: refused.
        """
        order = self.engine.place(request, rule)
        if order.held and rule is not None and rule.hold_ms is not None and rule.hold_ms >= 0:
            self.timeline.schedule(self.clock() + rule.hold_ms, lambda: self._release(order))
        return order

    def _release(self, order: Order) -> None:
        if order.status.is_open:
            self.engine.fill_open(order)

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Change the leverage of a symbol.

        :raises VenueError: −4028 outside the brackets, −4161 lower under an isolated position.
        """
        brackets = self.engine.spec(symbol).brackets
        if not 1 <= leverage <= brackets[0].initial_leverage:
            raise VenueError(Code.INVALID_LEVERAGE, leverage=leverage)
        position = self.account.position(symbol)
        if position.amount and position.isolated and leverage < position.leverage:
            raise VenueError(Code.LEVERAGE_DOWN_WITH_POSITION)
        wallet = position.isolated_wallet
        self.account.set_leverage(symbol, leverage)
        self.engine.tape.record(LeverageChanged(symbol, leverage))
        if position.isolated_wallet != wallet:
            self.engine.tape.record(AccountChanged(Reason.MARGIN_TRANSFER, (position,)))

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        """Change the margin type of a symbol.

        :raises VenueError: −4046 unchanged, −4047 with open orders, −4048 with a position.
        """
        self.engine.spec(symbol)
        position = self.account.position(symbol)
        if position.margin_type is margin_type:
            raise VenueError(Code.SAME_MARGIN_TYPE)
        if self.engine.orders_open_on(symbol) or self.conditional.open_orders(symbol):
            raise VenueError(Code.MARGIN_TYPE_OPEN_ORDERS)
        if position.amount:
            raise VenueError(Code.MARGIN_TYPE_POSITION)
        position.margin_type = margin_type
        self.engine.tape.record(AccountChanged(Reason.MARGIN_TYPE_CHANGE, (position,)))

    def add_margin(self, symbol: str, amount: Decimal) -> None:
        """Move quote from the free wallet into (or, negative, out of) an isolated position's margin."""
        position = self.account.position(symbol)
        position.isolated_wallet += amount
        self.engine.tape.record(AccountChanged(Reason.MARGIN_TRANSFER, (position,)))

    def transfer(self, amount: Decimal) -> None:
        """Move quote into (or, negative, out of) the account."""
        booked = self.account.book_income(IncomeType.TRANSFER, amount, self.engine.now_ms())
        reason = Reason.DEPOSIT if amount > 0 else Reason.WITHDRAW
        self.engine.tape.record(AccountChanged(reason, change=booked))

    def set_multi_assets(self, on: bool) -> None:
        """Switch multi-assets margin."""
        self.account.multi_assets = on
        self.engine.tape.record(AssetModeChanged(on))
