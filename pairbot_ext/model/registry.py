"""What is remembered of a pair between its pair trades. A pair is its two coins, whatever it is called."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from pairbot_ext.model.thresholds import ExitReason

Coins = tuple[str, str]
"""Both symbols of a pair in alphabetical order: which is leg A may change from file to file."""

LEAVES_ARMED = frozenset({ExitReason.REVERTED})
"""The few ways out after which the same signal may be taken again: the spread has come back. After any other
(a stop, a liquidation, a person, a halt, an unwinding) a pair waits until |z| <= exit has been seen (I13)."""

MOST_REFUSED_OPENINGS = 3
"""So many openings in a row that the venue refused and that had to be unwound bar a pair (I17)."""


def coins_of(leg_a: str, leg_b: str) -> Coins:
    """The pair's key."""
    return (leg_a, leg_b) if leg_a <= leg_b else (leg_b, leg_a)


def leaves_armed(reason: str) -> bool:
    """Whether a pair trade closed for this reason leaves its pair ready for the next signal."""
    return reason in LEAVES_ARMED


@dataclass(frozen=True)
class PairMemory:
    """One pair of one mode.

    :param name: its id, as it was last called.
    :param lock: who locked it and when; released by a person.
    :param barred: the refusal that will not go away by itself, and what would lift it; released by a person.
    :param refused_openings: in a row.
    :param disarmed_ms: when it was left without its spread having come back; None where it may be entered.
    :param disarmed_by: the reason.
    :param came_back_ms: when its spread was last seen inside exit_z after it had been left.
    """

    name: str = ""
    lock: str | None = None
    barred: str | None = None
    refused_openings: int = 0
    disarmed_ms: int | None = None
    disarmed_by: str = ""
    came_back_ms: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember."""
        return self == PairMemory(name=self.name)

    def to_json(self) -> dict[str, Any]:
        """A document for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The inverse of `to_json`. Raises TypeError where a field is unknown."""
        return cls(**document)
