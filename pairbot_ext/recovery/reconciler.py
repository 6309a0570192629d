"""Brings venue, Freqtrade and journal together: at start, every 30 s, and after anything unclear (I9).

One positions query for the whole account; the fate of unsettled orders is asked order by order. A failed
query never counts as flat. Where everything agrees a pass does nothing.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

import ccxt
from freqtrade.exceptions import FreqtradeException

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.records import PairTrade, leg_side
from pairbot_ext.model.sizing import Leg
from pairbot_ext.pairtrade.coordinator import Coordinator
from pairbot_ext.pairtrade.urgency import most_at_risk_first
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

INTERVAL_MS = 30_000


class Reconciler:
    """See the module.

    :param together: a scope in which all orders go out before anything else is asked of the venue.
    """

    def __init__(
        self,
        journal: Journal,
        broker: Broker,
        coordinator: Coordinator,
        clock: Clock,
        together: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._journal = journal
        self._broker = broker
        self._coordinator = coordinator
        self._clock = clock
        self._together = together
        self._last_ms: int | None = None
        self._is_unreadable = False
        self._unreadable_since_ms: int | None = None
        self.foreign: dict[str, Decimal] = {}
        """Signed amounts the account holds beyond what our fills explain, by symbol."""

    def run(self) -> None:
        """One pass over every open pair trade; positions are read when they are due."""
        now = self._clock.now_ms()
        positions: dict[str, Decimal] | None = None
        unsettled = self._unsettled()
        if self._is_due(now):
            positions = self._read()
        begun = self._journal.open_pair_trades()
        with self._together():
            for trade in most_at_risk_first(begun, self._journal, self._broker):
                try:
                    self._coordinator.advance(trade.id, may_explain=True, venue=positions)
                except Exception:
                    # The next pair has its turn; this one has another in the next loop.
                    logger.exception(f"The pass over pair trade {trade.id} failed")
        if positions is not None:
            self._last_ms = now
            self._note_foreign(positions, self._moved_since(begun, now))
        if unsettled - self._unsettled():
            # Positions read before an order's fate was known say nothing about its leg.
            self.request()

    @property
    def unreadable_secs(self) -> float:
        """For how long positions could not be read; 0 where the last question was answered."""
        since_ms = self._unreadable_since_ms
        return 0.0 if since_ms is None else (self._clock.now_ms() - since_ms) / 1000

    def request(self) -> None:
        """Read positions in the next pass, whatever the schedule says."""
        self._last_ms = None

    @property
    def is_requested(self) -> bool:
        """Whether the next pass reads positions because it was asked to: nobody has read them since."""
        return self._last_ms is None

    def _is_due(self, now_ms: int) -> bool:
        # A negative age: the machine's clock was set back.
        if self._last_ms is None or not 0 <= now_ms - self._last_ms < INTERVAL_MS:
            return True
        if self._coordinator.has_suspicion:
            return True
        return bool(self._unsettled())

    def _unsettled(self) -> set[str]:
        """Client ids of orders whose fate is not known."""
        return {
            order.client_id
            for trade in self._journal.open_pair_trades()
            for order in self._journal.orders_of(trade.id)
            if not order.status.is_settled
        }

    def _read(self) -> dict[str, Decimal] | None:
        try:
            positions = self._broker.positions()
        except (FreqtradeException, ccxt.BaseError) as error:
            if not self._is_unreadable:
                logger.warning(f"Positions cannot be read, nothing is concluded from that: {error}")
            self._is_unreadable = True
            self._unreadable_since_ms = self._unreadable_since_ms or self._clock.now_ms()
            return None
        self._is_unreadable = False
        self._unreadable_since_ms = None
        return positions

    def _note_foreign(self, positions: dict[str, Decimal], moved: set[str]) -> None:
        """Tell of what is not ours. `moved`: symbols the positions are out of date for."""
        expected: dict[str, Decimal] = {}
        unsure: set[str] = set()
        steps: dict[str, Decimal] = {}
        for trade in self._journal.open_pair_trades():
            facts = self._coordinator.facts_of(trade)
            for leg in Leg:
                symbol = trade.plan.symbol(leg)
                expected[symbol] = facts[leg].held * leg_side(trade, leg)
                steps[symbol] = facts[leg].sizing.step
                if facts[leg].unsettled:
                    unsure.add(symbol)
        foreign = {
            symbol: excess
            for symbol, amount in positions.items()
            if symbol not in unsure | moved
            and abs(excess := amount - expected.get(symbol, Decimal(0))) >= steps.get(symbol, Decimal(0)) / 2
            and excess
        }
        for symbol, excess in foreign.items():
            if self.foreign.get(symbol) != excess:
                self._journal.add_event(None, "foreign", symbol=symbol, amount=excess)
                self._broker.tell(
                    f"{symbol}: the account holds {excess} that no pair trade explains. It is not touched; "
                    "no pair with this symbol is entered until it is gone",
                    is_warning=True,
                )
        self.foreign = foreign

    def _moved_since(self, trades: list[PairTrade], read_ms: int) -> set[str]:
        """Symbols that our orders of these pair trades, finished ones too, have moved since the positions
        were read. What other hands did (never sent by us) was found because of that reading."""
        return {
            order.symbol
            for trade in trades
            for order in self._journal.orders_of(trade.id)
            if order.sent_ms is not None and (order.settled_ms or 0) >= read_ms
        }
