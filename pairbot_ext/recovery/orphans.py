"""Legs of pairs whose journal is lost: their models are gone with it, but a leg whose mate is gone is naked,
and the venue proves that (I2, I3).

Such a bot is HALTED and enters nothing. Pairs that are whole are left to a person, who was told how to repair
the database or how to close them; a leg alone is closed, when two answers at least 30 s apart miss its mate.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import ccxt
from freqtrade.exceptions import FreqtradeException
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.broker import Broker
from pairbot_ext.host.legs import TaggedLeg, tagged_legs
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

PERIOD_MS = 30_000


class Orphans:
    """See the module. Nothing raises."""

    def __init__(self, journal: Journal, broker: Broker, clock: Clock) -> None:
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self._looked_ms: int | None = None
        self._missed: set[str] = set()
        self._told: set[str] = set()
        self._is_lost = False

    def unknown(self) -> list[TaggedLeg]:
        """Open trades that carry a pair's tag and of which the journal knows no order."""
        found = [leg for leg in tagged_legs() if leg.order_ids and not self._journal.knows_any(leg.order_ids)]
        self._is_lost = bool(found)
        return found

    def run(self) -> None:
        """One pass. The caller holds Freqtrade's exit lock."""
        now_ms = self._clock.now_ms()
        if not self._is_lost or (self._looked_ms is not None and now_ms - self._looked_ms < PERIOD_MS):
            return
        self._looked_ms = now_ms
        self._attempt("Legs without a journal could not be looked at", self._look)

    def _attempt(self, what: str, work: Callable[[], None]) -> None:
        """One failure keeps no other leg from being closed."""
        try:
            work()
        except (FreqtradeException, ccxt.BaseError, SQLAlchemyError) as error:
            logger.warning(f"{what}: {error}")
            if isinstance(error, SQLAlchemyError):
                self._broker.discard_changes()

    def _look(self) -> None:
        positions = self._broker.positions()
        pairs: defaultdict[str, list[TaggedLeg]] = defaultdict(list)
        for leg in self.unknown():
            pairs[leg.tag].append(leg)
        alone: set[str] = set()
        for legs in pairs.values():
            gone = [leg for leg in legs if abs(positions.get(leg.symbol, Decimal(0))) < leg.amount / 2]
            is_broken = bool(gone) or any(leg.has_lost_its_mate for leg in legs)
            held = [leg for leg in legs if leg not in gone]
            alone |= {leg.symbol for leg in held if is_broken}
            for leg in held if is_broken else []:
                if leg.symbol in self._missed:
                    self._close(leg, gone)
        self._missed = alone

    def _close(self, leg: TaggedLeg, gone: list[TaggedLeg]) -> None:
        """The exit first, it waits for no question about the mate (I5); tried each period, told once."""
        exit_leg = partial(self._broker.exit_natively, leg.symbol, ExitReason.MATE_GONE)
        self._attempt(f"{leg.symbol} could not be closed, it is tried again", exit_leg)
        if leg.symbol not in self._told:
            self._told.add(leg.symbol)
            self._broker.tell(
                f"{leg.symbol} of pair {leg.tag} is held alone and the journal of its pair is lost: "
                "it is closed",
                is_warning=True,
            )
        for mate in gone:
            read = partial(self._broker.look_for_fills, mate.symbol, mate.opened)
            self._attempt(f"The fills of {mate.symbol} cannot be read", read)
