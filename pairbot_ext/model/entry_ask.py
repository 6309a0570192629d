"""What Freqtrade asks about an entry it is about to make, as its callbacks bring it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class EntryAsk:
    """One entry.

    :param now: the time Freqtrade decides at, UTC.
    :param pair_id: the signal's tag; None for an entry without one.
    :param side: Freqtrade's "long" or "short".
    :param price: proposed by Freqtrade, quote currency.
    """

    symbol: str
    now: datetime
    pair_id: str | None
    side: str
    price: float


@dataclass(frozen=True)
class StakeAsk(EntryAsk):
    """How much is to be staked on it; all of it in quote currency.

    :param leverage: what the symbol allows of the configured one.
    """

    proposed_stake: float
    min_stake: float
    max_stake: float
    leverage: float


@dataclass(frozen=True)
class OrderAsk(EntryAsk):
    """The order itself: the last question before it is sent.

    :param amount: base currency, after all of Freqtrade's rounding.
    """

    amount: float
    order_type: str
