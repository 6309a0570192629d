"""The money and the slots of one simulated backtest, counted as Freqtrade's `Wallets` counts them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.sizing import Leg
from pairbot_ext.research.contracts import AMOUNT_RESERVE


@dataclass(frozen=True)
class Terms:
    """What Freqtrade's configuration says of one backtest.

    :param whitelist: in Freqtrade's order. :param fee: of one fill, a ratio.
    :param stake: quote currency per leg; None for "unlimited".
    :param wallet: starting balance, quote currency.
    :param slots: `max_open_trades`, in legs; infinite for -1.
    :param tradable_ratio: `tradable_balance_ratio`. :param reserve: `amount_reserve_percent`, a ratio.
    """

    whitelist: tuple[str, ...]
    fee: float = 0.0005
    stake: float | None = 500.0
    wallet: float = 10_000.0
    slots: float = 10.0
    tradable_ratio: float = 0.99
    reserve: float = AMOUNT_RESERVE


@dataclass
class OpenPair:
    """A pair trade of which a leg was planned. Rows are of the market's grid.

    :param notional: N_A + N_B planned, quote currency. :param stakes: at most so much of each leg.
    :param amounts: of the legs that have had their turn.
    :param exit_row: when its own model or the end of the data closes it, and why.
    """

    plan: EntryPlan
    opened: int
    side: int
    notional: float
    stakes: dict[Leg, float]
    exit_row: int
    exit_reason: str | None
    amounts: dict[Leg, float] = field(default_factory=dict)
    open_legs: dict[Leg, OpenLeg] = field(default_factory=dict)


@dataclass
class OpenLeg:
    """One Freqtrade trade while it is open.

    :param hit_row: the candle that reaches its liquidation or its distant stop-loss; the market's size for
        never. :param hit_price: what is booked then.
    """

    symbol: str
    leg: Leg
    pair: OpenPair
    is_short: bool
    amount: float
    price: float
    stake: float
    hit_row: int
    hit_price: float
    hit_reason: str


class Account:
    """Wallet and slots of one run."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.profit = 0.0
        self.tied = 0.0
        self.legs: dict[str, OpenLeg] = {}
        """By symbol, in the order of opening."""

    @property
    def available(self) -> float:
        """Quote currency that may still be staked."""
        free = self._terms.wallet + self.profit - self.tied
        return min((self.tied + free) * self._terms.tradable_ratio - self.tied, free)

    @property
    def proposed_stake(self) -> float:
        """What Freqtrade proposes for one leg; 0 where it would not ask."""
        available = self.available
        if self._terms.stake is not None:
            return self._terms.stake if available >= self._terms.stake else 0.0
        share = 0.0 if self._terms.slots in (0.0, inf) else (available + self.tied) / self._terms.slots
        return max(min(share, available), 0.0)

    @property
    def has_slot(self) -> bool:
        """Whether Freqtrade would open one more leg."""
        return self._terms.slots <= 0 or len(self.legs) < self._terms.slots

    def open(self, leg: OpenLeg) -> None:
        """One more leg."""
        self.legs[leg.symbol] = leg
        leg.pair.open_legs[leg.leg] = leg
        self._count()

    def close(self, leg: OpenLeg, profit: float) -> None:
        """One leg less."""
        del self.legs[leg.symbol], leg.pair.open_legs[leg.leg]
        self.profit += profit
        self._count()

    def _count(self) -> None:
        self.tied = sum(leg.stake for leg in self.legs.values())
