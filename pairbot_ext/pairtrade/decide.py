"""The pair state machine: what to do next, from what is known. Pure.

A pair trade's state is a function of its goal and of its orders, so a lost, repeated or late event cannot
lead it astray: whoever wakes it up, `decide` looks at the same facts and says the same. The coordinator
carries out the actions, gathers the facts anew and asks again until nothing is left to do; a second pass
then does nothing (I4).
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.sizing import Leg, nearest_amount
from pairbot_ext.model.states import Goal, OrderStatus, PairState, Refusal, Role
from pairbot_ext.pairtrade.retries import MAX_REDUCES, failures, wait
from pairbot_ext.pairtrade.situation import Facts, LegFacts, is_hedged

MIN_FILL_OF_PLAN = Decimal("0.10")
"""Leg A filled below this share of its plan is not worth a hedge: it is unwound."""
OLD_ENTRY_MS = 2_000
"""Longer than both entries of a pair take, and shorter than a bot takes to be started again."""
CAPPED_ENTRIES_OF_B = 3
"""IOC attempts of leg B, each with twice the cap of the one before; then one market order."""


@dataclass(frozen=True)
class Ask:
    """Ask the venue about an order by its client order id."""

    client_id: str


@dataclass(frozen=True)
class Book:
    """Let Freqtrade book an order it does not know: adoption by replay."""

    client_id: str


@dataclass(frozen=True)
class Enter:
    """Send leg B, or the part of it that is missing.

    :param amount: hedges the mate at `price`, the last that was seen of this leg.
    :param attempt: 0 for the first; the slippage cap is doubled with each. Ignored for a market order.
    """

    leg: Leg
    role: Role
    amount: Decimal
    attempt: int
    is_market: bool
    price: float


@dataclass(frozen=True)
class Reduce:
    """Send a reduce-only market order."""

    leg: Leg
    role: Role
    amount: Decimal


@dataclass(frozen=True)
class ReadVenue:
    """Read the positions of both legs."""


@dataclass(frozen=True)
class Explain:
    """The venue holds less of a leg than our fills say: find out who reduced it, else write it off."""

    leg: Leg


@dataclass(frozen=True)
class Leave:
    """What is held of a leg is less than the venue takes in one order: it stays, named and written down."""

    leg: Leg


Action = Ask | Book | Enter | Reduce | ReadVenue | Explain | Leave


@dataclass(frozen=True)
class Decision:
    """The state the pair trade is in and what to do next."""

    state: PairState
    goal: Goal
    reason: str
    actions: tuple[Action, ...] = ()


def decide(trade: PairTrade, facts: Facts) -> Decision:
    """What a pair trade's state is and what to do next. See the module."""
    if trade.goal is Goal.OPEN and facts.exit_reason is not None:
        # First of all: whatever keeps it from being closed now, it is not forgotten that it shall be.
        trade = replace(trade, goal=Goal.CLOSE, reason=facts.exit_reason)
    decision = _next(trade, facts)
    if decision.state is PairState.HEDGED and trade.was_hedged and facts.stuck is not None:
        return replace(decision, state=PairState.NEEDS_OPERATOR, reason=facts.stuck)
    return decision


def _next(trade: PairTrade, facts: Facts) -> Decision:
    unsettled = [order for leg in facts.legs for order in leg.unsettled]
    ask = tuple(Ask(order.client_id) for order in unsettled if order.client_id not in facts.asked)
    if ask:
        mate = _reduce_before_asking(trade, facts)
        if mate is not None:
            return replace(mate, actions=(*mate.actions, *ask))
        state = trade.state if trade.state is not PairState.PLANNED else PairState.UNKNOWN
        return Decision(state, trade.goal, trade.reason, ask)
    book = tuple(
        Book(client_id)
        for leg in facts.legs
        for client_id in leg.unbooked
        if client_id not in facts.failed_to_book | facts.booked_later
    )
    if book and facts.can_write:
        return Decision(trade.state, trade.goal, trade.reason, book)
    explain = tuple(
        Explain(leg.leg) for leg in facts.legs if leg.venue is not None and _is_less(leg, leg.venue)
    )
    if explain:
        return Decision(trade.state, trade.goal, trade.reason, explain)
    if trade.goal is not Goal.OPEN:
        return _shrink(facts, trade.goal, trade.reason)
    waiting = [o.client_id for o in unsettled if o.role.increases or not trade.was_hedged]
    if waiting:
        # Nothing is entered beside an order of unknown fate, be it somebody's exit of the mate (I3).
        return Decision(PairState.UNKNOWN, Goal.OPEN, f"waiting for the venue to answer for {waiting[0]}")
    if trade.was_hedged:
        return _hold(trade, facts)
    return _open(trade, facts)


def _reduce_before_asking(trade: PairTrade, facts: Facts) -> Decision | None:
    """What can be sent of an exit while the fate of other orders is unknown: a question may take as long as
    the client waits for an answer, and the mate must not (I5). None where that is nothing."""
    if trade.goal is Goal.OPEN:
        return None
    clear = {leg.leg for leg in facts.legs if not (leg.unsettled or leg.unbooked or leg.venue is not None)}
    decision = _shrink(facts, trade.goal, trade.reason)
    actions = tuple(a for a in decision.actions if isinstance(a, Reduce) and a.leg in clear)
    return replace(decision, actions=actions) if actions else None


def _is_less(leg: LegFacts, venue: Decimal) -> bool:
    """Whether the venue holds at least half a step less than our fills say. A position the other way round
    is none of the leg: somebody has closed it and opened his own."""
    return leg.held - max(venue, Decimal(0)) >= leg.sizing.step / 2 and not leg.unsettled


def _may_be_gone(leg: LegFacts, now_ms: int) -> bool:
    """Whether an entry is so old that somebody, or an exit of a process that could not store it, may have
    closed it meanwhile: its mate is not entered before the venue was looked at."""
    return any(order.filled and now_ms - order.intent_ms > OLD_ENTRY_MS for order in leg.entries)


def _open(trade: PairTrade, facts: Facts) -> Decision:
    """Leg A may be filled; bring leg B up to it, or bring leg A down."""
    beta = trade.plan.model.beta
    leg_a, leg_b = facts.legs
    planned = trade.sizing.leg_a.amount
    if not leg_a.held:
        return _shrink(facts, Goal.ABORT, _why_empty(leg_a))
    if leg_a.held < MIN_FILL_OF_PLAN * planned:
        share = float(leg_a.held / planned)
        return _shrink(
            facts,
            Goal.ABORT,
            f"leg A filled {share:.1%} of its plan ({leg_a.held} of {planned}), below {MIN_FILL_OF_PLAN:.0%}",
        )
    if not leg_b.held and any(o.filled for o in leg_b.orders if o.role in (Role.EXIT, Role.EXTERNAL)):
        return _shrink(facts, Goal.ABORT, "leg B was closed before both legs were held")
    if is_hedged(beta, leg_a, leg_b):
        return Decision(PairState.HEDGED, Goal.OPEN, "")
    missing = beta * leg_a.notional - leg_b.notional
    if missing < 0:
        return _trim(trade, facts, PairState.B_SENT)
    amount = nearest_amount(missing, leg_b.price, leg_b.step)
    tried = leg_b.entries
    why_not = _why_no_entry(facts, leg_b, amount, len(tried))
    state = PairState.B_SENT if tried else PairState.A_SENT
    if why_not is None and leg_a.venue is None and _may_be_gone(leg_a, facts.now_ms):
        return Decision(state, Goal.OPEN, "", (ReadVenue(),))
    if why_not is None:
        return Decision(
            state,
            Goal.OPEN,
            "",
            (
                Enter(
                    Leg.B,
                    Role.TOP_UP if leg_b.held else Role.ENTRY,
                    amount,
                    attempt=len(tried),
                    is_market=len(tried) >= CAPPED_ENTRIES_OF_B,
                    price=leg_b.price,
                ),
            ),
        )
    if float(leg_b.held) * leg_b.entry_price < float(MIN_FILL_OF_PLAN) * beta * leg_a.notional:
        return _shrink(facts, Goal.ABORT, f"leg B: {why_not}")
    return _trim(trade, facts, PairState.B_SENT)


def _why_no_entry(facts: Facts, leg_b: LegFacts, amount: Decimal, tried: int) -> str | None:
    """Why leg B is not (further) entered, or None where it may be."""
    last = leg_b.entries[-1] if leg_b.entries else None
    if not facts.can_write:
        return "the journal cannot be written"
    if last is not None and last.refusal is Refusal.HARD:
        return f"refused by the venue: {last.error}"
    if tried > CAPPED_ENTRIES_OF_B:
        return f"not filled after {tried} attempts ({leg_b.held} filled)"
    if float(amount) * leg_b.price < leg_b.sizing.min_notional:
        return (
            f"the missing {amount} are {float(amount) * leg_b.price:.2f} of notional, "
            f"below the minimum of {leg_b.sizing.min_notional:g}"
        )
    return None


def _hold(trade: PairTrade, facts: Facts) -> Decision:
    """Both legs were held and hedged: a missing leg closes its mate, a smaller one trims it."""
    leg_a, leg_b = facts.legs
    gone = [leg.leg.value for leg in facts.legs if not leg.held]
    if gone:
        return _shrink(facts, Goal.CLOSE, f"leg {' and '.join(gone)} was closed")
    if is_hedged(trade.plan.model.beta, leg_a, leg_b):
        unanswered = [o.client_id for leg in facts.legs for o in leg.unsettled]
        if unanswered:
            # Hedged by the fills we know; an exit by hand whose answer is missing may have changed that.
            reason = f"waiting for the answer to {unanswered[0]}"
            return Decision(PairState.UNKNOWN, Goal.OPEN, reason)
        return Decision(PairState.HEDGED, Goal.OPEN, "")
    return _trim(trade, facts, PairState.HEDGED)


def _trim(trade: PairTrade, facts: Facts, state: PairState) -> Decision:
    """Bring the leg that is too big down to its mate."""
    beta = trade.plan.model.beta
    leg_a, leg_b = facts.legs
    excess = beta * leg_a.notional - leg_b.notional
    big = leg_a if excess > 0 else leg_b
    notional = excess / beta if excess > 0 else -excess
    amount = min(nearest_amount(notional, big.entry_price, big.step), big.held)
    if not amount:
        return Decision(PairState.HEDGED, Goal.OPEN, "")
    if amount == big.held:
        return _shrink(facts, Goal.CLOSE, f"leg {big.leg.mate} is too small to be hedged")
    unanswered = [o.client_id for leg in facts.legs for o in leg.unsettled if not o.role.increases]
    if unanswered:
        # Sent again it could trim twice; only what closes the whole leg may overtake it.
        return Decision(PairState.UNKNOWN, Goal.OPEN, f"waiting for the answer to {unanswered[0]}")
    waiting = wait(big, facts, Role.TRIM)
    if waiting is not None:
        return Decision(waiting, Goal.OPEN, f"leg {big.leg} is {amount} too big")
    if failures(big, Role.TRIM) >= MAX_REDUCES:
        state = PairState.NEEDS_OPERATOR
    actions = _reduce(big, Role.TRIM, amount)
    return Decision(state, Goal.OPEN, f"leg {big.leg} is {amount} too big", actions)


def _shrink(facts: Facts, goal: Goal, reason: str) -> Decision:
    """Bring both legs to zero, together."""
    role, busy, done = (
        (Role.EXIT, PairState.CLOSING, PairState.CLOSED)
        if goal is Goal.CLOSE
        else (Role.UNWIND, PairState.UNWINDING, PairState.ABORTED)
    )
    actions: list[Action] = []
    state = busy
    for leg in facts.legs:
        if not leg.held:
            continue
        if leg.is_rest:
            actions.append(Leave(leg.leg))
            continue
        if wait(leg, facts, role) is None:
            actions += _reduce(leg, role, leg.held)
        if failures(leg, role) >= MAX_REDUCES:
            state = PairState.NEEDS_OPERATOR
    if not any(leg.held for leg in facts.legs):
        # Freqtrade has to book what is missing before the pair trade may be forgotten.
        unbooked = {client_id for leg in facts.legs for client_id in leg.unbooked}
        state = busy if unbooked else done
        if unbooked and unbooked <= facts.unbookable:
            state = PairState.NEEDS_OPERATOR
        if any(leg.unsettled for leg in facts.legs):
            state = PairState.UNKNOWN
    return Decision(state, goal, reason, tuple(actions))


def _reduce(leg: LegFacts, role: Role, amount: Decimal) -> tuple[Action, ...]:
    """One reduce-only order, or a look at the venue where the last one found nothing to reduce."""
    last = leg.reduces[-1] if leg.reduces else None
    if last is not None and last.refusal is Refusal.NO_POSITION and leg.venue is None:
        return (ReadVenue(),)
    if leg.venue is not None:
        amount = min(amount, leg.venue)
    return (Reduce(leg.leg, role, amount),) if amount > 0 else ()


def _why_empty(leg: LegFacts) -> str:
    """Why nothing of leg A is held."""
    last = leg.entries[-1] if leg.entries else None
    if last is None:
        return "leg A was never sent"
    if any(order.filled for order in leg.entries):
        return "leg A was closed before leg B was open"
    match last.status:
        case OrderStatus.REJECTED:
            return f"leg A was refused by the venue: {last.error}"
        case OrderStatus.VOID:
            return "leg A never reached the venue"
        case _:
            return f"leg A did not fill: 0 of {last.amount} at {last.price}"
