"""Pair trades and orders as the engine sees them: frozen, detached from the database."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal, OrderStatus, PairState, Refusal, Role


@dataclass(frozen=True)
class LegSizing:
    """One leg as planned before anything was sent.

    :param amount: planned, base currency, on the step.
    :param step: amount step.
    :param tick: price step, quote currency.
    :param min_notional: smallest notional of an order that is not reduce-only, quote currency.
    :param price: best price on the side we take, from the book read in the checks.
    """

    amount: Decimal
    step: Decimal
    tick: Decimal
    min_notional: float
    price: float

    def to_json(self) -> dict[str, Any]:
        """A document for the database."""
        return {
            "amount": str(self.amount),
            "step": str(self.step),
            "tick": str(self.tick),
            "min_notional": self.min_notional,
            "price": self.price,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            amount=Decimal(document["amount"]),
            step=Decimal(document["step"]),
            tick=Decimal(document["tick"]),
            min_notional=document["min_notional"],
            price=document["price"],
        )


@dataclass(frozen=True)
class Sizing:
    """Both legs as planned.

    :param slippage_cap: how far from the best price an IOC may reach, a ratio (0.001 = 10 bp).
    """

    leg_a: LegSizing
    leg_b: LegSizing
    leverage: int
    slippage_cap: float

    def __getitem__(self, leg: Leg) -> LegSizing:
        return self.leg_a if leg is Leg.A else self.leg_b

    def to_json(self) -> dict[str, Any]:
        """A document for the database."""
        return {
            "leg_a": self.leg_a.to_json(),
            "leg_b": self.leg_b.to_json(),
            "leverage": self.leverage,
            "slippage_cap": self.slippage_cap,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            leg_a=LegSizing.from_json(document["leg_a"]),
            leg_b=LegSizing.from_json(document["leg_b"]),
            leverage=document["leverage"],
            slippage_cap=document["slippage_cap"],
        )


@dataclass(frozen=True)
class OrderRecord:
    """One order. `filled` is exact once settled; before that it is what is known so far."""

    client_id: str
    pair_trade_id: str
    leg: Leg
    role: Role
    attempt: int
    symbol: str
    side: str
    order_type: str
    amount: Decimal
    price: float | None
    leverage: float
    reduce_only: bool
    reason: str
    status: OrderStatus
    intent_ms: int
    refusal: Refusal | None = None
    error: str | None = None
    order_id: str | None = None
    filled: Decimal = Decimal(0)
    average: float | None = None
    sent_ms: int | None = None
    answered_ms: int | None = None
    settled_ms: int | None = None


@dataclass(frozen=True)
class PairTrade:
    """One round trip of a pair."""

    id: str
    plan: EntryPlan
    sizing: Sizing
    state: PairState
    goal: Goal
    was_hedged: bool
    reason: str
    dry_run: bool
    created_ms: int
    updated_ms: int
    hedged_ms: int | None = None
    closed_ms: int | None = None

    @property
    def symbols(self) -> tuple[str, str]:
        """(leg A, leg B)."""
        return self.plan.leg_a, self.plan.leg_b

    def entry_side(self, leg: Leg) -> str:
        """ "buy" or "sell"."""
        return "buy" if self.plan.side(leg) == "long" else "sell"

    def exit_side(self, leg: Leg) -> str:
        """ "buy" or "sell"."""
        return "sell" if self.plan.side(leg) == "long" else "buy"


@dataclass(frozen=True)
class Event:
    """One line of a pair trade's history."""

    pair_trade_id: str | None
    at_ms: int
    kind: str
    detail: dict[str, Any]

    @property
    def detail_json(self) -> str:
        """The detail as it is stored."""
        return json.dumps(self.detail, sort_keys=True, default=str)


def leg_side(trade: PairTrade, leg: Leg) -> int:
    """1 where the leg is long, -1 where it is short."""
    return 1 if trade.plan.side(leg) == "long" else -1
