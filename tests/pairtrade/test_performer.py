"""What single actions leave behind where Freqtrade does not do its part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from situations import A_FULL, B_FULL, OPEN, T0, order
from sqlalchemy.exc import OperationalError

from pairbot_ext.host.legs import LegBooking
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, Refusal, Role
from pairbot_ext.model.thresholds import SHORT_SPREAD
from pairbot_ext.pairtrade.decide import Enter, Reduce
from pairbot_ext.pairtrade.facts import Pass
from pairbot_ext.pairtrade.performer import Performer
from pairbot_ext.pairtrade.situation import LegFacts

INTENT = order(Leg.B, Role.ENTRY, OrderStatus.INTENT)
ENTER = Enter(Leg.B, Role.ENTRY, Decimal(24), attempt=2, is_market=False, price=10.2)
"""At the price `Case.best` gives."""
EXIT = order(Leg.A, Role.EXIT, OrderStatus.FILLED, "100")


class Case:
    """Stands for the broker, the journal, the guard, the knowledge and the clock; the engine around them is
    in test_partials_and_refusals.py."""

    def __init__(self, *orders: OrderRecord) -> None:
        self.orders = {each.client_id: each for each in orders}
        self.sent: set[str] = set()
        self.booking_found: LegBooking | None = None
        self.unbooked: tuple[str, ...] = ()
        self.fails: Exception | None = None
        self.leaves: dict[str, OrderStatus] = {}
        self.side = "buy"
        self.has_room = True
        self.is_degraded = self.is_unreadable = False
        self.calls: list[tuple[Any, ...]] = []
        self.events: list[tuple[str | None, str, Any]] = []
        self.performer = Performer(self, self, self, self, self, self, self)  # type: ignore[arg-type]

    def now_ms(self) -> int:
        return T0 + 7

    def order(self, client_id: str) -> OrderRecord | None:
        return self.orders.get(client_id)

    def change_order(self, client_id: str, **changes: Any) -> None:
        self.orders[client_id] = replace(self.orders[client_id], **changes)

    def add_event(self, pair_trade_id: str | None, kind: str, **detail: Any) -> None:
        self.events.append((pair_trade_id, kind, detail["order"]))

    def was_sent(self, client_id: str) -> bool:
        return client_id in self.sent

    def arm(self, client_id: str) -> None:
        self.calls.append(("arm", client_id))

    def disarm(self, symbol: str) -> None:
        self.calls.append(("disarm", symbol))

    def answer_of(self, asked: OrderRecord) -> dict[str, Any]:
        return {"id": asked.order_id}

    def booking(self, symbol: str, order_ids: list[str]) -> LegBooking | None:
        assert (symbol, order_ids) in [(each.symbol, [each.order_id or ""]) for each in self.orders.values()]
        return self.booking_found

    def gather_leg(self, trade: PairTrade, leg: Leg, _now: Pass) -> LegFacts:
        return LegFacts(leg, trade.sizing[leg], tuple(self.orders.values()), 2.0, unbooked=self.unbooked)

    def note_booking(self, client_id: str, *, is_booked: bool) -> int:
        self.calls.append(("booked" if is_booked else "not booked", client_id))
        return 1

    def best(self, symbol: str, side: str, fallback: float, *, is_first: bool) -> float:
        assert (symbol, side, fallback) == (OPEN.plan.leg_b, self.side, 10.0)
        return 10.2

    def of_leg(self, _trade: PairTrade, leg: Leg, role: Role, amount: Decimal, order_type: str,
               price: float | None, _reason: str = "") -> OrderRecord:  # fmt: skip
        self.calls.append(("intent", leg, role, amount, order_type, price))
        return INTENT

    def add_order(self, intent: OrderRecord) -> None:
        self.orders[intent.client_id] = intent

    def add_orders(self, intents: Sequence[OrderRecord]) -> list[OrderRecord]:
        for intent in intents:
            self.add_order(intent)
        return list(intents)

    def has_room_for(self, _count: int) -> bool:
        return self.has_room

    def transmit_together(self, orders: Sequence[OrderRecord]) -> None:
        for each in orders:
            if each.client_id in self.leaves:
                status = self.leaves[each.client_id]
                filled = each.amount if status is OrderStatus.FILLED else Decimal(0)
                self.change_order(each.client_id, status=status, filled=filled)

    def has_open_trade(self, _symbol: str) -> bool:
        if self.is_unreadable:
            raise OperationalError("SELECT", None, Exception("locked"))
        return True

    def enter(self, entry: OrderRecord, _trade: PairTrade) -> None:
        self.calls.append(("enter", entry.client_id))
        if self.fails is not None:
            raise self.fails
        if entry.client_id in self.leaves:
            self.sent.add(entry.client_id)
            self.change_order(entry.client_id, status=self.leaves[entry.client_id])

    def exit(self, left: OrderRecord, step: object, _reason: str) -> None:
        self.calls.append(("exit", left.client_id, step))

    def update_row(self, order_id: str, symbol: str, answer: dict[str, Any]) -> None:
        self.calls.append(("update", order_id, symbol, answer))


def test_an_intent_that_never_reached_the_guard_is_refused() -> None:
    """It is known at once, and not asked for like one that a crash has left behind."""
    case = Case(INTENT)
    case.performer.drop_unsent(INTENT.client_id, "no" * 200)
    after = case.orders[INTENT.client_id]
    assert (after.status, after.refusal) == (OrderStatus.REJECTED, Refusal.HARD)
    assert (after.error, after.settled_ms) == ("no" * 150, T0 + 7)
    assert case.events == [(OPEN.id, "not_sent", INTENT.client_id)]


@pytest.mark.parametrize("error", [RuntimeError("no stake"), None])
def test_an_entry_freqtrade_does_not_send_is_refused_at_once(error: Exception | None) -> None:
    case, now = Case(), Pass()
    case.fails = error
    case.performer.enter(OPEN, ENTER, now)
    after = case.orders[INTENT.client_id]
    assert after.status is OrderStatus.REJECTED
    assert after.error == (str(error) if error else "Freqtrade did not send it")
    assert case.calls[0] == ("intent", Leg.B, Role.ENTRY, Decimal(24), "limit", 10.24)
    assert case.calls[-1] == ("disarm", INTENT.symbol)
    assert now.asked == set()


@pytest.mark.parametrize(
    ("attempt", "seen", "amount"),
    [
        # The price was 10.2 / 1.02 = 10 before it ran away: 24 of it are 23.5 now.
        (1, 10.0, "23.5"),
        (2, 10.0, "23.5"),
        (1, 10.4, "24.5"),
        # The first is priced from the book it was sized on.
        (0, 10.0, "24"),
        # Never rounded away.
        (1, 0.01, "24"),
    ],
)
def test_a_further_attempt_enters_what_hedges_the_mate_at_the_price_there_is_now(
    attempt: int, seen: float, amount: str
) -> None:
    """Between two attempts the price may jump: yesterday's amount would be more, or less, than the hedge."""
    case = Case()
    case.performer.enter(OPEN, replace(ENTER, attempt=attempt, price=seen), Pass())
    assert case.calls[0][3] == Decimal(amount)


@pytest.mark.parametrize(
    ("direction", "side", "limits"),
    [(SHORT_SPREAD, "buy", [10.21, 10.22, 10.24]), (-SHORT_SPREAD, "sell", [10.19, 10.18, 10.16])],
)
def test_a_limit_reaches_into_the_book_and_twice_as_far_each_time(
    direction: int, side: str, limits: list[float]
) -> None:
    """A cap of 0.1 % on the side it is taken from: above the best price where leg B is bought, below it where
    it is sold."""
    for attempt, limit in enumerate(limits):
        case = Case()
        case.side = side
        trade = replace(OPEN, plan=replace(OPEN.plan, direction=direction))
        case.performer.enter(trade, replace(ENTER, attempt=attempt), Pass())
        assert case.calls[0][-1] == limit


@pytest.mark.parametrize("status", [OrderStatus.FILLED, OrderStatus.UNKNOWN, OrderStatus.REJECTED])
def test_an_exit_is_booked_when_it_has_filled(status: OrderStatus) -> None:
    """Freqtrade's own exit, run for an order that has not filled, would say that the leg is gone."""
    case, now = Case(), Pass()
    case.leaves[INTENT.client_id] = status
    case.performer.reduce(OPEN, [Reduce(Leg.B, Role.EXIT, Decimal(24))], now)
    is_booked = any(call[0] in ("enter", "exit", "update") for call in case.calls)
    assert is_booked == (status is OrderStatus.FILLED)
    assert not now.is_blocked


@pytest.mark.parametrize("what", ["is_degraded", "is_unreadable"])
def test_without_a_database_an_exit_is_out_and_booked_later(what: str) -> None:
    case, now = Case(), Pass()
    case.leaves[INTENT.client_id] = OrderStatus.FILLED
    setattr(case, what, True)
    case.performer.reduce(OPEN, [Reduce(Leg.B, Role.EXIT, Decimal(24))], now)
    assert case.orders[INTENT.client_id].status is OrderStatus.FILLED
    assert [call[0] for call in case.calls] == ["intent"]


def test_exits_wait_for_room_in_the_venue_s_order_window() -> None:
    case, now = Case(), Pass()
    case.has_room = False
    case.performer.reduce(OPEN, [Reduce(Leg.B, Role.EXIT, Decimal(24))], now)
    assert now.is_blocked
    assert case.orders == {}
    assert case.calls == []


@pytest.mark.parametrize("status", [OrderStatus.UNKNOWN, OrderStatus.FILLED])
def test_an_entry_whose_fate_is_open_is_not_asked_for_again_in_the_same_pass(status: OrderStatus) -> None:
    case, now = Case(), Pass()
    case.leaves[INTENT.client_id] = status
    case.performer.enter(OPEN, ENTER, now)
    assert case.orders[INTENT.client_id].status is status
    assert now.asked == ({INTENT.client_id} if status is OrderStatus.UNKNOWN else set())


@pytest.mark.parametrize("status", [status for status in OrderStatus if status is not OrderStatus.INTENT])
def test_what_was_recorded_otherwise_is_left_alone(status: OrderStatus) -> None:
    known = replace(INTENT, status=status)
    case = Case(known)
    case.performer.drop_unsent(known.client_id, "why")
    assert case.orders[known.client_id] == known
    assert case.events == []


def test_an_intent_on_its_way_is_left_alone_and_an_unknown_one_too() -> None:
    case = Case(INTENT)
    case.sent = {INTENT.client_id}
    case.performer.drop_unsent(INTENT.client_id, "why")
    case.performer.drop_unsent("pb-nobody", "why")
    assert case.orders == {INTENT.client_id: INTENT}


@pytest.mark.parametrize(
    ("known", "is_stale", "expected"),
    [
        (B_FULL, False, ("enter", B_FULL.client_id)),
        (EXIT, False, ("exit", EXIT.client_id, OPEN.sizing.leg_a.step)),
        (B_FULL, True, ("update", B_FULL.order_id, B_FULL.symbol, {"id": B_FULL.order_id})),
        (EXIT, True, ("update", EXIT.order_id, EXIT.symbol, {"id": EXIT.order_id})),
    ],
)
def test_freqtrade_books_what_it_lacks_and_updates_what_it_has(
    known: OrderRecord, is_stale: bool, expected: tuple[Any, ...]
) -> None:
    """Never a second row for an order whose first one Freqtrade still takes for open."""
    case = Case(A_FULL, known)
    stale = frozenset({known.order_id}) if is_stale else frozenset[str]()
    case.booking_found = LegBooking(1, True, 100.0, {}, stale)  # type: ignore[arg-type]
    case.performer.book(OPEN, known.client_id, Pass())
    assert case.calls == [
        ("arm", known.client_id),
        expected,
        ("disarm", known.symbol),
        ("booked", known.client_id),
    ]
    assert case.events == [(OPEN.id, "adopted", known.client_id)]


def test_what_freqtrade_could_not_book_is_noted_in_the_pass() -> None:
    case, now = Case(A_FULL, B_FULL), Pass()
    case.unbooked = (B_FULL.client_id,)
    case.performer.book(OPEN, B_FULL.client_id, now)
    assert now.failed_to_book == {B_FULL.client_id}
    assert ("not booked", B_FULL.client_id) in case.calls
    assert case.events == [(OPEN.id, "not_booked", B_FULL.client_id)]
