"""I3: an amount the venue does not show is written off once a second answer misses it, and not before.

The legs here are smaller than one coin, as those of dear coins are.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from freqtrade.exceptions import TemporaryError
from situations import T0, TRADE, order

from pairbot_ext.model.records import LegSizing, OrderRecord, PairTrade, Sizing
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, Refusal, Role
from pairbot_ext.pairtrade.facts import Pass
from pairbot_ext.pairtrade.missing import CONFIRM_MS, MissingAmounts
from pairbot_ext.pairtrade.situation import LegFacts

HELD = Decimal("0.010")
SMALL = LegSizing(HELD, Decimal("0.001"), Decimal("0.1"), 5.0, 90_000.0)
DEAR = replace(TRADE, sizing=Sizing(SMALL, SMALL, 1, 0.001))
A, B = DEAR.plan.leg_a, DEAR.plan.leg_b
WHOLE = {A: -HELD, B: HELD}
"""Short the spread: short A, long B."""
GONE = {B: HELD}


class Case:
    """Both legs of one pair trade held, and a venue that says of it what it likes. Stands for the broker, the
    journal, the knowledge and the clock: the engine around it is in tests/recovery/test_people.py."""

    def __init__(self) -> None:
        self.at_ms = T0
        self.open: list[PairTrade] = [DEAR]
        self.orders = [order(leg, Role.ENTRY, OrderStatus.FILLED, str(HELD), str(HELD)) for leg in Leg]
        self.found: list[OrderRecord] = []
        self.fails: Exception | None = None
        self.answer = dict(WHOLE)
        self.looked: list[str] = []
        self.told: list[str] = []
        self.written_off: list[tuple[Leg, Decimal]] = []
        self.missing = MissingAmounts(self, self, self, self)  # type: ignore[arg-type]

    # -- what the broker, the journal, the knowledge and the clock are asked --

    def now_ms(self) -> int:
        return self.at_ms

    def positions(self) -> dict[str, Decimal]:
        if self.fails is not None:
            raise self.fails
        return self.answer

    def look_for_fills(self, symbol: str, since: object) -> None:
        if self.fails is not None:
            raise self.fails
        self.looked.append(symbol)
        self.orders += self.found

    def tell(self, text: str, *, is_warning: bool) -> None:
        assert is_warning
        self.told.append(text)

    def write_off(self, _order: OrderRecord, price: float) -> None:
        assert price == SMALL.price

    def open_pair_trades(self) -> list[PairTrade]:
        return self.open

    def gather_leg(self, trade: PairTrade, leg: Leg, now: Pass) -> LegFacts:
        orders = tuple(each for each in self.orders if each.leg is leg)
        return LegFacts(leg, trade.sizing[leg], orders, SMALL.price, venue=now.venue.get(leg))

    def external(self, _trade: PairTrade, leg: Leg, role: Role, filled: Decimal, average: Any, order_id: Any,
                 _reason: str) -> OrderRecord:  # fmt: skip
        assert (role, average, order_id) == (Role.EXTERNAL, None, None)
        self.written_off.append((leg, filled))
        gone = order(leg, role, OrderStatus.FILLED, str(filled), str(filled))
        self.orders.append(gone)
        return gone

    # -- the case --

    def look(self, positions: dict[str, Decimal], after_ms: int = 0, *, may_explain: bool = True) -> Pass:
        """One pass that has read these positions and explains leg A."""
        self.at_ms += after_ms
        now = Pass(may_explain=may_explain)
        self.missing.take_positions(DEAR, positions, now)
        self.missing.explain(DEAR, Leg.A, now)
        return now


@pytest.fixture
def case() -> Case:
    return Case()


def test_one_answer_is_no_proof_and_two_at_a_distance_are(case: Case) -> None:
    assert case.look(GONE).is_blocked
    assert case.missing.has_suspicion
    assert case.look(GONE, CONFIRM_MS - 1).is_blocked
    assert case.written_off == []
    assert not case.look(GONE, 1).is_blocked
    assert case.written_off == [(Leg.A, HELD)]
    assert not case.missing.has_suspicion
    assert len(case.told) == 1, "told once, when it was missed first"
    assert set(case.looked) == {A}


@pytest.mark.parametrize(("shown", "lost"), [("-0.004", "0.006"), ("0.010", "0.010"), ("-0.009", "0.001")])
def test_what_is_missing_is_written_off_and_no_more(case: Case, shown: str, lost: str) -> None:
    """A position the other way round is somebody else's: all of the leg is gone, not twice as much."""
    case.look({**WHOLE, A: Decimal(shown)})
    case.look({**WHOLE, A: Decimal(shown)}, CONFIRM_MS)
    assert case.written_off == [(Leg.A, Decimal(lost))]


@pytest.mark.parametrize("shown", ["-0.010", "-0.012", "-0.0096"])
def test_what_is_there_again_is_missed_no_longer(case: Case, shown: str) -> None:
    case.look(GONE)
    case.missing.take_positions(DEAR, {**WHOLE, A: Decimal(shown)}, Pass())
    assert not case.missing.has_suspicion
    assert case.look(GONE, CONFIRM_MS).is_blocked, "missed again, the wait begins anew"
    assert case.written_off == []


def test_half_a_step_less_is_missed(case: Case) -> None:
    shown = {**WHOLE, A: Decimal("-0.0095")}
    assert case.look(shown).is_blocked
    case.missing.take_positions(DEAR, shown, Pass())
    assert case.missing.has_suspicion


def test_a_fill_explains_it(case: Case) -> None:
    case.look(GONE)
    case.found = [order(Leg.A, Role.EXIT, OrderStatus.FILLED, str(HELD), str(HELD))]
    assert not case.look(GONE, CONFIRM_MS).is_blocked
    assert case.written_off == []
    assert not case.missing.has_suspicion


def test_inside_a_callback_nothing_is_asked(case: Case) -> None:
    assert case.look(GONE, may_explain=False).is_blocked
    assert (case.looked, case.told) == ([], [])


def test_fills_are_asked_for_once_a_pass(case: Case) -> None:
    now = case.look(GONE)
    case.missing.explain(DEAR, Leg.A, now)
    assert case.looked == [A]


@pytest.mark.parametrize("error", [ccxt.NetworkError("gone"), TemporaryError("busy")])
def test_without_an_answer_nothing_is_concluded(case: Case, error: Exception) -> None:
    case.look(GONE)
    case.fails = error
    assert case.look(GONE, CONFIRM_MS).is_blocked
    now = Pass()
    case.missing.read_venue(DEAR, now)
    assert now.is_blocked
    assert now.venue == {}
    assert case.written_off == []


def test_positions_are_facts_in_each_leg_s_direction(case: Case) -> None:
    now = Pass()
    case.missing.read_venue(DEAR, now)
    assert now.venue == {Leg.A: HELD, Leg.B: HELD}
    assert not now.is_blocked


def test_a_clock_set_back_makes_the_wait_begin_anew(case: Case) -> None:
    case.look(GONE)
    assert case.look(GONE, -3_600_000).is_blocked
    assert case.look(GONE, CONFIRM_MS - 1).is_blocked
    assert not case.look(GONE, 1).is_blocked
    assert case.written_off == [(Leg.A, HELD)]


def test_a_refusal_to_reduce_is_a_second_answer(case: Case) -> None:
    """Only the last one counts, and only for lack of a position."""
    refused = order(Leg.A, Role.EXIT, OrderStatus.REJECTED, refusal=Refusal.NO_POSITION)
    case.orders += [refused, replace(refused, refusal=Refusal.TRANSIENT)]
    assert case.look(GONE).is_blocked
    case = Case()
    case.orders.append(refused)
    assert not case.look(GONE).is_blocked
    assert case.written_off == [(Leg.A, HELD)]


def test_a_pair_trade_that_has_ended_is_suspected_of_nothing(case: Case) -> None:
    case.look(GONE)
    case.open = []
    assert not case.missing.has_suspicion


def test_a_rest_stays_on_the_account_and_is_written_down(case: Case) -> None:
    case.missing.leave(DEAR, Leg.A, Pass())
    assert case.written_off == [(Leg.A, HELD)]
    assert len(case.told) == 1
