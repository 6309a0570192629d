"""The risk state of one bot, what has tripped, and what equity is measured against: kept over restarts."""

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol, Self

from pairbot_ext.risk.account import EquityMarks
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

STATE_KEY = "risk.state"
MARKS_KEY = "risk.marks"
BY_HAND = "by_hand"
UNREADABLE = "state_unreadable"
JOURNAL_LOST = "journal_lost"


class RiskState(StrEnum):
    """What the bot may do.

    ACTIVE: everything. REDUCING: exits only. HALTED: every pair is flattened, nothing is entered.
    """

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


RELEASE = "Released by hand only: /pairs_resume"
WHAT_HAPPENS = {
    RiskState.ACTIVE: "Pairs are entered and closed as their models say.",
    RiskState.REDUCING: "No pair is entered, open pairs are closed as their models say.",
    RiskState.HALTED: "Every open pair is closed, nothing is entered.",
}


@dataclass(frozen=True)
class Trip:
    """A rule that was broken.

    :param rule: its name (`Rule`, or BY_HAND, UNREADABLE).
    :param value: what was found; None where a person or an unreadable state holds the bot.
    :param limit: what is allowed, in the same unit.
    :param unit: of value and limit, e.g. "%", "s".
    :param pair_id: the pair it concerns, or None for the whole bot.
    :param text: one sentence: rule, value, limit, what happens, how it is released.
    """

    rule: str
    value: float | None
    limit: float | None
    unit: str
    at_ms: int
    pair_id: str | None
    text: str

    def to_json(self) -> dict[str, Any]:
        """A document for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises TypeError where a field is missing or unknown."""
        return cls(**document)


def lost_journal(trades: list[str], at_ms: int) -> Trip:
    """Freqtrade holds trades of pairs that the journal has never seen."""
    text = (
        f"Rule {JOURNAL_LOST}: Freqtrade holds {', '.join(trades[:4])}, the journal knows nothing "
        "of them: its tables (pairbot_...) were not moved with the database. Nothing is entered; a leg whose "
        "mate is gone is closed, the others stay: bring the tables back and restart, or /forceexit each of "
        "them, or stop the bot and use pairbot flatten all --direct --ignore-database. "
        f"{RELEASE}"
    )
    return Trip(JOURNAL_LOST, len(trades), 0, "trades", at_ms, None, text)


class Store(Protocol):
    """What is asked of the journal: small values by key, kept over restarts."""

    def setting(self, key: str) -> Any | None:
        """The stored value, or None."""
        ...

    def set_setting(self, key: str, value: Any) -> None:
        """Store a JSON value at once. Raises PairbotError where that is impossible."""
        ...


class RiskMemory:
    """State, trip and marks; every change is stored before the call returns.

    Marks belong to a mode: what a dry-run earned says nothing of the live account.
    Where it cannot be stored the change holds in this process all the same, and `flush` tries again. Where it
    cannot be read at start the bot fails closed: REDUCING.
    """

    def __init__(self, store: Store, clock: Clock, *, dry_run: bool) -> None:
        self._store = store
        self._marks_key = f"{MARKS_KEY}.{'dry' if dry_run else 'live'}"
        self._clock = clock
        self._lock = threading.RLock()
        self._state = RiskState.ACTIVE
        self._trip: Trip | None = None
        self._marks: EquityMarks | None = None
        self._unsaved: set[str] = set()

    def load(self) -> None:
        """Read what an earlier run has left."""
        with self._lock:
            try:
                document = self._store.setting(STATE_KEY)
                if document is not None:
                    trip = document["trip"]
                    self._state = RiskState(document["state"])
                    self._trip = None if trip is None else Trip.from_json(trip)
                # Before modes were told apart there was one key for both.
                marks = self._store.setting(self._marks_key) or self._store.setting(MARKS_KEY)
                if marks is not None:
                    base = marks.get("base")
                    self._marks = EquityMarks(
                        float(marks["peak"]),
                        str(marks["day"]),
                        float(marks["day_start"]),
                        None if base is None else float(base),
                    )
            except Exception as error:
                logger.exception("The risk state cannot be read")
                self.fail_closed(error)

    def fail_closed(self, error: Exception) -> None:
        """What an earlier run has left cannot be read: exits only, until a person has looked."""
        why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        self._state = RiskState.REDUCING
        text = (
            f"Rule {UNREADABLE}: the risk state of the last run cannot be read ({why}). "
            f"{WHAT_HAPPENS[self._state]} Look at the database; {RELEASE[0].lower()}{RELEASE[1:]}"
        )
        self._trip = Trip(UNREADABLE, None, None, "", self._clock.now_ms(), None, text)

    @property
    def state(self) -> RiskState:
        """What the bot may do."""
        return self._state

    @property
    def trip(self) -> Trip | None:
        """What holds it, or None where it is ACTIVE."""
        return self._trip

    @property
    def marks(self) -> EquityMarks | None:
        """What drawdown and daily loss are measured against; None before equity was known."""
        return self._marks

    def hold_marks(self, marks: EquityMarks) -> None:
        """Take marks over without storing them."""
        self._marks = marks

    def keep_marks(self, marks: EquityMarks | None) -> None:
        """Take marks over and store them."""
        with self._lock:
            self._marks = marks
            self._save(self._marks_key)

    def change(self, state: RiskState, trip: Trip | None) -> bool:
        """Take a state. Returns whether it could be stored at once."""
        with self._lock:
            self._state, self._trip = state, trip
            return self._save(STATE_KEY)

    def flush(self) -> None:
        """Store what could not be stored before."""
        with self._lock:
            for key in sorted(self._unsaved):
                self._save(key)

    def _save(self, key: str) -> bool:
        trip = None if self._trip is None else self._trip.to_json()
        value: Any = {
            STATE_KEY: {"state": self._state.value, "trip": trip},
            self._marks_key: None if self._marks is None else asdict(self._marks),
        }[key]
        try:
            # A value that is no JSON would only be noticed at the next start.
            self._store.set_setting(key, json.loads(json.dumps(value)))
        except Exception as error:  # noqa: BLE001 - a full disk must not keep the kill switch from working
            if key not in self._unsaved:
                logger.error(f"{key} cannot be stored, it holds in this process and is tried again: {error}")
            self._unsaved.add(key)
            return False
        self._unsaved.discard(key)
        return True
