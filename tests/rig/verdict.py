"""`pairbot_ext.rehearse.verdict` as assertions."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from pairbot_ext.model.states import ClientOrderId, PairState
from pairbot_ext.rehearse.verdict import judge

if TYPE_CHECKING:
    from harness import Rig


def assert_whole_or_flat(
    rig: Rig, *, foreign: dict[str, Decimal] | None = None, states: set[PairState] | None = None
) -> None:
    """See `judge`."""
    found = judge(rig, foreign=foreign, states=states or set())
    assert not found, "\n".join(found)


def assert_flat(rig: Rig) -> None:
    """Nothing is left anywhere, and it went by allowed means."""
    assert_whole_or_flat(rig)
    assert not rig.positions(), f"the venue holds {rig.positions()}"
    assert not rig.trades(), f"Freqtrade holds {rig.trades()}"
    assert all(state in ("CLOSED", "ABORTED") for state in rig.states()), rig.states()


def executed_entries(rig: Rig) -> dict[str, int]:
    """Entry orders (roles e and t) the venue has executed since the mark, by leg and role, such as
    {"A-e": 1, "B-e": 1}: executed means that the venue took the order, whatever it answered."""
    found: Counter[str] = Counter()
    for record in rig.posts():
        parsed = ClientOrderId.parse(record.params.get("newClientOrderId", ""))
        if record.executed and record.number > rig.mark.request and parsed and parsed.role.increases:
            found[f"{parsed.leg}-{parsed.role}"] += 1
    return dict(found)
