"""Where the venue holds less of a leg than our fills say: who reduced it, or when it counts as gone (I3)."""

import logging
from decimal import Decimal

import ccxt
from freqtrade.exceptions import FreqtradeException
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.records import PairTrade, leg_side
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Refusal, Role
from pairbot_ext.pairtrade.facts import Knowledge, Pass
from pairbot_ext.pairtrade.situation import LegFacts
from pairbot_ext.support.clock import Clock, as_datetime

logger = logging.getLogger(__name__)

CONFIRM_MS = 3_000
"""Two positions answers at least so far apart must miss an amount before it is written off (I3)."""


class MissingAmounts:
    """See the module."""

    def __init__(self, broker: Broker, journal: Journal, known: Knowledge, clock: Clock) -> None:
        self._broker = broker
        self._journal = journal
        self._known = known
        self._clock = clock
        self._missed_ms: dict[tuple[str, Leg], int] = {}

    @property
    def has_suspicion(self) -> bool:
        """Whether positions should be read again soon: an amount was missed once."""
        is_open = {trade.id for trade in self._journal.open_pair_trades()}
        self._missed_ms = {key: at_ms for key, at_ms in self._missed_ms.items() if key[0] in is_open}
        return bool(self._missed_ms)

    def read_venue(self, trade: PairTrade, now: Pass) -> None:
        """Read the positions of both legs; the pass is blocked where they cannot be read."""
        try:
            positions = self._broker.positions()
        except (FreqtradeException, ccxt.BaseError) as error:
            logger.warning(f"Positions cannot be read: {error}")
            now.is_blocked = True
            return
        self.take_positions(trade, positions, now)

    def take_positions(self, trade: PairTrade, positions: dict[str, Decimal], now: Pass) -> None:
        """Signed positions just read become facts of this pass; what is there again is no longer missed."""
        now.venue = {
            leg: positions.get(trade.plan.symbol(leg), Decimal(0)) * leg_side(trade, leg) for leg in Leg
        }
        for leg in Leg:
            facts = self._known.gather_leg(trade, leg, now)
            if facts.held - max(now.venue[leg], Decimal(0)) < facts.sizing.step / 2:
                self._missed_ms.pop((trade.id, leg), None)

    def explain(self, trade: PairTrade, leg: Leg, now: Pass) -> None:
        """The venue holds less than our fills say: by hand, liquidated, auto-deleveraged, delisted."""
        if not now.may_explain:
            now.is_blocked = True
            return
        venue = max(now.venue[leg], Decimal(0))
        if leg not in now.explained:
            now.explained.add(leg)
            try:
                self._broker.look_for_fills(trade.plan.symbol(leg), as_datetime(trade.created_ms))
            except (FreqtradeException, ccxt.BaseError) as error:
                logger.warning(f"The fills of {trade.plan.symbol(leg)} cannot be read: {error}")
                now.is_blocked = True
                return
        facts = self._known.gather_leg(trade, leg, now)
        missing = facts.held - venue
        if missing < facts.sizing.step / 2:
            self._missed_ms.pop((trade.id, leg), None)
        elif self._is_confirmed(trade, facts, missing):
            self._write_off(trade, facts, missing)
        else:
            now.is_blocked = True

    def leave(self, trade: PairTrade, leg: Leg, now: Pass) -> None:
        """A rest that cannot be ordered stays on the account: it is named, valued and written down, and the
        pair ends."""
        facts = self._known.gather_leg(trade, leg, now)
        value = float(facts.held) * facts.price
        self._broker.tell(
            f"Pair {trade.plan.pair_id} ({trade.id}): {facts.held} of leg {leg} ({trade.plan.symbol(leg)}), "
            f"worth {value:.4f}, stay on the account: the venue takes steps of {facts.step} now. They are "
            "written off here and are yours",
            is_warning=True,
        )
        self._book_gone(trade, facts, facts.held, f"less than the venue's step of {facts.step}, left there")

    def _write_off(self, trade: PairTrade, leg: LegFacts, missing: Decimal) -> None:
        self._book_gone(trade, leg, missing, "gone from the venue without a fill we know")

    def _book_gone(self, trade: PairTrade, leg: LegFacts, amount: Decimal, why: str) -> None:
        """Without a price: nobody knows one. Freqtrade's row needs one, and gets the last that was seen."""
        order = self._known.external(trade, leg.leg, Role.EXTERNAL, amount, None, None, why)
        try:
            self._broker.write_off(order, leg.price)
        except (FreqtradeException, SQLAlchemyError) as error:
            logger.warning(
                f"Freqtrade could not book {order.client_id}, its trade has to be deleted: {error}"
            )

    def _is_confirmed(self, trade: PairTrade, leg: LegFacts, missing: Decimal) -> bool:
        """Whether more than one answer misses the amount: an earlier read of the positions, or the venue's
        refusal to reduce what it does not hold."""
        last = leg.reduces[-1] if leg.reduces else None
        key, at_ms = (trade.id, leg.leg), self._clock.now_ms()
        if key not in self._missed_ms and not (last and last.refusal is Refusal.NO_POSITION):
            self._missed_ms[key] = at_ms
            self._broker.tell(
                f"Pair {trade.plan.pair_id} ({trade.id}): the venue shows {missing} less of leg {leg.leg} "
                f"({trade.plan.symbol(leg.leg)}) than our fills, {leg.held}, and no fill explains it. "
                "The positions are read once more before it counts as gone",
                is_warning=True,
            )
            return False
        age_ms = at_ms - self._missed_ms.get(key, 0)
        if age_ms < 0:
            # The machine's clock was set back: the wait begins anew.
            self._missed_ms[key] = at_ms
        if age_ms < CONFIRM_MS:
            return False
        self._missed_ms.pop(key, None)
        return True
