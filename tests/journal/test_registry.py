"""I13, I17: the registry of pairs, by mode and coins: over restarts, renames, swapped legs, full disks."""

from __future__ import annotations

from typing import Any

import pytest

from pairbot_ext.journal.registry import OLD_LOCKS_KEY, Registry
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
    assert started(store).of(ADA, ALGO).disarmed_ms == disarmed


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
    registry.unlock("one")
    assert started(store).locked() == {}


def test_a_disk_that_is_full_loses_no_lock_of_this_process() -> None:
    store = Store()
    registry = started(store, one=(ADA, ALGO))
    store.is_full = True
    assert not registry.lock("one", "by me")
    assert registry.of(ADA, ALGO).lock == "by me"
    store.is_full = False
    registry.flush()
    assert started(store).of(ADA, ALGO).lock == "by me"
