"""What is known of a pair trade when `decide` is asked: legs, their orders, the last look at the venue."""

from dataclasses import dataclass
from decimal import Decimal

from pairbot_ext.model.records import LegSizing, OrderRecord
from pairbot_ext.model.sizing import MAX_HEDGE_ERROR, Leg, hedge_error
from pairbot_ext.model.states import Role


@dataclass(frozen=True)
class LegFacts:
    """What is known of one leg.

    :param orders: in the order they were meant, with those of other hands (Role.EXTERNAL).
    :param unbooked: client ids of orders with fills that Freqtrade has no row for, in order.
    :param venue: position on the venue in the leg's direction, base currency, if it was read after the
        leg's last order; else None.
    :param price: last known price, quote currency.
    :param step_now: the venue's amount step now, where it is known.
    """

    leg: Leg
    sizing: LegSizing
    orders: tuple[OrderRecord, ...]
    price: float
    unbooked: tuple[str, ...] = ()
    venue: Decimal | None = None
    step_now: Decimal | None = None

    @property
    def step(self) -> Decimal:
        """Smallest amount an order may have: a venue may make it coarser while the leg is held."""
        return max(self.sizing.step, self.step_now or self.sizing.step)

    @property
    def is_rest(self) -> bool:
        """Whether what is held is less than one order may have."""
        return 0 < self.held < self.step

    @property
    def entries(self) -> list[OrderRecord]:
        """Orders that make the leg bigger."""
        return [order for order in self.orders if order.role.increases]

    @property
    def reduces(self) -> list[OrderRecord]:
        """Our orders that make the leg smaller."""
        return [o for o in self.orders if not o.role.increases and o.role is not Role.EXTERNAL]

    @property
    def unsettled(self) -> list[OrderRecord]:
        """Orders whose fate is not known."""
        return [order for order in self.orders if not order.status.is_settled]

    @property
    def held(self) -> Decimal:
        """Amount our fills add up to, base currency, never below 0."""
        amount = sum((o.filled if o.role.increases else -o.filled for o in self.orders), Decimal(0))
        return max(amount, Decimal(0))

    @property
    def entry_price(self) -> float:
        """Average price of the entries; the last known price before there is one."""
        filled = sum((order.filled for order in self.entries), Decimal(0))
        if not filled:
            return self.price
        cost = sum(float(order.filled) * (order.average or self.price) for order in self.entries)
        return cost / float(filled)

    @property
    def notional(self) -> float:
        """Held amount at its entry price: price drift alone never re-hedges."""
        return float(self.held) * self.entry_price


@dataclass(frozen=True)
class Facts:
    """What is known of a pair trade now.

    :param exit_reason: why somebody wants it closed, or None.
    :param can_write: whether the journal can be written: without it nothing is made bigger.
    :param asked: client ids asked in this pass that the venue did not settle.
    :param failed_to_book: client ids Freqtrade could not book in this pass.
    :param unbookable: those it could not book in many passes: a person has to look.
    :param booked_later: those of them that are not tried again yet.
    :param insists: a person wants it closed now: failures of the past are no reason to wait.
    """

    now_ms: int
    leg_a: LegFacts
    leg_b: LegFacts
    exit_reason: str | None = None
    can_write: bool = True
    asked: frozenset[str] = frozenset()
    failed_to_book: frozenset[str] = frozenset()
    unbookable: frozenset[str] = frozenset()
    booked_later: frozenset[str] = frozenset()
    insists: bool = False

    @property
    def legs(self) -> tuple[LegFacts, LegFacts]:
        """(leg A, leg B)."""
        return self.leg_a, self.leg_b

    def __getitem__(self, leg: Leg) -> LegFacts:
        return self.leg_a if leg is Leg.A else self.leg_b

    @property
    def stuck(self) -> str | None:
        """What a person is told where Freqtrade cannot book orders, or None."""
        # No count in here: the text is the pair trade's reason, and a new reason is told anew.
        texts = [
            f"{order.client_id} ({order.side} {order.filled} {order.symbol})"
            for leg in self.legs
            for order in leg.orders
            if order.client_id in leg.unbooked and order.client_id in self.unbookable
        ]
        return f"Freqtrade cannot book {', '.join(texts)}; it is tried again once a minute" if texts else None


def tolerance(beta: float, leg_a: LegFacts, leg_b: LegFacts) -> float:
    """Hedge error that is left alone (I2): 2 %, or one amount step of either leg where that is coarser."""
    total = leg_a.notional + leg_b.notional
    steps = (
        beta * float(leg_a.sizing.step) * leg_a.entry_price,
        float(leg_b.sizing.step) * leg_b.entry_price,
    )
    return max(MAX_HEDGE_ERROR, max(steps) / total) if total > 0 else MAX_HEDGE_ERROR


def is_hedged(beta: float, leg_a: LegFacts, leg_b: LegFacts) -> bool:
    """Whether both legs are held and their hedge error is within tolerance."""
    if not (leg_a.held and leg_b.held):
        return False
    return hedge_error(beta, leg_a.notional, leg_b.notional) <= tolerance(beta, leg_a, leg_b)
