"""The pure state machine, every state × every event: what it does next, and the laws every decision obeys.

A row of the table is an event (pair_events.py): what the last fill, answer, refusal, look at the venue, wish
or minute has left behind. Its columns are where the pair trade is heading. The ten states are the third
dimension: what is stored there must not change what is done (I4, I11), so every cell is decided in each.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import islice

import pytest
from pair_events import EVENTS
from situations import PLAN, TRADE

from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal, PairState, Refusal, Role
from pairbot_ext.pairtrade.decide import (
    CAPPED_ENTRIES_OF_B,
    Action,
    Ask,
    Book,
    Decision,
    Enter,
    Explain,
    ReadVenue,
    Reduce,
    decide,
)
from pairbot_ext.pairtrade.retries import MAX_REDUCES, failures, wait
from pairbot_ext.pairtrade.situation import Facts, is_hedged

COLUMNS = {
    "opening": TRADE,
    "holding": replace(TRADE, was_hedged=True),
    "closing": replace(TRADE, was_hedged=True, goal=Goal.CLOSE, reason="pair_reverted"),
    "aborting": replace(TRADE, goal=Goal.ABORT, reason="leg B: refused"),
}
UNCHANGED = "="
"""The stored state stays; of a pair trade that has only been planned it becomes UNKNOWN when asking."""


def shown(action: Action) -> str:
    """An action as the table writes it: leg, signed amount, role, and how far an entry may reach."""
    match action:
        case Ask(client_id):
            return f"ask {client_id[16:]}"
        case Book(client_id):
            return f"book {client_id[16:]}"
        case Enter(leg, role, amount, attempt, is_market, _):
            return f"{leg} +{amount} {role} {'market' if is_market else f'{2**attempt}x'}"
        case Reduce(leg, role, amount):
            return f"{leg} -{amount} {role}"
        case ReadVenue():
            return "look"
        case Explain(leg):
            return f"explain {leg}"


def cell(stored: PairState, decision: Decision) -> str:
    """State and actions of one decision, as the table writes them."""
    passes_on = decision.actions and all(isinstance(a, Ask | Book | Explain) for a in decision.actions)
    state = decision.state.value
    if passes_on and (decision.state is stored or (stored, state) == (PairState.PLANNED, "UNKNOWN")):
        state = UNCHANGED
    return f"{state}: {', '.join(map(shown, decision.actions))}" if decision.actions else state


TABLE: dict[str, tuple[str, str, str]] = {
    # event: (opening, holding, closing); aborting is closing with role u.
    "nothing was sent": ("ABORTED", "CLOSED", "CLOSED"),
    "A: intent left behind": ("=: ask A-e-1", "=: ask A-e-1", "=: ask A-e-1"),
    "A: sent": ("=: ask A-e-1", "=: ask A-e-1", "=: ask A-e-1"),
    "A: unclear": ("=: ask A-e-1", "=: ask A-e-1", "=: ask A-e-1"),
    "A: unclear, asked in vain": ("UNKNOWN", "UNKNOWN", "UNKNOWN"),
    "A: refused, funds": ("ABORTED", "CLOSED", "CLOSED"),
    "A: refused, price": ("ABORTED", "CLOSED", "CLOSED"),
    "A: refused, overload": ("ABORTED", "CLOSED", "CLOSED"),
    "A: never arrived": ("ABORTED", "CLOSED", "CLOSED"),
    "A: expired empty": ("ABORTED", "CLOSED", "CLOSED"),
    "A: filled 5 %": ("UNWINDING: A -5 u", "CLOSING: A -5 x", "CLOSING: A -5 x"),
    "A: filled 9 %": ("UNWINDING: A -9 u", "CLOSING: A -9 x", "CLOSING: A -9 x"),
    "A: filled 10 %": ("A_SENT: B +2.4 e 1x", "CLOSING: A -10 x", "CLOSING: A -10 x"),
    "A: filled 60 %": ("A_SENT: B +14.4 e 1x", "CLOSING: A -60 x", "CLOSING: A -60 x"),
    "A: filled": ("A_SENT: B +24.0 e 1x", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "B: intent left behind": ("=: ask B-e-1", "=: ask B-e-1", "CLOSING: A -100 x, ask B-e-1"),
    "B: sent": ("=: ask B-e-1", "=: ask B-e-1", "CLOSING: A -100 x, ask B-e-1"),
    "B: unclear": ("=: ask B-e-1", "=: ask B-e-1", "CLOSING: A -100 x, ask B-e-1"),
    "B: unclear, asked in vain": ("UNKNOWN", "UNKNOWN", "CLOSING: A -100 x"),
    "B: refused, funds": ("UNWINDING: A -100 u", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "B: refused, price": ("B_SENT: B +24.0 e 2x", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "B: refused, overload": ("B_SENT: B +24.0 e 2x", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "B: never arrived": ("B_SENT: B +24.0 e 2x", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "B: expired empty": ("B_SENT: B +24.0 e 2x", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "B: expired three times": ("B_SENT: B +24.0 e market", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "B: expired four times": ("UNWINDING: A -100 u", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "B: filled by half": ("B_SENT: B +12.0 t 2x", "HEDGED: A -50 r", "CLOSING: A -100 x, B -12.0 x"),
    "B: half, then refused": ("B_SENT: A -50 r", "HEDGED: A -50 r", "CLOSING: A -100 x, B -12.0 x"),
    "B: a crumb, then refused": (
        "UNWINDING: A -100 u, B -1.0 u",
        "HEDGED: A -96 r",
        "CLOSING: A -100 x, B -1.0 x",
    ),
    "B: short by less than the minimum": ("B_SENT: A -2 r", "HEDGED: A -2 r", "CLOSING: A -10 x, B -2.0 x"),
    "B: filled": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
    "B: filled beyond A": ("B_SENT: B -9.6 r", "HEDGED: B -9.6 r", "CLOSING: A -60 x, B -24.0 x"),
    "exit wish": (
        "CLOSING: A -100 x, B -24.0 x",
        "CLOSING: A -100 x, B -24.0 x",
        "CLOSING: A -100 x, B -24.0 x",
    ),
    "exit wish before B": ("CLOSING: A -100 x", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "exit wish, B unclear": (
        "CLOSING: A -100 x, ask B-e-1",
        "CLOSING: A -100 x, ask B-e-1",
        "CLOSING: A -100 x, ask B-e-1",
    ),
    "exit wish, B unclear, asked in vain": ("CLOSING: A -100 x", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "exit wish, journal not writable": (
        "CLOSING: A -100 x, B -24.0 x",
        "CLOSING: A -100 x, B -24.0 x",
        "CLOSING: A -100 x, B -24.0 x",
    ),
    "journal not writable, A filled": ("UNWINDING: A -100 u", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "journal not writable, B by half": ("B_SENT: A -50 r", "HEDGED: A -50 r", "CLOSING: A -100 x, B -12.0 x"),
    "journal not writable, hedged": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
    "an hour passes": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
    "A out": ("UNWINDING: B -24.0 u", "CLOSING: B -24.0 x", "CLOSING: B -24.0 x"),
    "B out": ("UNWINDING: A -100 u", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "both out": ("ABORTED", "CLOSED", "CLOSED"),
    "A out by half": ("B_SENT: B -12.0 r", "HEDGED: B -12.0 r", "CLOSING: A -50 x, B -24.0 x"),
    "A's exit unclear": ("=: ask A-x-1", "=: ask A-x-1", "CLOSING: B -24.0 x, ask A-x-1"),
    "A's exit unclear, asked in vain": ("UNKNOWN", "UNKNOWN", "CLOSING: B -24.0 x"),
    "A's exit unclear for 2 s": ("UNKNOWN", "UNKNOWN", "CLOSING: A -100 x, B -24.0 x"),
    "A's exit unclear, B out": ("UNKNOWN", "CLOSING", "CLOSING"),
    "both exits unclear for 2 s": ("UNKNOWN", "UNKNOWN", "CLOSING: A -100 x, B -24.0 x"),
    "A's trim unclear for 2 s": ("UNKNOWN", "UNKNOWN", "CLOSING: A -100 x, B -24.0 x"),
    "A's exit refused, overload": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
    "A's exit refused three times": ("HEDGED", "HEDGED", "CLOSING: B -24.0 x"),
    "A's exit refused three times, later": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
    "A's exit refused too often": ("HEDGED", "HEDGED", "NEEDS_OPERATOR: B -24.0 x"),
    "A's exit refused too often, later": ("HEDGED", "HEDGED", "NEEDS_OPERATOR: A -100 x, B -24.0 x"),
    "A's exit refused for good": ("HEDGED", "HEDGED", "NEEDS_OPERATOR: B -24.0 x"),
    "A's exit never arrived too often, later": ("HEDGED", "HEDGED", "NEEDS_OPERATOR: A -100 x, B -24.0 x"),
    "A's exit finds nothing to reduce": ("HEDGED", "HEDGED", "CLOSING: look, B -24.0 x"),
    "the same, and the venue holds none": ("=: explain A", "=: explain A", "=: explain A"),
    "the same, and the venue holds it": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
    "the venue agrees": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
    "the venue holds less of A": ("=: explain A", "=: explain A", "=: explain A"),
    "the venue holds no B": ("=: explain B", "=: explain B", "=: explain B"),
    "the venue holds nothing": (
        "=: explain A, explain B",
        "=: explain A, explain B",
        "=: explain A, explain B",
    ),
    "the venue holds more of A": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
    "the venue holds A the other way round": ("=: explain A", "=: explain A", "=: explain A"),
    "A closed by hand": ("UNWINDING: B -24.0 u", "CLOSING: B -24.0 x", "CLOSING: B -24.0 x"),
    "B halved by hand": ("B_SENT: B +12.0 t 2x", "HEDGED: A -50 r", "CLOSING: A -100 x, B -12.0 x"),
    "B halved by hand, A's trim unclear for 2 s": (
        "UNKNOWN",
        "UNKNOWN",
        "CLOSING: A -100 x, B -12.0 x",
    ),
    "both closed by hand": ("ABORTED", "CLOSED", "CLOSED"),
    "A enlarged by hand": ("B_SENT: B +12.0 t 2x", "HEDGED: A -50 r", "CLOSING: A -150 x, B -24.0 x"),
    "A not booked": ("=: book A-e-1", "=: book A-e-1", "=: book A-e-1"),
    "A cannot be booked in this pass": ("A_SENT: B +24.0 e 1x", "CLOSING: A -100 x", "CLOSING: A -100 x"),
    "both out, B's exit not booked": ("=: book B-x-1", "=: book B-x-1", "=: book B-x-1"),
    "both out, B's exit cannot be booked in this pass": ("UNWINDING", "CLOSING", "CLOSING"),
    "both out, B's exit cannot be booked at all": ("NEEDS_OPERATOR", "NEEDS_OPERATOR", "NEEDS_OPERATOR"),
    "hedged, A cannot be booked at all": (
        "HEDGED",
        "NEEDS_OPERATOR",
        "CLOSING: A -100 x, B -24.0 x",
    ),
    "not booked, journal not writable": ("HEDGED", "HEDGED", "CLOSING: A -100 x, B -24.0 x"),
}


def mirrored(closing: str) -> str:
    """What the table says of closing, said of aborting."""
    words = closing.replace("CLOSING", "UNWINDING").replace("CLOSED", "ABORTED").split(", ")
    return ", ".join(f"{word[:-2]} u" if word.endswith(" x") else word for word in words)


@pytest.mark.parametrize("stored", list(PairState))
def test_every_event_in_every_state(stored: PairState) -> None:
    assert TABLE.keys() == EVENTS.keys()
    for event, known in EVENTS.items():
        opening, holding, closing = TABLE[event]
        expected = dict(zip(COLUMNS, (opening, holding, closing, mirrored(closing)), strict=True))
        for column, trade in COLUMNS.items():
            decision = decide(replace(trade, state=stored), known)
            assert cell(stored, decision) == expected[column], f"{event}, {column}, stored {stored}"
            check_laws(replace(trade, state=stored), known, decision)


def test_the_laws_hold_whatever_the_orders_say() -> None:
    """Combinations of answers to both legs' entries and exits, wishes and looks, not just the rows: every
    11th of them (a prime, so that no dimension is left out), all in `make chaos`."""
    every = 1 if os.environ.get("PAIRBOT_CHAOS") else 11
    count = 0
    for known in islice(combinations(), 0, None, every):
        for trade in COLUMNS.values():
            check_laws(trade, known, decide(trade, known))
            count += 1
    assert count > 200_000 / every


def combinations() -> Iterator[Facts]:
    """Facts from every pair of entries × every pair of exits × what else is known."""
    rows = list(EVENTS.values())
    entries = {leg: {known[leg].orders[:1] for known in rows if known[leg].entries} for leg in Leg}
    ways_out = {
        Leg.A: {known.leg_a.orders[1:] for known in rows if len(known.leg_a.orders) < 4},
        Leg.B: {known.leg_b.orders[1:] for known in rows if len(known.leg_b.orders) < 4},
    }
    hedged = EVENTS["B: filled"]
    for first_a in sorted(entries[Leg.A], key=str):
        for first_b in [(), *sorted(entries[Leg.B], key=str)]:
            for rest_a in sorted(ways_out[Leg.A], key=str):
                for rest_b in sorted(ways_out[Leg.B], key=str):
                    leg_a = replace(hedged.leg_a, orders=(*first_a, *rest_a))
                    leg_b = replace(hedged.leg_b, orders=(*first_b, *(rest_b if first_b else ())))
                    yield from circumstances(replace(hedged, leg_a=leg_a, leg_b=leg_b))


def circumstances(known: Facts) -> Iterator[Facts]:
    """What may be the case besides the orders."""
    lost = frozenset(o.client_id for leg in known.legs for o in leg.unsettled)
    yield known
    yield replace(known, exit_reason="pair_stop", can_write=False)
    yield replace(known, asked=lost, now_ms=known.now_ms + 2_000)
    yield replace(known, asked=lost, exit_reason="pair_stop")
    yield replace(known, leg_a=replace(known.leg_a, venue=Decimal(50)), asked=lost)


def check_laws(trade: PairTrade, known: Facts, decision: Decision) -> None:
    """The invariants, as far as one decision can keep or break them. Names the facts where one is broken."""
    for law in LAWS:
        assert law(trade, known, decision), f"{law.__name__}\n{trade.goal} {decision}\n{known}"


def same_facts_same_decision(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """I11, and I4: asked again, the answer is the same."""
    return decide(trade, known) == decision


def goals_only_move_forward(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """OPEN, then CLOSE or ABORT, and never back."""
    return trade.goal in (Goal.OPEN, decision.goal)


def nothing_is_entered_beside_the_unknown(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """I3: no entry while the fate of any order of the pair trade is open, or without a journal (I1)."""
    is_entering = any(isinstance(action, Enter) for action in decision.actions)
    return not is_entering or (known.can_write and not any(leg.unsettled for leg in known.legs))


def only_leg_b_is_entered_and_only_while_opening(
    trade: PairTrade, known: Facts, decision: Decision
) -> bool:  # fmt: skip
    """One entry of leg A ever; nothing grows once the pair was whole or is to go; tries are bounded (I6)."""
    for action in decision.actions:
        if isinstance(action, Enter):
            missing = PLAN.model.beta * known.leg_a.notional - known.leg_b.notional
            step = float(known.leg_b.sizing.step) * known.leg_b.price
            if action.leg is Leg.A or trade.was_hedged or decision.goal is not Goal.OPEN:
                return False
            if known.exit_reason is not None or len(known.leg_b.entries) > CAPPED_ENTRIES_OF_B:
                return False
            if float(action.amount) * known.leg_b.price > missing + step / 2:
                return False
            if action.is_market != (len(known.leg_b.entries) == CAPPED_ENTRIES_OF_B):
                return False
    return True


def reductions_only_reduce(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """I8: never more than our fills, never more than the venue shows, on the step, with a reducing role."""
    for action in decision.actions:
        if isinstance(action, Reduce):
            leg = known[action.leg]
            most = leg.held if leg.venue is None else min(leg.held, leg.venue)
            if action.role.increases or not 0 < action.amount <= most or action.amount % leg.sizing.step:
                return False
    return len({a.leg for a in decision.actions if isinstance(a, Reduce)}) == sum(
        isinstance(a, Reduce) for a in decision.actions
    )


def what_is_unknown_is_asked_once(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """I3: every unsettled order that was not asked for in this pass, and no other."""
    asked = {action.client_id for action in decision.actions if isinstance(action, Ask)}
    return asked == {o.client_id for leg in known.legs for o in leg.unsettled} - known.asked


def final_means_over(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """I9: final only where nothing is held, unknown or missing in Freqtrade's books, and with a reason. While
    it is asked, booked or explained first, the stored state stands."""
    if not decision.state.is_final or (decision.actions and decision.state is trade.state):
        return True
    is_over = not any(leg.held or leg.unsettled or leg.unbooked for leg in known.legs)
    return is_over and not decision.actions and bool(decision.reason)


def hedged_means_hedged(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """I2: at rest in HEDGED the legs match and nothing is unknown; where they do not, it is being done."""
    if decision.state is not PairState.HEDGED or decision.actions:
        return True
    return is_hedged(PLAN.model.beta, *known.legs) and not any(leg.unsettled for leg in known.legs)


def a_wish_to_leave_is_not_held_up(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """I5: where the pair is to go, every leg whose orders are clear has its reduce-only order in this very
    decision, whatever else is unknown, unwritable or failing; what may hold one back is its own last exit,
    a look at the venue, or a booking."""
    is_leaving = known.exit_reason is not None or trade.goal is not Goal.OPEN
    if not is_leaving or any(isinstance(action, Book | Explain) for action in decision.actions):
        return True
    role = Role.UNWIND if decision.goal is Goal.ABORT else Role.EXIT
    reduced = {action.leg for action in decision.actions if isinstance(action, Reduce)}
    looks = any(isinstance(action, ReadVenue) for action in decision.actions)
    asks = any(isinstance(action, Ask) for action in decision.actions)
    for leg in known.legs:
        has_own_reason = (
            not leg.held
            or wait(leg, known, role) is not None
            or looks
            or (leg.venue is not None and (leg.venue <= 0 or asks))
            or (asks and bool(leg.unsettled or leg.reduces))
        )
        if leg.leg not in reduced and not has_own_reason:
            return False
    return True


def retries_are_bounded(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """I6: what the venue has refused for good too often is left to a person, who is named in the state."""
    for leg in known.legs:
        role = Role.UNWIND if decision.goal is Goal.ABORT else Role.EXIT
        is_hopeless = failures(leg, role) >= MAX_REDUCES and leg.reduces[-1].refusal is Refusal.HARD
        if is_hopeless and any(isinstance(a, Reduce) and a.leg is leg.leg for a in decision.actions):
            return False
    return True


def nothing_rests_without_a_cause(trade: PairTrade, known: Facts, decision: Decision) -> bool:
    """No dead end: without an action the pair is final, hedged, waits for an answer, for the next try or for
    Freqtrade's books, or a person was called."""
    if decision.actions or decision.state.is_final or decision.state is PairState.HEDGED:
        return True
    roles = (Role.EXIT, Role.TRIM, Role.UNWIND)
    return (
        any(leg.unsettled or leg.unbooked for leg in known.legs)
        or any(wait(leg, known, role) is not None for leg in known.legs for role in roles)
        or decision.state is PairState.NEEDS_OPERATOR
    )


LAWS = (
    same_facts_same_decision,
    goals_only_move_forward,
    nothing_is_entered_beside_the_unknown,
    only_leg_b_is_entered_and_only_while_opening,
    reductions_only_reduce,
    what_is_unknown_is_asked_once,
    final_means_over,
    hedged_means_hedged,
    a_wish_to_leave_is_not_held_up,
    retries_are_bounded,
    nothing_rests_without_a_cause,
)
