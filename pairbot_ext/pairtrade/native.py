"""Orders Freqtrade's own loop sends: leg A of a signal, and exits somebody has asked Freqtrade for."""

from decimal import Decimal

from pairbot_ext.journal.intents import Intents
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.orderbook import OrderBook
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import OrderRecord, Sizing
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Role
from pairbot_ext.pairtrade.facts import Knowledge, Pass
from pairbot_ext.pairtrade.prices import Prices


class NativeOrders:
    """Gives them the intent without which no order leaves (I1)."""

    def __init__(
        self, journal: Journal, known: Knowledge, intents: Intents, prices: Prices, *, is_dry_run: bool
    ) -> None:
        self._journal = journal
        self._known = known
        self._intents = intents
        self._prices = prices
        self._is_dry_run = is_dry_run

    def plan_entry(
        self, plan: EntryPlan, sizing: Sizing, price: float, order_type: str, books: dict[str, OrderBook]
    ) -> OrderRecord:
        """Store a new pair trade and the intent of its leg A. Raises JournalUnavailableError."""
        trade = self._journal.add_pair_trade(self._intents.new_id(), plan, sizing, dry_run=self._is_dry_run)
        self._prices.remember(books)
        order = self._intents.of_leg(trade, Leg.A, Role.ENTRY, sizing.leg_a.amount, order_type, price)
        self._journal.add_order(order)
        return order

    def take_over_exit(self, symbol: str, side: str, amount: float) -> str:
        """The intent of a reduce-only order Freqtrade sends on its own (force-exit, liquidation guard).

        Of a symbol in no pair trade too: its intent is kept like that of every exit. It leaves as a market
        order whatever type was asked for: a limit order could rest, or expire and leave the leg open.
        """
        trade = self._journal.owner_of(symbol)
        exact = Decimal(str(amount))
        if trade is not None:
            leg = trade.plan.leg_of(symbol)
            step = trade.sizing[leg].step
            exact = (exact / step).quantize(Decimal(1)) * step
            is_whole = self._known.gather_leg(trade, leg, Pass()).held - exact < step / 2
            role = Role.EXIT if is_whole else Role.TRIM
            order = self._intents.of_leg(trade, leg, role, exact, "market", None, "by hand")
        else:
            order = self._intents.alone(symbol, side, exact)
        return self._journal.add_order(order).client_id
