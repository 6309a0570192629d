"""How often and how fast reduce-only orders of a leg are repeated: bounded, then a person is asked (I6)."""

from pairbot_ext.model.states import OrderStatus, PairState, Refusal, Role
from pairbot_ext.pairtrade.situation import Facts, LegFacts

QUICK_REDUCES = 3
"""Failed reduce-only orders of a leg in a row that are repeated at once; then the wait doubles."""
MAX_REDUCES = 20
LONGEST_WAIT_MS = 60_000
UNANSWERED_EXIT_MS = 2_000
"""An exit whose fate cannot be read for this long no longer holds up the next one (I5)."""


def failures(leg: LegFacts, role: Role) -> int:
    """Reduce-only orders of a leg in a row that reduced nothing. Failed trims do not hold up an exit."""
    failed = 0
    for order in reversed(leg.reduces):
        if order.filled or (order.role is Role.TRIM) != (role is Role.TRIM):
            break
        failed += 1
    return failed


def held_back(leg: LegFacts) -> str | None:
    """What a person is told where the next reduce-only order of a leg waits because the last ones failed."""
    last = leg.reduces[-1] if leg.reduces else None
    if last is None or not leg.held or last.filled:
        return None
    failed = failures(leg, last.role)
    if failed < QUICK_REDUCES:
        return None
    error = f": {last.error}" if last.error else ""
    return (
        f"{failed} reduce-only orders of leg {leg.leg} in a row have reduced nothing, {leg.held} "
        f"{last.symbol} are still open; the last was {last.status}{error}. The next ones wait longer"
    )


def wait(leg: LegFacts, facts: Facts, role: Role) -> PairState | None:
    """Whether the next reduce-only order of a leg has to wait (its state meanwhile), or None.

    After MAX_REDUCES failures a person is asked; what may pass later is still tried, at LONGEST_WAIT_MS.
    """
    if not leg.reduces:
        return None
    last = leg.reduces[-1]
    age_ms = facts.now_ms - last.intent_ms
    if age_ms < 0:
        # The machine's clock was set back: by no age must an exit wait as long as the jump.
        age_ms = LONGEST_WAIT_MS
    failed = failures(leg, role)
    if not last.status.is_settled and not last.filled and age_ms < UNANSWERED_EXIT_MS:
        return PairState.UNKNOWN
    if not failed or facts.insists:
        return None
    if failed >= MAX_REDUCES:
        may_pass = last.refusal is Refusal.TRANSIENT or last.status is OrderStatus.VOID
        return None if may_pass and age_ms >= LONGEST_WAIT_MS else PairState.NEEDS_OPERATOR
    if failed < QUICK_REDUCES:
        return None
    wait_ms = min(LONGEST_WAIT_MS, 1_000 * 2 ** (failed - QUICK_REDUCES))
    return None if age_ms >= wait_ms else PairState.CLOSING
