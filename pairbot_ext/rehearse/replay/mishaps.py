"""Orders that go wrong by chance: part of the amount, or a lost answer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from zlib import crc32

from pairbot_ext.rehearse.replay.terms import Terms
from pairbot_ext.sim.rest.calls import ORDER
from pairbot_ext.sim.venue.faults import AnswerForm, FaultRule, Faults, Fill, Schedule

_LEAST_FILLED, _MOST_FILLED = 0.3, 0.9

FORMS = (
    ("answer lost after the execution", {"answer": AnswerForm.READ_TIMEOUT}),
    ("connection dropped after the execution", {"answer": AnswerForm.RESET}),
    ("unclear 503, executed", {"answer": AnswerForm.UNKNOWN_503_MSG}),
    ("unclear 503, not executed", {"answer": AnswerForm.UNKNOWN_503_MSG, "execute": False}),
    ("answer lost, not executed", {"answer": AnswerForm.READ_TIMEOUT, "execute": False}),
    ("overloaded, not executed", {"answer": AnswerForm.OVERLOADED_1008}),
    ("503, not executed", {"answer": AnswerForm.UNAVAILABLE_503}),
)
"""Equally likely."""


class Mishaps(Faults):
    """Bends orders as `terms` say, each decided by what it is and when it arrives: not by how many came
    before, or a replay in two stretches would meet others than the whole."""

    def __init__(self, terms: Terms, start_ms: int) -> None:
        super().__init__(Schedule(), start_ms)
        self._terms = terms

    def pick(self, call: str, params: Mapping[str, str], client_id: str, now_ms: int) -> FaultRule | None:
        """See `Faults`."""
        rule = super().pick(call, params, client_id, now_ms)
        if rule is not None or call != ORDER:
            return rule
        # The pair trade's own id is random; leg, role and attempt are not.
        what = f"{params.get('symbol')} {params.get('side')} {client_id.split('-')[2:]} {now_ms // 1000}"
        if self._drawn("fault", what) < self._terms.fault_share:
            name, form = FORMS[int(self._drawn("form", what) * len(FORMS))]
            return FaultRule.model_validate({"name": name, **form})
        if self._drawn("partial", what) < self._terms.partial_share:
            share = _LEAST_FILLED + (_MOST_FILLED - _LEAST_FILLED) * self._drawn("share", what)
            return FaultRule(name="partial fill", fill=Fill(fraction=Decimal(f"{share:.3f}")))
        return None

    def _drawn(self, what: str, of: str) -> float:
        """Evenly within [0, 1)."""
        return crc32(f"{self._terms.seed} {what} {of}".encode()) / 2**32
