"""A symbol's order book, and what a rehearsed fill needs to know of its market."""

from dataclasses import dataclass
from decimal import Decimal

from pairbot_ext.support.errors import PairbotError


@dataclass(frozen=True)
class OrderBook:
    """Best levels first, (price, amount)."""

    symbol: str
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]

    def levels(self, side: str) -> list[tuple[Decimal, Decimal]]:
        """What a taker who wants to `side` meets."""
        return self.asks if side == "buy" else self.bids

    def best(self, side: str) -> float:
        """Best price for a taker who wants to `side`. Raises PairbotError on an empty book."""
        levels = self.levels(side)
        if not levels:
            raise PairbotError(
                f"the order book of {self.symbol} has no {'asks' if side == 'buy' else 'bids'}, "
                f"{len(self.bids)} bids and {len(self.asks)} asks were read"
            )
        return float(levels[0][0])

    def mid(self) -> float:
        """Middle of the best prices."""
        return (self.best("buy") + self.best("sell")) / 2

    def depth(self, side: str, limit: float) -> Decimal:
        """Amount a taker finds up to `limit`, base currency."""
        bound = Decimal(str(limit))
        return sum(
            (
                size
                for price, size in self.levels(side)
                if (price <= bound if side == "buy" else price >= bound)
            ),
            Decimal(0),
        )


@dataclass(frozen=True)
class DryMarket:
    """What the simulated venue knows of a symbol and its position.

    :param position: signed, base currency: positive is long.
    :param min_notional: quote currency.
    """

    step: Decimal
    min_notional: float
    fee_rate: float
    quote_currency: str
    position: Decimal
