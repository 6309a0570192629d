"""I13, I17: the registry of pairs, by mode and coins: over restarts, renames, swapped legs, full disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pairbot_ext.journal.registry import OLD_LOCKS_KEY, Registry
from pairbot_ext.model.registry import coins_of
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.support.errors import PairbotError

ADA, ALGO, XRP = "ADA/USDT:USDT", "ALGO/USDT:USDT", "XRP/USDT:USDT"


class Store:
    """Settings that survive, and what pair trades say."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.left: dict[bool, list[tuple[str, str, str, str, int]]] = {True: [], False: []}
        self.is_full = False

    def setting(self, key: str) -> Any | None:
        return self.values.get(key)

    def set_setting(self, key: str, value: Any) -> None:
        if self.is_full:
            raise PairbotError("the disk is full")
        self.values[key] = value

    def left_pairs(self, *, dry_run: bool) -> list[tuple[str, str, str, str, int]]:
        return self.left[dry_run]


def started(store: Store, *, dry_run: bool = False, **names: tuple[str, str]) -> Registry:
    """A bot's registry after a start with a file that names these pairs."""
    registry = Registry(store, dry_run=dry_run)
    registry.load()
    for name, legs in names.items():
        registry.learn(name, *legs)
    return registry


@pytest.mark.parametrize("after", [("ADA_ALGO", ADA, ALGO), ("ALGO_ADA", ALGO, ADA), ("renamed", ADA, ALGO)])
def test_a_lock_belongs_to_the_coins(after: tuple[str, str, str]) -> None:
    store = Store()
    assert started(store, ADA_ALGO=(ADA, ALGO)).lock("ADA_ALGO", "by me")
    name, leg_a, leg_b = after
    fresh = started(store, **{name: (leg_a, leg_b)})
    assert fresh.of(leg_a, leg_b).lock == "by me"
    assert fresh.locked() == {name: "by me"}
    assert fresh.unlock(name)
    assert started(store, **{name: (leg_a, leg_b)}).of(ADA, ALGO).lock is None


def test_a_name_given_to_other_coins_takes_no_lock_along() -> None:
    store = Store()
    started(store, one=(ADA, ALGO)).lock("one", "by me")
    fresh = started(store, one=(ADA, XRP), two=(ADA, ALGO))
    assert fresh.of(ADA, XRP).lock is None
    assert fresh.of(ADA, ALGO).lock == "by me"
    assert fresh.locked() == {"two": "by me"}


def test_modes_do_not_mix() -> None:
    store = Store()
    started(store, dry_run=True, one=(ADA, ALGO)).lock("one", "by me")
    store.left[True] = [("one", ADA, ALGO, "pair_stop", 7)]
    live = started(store, dry_run=False, one=(ADA, ALGO))
    assert live.of(ADA, ALGO).is_empty
    assert started(store, dry_run=True).of(ADA, ALGO).disarmed_ms == 7


def test_locks_of_older_versions_are_taken_over_when_their_coins_are_known() -> None:
    store = Store()
    store.values[OLD_LOCKS_KEY] = {"ADA_ALGO": "by me", "gone": "by you"}
    registry = started(store)
    assert registry.named("ADA_ALGO").lock == "by me"
    registry.learn("ADA_ALGO", ADA, ALGO)
    assert registry.of(ALGO, ADA).lock == "by me"
    assert store.values[OLD_LOCKS_KEY] == {"gone": "by you"}
    assert started(store).of(ADA, ALGO).lock == "by me"


@pytest.mark.parametrize("is_full", [False, True])
def test_a_lock_of_an_older_version_is_released_by_its_name(is_full: bool) -> None:
    """Its coins are not known; stored, or kept for later where nothing can be stored."""
    store = Store()
    store.values[OLD_LOCKS_KEY] = {"gone": "by you", "other": "by you"}
    registry = started(store)
    store.is_full = is_full
    assert registry.unlock("gone") is not is_full
    assert registry.named("gone").lock is None
    assert store.values[OLD_LOCKS_KEY] == {"gone": "by you", "other": "by you"} if is_full else {
        "other": "by you"
    }  # fmt: skip


def test_a_pair_whose_spread_has_come_back_is_remembered_for_nothing() -> None:
    store = Store()
    registry = started(store, one=(ADA, ALGO))
    registry.disarm(ADA, ALGO, "one", "pair_stop", 7)
    assert registry.disarmed() == {coins_of(ADA, ALGO): 7}
    registry.rearm(ALGO, ADA)
    assert (registry.of(ADA, ALGO).disarmed_ms, registry.of(ADA, ALGO).disarmed_by) == (None, "")
    assert registry.disarmed() == {}


def test_a_pair_nobody_names_yet_can_be_locked() -> None:
    store = Store()
    started(store).lock("later", "by me")
    assert started(store, later=(ADA, XRP)).of(ADA, XRP).lock == "by me"


@pytest.mark.parametrize(
    ("left", "disarmed"),
    [
        ([("a", ADA, ALGO, "pair_stop", 5)], 5),
        ([("a", ADA, ALGO, "pair_reverted", 5)], None),
        ([("a", ADA, ALGO, "pair_stop", 5), ("b", ALGO, ADA, "leg A was closed", 9)], 9),
        ([("a", ADA, ALGO, "pair_stop", 5), ("b", ALGO, ADA, "pair_reverted", 9)], None),
        ([("a", ADA, ALGO, "pair_reverted", 5), ("a", ADA, ALGO, "pair_operator", 9)], 9),
    ],
)
def test_what_pair_trades_say_is_read_from_themselves(left: Any, disarmed: int | None) -> None:
    """A crash between the close and any note of it forgets nothing."""
    store = Store()
    store.left[False] = left
    memory = started(store).of(ADA, ALGO)
    assert memory.disarmed_ms == disarmed
    assert memory.disarmed_by == (left[-1][3] if disarmed else "")


def test_why_a_pair_waits_is_what_it_was_left_for_last() -> None:
    registry = started(Store())
    registry.disarm(ADA, ALGO, "one", "pair_stop", 5)
    registry.disarm(ALGO, ADA, "one", "leg A was closed", 9)
    memory = registry.of(ADA, ALGO)
    assert (memory.disarmed_ms, memory.disarmed_by) == (9, "leg A was closed")


def test_refusals_count_up_until_a_pair_is_opened() -> None:
    store = Store()
    registry = started(store)
    assert [registry.count_refusal(ADA, ALGO, "one") for _ in range(2)] == [1, 2]
    assert started(store).count_refusal(ALGO, ADA, "one") == 3
    registry = started(store)
    registry.opened(ADA, ALGO)
    assert registry.count_refusal(ADA, ALGO, "one") == 1


def test_a_bar_is_released_by_unlocking() -> None:
    store = Store()
    registry = started(store, one=(ADA, ALGO))
    registry.bar(ADA, ALGO, "one", "sign the agreement")
    assert started(store).locked() == {"one": "barred: sign the agreement"}
    registry = started(store)
    registry.count_refusal(ADA, ALGO, "one")
    registry.unlock("one")
    fresh = started(store)
    assert fresh.locked() == {}
    assert fresh.count_refusal(ADA, ALGO, "one") == 1


def test_a_disk_that_is_full_loses_no_lock_of_this_process() -> None:
    store = Store()
    registry = started(store, one=(ADA, ALGO))
    store.is_full = True
    assert not registry.lock("one", "by me")
    assert registry.of(ADA, ALGO).lock == "by me"
    store.is_full = False
    registry.flush()
    assert started(store).of(ADA, ALGO).lock == "by me"


COINS = (ADA, ALGO, XRP)
PAIRS = tuple((a, b) for a in COINS for b in COINS if a != b)
NAMES = ("one", "two", "three")


@dataclass
class Plain:
    """What should be known of one pair of one mode."""

    lock: str | None = None
    barred: str | None = None
    refused: int = 0
    left_ms: int | None = None
    is_rearmed: bool = False


class Histories(RuleBasedStateMachine):
    """Closes, renames, swaps, new files, restarts, modes, locks, bars, full disks, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.dry_run = False
        self.now_ms = 0
        self.file: dict[str, tuple[str, str]] = {"one": (ADA, ALGO)}
        self.known: dict[tuple[bool, frozenset[str]], Plain] = {}
        self.registry = started(self.store, **self.file)

    def of(self, legs: tuple[str, str]) -> Plain:
        return self.known.setdefault((self.dry_run, frozenset(legs)), Plain())

    @rule(
        names=st.permutations(NAMES), pairs=st.lists(st.sampled_from(PAIRS), max_size=3, unique_by=frozenset)
    )
    def another_file(self, names: list[str], pairs: list[tuple[str, str]]) -> None:
        self.file = dict(zip(names, pairs, strict=False))
        for name, legs in self.file.items():
            self.registry.learn(name, *legs)

    @rule(mode=st.booleans())
    def restart(self, mode: bool) -> None:
        self.store.is_full = False
        self.registry.flush()
        self.dry_run = mode
        self.registry = started(self.store, dry_run=mode, **self.file)

    @rule(legs=st.sampled_from(PAIRS), name=st.sampled_from(NAMES), reason=st.sampled_from(list(ExitReason)))
    def a_pair_trade_ends(self, legs: tuple[str, str], name: str, reason: ExitReason) -> None:
        """Of this file, or of an older one that called it otherwise."""
        self.now_ms += 1
        self.store.left[self.dry_run].append((name, *legs, reason, self.now_ms))
        plain = self.of(legs)
        plain.is_rearmed = False
        if reason is ExitReason.REVERTED:
            self.registry.rearm(*legs)
            plain.left_ms = None
        else:
            self.registry.disarm(*legs, name, reason, self.now_ms)
            plain.left_ms = self.now_ms

    @rule(legs=st.sampled_from(PAIRS))
    def its_spread_comes_back(self, legs: tuple[str, str]) -> None:
        self.now_ms += 1
        self.registry.came_back(*legs, self.now_ms)
        self.of(legs).is_rearmed = True

    @rule(legs=st.sampled_from(PAIRS), name=st.sampled_from(NAMES))
    def the_venue_refuses(self, legs: tuple[str, str], name: str) -> None:
        plain = self.of(legs)
        plain.refused += 1
        assert self.registry.count_refusal(*legs, name) == plain.refused

    @rule(legs=st.sampled_from(PAIRS), name=st.sampled_from(NAMES))
    def it_is_barred(self, legs: tuple[str, str], name: str) -> None:
        self.registry.bar(*legs, name, "sign first")
        self.of(legs).barred = "sign first"

    @rule(legs=st.sampled_from(PAIRS))
    def it_opens(self, legs: tuple[str, str]) -> None:
        self.registry.opened(*legs)
        self.of(legs).refused = 0

    @rule(data=st.data())
    def a_person_locks(self, data: st.DataObject) -> None:
        for name in data.draw(st.lists(st.sampled_from(sorted(self.file) or ["one"]), max_size=1)):
            if name in self.file:
                self.registry.lock(name, f"by {name}")
                self.of(self.file[name]).lock = f"by {name}"

    @rule(data=st.data())
    def a_person_unlocks(self, data: st.DataObject) -> None:
        for name in data.draw(st.lists(st.sampled_from(sorted(self.file) or ["one"]), max_size=1)):
            if name in self.file:
                self.registry.unlock(name)
                plain = self.of(self.file[name])
                plain.lock, plain.barred, plain.refused = None, None, 0

    @rule(full=st.booleans())
    def the_disk(self, full: bool) -> None:
        self.store.is_full = full

    @invariant()
    def nothing_is_forgotten_and_nothing_invented(self) -> None:
        for legs in PAIRS:
            memory, plain = self.registry.of(*legs), self.of(legs)
            assert (memory.lock, memory.barred, memory.refused_openings) == (
                plain.lock,
                plain.barred,
                plain.refused,
            )
            assert memory.disarmed_ms == (None if plain.is_rearmed else plain.left_ms)
            assert memory == self.registry.of(*reversed(legs))

    @invariant()
    def a_name_means_the_coins_of_the_file_in_force(self) -> None:
        for name, legs in self.file.items():
            assert self.registry.named(name).lock == self.of(legs).lock

    @invariant()
    def what_is_held_can_be_released_by_the_name_it_is_told_under(self) -> None:
        held = self.registry.locked()
        of_mode = [plain for (mode, _), plain in self.known.items() if mode is self.dry_run]
        assert len(held) == sum(1 for plain in of_mode if plain.lock or plain.barred)
        for name in held:
            memory = self.registry.named(name)
            assert memory.lock or memory.barred


class TestHistories(Histories.TestCase):
    settings = settings(max_examples=500, stateful_step_count=30, deadline=None)
