"""The pure state machine by example, and `decide` alone against a venue over shuffled and lost events.

The whole table is test_decision_table.py; the engine around `decide` is test_protocol_machine.py.
"""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from situations import A_FULL, B_FULL, OPEN, PLAN, SIZING, T0, TRADE, facts, order, seen

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal, OrderStatus, PairState, Refusal, Role
from pairbot_ext.pairtrade.decide import (
    CAPPED_ENTRIES_OF_B,
    OLD_ENTRY_MS,
    Ask,
    Book,
    Enter,
    Explain,
    ReadVenue,
    Reduce,
    decide,
)
from pairbot_ext.pairtrade.retries import MAX_REDUCES
from pairbot_ext.pairtrade.situation import Facts, is_hedged


def test_nothing_sent_is_aborted() -> None:
    decision = decide(TRADE, facts())
    assert (decision.state, decision.actions) == (PairState.ABORTED, ())


@pytest.mark.parametrize("status", [OrderStatus.INTENT, OrderStatus.SENT, OrderStatus.UNKNOWN])
@pytest.mark.parametrize("goal", list(Goal))
def test_an_unsettled_order_is_asked_for_first(status: OrderStatus, goal: Goal) -> None:
    asked = order(Leg.A, Role.ENTRY, status)
    decision = decide(replace(TRADE, goal=goal), facts(asked))
    assert decision.actions == (Ask(asked.client_id),)


def test_an_entry_that_stays_unknown_stops_everything() -> None:
    unknown = order(Leg.B, Role.ENTRY, OrderStatus.UNKNOWN)
    decision = decide(TRADE, facts(A_FULL, unknown, asked=frozenset({unknown.client_id})))
    assert (decision.state, decision.actions) == (PairState.UNKNOWN, ())


def test_leg_b_follows_the_fill_of_leg_a() -> None:
    half = order(Leg.A, Role.ENTRY, OrderStatus.PARTIAL, "50")
    decision = decide(TRADE, facts(half))
    (action,) = decision.actions
    assert action == Enter(Leg.B, Role.ENTRY, Decimal("12.0"), 0, is_market=False, price=SIZING.leg_b.price)


@pytest.mark.parametrize("settled_after_ms", [20, OLD_ENTRY_MS])
@pytest.mark.parametrize(("age_ms", "looks"), [(OLD_ENTRY_MS, False), (OLD_ENTRY_MS + 1, True)])
def test_an_old_entry_is_looked_for_before_its_mate_is_entered(
    settled_after_ms: int, age_ms: int, looks: bool
) -> None:
    """A process that died may have unwound leg A by an order no store could keep, whether it had recorded leg
    A's answer before or not; so may a person have."""
    entry = replace(A_FULL, settled_ms=T0 + settled_after_ms)
    known = facts(entry, now_ms=T0 + age_ms)
    assert (decide(TRADE, known).actions == (ReadVenue(),)) is looks
    assert isinstance(decide(TRADE, seen(known, "100", "0")).actions[0], Enter)
    assert decide(TRADE, seen(known, "0", "0")).actions == (Explain(Leg.A),)


def test_below_a_tenth_leg_a_is_unwound() -> None:
    decision = decide(TRADE, facts(order(Leg.A, Role.ENTRY, OrderStatus.PARTIAL, "9")))
    assert decision.state is PairState.UNWINDING
    assert decision.goal is Goal.ABORT
    assert decision.actions == (Reduce(Leg.A, Role.UNWIND, Decimal(9)),)


def test_both_legs_filled_is_hedged() -> None:
    assert decide(TRADE, facts(A_FULL, B_FULL)).state is PairState.HEDGED


def test_a_hard_refusal_of_leg_b_unwinds_at_once() -> None:
    refused = order(Leg.B, Role.ENTRY, OrderStatus.REJECTED, refusal=Refusal.HARD)
    assert decide(TRADE, facts(A_FULL, refused)).actions == (Reduce(Leg.A, Role.UNWIND, Decimal(100)),)


def test_leg_b_is_chased_a_bounded_number_of_times() -> None:
    tried: list[OrderRecord] = []
    kinds: list[tuple[int, bool]] = []
    for attempt in range(1, 10):
        decision = decide(TRADE, facts(A_FULL, *tried))
        if not isinstance(decision.actions[0], Enter):
            break
        kinds.append((decision.actions[0].attempt, decision.actions[0].is_market))
        tried.append(order(Leg.B, Role.ENTRY, OrderStatus.EXPIRED, attempt=attempt))
    assert kinds == [(0, False), (1, False), (2, False), (3, True)]
    assert decision.actions == (Reduce(Leg.A, Role.UNWIND, Decimal(100)),)


def test_without_a_journal_nothing_is_entered_but_exits_go() -> None:
    decision = decide(TRADE, facts(A_FULL, can_write=False))
    assert decision.actions == (Reduce(Leg.A, Role.UNWIND, Decimal(100)),)


def test_exits_are_sent_back_to_back() -> None:
    decision = decide(OPEN, facts(A_FULL, B_FULL, exit_reason="pair_reverted"))
    assert decision.state is PairState.CLOSING
    assert decision.actions == (
        Reduce(Leg.A, Role.EXIT, Decimal(100)),
        Reduce(Leg.B, Role.EXIT, Decimal("24.0")),
    )


def test_a_leg_that_is_gone_takes_its_mate_along() -> None:
    gone = order(Leg.A, Role.EXIT, OrderStatus.FILLED, "100")
    decision = decide(OPEN, facts(A_FULL, B_FULL, gone))
    assert decision.goal is Goal.CLOSE
    assert decision.actions == (Reduce(Leg.B, Role.EXIT, Decimal("24.0")),)


def test_a_smaller_leg_trims_its_mate() -> None:
    part = order(Leg.A, Role.TRIM, OrderStatus.FILLED, "50", amount="50")
    decision = decide(OPEN, facts(A_FULL, B_FULL, part))
    assert decision.actions == (Reduce(Leg.B, Role.TRIM, Decimal("12.0")),)


def test_a_mate_too_small_to_be_hedged_closes_both() -> None:
    """Trimmed to 0.1 of B, nothing would be left of A."""
    part = order(Leg.B, Role.TRIM, OrderStatus.FILLED, "23.9", amount="23.9")
    decision = decide(OPEN, facts(A_FULL, B_FULL, part))
    assert (decision.state, decision.goal) == (PairState.CLOSING, Goal.CLOSE)
    assert decision.reason == "leg B is too small to be hedged"
    assert decision.actions == (
        Reduce(Leg.A, Role.EXIT, Decimal(100)), Reduce(Leg.B, Role.EXIT, Decimal("0.1")),
    )  # fmt: skip


def test_an_excess_below_half_a_step_is_no_excess() -> None:
    """9.6 of A at the hedge ratio, 10.0 of B: more than the tolerance, less than a step of 1.0 can mend."""
    parts = [
        order(Leg.A, Role.TRIM, OrderStatus.FILLED, "96", amount="96"),
        order(Leg.B, Role.TRIM, OrderStatus.FILLED, "23.0", amount="23.0"),
    ]
    decision = decide(OPEN, facts(A_FULL, B_FULL, *parts))
    assert (decision.state, decision.goal, decision.actions) == (PairState.HEDGED, Goal.OPEN, ())


def test_an_unanswered_exit_holds_up_the_next_for_two_seconds_only() -> None:
    closing = replace(OPEN, goal=Goal.CLOSE, state=PairState.CLOSING)
    unknown = order(Leg.A, Role.EXIT, OrderStatus.UNKNOWN)
    known = facts(A_FULL, B_FULL, unknown, asked=frozenset({unknown.client_id}), now_ms=T0 + 1_999)
    assert Reduce(Leg.A, Role.EXIT, Decimal(100)) not in decide(closing, known).actions
    later = replace(known, now_ms=T0 + 2_000)
    assert Reduce(Leg.A, Role.EXIT, Decimal(100)) in decide(closing, later).actions


def test_failing_exits_are_bounded() -> None:
    closing = replace(OPEN, goal=Goal.CLOSE, state=PairState.CLOSING)
    failed = [
        order(Leg.A, Role.EXIT, OrderStatus.REJECTED, attempt=n, refusal=Refusal.TRANSIENT, at_ms=T0 + n)
        for n in range(1, MAX_REDUCES + 1)
    ]
    done = order(Leg.B, Role.EXIT, OrderStatus.FILLED, "24.0")
    decision = decide(closing, facts(A_FULL, B_FULL, done, *failed, now_ms=T0 + 59_000))
    assert (decision.state, decision.actions) == (PairState.NEEDS_OPERATOR, ())
    # What may pass later is still tried, slowly, and the person stays asked.
    decision = decide(closing, facts(A_FULL, B_FULL, done, *failed, now_ms=T0 + 61_000))
    assert decision.state is PairState.NEEDS_OPERATOR
    assert decision.actions == (Reduce(Leg.A, Role.EXIT, Decimal(100)),)
    refused = [replace(each, refusal=Refusal.HARD) for each in failed]
    decision = decide(closing, facts(A_FULL, B_FULL, done, *refused, now_ms=T0 + 10**9))
    assert (decision.state, decision.actions) == (PairState.NEEDS_OPERATOR, ())


def test_failing_trims_are_bounded_too() -> None:
    half = order(Leg.A, Role.TRIM, OrderStatus.FILLED, "50", amount="50")
    failed = [
        order(Leg.B, Role.TRIM, OrderStatus.REJECTED, attempt=n, refusal=Refusal.TRANSIENT, at_ms=T0 + n)
        for n in range(1, MAX_REDUCES + 1)
    ]
    known = facts(A_FULL, B_FULL, half, *failed, now_ms=T0 + 59_000)
    assert (decide(OPEN, known).state, decide(OPEN, known).actions) == (PairState.NEEDS_OPERATOR, ())
    decision = decide(OPEN, replace(known, now_ms=T0 + 61_000))
    assert decision.state is PairState.NEEDS_OPERATOR
    assert decision.actions == (Reduce(Leg.B, Role.TRIM, Decimal("12.0")),)


def test_nothing_to_reduce_means_look_first() -> None:
    closing = replace(OPEN, goal=Goal.CLOSE, state=PairState.CLOSING)
    refused = order(Leg.A, Role.EXIT, OrderStatus.REJECTED, refusal=Refusal.NO_POSITION)
    known = facts(A_FULL, refused)
    assert decide(closing, known).actions == (ReadVenue(),)
    empty = replace(known, leg_a=replace(known.leg_a, venue=Decimal(0)))
    assert decide(closing, empty).actions == (Explain(Leg.A),)


def test_what_freqtrade_does_not_know_is_booked_before_it_is_forgotten() -> None:
    closing = replace(OPEN, goal=Goal.CLOSE, state=PairState.CLOSING)
    out = [
        order(Leg.A, Role.EXIT, OrderStatus.FILLED, "100"),
        order(Leg.B, Role.EXIT, OrderStatus.FILLED, "24.0"),
    ]
    known = facts(A_FULL, B_FULL, *out)
    unbooked = replace(known, leg_b=replace(known.leg_b, unbooked=(out[1].client_id,)))
    assert decide(closing, unbooked).actions == (Book(out[1].client_id),)
    failed = replace(unbooked, failed_to_book=frozenset({out[1].client_id}))
    assert decide(closing, failed).state is PairState.CLOSING
    stuck = frozenset({out[1].client_id})
    hopeless = replace(unbooked, unbookable=stuck, booked_later=stuck)
    assert decide(closing, hopeless).state is PairState.NEEDS_OPERATOR
    due = replace(unbooked, unbookable=stuck)
    assert decide(closing, due).actions == (Book(out[1].client_id),), "tried again when its time has come"
    assert decide(closing, known).state is PairState.CLOSED


def test_a_hedged_pair_freqtrade_cannot_book_needs_a_person() -> None:
    known = facts(A_FULL, B_FULL)
    stuck = frozenset({B_FULL.client_id})
    unbooked = replace(known, leg_b=replace(known.leg_b, unbooked=(B_FULL.client_id,)))
    hopeless = replace(unbooked, unbookable=stuck, booked_later=stuck)
    decision = decide(OPEN, hopeless)
    assert decision.state is PairState.NEEDS_OPERATOR
    assert B_FULL.client_id in decision.reason
    assert not decision.actions
    # It is still closed when somebody wants it closed (I5), for the reason given.
    closing = decide(OPEN, replace(hopeless, exit_reason="pair_stop"))
    assert (closing.goal, closing.reason) == (Goal.CLOSE, "pair_stop")
    assert {action.leg for action in closing.actions if isinstance(action, Reduce)} == {Leg.A, Leg.B}
    # Booked at last: in order again.
    assert decide(OPEN, replace(known, unbookable=stuck)).state is PairState.HEDGED


def test_a_wish_to_close_is_kept_while_an_order_is_asked_for() -> None:
    unknown = order(Leg.B, Role.TRIM, OrderStatus.UNKNOWN, "0", "1.0")
    decision = decide(OPEN, facts(A_FULL, B_FULL, unknown, exit_reason="risk"))
    assert (decision.goal, decision.reason) == (Goal.CLOSE, "risk")
    assert Ask(unknown.client_id) in decision.actions


class World(RuleBasedStateMachine):
    """A venue that loses, delays and half-fills, and a coordinator that is woken at any moment.

    The machine plays both: it carries out what `decide` says against a venue whose truth it owns, and loses
    answers as it likes. I1: every order is recorded before it is executed. I10 and I11 are not its concern.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trade = TRADE
        self.now_ms = T0
        self.known: dict[str, OrderRecord] = {}
        self.truth: dict[str, Decimal] = {}
        self.external = {Leg.A: Decimal(0), Leg.B: Decimal(0)}
        self.exit_reason: str | None = None
        self.sent_entries = {Leg.A: 0, Leg.B: 0}
        self.readable = True

    @initialize(share=st.sampled_from(["0", "0.05", "0.5", "1"]), lost=st.booleans())
    def send_leg_a(self, share: str, lost: bool) -> None:
        self.send(Leg.A, Role.ENTRY, SIZING.leg_a.amount, share, lost)

    def send(self, leg: Leg, role: Role, amount: Decimal, share: str, lost: bool) -> None:
        attempt = 1 + sum(o.leg is leg and o.role is role for o in self.known.values())
        intent = order(leg, role, OrderStatus.INTENT, amount=str(amount), attempt=attempt, at_ms=self.now_ms)
        assert intent.client_id not in self.known, "client order ids are never reused"
        assert intent.reduce_only == (not role.increases), "I8"
        self.known[intent.client_id] = intent
        step = SIZING[leg].step
        filled = amount * Decimal(share) // step * step
        if not role.increases:
            filled = min(filled, self.venue(leg))  # the venue's reduce-only
        else:
            self.sent_entries[leg] += 1
        self.truth[intent.client_id] = filled
        if lost:
            self.known[intent.client_id] = replace(intent, status=OrderStatus.UNKNOWN)
        else:
            self.settle(intent.client_id)

    def settle(self, client_id: str) -> None:
        sent, filled = self.known[client_id], self.truth[client_id]
        status = (
            OrderStatus.FILLED
            if filled == sent.amount
            else OrderStatus.PARTIAL
            if filled
            else OrderStatus.EXPIRED
        )
        refusal = None
        if not sent.role.increases and not filled and self.venue(sent.leg) <= 0:
            status, refusal = OrderStatus.REJECTED, Refusal.NO_POSITION
        self.known[client_id] = replace(
            sent, status=status, filled=filled, refusal=refusal, order_id=client_id if filled else None,
            average=SIZING[sent.leg].price if filled else None,
        )  # fmt: skip

    def venue(self, leg: Leg) -> Decimal:
        amount = sum(
            (
                f if self.known[c].role.increases else -f
                for c, f in self.truth.items()
                if self.known[c].leg is leg
            ),
            Decimal(0),
        )
        return amount - self.external[leg]

    def facts(self, asked: set[str], seen: dict[Leg, Decimal]) -> Facts:
        base = facts(*self.known.values(), now_ms=self.now_ms, exit_reason=self.exit_reason,
                     asked=frozenset(asked))  # fmt: skip
        return replace(
            base,
            leg_a=replace(base.leg_a, venue=seen.get(Leg.A)),
            leg_b=replace(base.leg_b, venue=seen.get(Leg.B)),
        )

    @rule(
        data=st.lists(
            st.tuples(st.sampled_from(["1", "1", "0.5", "0"]), st.booleans()), min_size=8, max_size=8
        ),
        reread=st.booleans(),
    )
    def wake(self, data: list[tuple[str, bool]], reread: bool) -> None:
        """One pass, with whatever fate for the orders it sends."""
        asked: set[str] = set()
        fates = iter(data)
        seen = {leg: self.venue(leg) for leg in Leg} if reread and self.readable else {}
        for _ in range(80):
            decision = decide(self.trade, self.facts(asked, seen))
            again = decide(self.trade, self.facts(asked, seen))
            assert decision == again, "I11"
            self.take(decision.state, decision.goal, decision.reason)
            if not decision.actions:
                return
            for action in decision.actions:
                if not isinstance(action, ReadVenue | Explain):
                    seen = {}
                match action:
                    case Ask(client_id):
                        if self.readable:
                            self.settle(client_id)
                        else:
                            asked.add(client_id)
                    case Enter():
                        share, lost = next(fates, ("1", False))
                        self.send(action.leg, action.role, action.amount, share, lost)
                    case Reduce():
                        share, lost = next(fates, ("1", False))
                        self.send(action.leg, action.role, action.amount, share, lost)
                    case ReadVenue():
                        if not self.readable:
                            return
                        seen = {leg: self.venue(leg) for leg in Leg}
                    case Explain(leg):
                        self.write_off(leg)
            asked |= {c for c, o in self.known.items() if not o.status.is_settled and not self.readable}
        raise AssertionError("a pass did not come to rest (I6)")

    def write_off(self, leg: Leg) -> None:
        held = self.facts(set(), {})[leg].held
        missing = held - self.venue(leg)
        number = sum(o.role is Role.EXTERNAL for o in self.known.values()) + 1
        found = order(
            leg, Role.EXTERNAL, OrderStatus.FILLED, str(missing), amount=str(missing), attempt=number
        )
        self.known[found.client_id] = found
        self.truth[found.client_id] = missing
        self.external[leg] -= missing

    def take(self, state: PairState, goal: Goal, reason: str) -> None:
        assert list(Goal).index(goal) >= list(Goal).index(self.trade.goal) or goal is self.trade.goal
        if self.trade.goal is not Goal.OPEN:
            assert goal is self.trade.goal, "a goal never goes back"
        was = self.trade.was_hedged or state is PairState.HEDGED
        self.trade = replace(self.trade, state=state, goal=goal, reason=reason, was_hedged=was)

    @rule()
    def repeat(self) -> None:
        """A second pass with nothing new does nothing (I4)."""
        if not self.readable or any(not o.status.is_settled for o in self.known.values()):
            return
        before = dict(self.known)
        self.wake([("1", False)] * 8, False)
        settled = dict(self.known)
        self.wake([("1", False)] * 8, False)
        assert self.known == settled or self.known == before

    @rule(reason=st.just("pair_reverted"))
    def want_out(self, reason: str) -> None:
        self.exit_reason = reason

    @rule(secs=st.integers(min_value=0, max_value=120))
    def wait(self, secs: int) -> None:
        self.now_ms += secs * 1000

    @rule()
    def cut_off(self) -> None:
        self.readable = not self.readable

    @rule(leg=st.sampled_from(list(Leg)), share=st.sampled_from(["0.5", "1"]))
    def hand(self, leg: Leg, share: str) -> None:
        """Somebody reduces a leg on the venue."""
        if self.trade.state is PairState.HEDGED and all(o.status.is_settled for o in self.known.values()):
            step = SIZING[leg].step
            self.external[leg] += self.venue(leg) * Decimal(share) // step * step

    @invariant()
    def no_flip(self) -> None:
        for leg in Leg:
            assert self.venue(leg) >= 0, "an exit never flips a position"

    @invariant()
    def entered_once(self) -> None:
        assert self.sent_entries[Leg.A] <= 1
        assert self.sent_entries[Leg.B] <= CAPPED_ENTRIES_OF_B + 1, "I6"
        for leg in Leg:
            entered = sum((f for c, f in self.truth.items() if self.known[c].leg is leg
                           and self.known[c].role.increases), Decimal(0))  # fmt: skip
            assert entered <= SIZING[leg].amount, "never more than planned"

    @invariant()
    def bounded(self) -> None:
        for leg in Leg:
            reduces = [o for o in self.known.values() if o.leg is leg and not o.role.increases]
            assert len(reduces) <= 6 * MAX_REDUCES, "I6"

    @invariant()
    def final_means_flat(self) -> None:
        if self.trade.state.is_final and all(o.status.is_settled for o in self.known.values()):
            for leg in Leg:
                assert self.venue(leg) <= 0 or self.external[leg] > 0 or self.facts(set(), {})[leg].held == 0

    @invariant()
    def hedged_means_hedged(self) -> None:
        if self.trade.state is PairState.HEDGED:
            known = self.facts(set(), {})
            assert is_hedged(PLAN.model.beta, known.leg_a, known.leg_b), "I2"

    def teardown(self) -> None:
        """Whatever happened: with a readable venue and time, the pair ends whole, flat, or with a person."""
        self.readable = True
        for _ in range(60):
            self.now_ms += 61_000
            self.wake([("1", False)] * 8, True)
        assert self.trade.state in (
            PairState.HEDGED, PairState.CLOSED, PairState.ABORTED, PairState.NEEDS_OPERATOR,
        ), self.trade.state  # fmt: skip


World.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWorld = World.TestCase
