"""New orders: their ids, and what is written down of them before anything is sent (I1)."""

from decimal import Decimal

import numpy as np

from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ID_ALPHABET, ID_LENGTH, ClientOrderId, OrderStatus, Role
from pairbot_ext.support.clock import Clock


class Intents:
    """Makes orders with ids that were never used. They are not stored yet."""

    def __init__(self, journal: Journal, clock: Clock, rng: np.random.Generator) -> None:
        self._journal = journal
        self._clock = clock
        self._rng = rng

    def new_id(self) -> str:
        """A pair trade's random id, unique across databases."""
        return "".join(ID_ALPHABET[number] for number in self._rng.integers(len(ID_ALPHABET), size=ID_LENGTH))

    def of_leg(
        self,
        trade: PairTrade,
        leg: Leg,
        role: Role,
        amount: Decimal,
        order_type: str,
        price: float | None,
        reason: str = "",
    ) -> OrderRecord:
        """An order of a pair trade.

        :param amount: base currency, on the step.
        :param price: limit, quote currency; None for a market order.
        """
        attempt = self._journal.next_attempt(trade.id, leg, role)
        return OrderRecord(
            client_id=str(ClientOrderId(trade.id, leg, role, attempt)),
            pair_trade_id=trade.id,
            leg=leg,
            role=role,
            attempt=attempt,
            symbol=trade.plan.symbol(leg),
            side=trade.entry_side(leg) if role.increases else trade.exit_side(leg),
            order_type=order_type,
            amount=amount,
            price=price,
            leverage=float(trade.sizing.leverage),
            reduce_only=not role.increases,
            reason=reason,
            status=OrderStatus.INTENT,
            intent_ms=self._clock.now_ms(),
        )

    def alone(self, symbol: str, side: str, amount: Decimal) -> OrderRecord:
        """A reduce-only market order of a symbol in no pair trade: it has an id that names none."""
        client_id = ClientOrderId(self.new_id(), Leg.A, Role.EXIT, 1)
        return OrderRecord(
            client_id=str(client_id),
            pair_trade_id=client_id.pair_trade,
            leg=Leg.A,
            role=Role.EXIT,
            attempt=1,
            symbol=symbol,
            side=side,
            order_type="market",
            amount=amount,
            price=None,
            leverage=1.0,
            reduce_only=True,
            reason="not a pair trade",
            status=OrderStatus.INTENT,
            intent_ms=self._clock.now_ms(),
        )
