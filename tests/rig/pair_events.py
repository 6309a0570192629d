"""Everything that can happen to a pair trade, as the facts it leaves behind: rows of the decision table."""

from dataclasses import replace

from situations import A_FULL, B_FULL, T0, facts, order, seen

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, Refusal, Role
from pairbot_ext.pairtrade.retries import LONGEST_WAIT_MS, MAX_REDUCES, QUICK_REDUCES, UNANSWERED_EXIT_MS
from pairbot_ext.pairtrade.situation import Facts

S, R = OrderStatus, Refusal
A, B = Leg.A, Leg.B


def entry(leg: Leg, status: OrderStatus, filled: str = "0", attempt: int = 1,
          refusal: Refusal | None = None, role: Role = Role.ENTRY,
          amount: str | None = None) -> OrderRecord:  # fmt: skip
    """An order that makes a leg bigger."""
    return order(leg, role, status, filled, amount, attempt, refusal)


def out(leg: Leg, status: OrderStatus, filled: str = "0", amount: str | None = None, attempt: int = 1,
        refusal: Refusal | None = None, role: Role = Role.EXIT) -> OrderRecord:  # fmt: skip
    """An order that makes a leg smaller."""
    return order(leg, role, status, filled, amount, attempt, refusal)


def series(number: int, refusal: Refusal | None, status: OrderStatus = S.REJECTED) -> list[OrderRecord]:
    """So many exits of leg A in a row that reduced nothing."""
    return [out(A, status, attempt=n, refusal=refusal) for n in range(1, number + 1)]


def asked(*orders: OrderRecord, **changes: object) -> Facts:
    """Every unsettled order has been asked for in this pass; the venue could not say."""
    return facts(*orders, asked=frozenset(o.client_id for o in orders if not o.status.is_settled), **changes)


def unbooked(known: Facts, *orders: OrderRecord) -> Facts:
    """Freqtrade has no row of these."""
    names = {leg: tuple(o.client_id for o in orders if o.leg is leg) for leg in Leg}
    return replace(
        known,
        leg_a=replace(known.leg_a, unbooked=names[A]),
        leg_b=replace(known.leg_b, unbooked=names[B]),
    )


B_HALF = entry(B, S.PARTIAL, "12.0")
B_CRUMB = entry(B, S.PARTIAL, "1.0")
A_OUT, B_OUT = out(A, S.FILLED, "100"), out(B, S.FILLED, "24.0")
A_LOST, B_LOST = out(A, S.UNKNOWN), out(B, S.UNKNOWN)
A_TRIM_LOST = out(A, S.UNKNOWN, amount="50", role=Role.TRIM)
LATER = T0 + UNANSWERED_EXIT_MS
MUCH_LATER = T0 + LONGEST_WAIT_MS + 1
HELD = facts(A_FULL, B_FULL)

EVENTS: dict[str, Facts] = {
    # Answers to leg A.
    "nothing was sent": facts(),
    "A: intent left behind": facts(entry(A, S.INTENT)),
    "A: sent": facts(entry(A, S.SENT)),
    "A: unclear": facts(entry(A, S.UNKNOWN)),
    "A: unclear, asked in vain": asked(entry(A, S.UNKNOWN)),
    "A: refused, funds": facts(entry(A, S.REJECTED, refusal=R.HARD)),
    "A: refused, price": facts(entry(A, S.REJECTED, refusal=R.PRICE)),
    "A: refused, overload": facts(entry(A, S.REJECTED, refusal=R.TRANSIENT)),
    "A: never arrived": facts(entry(A, S.VOID)),
    "A: expired empty": facts(entry(A, S.EXPIRED)),
    "A: filled 5 %": facts(entry(A, S.PARTIAL, "5")),
    "A: filled 9 %": facts(entry(A, S.PARTIAL, "9")),
    "A: filled 10 %": facts(entry(A, S.PARTIAL, "10")),
    "A: filled 60 %": facts(entry(A, S.PARTIAL, "60")),
    "A: filled": facts(A_FULL),
    # Answers to leg B.
    "B: intent left behind": facts(A_FULL, entry(B, S.INTENT)),
    "B: sent": facts(A_FULL, entry(B, S.SENT)),
    "B: unclear": facts(A_FULL, entry(B, S.UNKNOWN)),
    "B: unclear, asked in vain": asked(A_FULL, entry(B, S.UNKNOWN)),
    "B: refused, funds": facts(A_FULL, entry(B, S.REJECTED, refusal=R.HARD)),
    "B: refused, price": facts(A_FULL, entry(B, S.REJECTED, refusal=R.PRICE)),
    "B: refused, overload": facts(A_FULL, entry(B, S.REJECTED, refusal=R.TRANSIENT)),
    "B: never arrived": facts(A_FULL, entry(B, S.VOID)),
    "B: expired empty": facts(A_FULL, entry(B, S.EXPIRED)),
    "B: expired three times": facts(A_FULL, *(entry(B, S.EXPIRED, attempt=n) for n in (1, 2, 3))),
    "B: expired four times": facts(A_FULL, *(entry(B, S.EXPIRED, attempt=n) for n in (1, 2, 3, 4))),
    "B: filled by half": facts(A_FULL, B_HALF),
    "B: half, then refused": facts(
        A_FULL, B_HALF, entry(B, S.REJECTED, refusal=R.HARD, role=Role.TOP_UP, amount="12.0")
    ),
    "B: a crumb, then refused": facts(
        A_FULL, B_CRUMB, entry(B, S.REJECTED, refusal=R.HARD, role=Role.TOP_UP, amount="23.0")
    ),
    "B: short by less than the minimum": facts(
        entry(A, S.PARTIAL, "10"), entry(B, S.PARTIAL, "2.0", amount="2.4")
    ),
    "B: filled": HELD,
    "B: filled beyond A": facts(entry(A, S.PARTIAL, "60"), B_FULL),
    # Wishes, time, the journal.
    "exit wish": replace(HELD, exit_reason="pair_stop"),
    "exit wish before B": facts(A_FULL, exit_reason="pair_stop"),
    "exit wish, B unclear": facts(A_FULL, entry(B, S.UNKNOWN), exit_reason="pair_stop"),
    "exit wish, B unclear, asked in vain": asked(A_FULL, entry(B, S.UNKNOWN), exit_reason="pair_stop"),
    "exit wish, journal not writable": replace(HELD, exit_reason="pair_stop", can_write=False),
    "journal not writable, A filled": facts(A_FULL, can_write=False),
    "journal not writable, B by half": facts(A_FULL, B_HALF, can_write=False),
    "journal not writable, hedged": replace(HELD, can_write=False),
    "an hour passes": replace(HELD, now_ms=T0 + 3_600_000),
    # Answers to exits.
    "A out": facts(A_FULL, B_FULL, A_OUT),
    "B out": facts(A_FULL, B_FULL, B_OUT),
    "both out": facts(A_FULL, B_FULL, A_OUT, B_OUT),
    "A out by half": facts(A_FULL, B_FULL, out(A, S.PARTIAL, "50")),
    "A's exit unclear": facts(A_FULL, B_FULL, A_LOST),
    "A's exit unclear, asked in vain": asked(A_FULL, B_FULL, A_LOST),
    "A's exit unclear for 2 s": asked(A_FULL, B_FULL, A_LOST, now_ms=LATER),
    "A's exit unclear, B out": asked(A_FULL, B_FULL, A_LOST, B_OUT),
    "both exits unclear for 2 s": asked(A_FULL, B_FULL, A_LOST, B_LOST, now_ms=LATER),
    "A's trim unclear for 2 s": asked(A_FULL, B_FULL, A_TRIM_LOST, now_ms=LATER),
    "A's exit refused, overload": facts(A_FULL, B_FULL, *series(1, R.TRANSIENT)),
    "A's exit refused three times": facts(A_FULL, B_FULL, *series(QUICK_REDUCES, R.TRANSIENT)),
    "A's exit refused three times, later": facts(
        A_FULL, B_FULL, *series(QUICK_REDUCES, R.TRANSIENT), now_ms=MUCH_LATER
    ),
    "A's exit refused too often": facts(A_FULL, B_FULL, *series(MAX_REDUCES, R.TRANSIENT)),
    "A's exit refused too often, later": facts(
        A_FULL, B_FULL, *series(MAX_REDUCES, R.TRANSIENT), now_ms=MUCH_LATER
    ),
    "A's exit refused for good": facts(A_FULL, B_FULL, *series(MAX_REDUCES, R.HARD), now_ms=MUCH_LATER),
    "A's exit never arrived too often, later": facts(
        A_FULL, B_FULL, *series(MAX_REDUCES, None, S.VOID), now_ms=MUCH_LATER
    ),
    "A's exit finds nothing to reduce": facts(A_FULL, B_FULL, *series(1, R.NO_POSITION)),
    "the same, and the venue holds none": seen(facts(A_FULL, B_FULL, *series(1, R.NO_POSITION)), "0", "24.0"),
    "the same, and the venue holds it": seen(facts(A_FULL, B_FULL, *series(1, R.NO_POSITION)), "100", "24.0"),
    # Looks at the venue, other hands.
    "the venue agrees": seen(HELD, "100", "24.0"),
    "the venue holds less of A": seen(HELD, "60", "24.0"),
    "the venue holds no B": seen(HELD, "100", "0"),
    "the venue holds nothing": seen(HELD, "0", "0"),
    "the venue holds more of A": seen(HELD, "150", "24.0"),
    "the venue holds A the other way round": seen(HELD, "-50", "24.0"),
    "A closed by hand": facts(A_FULL, B_FULL, order(A, Role.EXTERNAL, S.FILLED, "100")),
    "B halved by hand": facts(A_FULL, B_FULL, order(B, Role.EXTERNAL, S.FILLED, "12.0")),
    "B halved by hand, A's trim unclear for 2 s": asked(
        A_FULL, B_FULL, order(B, Role.EXTERNAL, S.FILLED, "12.0"), A_TRIM_LOST, now_ms=LATER
    ),
    "both closed by hand": facts(
        A_FULL, B_FULL, order(A, Role.EXTERNAL, S.FILLED, "100"), order(B, Role.EXTERNAL, S.FILLED, "24.0")
    ),
    "A enlarged by hand": facts(A_FULL, B_FULL, entry(A, S.FILLED, "50", role=Role.TOP_UP, amount="50")),
    # Freqtrade's books.
    "A not booked": unbooked(facts(A_FULL), A_FULL),
    "A cannot be booked in this pass": replace(
        unbooked(facts(A_FULL), A_FULL), failed_to_book=frozenset({A_FULL.client_id})
    ),
    "both out, B's exit not booked": unbooked(facts(A_FULL, B_FULL, A_OUT, B_OUT), B_OUT),
    "both out, B's exit cannot be booked in this pass": replace(
        unbooked(facts(A_FULL, B_FULL, A_OUT, B_OUT), B_OUT), failed_to_book=frozenset({B_OUT.client_id})
    ),
    "both out, B's exit cannot be booked at all": replace(
        unbooked(facts(A_FULL, B_FULL, A_OUT, B_OUT), B_OUT),
        unbookable=frozenset({B_OUT.client_id}),
        booked_later=frozenset({B_OUT.client_id}),
    ),
    "hedged, A cannot be booked at all": replace(
        unbooked(HELD, A_FULL),
        unbookable=frozenset({A_FULL.client_id}),
        booked_later=frozenset({A_FULL.client_id}),
    ),
    "not booked, journal not writable": replace(unbooked(HELD, B_FULL), can_write=False),
}
