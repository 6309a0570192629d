"""ACTIVE, REDUCING, HALTED: what they stop, what they never stop, and that only a person releases them."""

from collections.abc import Callable
from typing import Any

import pytest
from harness import Rig
from sqlalchemy import text

from pairbot_ext.model.thresholds import LONG_SPREAD
from pairbot_ext.risk.state import STATE_KEY, RiskMemory, RiskState, Trip
from pairbot_ext.support.errors import PairbotError

MakeRig = Callable[..., Rig]


class FixedClock:
    def now_ms(self) -> int:
        return 1_770_000_000_000

    def sleep(self, secs: float) -> None:
        raise AssertionError("nothing here waits")


class FakeStore(dict[str, Any]):
    """Settings in memory. `broken`: writing fails."""

    broken = False

    def setting(self, key: str) -> Any | None:
        return self.get(key)

    def set_setting(self, key: str, value: Any) -> None:
        if self.broken:
            raise PairbotError("the disk is full")
        self[key] = value


def memory(store: FakeStore) -> RiskMemory:
    """As a bot has it after its start."""
    made = RiskMemory(store, FixedClock(), dry_run=True)
    made.load()
    return made


TRIP = Trip("daily_loss", 6.1, 5.0, "%", 1_770_000_000_000, None, "Rule daily_loss: 6.1 %, limit 5 %")


def test_a_first_start_is_active() -> None:
    fresh = memory(FakeStore())
    assert (fresh.state, fresh.trip) == (RiskState.ACTIVE, None)


def test_state_and_trip_come_back() -> None:
    store = FakeStore()
    before = memory(store)
    assert before.change(RiskState.HALTED, TRIP)
    after = memory(store)
    assert (after.state, after.trip) == (RiskState.HALTED, TRIP)


@pytest.mark.swallows("is not a valid RiskState", "KeyError: 'trip'", "string indices", "Trip.__init__()")
@pytest.mark.parametrize(
    "stored",
    [
        {STATE_KEY: {"state": "SLEEPING", "trip": None}},
        {STATE_KEY: {"state": "ACTIVE"}},
        {STATE_KEY: "ACTIVE"},
        {STATE_KEY: {"state": "ACTIVE", "trip": {"rule": "daily_loss"}}},
    ],
)
def test_a_state_that_cannot_be_read_fails_closed(stored: dict[str, Any]) -> None:
    broken = memory(FakeStore(stored))
    assert broken.state is RiskState.REDUCING
    assert broken.trip is not None
    assert broken.trip.rule == "state_unreadable"


def test_a_change_that_cannot_be_stored_holds_and_is_stored_later() -> None:
    store = FakeStore()
    unlucky = memory(store)
    store.broken = True
    assert not unlucky.change(RiskState.HALTED, TRIP)
    assert unlucky.state is RiskState.HALTED
    unlucky.flush()
    assert STATE_KEY not in store
    store.broken = False
    unlucky.flush()
    assert memory(store).state is RiskState.HALTED


def test_halt_flattens_within_a_loop_and_outlives_a_restart(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.open("ADA-ALGO", "XRP-DOGE")
    assert rig.states() == ["HEDGED", "HEDGED"]
    answer = rig.desk.risk.halt("a person")
    assert "HALTED by a person" in answer
    rig.loop()
    rig.check_flat()
    assert {row.reason for row in rig.pair_trades()} == {"pair_halted"}

    rig.restart()
    assert rig.desk.risk.state is RiskState.HALTED
    assert rig.desk.risk.trip.rule == "by_hand"
    rig.next_candle()
    rig.open()
    rig.loop()
    assert not rig.positions()
    assert any(event.kind == "refused" and "risk_state" in event.detail for event in rig.events())

    assert "ACTIVE again" in rig.desk.risk.resume("a person")
    rig.next_candle()
    rig.open()
    assert rig.states()[-1] == "HEDGED"


def test_halt_works_in_a_stopped_bot(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.open()
    rig.desk.risk.halt("a person")
    rig.bot.process_stopped()
    rig.check_flat()


def test_reducing_stops_entries_and_no_exit(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.open()
    rig.desk.risk.reduce("a person")
    rig.next_candle()
    rig.open("XRP-DOGE", direction=LONG_SPREAD)
    assert rig.states() == ["HEDGED"]
    rig.close()
    rig.check_flat()
    assert "more than REDUCING" not in rig.desk.risk.reduce("a person")
    rig.desk.risk.halt("a person")
    assert "HALTED" in rig.desk.risk.reduce("a person")
    assert rig.desk.risk.state is RiskState.HALTED


def test_a_locked_pair_is_not_entered_and_still_closed(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.open()
    rig.desk.risk.lock_pair("ADA-ALGO", "a person")
    rig.restart()
    assert list(rig.desk.risk.locked_pairs()) == ["ADA-ALGO"]
    rig.close()
    rig.check_flat()
    rig.script.exits.clear()
    rig.next_candle()
    rig.open("ADA-ALGO", "XRP-DOGE")
    assert rig.states() == ["CLOSED", "HEDGED"]
    assert "unlocked" in rig.desk.risk.unlock_pair("ADA-ALGO", "a person")
    rig.next_candle()
    rig.open()
    assert rig.states() == ["CLOSED", "HEDGED", "HEDGED"]
    with pytest.raises(PairbotError, match="no pair id"):
        rig.desk.risk.lock_pair("../../etc", "a person")


@pytest.mark.swallows("JSONDecodeError")
def test_a_stored_state_that_is_garbage_starts_reducing(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.open()
    rig.desk.risk.halt("a person")
    with rig.desk.journal._engine.begin() as connection:
        changed = connection.execute(
            text("UPDATE pairbot_settings SET value = '{broken' WHERE key = :key"), {"key": STATE_KEY}
        )
    assert changed.rowcount == 1
    rig.restart()
    assert rig.desk.risk.state is RiskState.REDUCING
    assert rig.desk.risk.trip.rule == "state_unreadable"
    assert any("state_unreadable" in text for text in rig.told)
    rig.next_candle()
    rig.open("XRP-DOGE")
    assert rig.states() == ["HEDGED"]
    rig.close()
    rig.check_flat()
