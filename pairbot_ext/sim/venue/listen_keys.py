"""The listen key of the account: made, extended, closed, expired, or gone without a word."""

from __future__ import annotations

import hashlib

from pairbot_ext.sim.venue.errors import Code, VenueError
from pairbot_ext.sim.venue.tape import ListenKeyEnded, Tape


class ListenKeys:
    """At most one key is valid at a time, as the account is one. Times in epoch ms."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._made = 0
        self.valid: str | None = None
        self.until_ms = 0

    def open(self, until_ms: int) -> str:
        """The valid key, extended; or a new one."""
        if self.valid is None:
            self._made += 1
            self.valid = hashlib.sha256(f"simulated listen key {self._made}".encode()).hexdigest()
        self.until_ms = until_ms
        return self.valid

    def extend(self, until_ms: int) -> str:
        """Prolong the valid key.

        :raises VenueError: −1125 without one.
        """
        if self.valid is None:
            raise VenueError(Code.NO_LISTEN_KEY)
        return self.open(until_ms)

    def close(self) -> None:
        """The owner has done with it: its connections are closed."""
        self._end(closed=True)

    def expire(self, now_ms: int) -> None:
        """End a key nobody extended in time: its connections are told."""
        if now_ms >= self.until_ms:
            self._end(expired=True)

    def forget(self) -> None:
        """Lose the key without a word: its connections stay open and fall silent."""
        self._end()

    def _end(self, *, expired: bool = False, closed: bool = False) -> None:
        key, self.valid = self.valid, None
        if key is not None:
            self._tape.record(ListenKeyEnded(key, expired=expired, closed=closed))
