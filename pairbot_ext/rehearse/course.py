"""What is still to happen in a rehearsal, when it is due, and what has to be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.rehearse.schedule import Effect, InPhase, OnOrder, Step


class Killed(BaseException):
    """The process ends here: no handler of ours or Freqtrade's catches it."""


class GoneError(Exception):
    """The bot cannot be started any more."""


@dataclass
class _Waiting:
    step: Step
    left: int


class Course:
    """The steps of a scenario, each until it has happened. Times are seconds within a phase, or epoch ms."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._waiting = [_Waiting(step, step.times) for step in steps]
        self._undo: list[tuple[int, Callable[[], None]]] = []

    def due(self, phase: str, secs: float) -> Iterator[Effect]:
        """What is to happen by now; each is given once."""
        for each in self._waiting:
            at = each.step.at
            if isinstance(at, InPhase) and at.phase == phase and each.left and secs >= at.secs:
                each.left = 0
                yield each.step.effect

    def met(self, order: ClientOrderId, moment: str) -> Iterator[Effect]:
        """What is to happen at this instant of this order."""
        for each in self._waiting:
            at = each.step.at
            if not isinstance(at, OnOrder) or not each.left:
                continue
            if (at.leg, at.role, at.moment) == (order.leg, order.role.value, moment):
                each.left -= 1
                yield each.step.effect

    def until(self, end_ms: int, undo: Callable[[], None]) -> None:
        """Something lasts so long."""
        self._undo.append((end_ms, undo))

    def end_what_is_over(self, now_ms: int) -> None:
        """Undo what has lasted long enough."""
        over = [undo for end_ms, undo in self._undo if end_ms <= now_ms]
        self._undo = [each for each in self._undo if each[0] > now_ms]
        for undo in over:
            undo()

    def end(self) -> None:
        """Nothing goes wrong any more."""
        self._waiting.clear()
        undo, self._undo = self._undo, []
        for _, work in undo:
            work()

    def is_pending(self, phase: str) -> bool:
        """Whether a step of this phase has not happened, or one is not over."""
        timed = (each for each in self._waiting if isinstance(each.step.at, InPhase) and each.left)
        return any(each.step.at.phase == phase for each in timed) or bool(self._undo)  # type: ignore[union-attr]

    def last_timed_secs(self, phase: str) -> float:
        """When the last of what may happen in this phase is over."""
        ends = [0.0]
        for each in self._waiting:
            at = each.step.at
            if isinstance(at, OnOrder) or at.phase == phase:
                start = at.secs if isinstance(at, InPhase) else 0.0
                ends.append(start + float(getattr(each.step.effect, "lasts_secs", None) or 0.0))
        return max(ends)
