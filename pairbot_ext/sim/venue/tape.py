"""What happens to the account, told as it happens: the source of the private streams.

A happening names living objects; whoever listens reads them at once, since the next happening changes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from pairbot_ext.sim.market.base import Book
from pairbot_ext.sim.venue.orders import ZERO, Fill, Order
from pairbot_ext.sim.venue.positions import Position


class Execution(StrEnum):
    """What has just happened to an order ("x" of ORDER_TRADE_UPDATE)."""

    NEW = "NEW"
    TRADE = "TRADE"
    CALCULATED = "CALCULATED"  # the close of a liquidation
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class Reason(StrEnum):
    """Why the account changed ("m" of ACCOUNT_UPDATE)."""

    ORDER = "ORDER"
    FUNDING_FEE = "FUNDING_FEE"
    DEPOSIT = "DEPOSIT"
    WITHDRAW = "WITHDRAW"
    MARGIN_TRANSFER = "MARGIN_TRANSFER"
    MARGIN_TYPE_CHANGE = "MARGIN_TYPE_CHANGE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order was accepted, filled or ended; `fill` is the execution where there was one."""

    order: Order
    execution: Execution
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Wallet or positions changed.

    :param positions: those that changed, no others.
    :param change: of the wallet in quote, profits and commissions aside.
    """

    reason: Reason
    positions: tuple[Position, ...] = ()
    change: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class LeverageChanged:
    """The leverage of a symbol was set."""

    symbol: str
    leverage: int


@dataclass(frozen=True, slots=True)
class AssetModeChanged:
    """Multi-assets margin was switched."""

    multi_assets: bool


@dataclass(frozen=True, slots=True)
class MarginCalled:
    """Margin of these positions is nearly used up."""

    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class ListenKeyEnded:
    """A listen key is valid no more.

    :param expired: by its age: its connections are told. :param closed: by its owner: they are closed.
    """

    key: str
    expired: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class BookServed:
    """Somebody was shown a whole book over REST; a diff stream must lead on from it."""

    symbol: str
    book: Book


Happening = (
    OrderChanged | AccountChanged | LeverageChanged | AssetModeChanged | MarginCalled | ListenKeyEnded
    | BookServed
)  # fmt: skip


class Tape:
    """Hands each happening to every listener, in order, within the instant it happens."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Happening], None]] = []

    def __getstate__(self) -> dict[str, list[Callable[[Happening], None]]]:
        """Who listens belongs to the process: a venue that is put away has no listeners."""
        return {"_listeners": []}

    def listen(self, listener: Callable[[Happening], None]) -> None:
        """Have `listener` called from now on."""
        self._listeners.append(listener)

    def record(self, happening: Happening) -> None:
        """Tell it."""
        for listener in self._listeners:
            listener(happening)
