"""Levels of |z|, the two directions of a spread, and why a pair trade is closed."""

import re
from dataclasses import dataclass
from enum import StrEnum

from pairbot_ext.model.states import Role

SHORT_SPREAD = -1
"""Short leg A, long leg B: entered where z > 0."""
LONG_SPREAD = 1
"""Long leg A, short leg B: entered where z < 0."""


class ExitReason(StrEnum):
    """Why a pair trade is closed. The value is the exit reason both Freqtrade trades carry."""

    REVERTED = "pair_reverted"
    STOP = "pair_stop"
    TIME = "pair_time_stop"
    MATE_GONE = "pair_mate_gone"
    OPERATOR = "pair_operator"
    DATA_END = "pair_data_end"
    STOP_LIVE = "pair_stop_live"
    BREAK = "pair_break_stop"
    LOSS = "pair_loss_limit"
    LIQUIDATION = "pair_liquidation_near"
    NAKED = "pair_naked"
    HALTED = "pair_halted"
    UNWOUND = "pair_unwound"
    TRIMMED = "pair_trimmed"


_CODE = re.compile(r"[A-Za-z0-9_.-]{1,40}")


def exit_code(reason: str, role: Role) -> str:
    """What Freqtrade's trade carries as its exit reason. Reasons with numbers belong to the journal and to
    the message: each would become a row of its own in Freqtrade's tables.

    :param reason: of the pair trade; what a person gave to a forced exit is kept where it is one word.
    """
    if role is Role.UNWIND:
        return ExitReason.UNWOUND
    if role is Role.TRIM:
        return ExitReason.TRIMMED
    return reason if _CODE.fullmatch(reason) else ExitReason.MATE_GONE


STOPS = frozenset(
    {
        ExitReason.STOP,
        ExitReason.TIME,
        ExitReason.STOP_LIVE,
        ExitReason.BREAK,
        ExitReason.LOSS,
        ExitReason.LIQUIDATION,
    }
)
"""Left although the spread had not come back. After these a pair is entered again only when |z| <= exit has
been seen, else the same signal would open it at once."""


@dataclass(frozen=True)
class Thresholds:
    """Levels of |z| and the time stop.

    :param entry: enter at entry <= |z| < stop.
    :param exit: leave at |z| <= exit, or when z has changed sign.
    :param stop: leave at |z| >= stop.
    :param max_half_lives: leave after this many half-lives.
    """

    entry: float
    exit: float
    stop: float
    max_half_lives: float

    def __post_init__(self) -> None:
        if not 0 <= self.exit < self.entry < self.stop:
            raise ValueError(
                "thresholds must satisfy 0 <= exit < entry < stop, "
                f"got {self.exit} / {self.entry} / {self.stop}"
            )
        if not self.max_half_lives > 0:
            raise ValueError(f"max_half_lives must be positive, got {self.max_half_lives}")
