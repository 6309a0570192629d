"""Orders, fills and what may be asked of the venue, in its own terms."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for what makes a position longer, −1 for what makes it shorter."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """What `POST /fapi/v1/order` takes; conditional types live at `algoOrder`."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    """GTC rests, IOC expires what does not fill at once, FOK fills wholly or not at all, GTX only makes."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class SelfTradePrevention(StrEnum):
    """What ends where an account would trade with itself. Told back, and never needed: see `NOT_MODELLED`."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class OrderStatus(StrEnum):
    """Binance's order states."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_open(self) -> bool:
        """Whether the order can still fill."""
        return self in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


@dataclass(frozen=True)
class OrderRequest:
    """A new order as parsed from the wire, not yet checked against the symbol's rules.

    :param amount: in base; `price` in quote, None for market orders.
    """

    symbol: str
    side: Side
    type: OrderType
    amount: Decimal
    client_order_id: str
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER


@dataclass(frozen=True)
class FillRule:
    """How a fault bends the execution of one order.

    :param fraction: the part of the amount (0–1) that may execute at once; the book still bounds it.
    :param hold_ms: None: the remainder ends as the order's type says (IOC and market expire). A number: the
        order
        stays open, whatever its type, and the remainder is executed so many ms later; −1: never by itself.
    """

    fraction: Decimal = Decimal(1)
    hold_ms: int | None = None


@dataclass(slots=True)
class Order:
    """One order as the venue holds it. Amounts in base; `quote` sums price × amount over its fills."""

    order_id: int
    request: OrderRequest
    amount: Decimal
    created_ms: int
    updated_ms: int
    status: OrderStatus = OrderStatus.NEW
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    held: bool = False  # a fault keeps it from the book; see FillRule.hold_ms
    liquidation: bool = False

    @property
    def remaining(self) -> Decimal:
        """What has not been filled, in base."""
        return self.amount - self.executed

    @property
    def average_price(self) -> Decimal:
        """Mean fill price, 0 without a fill."""
        return self.quote / self.executed if self.executed else ZERO


@dataclass(frozen=True)
class Fill:
    """One execution. `commission` in quote, positive where it was paid; `realized_pnl` before commission."""

    trade_id: int
    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    price: Decimal
    amount: Decimal
    commission: Decimal
    realized_pnl: Decimal
    maker: bool
    time_ms: int
    liquidation: bool = False
