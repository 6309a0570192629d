"""When the reconciler reads positions, what it hands on, and what it calls foreign."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from freqtrade.exceptions import TemporaryError
from situations import A_FULL, B_FULL, OPEN, T0, facts, order

from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, Role
from pairbot_ext.pairtrade.situation import Facts
from pairbot_ext.recovery.reconciler import INTERVAL_MS, Reconciler

A, B = OPEN.plan.leg_a, OPEN.plan.leg_b
OURS = {A: Decimal(-100), B: Decimal("24.0")}
"""Short the spread: short A, long B."""
OTHER = "C/USDT:USDT"


class Case:
    """One hedged pair trade. Stands for the journal, the broker, the coordinator and the clock: the engine
    around them is in test_reconciler.py."""

    def __init__(self) -> None:
        self.at_ms = T0
        self.trades: list[PairTrade] = [OPEN]
        self.orders: list[OrderRecord] = [A_FULL, B_FULL]
        self.fails: Exception | None = None
        self.answer = dict(OURS)
        self.reads = 0
        self.advanced: list[tuple[str, bool, dict[str, Decimal] | None]] = []
        self.failing: set[str] = set()
        self.settles: dict[str, OrderRecord] = {}
        self.told: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.has_suspicion = False
        self.reconciler = Reconciler(self, self, self, self, nullcontext)  # type: ignore[arg-type]

    def now_ms(self) -> int:
        return self.at_ms

    def open_pair_trades(self) -> list[PairTrade]:
        return list(self.trades)

    def orders_of(self, pair_trade_id: str) -> list[OrderRecord]:
        return [each for each in self.orders if each.pair_trade_id == pair_trade_id]

    def add_event(self, pair_trade_id: str | None, kind: str, **detail: Any) -> None:
        assert (pair_trade_id, kind) == (None, "foreign")
        self.events.append(detail)

    def positions(self) -> dict[str, Decimal]:
        self.reads += 1
        if self.fails is not None:
            raise self.fails
        return dict(self.answer)

    def last_price(self, _symbol: str) -> None:
        return None

    def tell(self, text: str, *, is_warning: bool) -> None:
        assert is_warning
        self.told.append(text)

    def facts_of(self, trade: PairTrade) -> Facts:
        return facts(*self.orders_of(trade.id))

    def advance(self, pair_trade_id: str, *, may_explain: bool, venue: dict[str, Decimal] | None) -> None:
        self.advanced.append((pair_trade_id, may_explain, venue))
        self.orders = [self.settles.get(each.client_id, each) for each in self.orders]
        if pair_trade_id in self.failing:
            raise RuntimeError("a fault of ours")

    def passes(self, *after_ms: int) -> list[bool]:
        """Whether each pass, so long after the one before, has read positions."""
        read = []
        for wait_ms in after_ms:
            before = self.reads
            self.at_ms += wait_ms
            self.reconciler.run()
            read.append(self.reads > before)
        return read


@pytest.fixture
def case() -> Case:
    return Case()


def test_positions_are_read_at_once_and_then_on_schedule(case: Case) -> None:
    assert case.reconciler.is_requested
    assert case.passes(0, 0, INTERVAL_MS - 1, 1, 1) == [True, False, False, True, False]
    assert not case.reconciler.is_requested


def test_positions_are_read_before_their_time_where_something_is_unclear(case: Case) -> None:
    case.passes(0)
    case.has_suspicion = True
    assert case.passes(1) == [True]
    case.has_suspicion = False
    case.reconciler.request()
    assert case.passes(1, 1) == [True, False]
    assert case.passes(-5) == [True], "the machine's clock was set back"


def test_what_an_order_became_is_compared_with_new_positions(case: Case) -> None:
    unknown = order(Leg.B, Role.EXIT, OrderStatus.UNKNOWN, amount="24.0")
    case.orders.append(unknown)
    assert case.passes(0, 1) == [True, True], "read in every pass while an order's fate is open"
    case.settles[unknown.client_id] = replace(unknown, status=OrderStatus.REJECTED)
    assert case.passes(1, 1, 1) == [True, True, False], "and once more when it is known"


@pytest.mark.swallows("a fault of ours")
def test_every_pair_gets_the_positions_and_may_be_explained(case: Case) -> None:
    """One that fails keeps no other from its turn."""
    case.trades.append(replace(OPEN, id="ba9876543210"))
    case.failing = {trade.id for trade in case.trades}
    case.passes(0, 1)
    ids = [OPEN.id, "ba9876543210"]
    assert case.advanced == [(each, True, OURS) for each in ids] + [(each, True, None) for each in ids]


@pytest.mark.parametrize("error", [ccxt.NetworkError("gone"), TemporaryError("busy")])
def test_an_unreadable_account_is_no_empty_one(case: Case, error: Exception) -> None:
    case.answer[OTHER] = Decimal(3)
    case.passes(0)
    assert case.reconciler.unreadable_secs == 0
    case.fails = error
    case.passes(INTERVAL_MS, 2_000, 3_000)
    assert [venue for _, _, venue in case.advanced[1:]] == [None, None, None]
    assert case.reads == 4, "asked for again in the next pass"
    assert case.reconciler.unreadable_secs == 5
    assert case.reconciler.foreign == {OTHER: Decimal(3)}, "nothing is concluded"
    case.fails = None
    case.passes(1)
    assert case.reconciler.unreadable_secs == 0


def test_our_own_positions_are_not_foreign(case: Case) -> None:
    case.passes(0)
    assert (case.reconciler.foreign, case.told, case.events) == ({}, [], [])


@pytest.mark.parametrize(
    ("shown", "foreign"),
    [
        ({OTHER: "3"}, {OTHER: "3"}),
        ({OTHER: "0"}, {}),
        ({A: "-103"}, {A: "-3"}),
        ({A: "-99.5"}, {A: "0.5"}),
        ({A: "-99.6"}, {}),
        ({B: "30"}, {B: "6.0"}),
        ({B: "-24"}, {B: "-48.0"}),
    ],
)
def test_what_our_fills_do_not_explain_is_foreign(
    case: Case, shown: dict[str, str], foreign: dict[str, str]
) -> None:
    """From half a step on; told once, and again where it changes."""
    case.answer |= {symbol: Decimal(amount) for symbol, amount in shown.items()}
    case.passes(0, INTERVAL_MS)
    expected = {symbol: Decimal(amount) for symbol, amount in foreign.items()}
    assert case.reconciler.foreign == expected
    assert case.events == [{"symbol": symbol, "amount": amount} for symbol, amount in expected.items()]
    assert len(case.told) == len(expected)
    case.answer = dict(OURS)
    case.passes(INTERVAL_MS)
    assert case.reconciler.foreign == {}


def test_a_leg_with_an_order_of_unknown_fate_is_not_called_foreign(case: Case) -> None:
    case.orders.append(order(Leg.A, Role.EXIT, OrderStatus.UNKNOWN))
    case.answer = {A: Decimal(-50), B: Decimal(30)}
    case.passes(0)
    assert set(case.reconciler.foreign) == {B}


@pytest.mark.parametrize(("settled_ms", "is_old"), [(T0 - 1, False), (T0, True), (T0 + 1, True)])
def test_positions_read_before_our_order_say_nothing_of_its_leg(
    case: Case, settled_ms: int, is_old: bool
) -> None:
    case.orders[0] = replace(A_FULL, sent_ms=T0 - 5, settled_ms=settled_ms)
    case.orders[1] = replace(B_FULL, sent_ms=None, settled_ms=T0 + 1)
    case.answer = {A: Decimal(-50), B: Decimal(30)}
    case.passes(0)
    assert (A not in case.reconciler.foreign) is is_old
    assert B in case.reconciler.foreign, "never sent by us: other hands"
