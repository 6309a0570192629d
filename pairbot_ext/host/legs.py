"""What Freqtrade's own database says of one leg."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class LegBooking:
    """What Freqtrade's database says of one leg.

    :param fills: per exchange order id: (side, filled amount, average price) of settled rows with fills.
    :param stale: exchange order ids of rows Freqtrade still takes for open.
    """

    trade_id: int
    is_open: bool
    amount: Decimal
    fills: dict[str, tuple[str, Decimal, float]]
    stale: frozenset[str]


@dataclass(frozen=True)
class OpenLeg:
    """An open trade of Freqtrade's.

    :param amount: base currency; :param open_rate: quote currency; :param side: 1 long, -1 short.
    """

    amount: float
    open_rate: float
    side: int

    @property
    def notional(self) -> float:
        """At the entry price, quote currency."""
        return self.amount * self.open_rate

    def unrealised(self, price: float) -> float:
        """Profit of the price alone, quote currency."""
        return self.side * self.amount * (price - self.open_rate)
