"""Who could not be entered anyway, candle by candle, where entries are columns written beforehand.

Which pair is open, and which waits for its spread to come back, follows from candles and file alone: all
pairs are run forward on paper, so that a shared coin goes to a pair that may have it (I13). What only wallet,
slots and the break rule decide is left to the gates: a pair that is out on paper loses contested candles,
never its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, isfinite

import numpy as np

from pairbot_ext.model.registry import Coins, coins_of
from pairbot_ext.model.thresholds import ExitReason, Thresholds
from pairbot_ext.signals.arbiter import Candidate
from pairbot_ext.stats.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class Course:
    """One candidate with what its trades need.

    :param log_a, log_b: log closes of the legs. Shape (n,).
    :param first_row: row of the first element of the arrays below, all of shape (m,).
    :param alpha, beta, mu, sigma: of the model an entry on that candle would be made with.
    :param z: of the candidate's own model on each candle, NaN where it is not in force.
    :param most_candles: after so many a trade entered on that candle is closed; infinite for never.
    """

    candidate: Candidate
    thresholds: Thresholds
    log_a: FloatArray
    log_b: FloatArray
    first_row: int
    alpha: FloatArray
    beta: FloatArray
    mu: FloatArray
    sigma: FloatArray
    z: FloatArray
    most_candles: FloatArray

    @cached_property
    def last(self) -> int:
        """The last row on which both legs have a close."""
        return int(np.flatnonzero(np.isfinite(self.log_a) & np.isfinite(self.log_b))[-1])

    def mark_touches(self, inside: BoolArray) -> None:
        """Mark the candles with |z| <= exit. Shape (n,)."""
        inside[self.first_row : self.first_row + self.z.size] |= np.abs(self.z) <= self.thresholds.exit

    def leave(self, row: int) -> tuple[int, ExitReason | None]:
        """When a trade entered on the signal of `row` is left, as a row, and why; None: the data end."""
        direction, at = int(self.candidate.direction[row]), row - self.first_row
        most = float(self.most_candles[at])
        # The time stop ends every trade that has one: what comes after it is not looked at.
        after = slice(row + 1, row + 1 + ceil(most) if isfinite(most) else None)
        u = self.log_a[after] - self.alpha[at] - self.beta[at] * self.log_b[after]
        z = (u - self.mu[at]) / self.sigma[at]
        reverted = (np.abs(z) <= self.thresholds.exit) | (z * direction > 0)
        stopped = np.abs(z) >= self.thresholds.stop
        late = np.arange(1, z.size + 1) >= most if isfinite(most) else np.zeros(z.size, np.bool_)
        ends = np.flatnonzero(reverted | stopped | late)
        # A leg whose data end before the others' is left on its last candle.
        last = self.last
        if ends.size == 0 or row + 1 + int(ends[0]) >= last:
            return (self.log_a.size if last == self.log_a.size - 1 else last - 1), None
        first = int(ends[0])
        if reverted[first]:
            return row + 1 + first, ExitReason.REVERTED
        return row + 1 + first, ExitReason.STOP if stopped[first] else ExitReason.TIME


def out_on_paper(courses: Sequence[Course], lookback_candles: int) -> list[BoolArray]:
    """For each course, where its pair is open or waits. Shape (n,) each.

    :param lookback_candles: after so many a pair that was left is forgotten.
    """
    size = courses[0].candidate.direction.size if courses else 0
    out = [np.zeros(size, np.bool_) for _ in courses]
    coins_by_course = [coins_of(*course.candidate.legs) for course in courses]
    inside: dict[Coins, BoolArray] = {coins: np.zeros(size, np.bool_) for coins in coins_by_course}
    for coins, course in zip(coins_by_course, courses, strict=True):
        course.mark_touches(inside[coins])
    rows = np.arange(size)
    touches = {coins: np.maximum.accumulate(np.where(marks, rows, -1)) for coins, marks in inside.items()}
    busy: dict[str, int] = {}
    left: dict[Coins, int] = {}
    wanting: dict[int, list[int]] = {}
    for number, course in enumerate(courses):
        for row in np.flatnonzero(course.candidate.direction).tolist():
            wanting.setdefault(row, []).append(number)
    for row in sorted(wanting):
        free: list[int] = []
        for number in wanting[row]:
            legs = courses[number].candidate.legs
            coins = coins_by_course[number]
            since = left.get(coins)
            waits = since is not None and touches[coins][row] <= since and row - since < lookback_candles
            out[number][row] = waits or any(busy.get(symbol, -1) >= row for symbol in legs)
            if not out[number][row]:
                free.append(number)
        free.sort(key=lambda number: -courses[number].candidate.edge[row])
        for number in free:
            legs = courses[number].candidate.legs
            if any(busy.get(symbol, -1) >= row for symbol in legs):
                continue
            end, reason = courses[number].leave(row)
            # The exit is filled on the next open: a signal of the candle it was decided on is too early.
            busy.update(dict.fromkeys(legs, end))
            if reason is ExitReason.REVERTED:
                left.pop(coins_by_course[number], None)
            else:
                left[coins_by_course[number]] = end
    return out
