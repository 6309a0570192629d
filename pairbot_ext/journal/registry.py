"""The registry of pairs: who may be entered. Kept over restarts, renames and swapped legs (I13, I17).

A pair is known by its mode (dry-run or live) and its two coins, never by its id: a new file may call it
anything and make either coin leg A. Bot, API and Telegram ask here; a backtest keeps the same memory for its
own run.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

from pairbot_ext.model.registry import Coins, PairMemory, coins_of, leaves_armed

logger = logging.getLogger(__name__)

OLD_LOCKS_KEY = "risk.locks"
"""Locks by pair id, of versions before the registry: taken over when the id's coins are known."""


class Store(Protocol):
    """What is asked of the journal."""

    def setting(self, key: str) -> Any | None: ...
    def set_setting(self, key: str, value: Any) -> None: ...
    def left_pairs(self, *, dry_run: bool) -> Iterable[tuple[str, str, str, str, int]]:
        """(pair id, leg A, leg B, reason, closed at) of pair trades that held something, oldest first."""
        ...


class Registry:
    """See the module. Every change is stored before the call returns; where that fails it holds in this
    process, and `flush` tries again.

    :param dry_run: the mode.
    """

    def __init__(self, store: Store, *, dry_run: bool) -> None:
        self._store = store
        self._dry_run = dry_run
        self._key = f"registry.{'dry' if dry_run else 'live'}"
        self._lock = threading.RLock()
        self._pairs: dict[Coins, PairMemory] = {}
        self._named: dict[str, Coins] = {}
        self._unplaced: dict[str, str] = {}
        self._is_unsaved = False

    def load(self) -> None:
        """Read what earlier runs have left: what was stored, and what the pair trades themselves say. Raises
        whatever the store raises, and ValueError for a document that is none."""
        with self._lock:
            stored = self._store.setting(self._key) or {}
            for text, document in stored.items():
                leg_a, leg_b = text.split("|")
                memory = PairMemory.from_json(document)
                self._pairs[coins_of(leg_a, leg_b)] = replace(memory, disarmed_ms=None, disarmed_by="")
                self._named.setdefault(memory.name, coins_of(leg_a, leg_b))
            self._unplaced = dict(self._store.setting(OLD_LOCKS_KEY) or {})
            for name, leg_a, leg_b, reason, closed_ms in self._store.left_pairs(dry_run=self._dry_run):
                self.learn(name, leg_a, leg_b)
                coins = coins_of(leg_a, leg_b)
                came_back_ms = self.of(leg_a, leg_b).came_back_ms
                if leaves_armed(reason) or (came_back_ms is not None and came_back_ms >= closed_ms):
                    self._put(coins, disarmed_ms=None, disarmed_by="")
                else:
                    self._put(coins, disarmed_ms=closed_ms, disarmed_by=reason)

    def learn(self, name: str, leg_a: str, leg_b: str) -> None:
        """This id means these coins now. An old lock of the id finds its place."""
        with self._lock:
            coins = coins_of(leg_a, leg_b)
            self._named[name] = coins
            old = self._unplaced.pop(name, None)
            if old is not None:
                self._put(coins, name=name, lock=old)
                self._save()
                self._forget_old(name)
            elif coins in self._pairs:
                self._put(coins, name=name)

    def _forget_old(self, name: str) -> None:
        stored = self._store.setting(OLD_LOCKS_KEY) or {}
        left = {key: value for key, value in stored.items() if key != name}
        try:
            self._store.set_setting(OLD_LOCKS_KEY, left)
        except Exception as error:  # noqa: BLE001 - it is in the registry already
            logger.warning(f"The old lock of {name} stays in the database: {error}")

    def of(self, leg_a: str, leg_b: str) -> PairMemory:
        """What is known of a pair."""
        with self._lock:
            return self._pairs.get(coins_of(leg_a, leg_b), PairMemory())

    def named(self, name: str) -> PairMemory:
        """What is known of the pair that is called so."""
        with self._lock:
            if name in self._unplaced:
                return PairMemory(name=name, lock=self._unplaced[name])
            coins = self._named.get(name)
            return self._pairs.get(coins, PairMemory()) if coins else PairMemory()

    def locked(self) -> dict[str, str]:
        """{pair id: why it is not entered until a person says so}."""
        with self._lock:
            held = {
                self._name_of(coins, memory): memory.lock or f"barred: {memory.barred}"
                for coins, memory in self._pairs.items()
                if memory.lock or memory.barred
            }
            return {**self._unplaced, **held}

    def _name_of(self, coins: Coins, memory: PairMemory) -> str:
        """What a person may call it: its coins where its name means another pair now."""
        if self._named.get(memory.name) == coins:
            return memory.name
        name = "/".join(coin.split("/")[0] for coin in coins)
        self._named[name] = coins
        return name

    def lock(self, name: str, reason: str) -> bool:
        """A person locks a pair. Returns whether it could be stored at once."""
        with self._lock:
            coins = self._named.get(name)
            if coins is None:
                self._unplaced[name] = reason
                return self._try(lambda: self._store.set_setting(OLD_LOCKS_KEY, dict(self._unplaced)))
            return self._change(coins, name=name, lock=reason)

    def unlock(self, name: str) -> bool:
        """A person releases a pair, from a bar too. Returns whether it could be stored at once."""
        with self._lock:
            if self._unplaced.pop(name, None) is not None:
                return self._try(lambda: self._store.set_setting(OLD_LOCKS_KEY, dict(self._unplaced)))
            coins = self._named.get(name)
            return coins is None or self._change(coins, lock=None, barred=None, refused_openings=0)

    def bar(self, leg_a: str, leg_b: str, name: str, why: str) -> bool:
        """A refusal that will not go away by itself."""
        with self._lock:
            return self._change(coins_of(leg_a, leg_b), name=name, barred=why)

    def count_refusal(self, leg_a: str, leg_b: str, name: str) -> int:
        """One more opening the venue refused. Returns how many there were in a row."""
        with self._lock:
            coins = coins_of(leg_a, leg_b)
            count = self._pairs.get(coins, PairMemory()).refused_openings + 1
            self._change(coins, name=name, refused_openings=count)
            return count

    def opened(self, leg_a: str, leg_b: str) -> None:
        """Both legs are held: nothing is refused any more."""
        with self._lock:
            if self._pairs.get(coins_of(leg_a, leg_b), PairMemory()).refused_openings:
                self._change(coins_of(leg_a, leg_b), refused_openings=0)

    def disarm(self, leg_a: str, leg_b: str, name: str, reason: str, at_ms: int) -> None:
        """A pair trade was left although its spread had not come back. Its own row is the record."""
        with self._lock:
            self._put(coins_of(leg_a, leg_b), name=name, disarmed_ms=at_ms, disarmed_by=reason)

    def rearm(self, leg_a: str, leg_b: str) -> None:
        """Its spread has come back, or a pair trade ended with that."""
        with self._lock:
            if coins_of(leg_a, leg_b) in self._pairs:
                self._put(coins_of(leg_a, leg_b), disarmed_ms=None, disarmed_by="")

    def came_back(self, leg_a: str, leg_b: str, at_ms: int) -> bool:
        """The spread of a pair that was left has been seen inside exit_z. Returns whether it could be stored
        at once."""
        with self._lock:
            return self._change(coins_of(leg_a, leg_b), disarmed_ms=None, disarmed_by="", came_back_ms=at_ms)

    def disarmed(self) -> dict[Coins, int]:
        """Pairs that wait for their spread to come back, and since when, epoch ms."""
        with self._lock:
            return {
                coins: memory.disarmed_ms
                for coins, memory in self._pairs.items()
                if memory.disarmed_ms is not None
            }

    def flush(self) -> None:
        """Store what could not be stored before."""
        with self._lock:
            if self._is_unsaved:
                self._save()

    def _put(self, coins: Coins, **changes: Any) -> None:
        memory = replace(self._pairs.get(coins, PairMemory()), **changes)
        self._pairs[coins] = memory
        if memory.name:
            # A pair trade of an older file may end under a name that means other coins today.
            self._named.setdefault(memory.name, coins)

    def _change(self, coins: Coins, **changes: Any) -> bool:
        self._put(coins, **changes)
        return self._save()

    def _save(self) -> bool:
        document = {
            "|".join(coins): memory.to_json()
            for coins, memory in sorted(self._pairs.items())
            if not memory.is_empty
        }
        self._is_unsaved = not self._try(
            lambda: self._store.set_setting(self._key, json.loads(json.dumps(document)))
        )
        return not self._is_unsaved

    def _try(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except Exception as error:  # noqa: BLE001 - a full disk must not keep a lock from working
            if not self._is_unsaved:
                logger.error(f"The registry of pairs cannot be stored, it holds in this process: {error}")
            return False
        return True
