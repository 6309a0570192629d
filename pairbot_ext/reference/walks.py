"""Which state follows which: found by letting `decide` run against a venue that answers at random.

Seeded, so the same code gives the same edges. The venue here is as small as it can be: it fills, fills in
part, refuses, says nothing, loses orders, and lets other hands reduce a leg.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.records import LegSizing, OrderRecord, PairTrade, Sizing
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, Goal, OrderStatus, PairState, Refusal, Role
from pairbot_ext.model.thresholds import SHORT_SPREAD, Thresholds
from pairbot_ext.pairtrade.decide import Action, Ask, Book, Enter, Explain, Reduce, decide
from pairbot_ext.pairtrade.facts import BOOKING_PAUSE_MS, MAX_BOOKINGS
from pairbot_ext.pairtrade.situation import Facts, LegFacts

SEED = 20260201
WALKS = 2_000
MOST_PASSES = 60
LEAST_SEEN = 4
"""Edges seen less often in so many walks are left out: they need several accidents at once."""
_RECOVERS = 0.03
"""Probability, per pass, that the venue's bad day is over."""
_STEPS_PER_PASS = 30
_SIZING = Sizing(
    leg_a=LegSizing(Decimal(100), Decimal(1), Decimal("0.01"), 5.0, 2.0),
    leg_b=LegSizing(Decimal("24.0"), Decimal("0.1"), Decimal("0.01"), 5.0, 10.0),
    leverage=1,
    slippage_cap=0.001,
)
_PLAN = EntryPlan(
    pair_id="A_B",
    leg_a="A/USDT:USDT",
    leg_b="B/USDT:USDT",
    direction=SHORT_SPREAD,
    model=EntryModel(alpha=0.0, beta=1.2, mu=0.0, sigma=0.02, half_life_candles=10.0),
    thresholds=Thresholds(2.0, 0.3, 4.0, 4.0),
    candle=datetime(2026, 2, 1, tzinfo=UTC),
    z=2.5,
)

Edge = tuple[PairState, PairState]


@dataclass
class _Temper:
    """How one walk's venue behaves: probabilities between 0 and 1."""

    fills: float
    unclear: float
    meddled: float
    books: float


@dataclass
class _Walk:
    """One pair trade from its plan to its end, or to MOST_PASSES."""

    chance: random.Random
    temper: _Temper
    trade: PairTrade
    now_ms: int = 0
    orders: dict[Leg, list[OrderRecord]] = field(default_factory=lambda: {leg: [] for leg in Leg})
    unbooked: dict[str, int] = field(default_factory=dict)
    booking_ms: dict[str, int] = field(default_factory=dict)
    venue: dict[Leg, Decimal] = field(default_factory=dict)
    edges: Counter[Edge] = field(default_factory=Counter)

    def run(self) -> Counter[Edge]:
        self._send(Leg.A, Role.ENTRY, _SIZING.leg_a.amount)
        for _ in range(MOST_PASSES):
            self._pass()
            if self.trade.state.is_final:
                break
            self.now_ms += self.chance.choice([100, 3_000, 61_000])
            self._meddle()
            if self.trade.state is PairState.NEEDS_OPERATOR and self.chance.random() < 0.3:
                self._operate()
            if self.chance.random() < _RECOVERS:
                self.temper = _Temper(fills=1.0, unclear=0.0, meddled=0.0, books=1.0)
        return self.edges

    def _pass(self) -> None:
        wants_out = self.trade.was_hedged and self.chance.random() < 0.2
        asked: set[str] = set()
        failed: set[str] = set()
        self.venue.clear()
        for _ in range(_STEPS_PER_PASS):
            decision = decide(self.trade, self._facts(asked, failed, "pair_reverted" if wants_out else None))
            if decision.state is not self.trade.state:
                self.edges[self.trade.state, decision.state] += 1
            self.trade = replace(
                self.trade,
                state=decision.state,
                goal=decision.goal,
                reason=decision.reason,
                was_hedged=self.trade.was_hedged or decision.state is PairState.HEDGED,
            )
            if not decision.actions:
                return
            for action in decision.actions:
                self._perform(action, asked, failed)

    def _facts(self, asked: set[str], failed: set[str], exit_reason: str | None) -> Facts:
        def leg_facts(leg: Leg) -> LegFacts:
            unbooked = tuple(o.client_id for o in self.orders[leg] if o.client_id in self.unbooked)
            sizing = _SIZING[leg]
            return LegFacts(leg, sizing, tuple(self.orders[leg]), sizing.price, unbooked, self.venue.get(leg))

        given_up = frozenset(name for name, tries in self.unbooked.items() if tries >= MAX_BOOKINGS)
        return Facts(
            now_ms=self.now_ms,
            leg_a=leg_facts(Leg.A),
            leg_b=leg_facts(Leg.B),
            exit_reason=exit_reason,
            asked=frozenset(asked),
            failed_to_book=frozenset(failed),
            unbookable=given_up,
            booked_later=frozenset(
                name for name in given_up if self.now_ms - self.booking_ms[name] < BOOKING_PAUSE_MS
            ),
        )

    def _perform(self, action: Action, asked: set[str], failed: set[str]) -> None:
        match action:
            case Ask(client_id):
                if self.chance.random() < self.temper.unclear:
                    asked.add(client_id)
                else:
                    self._answer(client_id)
            case Book(client_id):
                if self.chance.random() < self.temper.books:
                    del self.unbooked[client_id]
                else:
                    self.unbooked[client_id] += 1
                    self.booking_ms[client_id] = self.now_ms
                    failed.add(client_id)
            case Enter(leg, role, amount):
                self._send(leg, role, amount)
            case Reduce(leg, role, amount):
                self._send(leg, role, amount)
            case Explain(leg):
                self._external(leg, self._held(leg) - self.venue.pop(leg))
            case _:
                self.venue = {leg: self._held(leg) for leg in Leg}

    def _held(self, leg: Leg) -> Decimal:
        return sum((o.filled if o.role.increases else -o.filled for o in self.orders[leg]), Decimal(0))

    def _send(self, leg: Leg, role: Role, amount: Decimal) -> None:
        self.venue.clear()
        number = len(self.orders[leg]) + 1
        order = OrderRecord(
            client_id=str(ClientOrderId(self.trade.id, leg, role, number)),
            pair_trade_id=self.trade.id,
            leg=leg,
            role=role,
            attempt=number,
            symbol=_PLAN.symbol(leg),
            side="",
            order_type="",
            amount=amount,
            price=_SIZING[leg].price,
            leverage=1.0,
            reduce_only=not role.increases,
            reason="",
            status=OrderStatus.SENT,
            intent_ms=self.now_ms,
        )
        self.orders[leg].append(order)
        if self.chance.random() >= self.temper.unclear:
            self._answer(order.client_id)

    def _answer(self, client_id: str) -> None:
        """The venue says what became of an order."""
        leg, at, order = next(
            (leg, at, order)
            for leg in Leg
            for at, order in enumerate(self.orders[leg])
            if order.client_id == client_id
        )
        most = order.amount if order.role.increases else min(order.amount, self._held(leg))
        filled, status, refusal = Decimal(0), OrderStatus.EXPIRED, None
        if self.chance.random() < self.temper.fills:
            share = self.chance.choice(["1", "1", "1", "0.6", "0.05"])
            step = _SIZING[leg].step
            filled = max(most * Decimal(share) // step * step, min(step, most))
            status = OrderStatus.FILLED if filled == order.amount else OrderStatus.PARTIAL
        elif self.chance.random() < 0.6:
            status = self.chance.choice([OrderStatus.REJECTED, OrderStatus.REJECTED, OrderStatus.VOID])
            kinds = [Refusal.HARD, Refusal.TRANSIENT, Refusal.PRICE]
            refusal = self.chance.choice(kinds) if status is OrderStatus.REJECTED else None
        self.orders[leg][at] = replace(
            order,
            status=status,
            refusal=refusal,
            error=refusal and "refused",
            filled=filled,
            average=order.price,
        )
        if filled and self.chance.random() < 0.1:
            self.unbooked[client_id] = 0

    def _external(self, leg: Leg, amount: Decimal) -> None:
        if amount > 0:
            self._send(leg, Role.EXTERNAL, amount)
            self.orders[leg][-1] = replace(
                self.orders[leg][-1], status=OrderStatus.FILLED, filled=amount, average=_SIZING[leg].price
            )
            self.unbooked.pop(self.orders[leg][-1].client_id, None)

    def _meddle(self) -> None:
        """Somebody, a liquidation, a delisting takes a part of a leg, or all of it."""
        if self.chance.random() >= self.temper.meddled:
            return
        leg = self.chance.choice(list(Leg))
        held, step = self._held(leg), _SIZING[leg].step
        share = Decimal(self.chance.choice(["1", "0.5", "0.1"]))
        self._external(leg, held if share == 1 else held * share // step * step)

    def _operate(self) -> None:
        """A person closes what is open by hand, and sees to Freqtrade's books."""
        for leg in Leg:
            self._external(leg, self._held(leg))
        self.unbooked.clear()


def observed_edges(walks: int = WALKS, seed: int = SEED) -> Counter[Edge]:
    """How often each state followed another one in `walks` pair trades."""
    chance = random.Random(seed)
    found: Counter[Edge] = Counter()
    for _ in range(walks):
        trade = PairTrade("0123456789ab", _PLAN, _SIZING, PairState.PLANNED, Goal.OPEN, False, "", True, 0, 0)
        temper = _Temper(
            fills=chance.choice([1.0, 0.8, 0.3, 0.02]),
            unclear=chance.choice([0.0, 0.1, 0.5]),
            meddled=chance.choice([0.0, 0.05, 0.3]),
            books=chance.choice([1.0, 0.5, 0.0]),
        )
        found += _Walk(chance, temper, trade).run()
    return found
