"""I3: what settles an order and what does not, the guard alone against a venue that says what it likes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from situations import T0, order

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, Role
from pairbot_ext.orders.guard import ENTRY_BUDGET_MS, REDUCE_BUDGET_MS, SETTLE_MARGIN_MS, OrderGuard

LEFT = replace(order(Leg.A, Role.ENTRY, OrderStatus.INTENT), order_id=None)
"""As a crash leaves it: stored, and nobody knows whether it was sent."""
EXIT = replace(order(Leg.A, Role.EXIT, OrderStatus.UNKNOWN), sent_ms=T0)
WINDOW_MS = 2_000


def said(status: str = "closed", filled: float = 100, order_id: str = "77") -> dict[str, Any]:
    """ccxt's structure of an order."""
    return {"id": order_id, "status": status, "filled": filled, "average": 2.0 if filled else None}


class Case:
    """Stands for the journal, the venue and the clock."""

    arrival_window_ms = WINDOW_MS

    def __init__(self, *orders: OrderRecord) -> None:
        self.orders = {each.client_id: each for each in orders}
        self.at_ms = T0
        self.venue_ahead_ms = 0
        self.asked_ms: list[int] = []
        self.cancelled: list[str] = []
        self.sent: list[str] = []
        self.events: list[tuple[str | None, str, dict[str, Any]]] = []
        self.answers: list[Any] = []
        self.last: Any = ccxt.OrderNotFound("none")
        self.guard = OrderGuard(self, self, self, lambda *_: "")  # type: ignore[arg-type]

    def order(self, client_id: str) -> OrderRecord | None:
        return self.orders.get(client_id)

    def change_order(self, client_id: str, **changes: Any) -> OrderRecord:
        self.orders[client_id] = replace(self.orders[client_id], **changes)
        return self.orders[client_id]

    def add_event(self, pair_trade_id: str | None, kind: str, **detail: Any) -> None:
        self.events.append((pair_trade_id, kind, detail))

    def now_ms(self) -> int:
        return self.at_ms

    def sleep(self, secs: float) -> None:
        self.at_ms += round(secs * 1000)

    def venue_ms(self) -> int:
        return self.at_ms + self.venue_ahead_ms

    def query(self, _order: OrderRecord) -> dict[str, Any]:
        self.asked_ms.append(self.at_ms - T0)
        answer = self.answers.pop(0) if self.answers else self.last
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, resting: OrderRecord) -> None:
        self.cancelled.append(resting.client_id)

    def send_together(self, orders: Sequence[OrderRecord]) -> Generator[tuple[OrderRecord, Any]]:
        for each in orders:
            self.sent.append(each.client_id)
            yield each, said()


def test_the_history_says_which_order_got_how_much() -> None:
    case = Case(EXIT)
    case.last = said()
    case.guard.settle(EXIT, budget_ms=1_000)
    detail = {"order": EXIT.client_id, "status": OrderStatus.FILLED, "filled": 100, "average": 2.0}
    assert case.events == [(EXIT.pair_trade_id, "order", detail)]


@pytest.mark.parametrize("says", [ccxt.NetworkError("away"), TypeError("empty"), None, True, 1.8e12, "1"])
def test_without_the_venue_s_clock_nothing_is_ever_void(says: object) -> None:
    """Only its own clock says that the order can no longer arrive; an order it has not seen may."""
    case = Case(LEFT)

    def venue_ms() -> object:
        if isinstance(says, Exception):
            raise says
        return says

    case.venue_ms = venue_ms  # type: ignore[assignment, method-assign]
    after = case.guard.settle(LEFT, budget_ms=60_000)
    assert after.status in (OrderStatus.INTENT, OrderStatus.UNKNOWN)
    assert case.asked_ms[-1] > WINDOW_MS + SETTLE_MARGIN_MS


def test_an_intent_a_crash_left_behind_is_void_when_it_can_no_longer_arrive() -> None:
    """Its bound counts from now, the later end of when it may have left; the question that proves it is asked
    after the bound."""
    case = Case(LEFT)
    after = case.guard.settle(LEFT, budget_ms=60_000)
    assert (after.status, after.sent_ms) == (OrderStatus.VOID, T0)
    bound_ms = WINDOW_MS + SETTLE_MARGIN_MS
    assert [asked for asked in case.asked_ms if asked > bound_ms] == case.asked_ms[-2:]
    assert after.settled_ms is not None
    assert after.settled_ms - T0 > bound_ms


@pytest.mark.parametrize(("known", "budget_ms"), [(LEFT, ENTRY_BUDGET_MS), (EXIT, REDUCE_BUDGET_MS)])
def test_without_an_answer_it_stays_unknown_for_its_budget(known: OrderRecord, budget_ms: int) -> None:
    case = Case(known)
    case.last = ccxt.NetworkError("gone")
    after = case.guard.settle(known)
    assert after.status is OrderStatus.UNKNOWN
    assert case.at_ms - T0 == budget_ms


def test_asking_again_does_not_move_the_bound() -> None:
    """An exit missed for its whole budget is void in the next pass, not a budget later."""
    case = Case(EXIT)
    after = case.guard.settle(EXIT)
    assert (after.status, after.sent_ms) == (OrderStatus.UNKNOWN, T0)
    case.at_ms = T0 + WINDOW_MS + SETTLE_MARGIN_MS + 1
    assert case.guard.settle(after).status is OrderStatus.VOID
    assert case.guard.settle(case.orders[EXIT.client_id]).sent_ms == T0


def test_a_resting_order_is_cancelled_and_asked_for_again() -> None:
    case = Case(EXIT)
    case.answers = [said("open", 0), said("canceled", 40)]
    after = case.guard.settle(EXIT)
    assert (after.status, after.filled, after.order_id) == (OrderStatus.PARTIAL, Decimal(40), "77")
    assert case.cancelled == [EXIT.client_id]


def test_a_ban_ends_the_questions() -> None:
    case = Case(EXIT)
    case.last = ccxt.DDoSProtection("418")
    assert case.guard.settle(EXIT).status is OrderStatus.UNKNOWN
    assert case.asked_ms == [0]


def test_exits_that_left_together_are_booked_without_another_question() -> None:
    both = [order(leg, Role.EXIT, OrderStatus.INTENT) for leg in Leg]
    case = Case(*both)
    case.guard.transmit_together(both)
    assert [each.status for each in case.orders.values()] == [OrderStatus.FILLED] * 2
    for each in list(case.orders.values()):
        assert case.guard.transmit(each) == said()
    assert case.asked_ms == []


@pytest.mark.parametrize(
    ("known", "symbol", "update", "status"),
    [
        (EXIT, EXIT.symbol, said(), OrderStatus.FILLED),
        (replace(EXIT, order_id="77"), EXIT.symbol, said(), OrderStatus.FILLED),
        (replace(EXIT, order_id="78"), EXIT.symbol, said(), OrderStatus.UNKNOWN),
        (EXIT, EXIT.symbol, said("open", 0), OrderStatus.UNKNOWN),
        (replace(EXIT, status=OrderStatus.EXPIRED), EXIT.symbol, said(), OrderStatus.EXPIRED),
        (EXIT, "C/USDT:USDT", said(), None),
    ],
)
def test_a_stream_settles_our_own_open_order_and_no_other(
    known: OrderRecord, symbol: str, update: dict[str, Any], status: OrderStatus | None
) -> None:
    case = Case(known)
    heard = case.guard.hear(known.client_id, symbol, update)
    assert (heard.status if heard else None) is status
    assert case.guard.hear("pb-nobody", symbol, update) is None
