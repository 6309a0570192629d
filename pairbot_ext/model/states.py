"""States of a pair trade and of an order, and what a client order id says."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pairbot_ext.model.sizing import Leg


class PairState(StrEnum):
    """Where a pair trade stands. Derived from its orders and its goal by `decide`; stored for people."""

    PLANNED = "PLANNED"
    A_SENT = "A_SENT"
    B_SENT = "B_SENT"
    HEDGED = "HEDGED"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"
    UNWINDING = "UNWINDING"
    ABORTED = "ABORTED"
    UNKNOWN = "UNKNOWN"
    NEEDS_OPERATOR = "NEEDS_OPERATOR"

    @property
    def is_final(self) -> bool:
        """Whether nothing is left to do."""
        return self in (PairState.CLOSED, PairState.ABORTED)


class Goal(StrEnum):
    """What a pair trade is heading for. It only ever moves forward: OPEN, then CLOSE or ABORT."""

    OPEN = "OPEN"
    CLOSE = "CLOSE"
    ABORT = "ABORT"


class Role(StrEnum):
    """Why an order was sent. The value is the role's letter in the client order id."""

    ENTRY = "e"
    TOP_UP = "t"
    EXIT = "x"
    TRIM = "r"
    UNWIND = "u"
    EXTERNAL = "o"
    """Not ours: a fill on our position that somebody else caused (by hand, liquidation, ADL)."""

    @property
    def increases(self) -> bool:
        """Whether the order makes the leg bigger. Everything else is reduce-only."""
        return self in (Role.ENTRY, Role.TOP_UP)


class OrderStatus(StrEnum):
    """What is known of one order.

    INTENT: durable, nothing sent. SENT: on its way. UNKNOWN: sent, and no clear answer yet.
    Settled: FILLED (completely), PARTIAL (the rest expired), EXPIRED (nothing filled), REJECTED (the venue
    said no), VOID (the venue has proved that it never got it).
    """

    INTENT = "INTENT"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    PARTIAL = "PARTIAL"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    VOID = "VOID"

    @property
    def is_settled(self) -> bool:
        """Whether the order can no longer change."""
        return self not in (OrderStatus.INTENT, OrderStatus.SENT, OrderStatus.UNKNOWN)


class Refusal(StrEnum):
    """Why the venue did not take an order, by what follows from it.

    PRICE: it did not cross; try again with a wider cap. TRANSIENT: overloaded, banned, clock off; the same
    order may pass later. HARD: funds, filters, permissions; the same order will not pass.
    NO_POSITION: reduce-only found nothing to reduce; read the position before anything else.
    """

    PRICE = "PRICE"
    TRANSIENT = "TRANSIENT"
    HARD = "HARD"
    NO_POSITION = "NO_POSITION"


ID_LENGTH = 12
ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_CLIENT_ID = re.compile(r"^pb-([0-9a-z]{12})-([AB])-([a-z])-([0-9]{1,4})$")


@dataclass(frozen=True)
class ClientOrderId:
    """`pb-<pair trade>-<leg>-<role>-<attempt>`: at most 24 characters of Binance's 36, never reused."""

    pair_trade: str
    leg: Leg
    role: Role
    attempt: int

    def __str__(self) -> str:
        return f"pb-{self.pair_trade}-{self.leg}-{self.role}-{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The parts of `text`, or None where it is not one of ours."""
        match = _CLIENT_ID.match(text)
        if match is None or match[3] not in {role.value for role in Role}:
            return None
        return cls(match[1], Leg(match[2]), Role(match[3]), int(match[4]))
