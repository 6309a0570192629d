"""The engine in real `freqtrade trade` processes against `pairbot exchange`: killed, interrupted, restarted.

Judged by what the venue holds and by its fills. What does not end the process is in test_real_bullets.py.
"""

import signal

import pytest
from processes import IS_CHAOS, Stage
from stage_hand import StageHand

pytestmark = pytest.mark.process

MOMENTS = [("A", "e"), ("B", "e"), ("A", "x"), ("B", "x"), ("A", "u")]
CASES = [
    (leg, role, executed, how)
    for leg, role in MOMENTS
    for executed in (True, False)
    for how in ("kill", "interrupt")
]
if not IS_CHAOS:
    # Each moment once with each way to end; `make chaos` plays all of them.
    CASES = [case for case in CASES if case[2] == (case[3] == "kill")]


@pytest.mark.parametrize(("leg", "role", "executed", "how"), CASES)
def test_ended_around_a_send(stage: Stage, leg: str, role: str, executed: bool, how: str) -> None:
    if role == "u":
        stage.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    if role == "x":
        stage.want("ADA-ALGO")
        stage.wait_for("an open pair", lambda: stage.states() == ["HEDGED"])
    # The bot waits for an answer that does not come; there it ends.
    stage.fault(when={"leg": leg, "role": role}, answer="read_timeout", execute=executed)
    if role == "x":
        stage.want()
        stage.want_out("ADA-ALGO")
    else:
        stage.want("ADA-ALGO")
    stage.wait_for(f"the {role} order of leg {leg}", lambda: bool(stage.posts(leg, role)))
    stage.want()
    if how == "kill":
        stage.kill()
    else:
        assert stage.interrupt() in (0, 128 + signal.SIGINT)
        assert "success rate (hedged / accepted)" in stage.new_log(), "the final statistics are printed"
    stage.start()
    stage.wait_for_rest()
    stage.judge()
    assert len(stage.posts("A", "e")) == 1, "leg A was sent once"
    if role == "u":
        assert stage.states() == ["ABORTED"]
    if role == "x":
        assert stage.states() == ["CLOSED"]
    stage.close_and_judge("ADA-ALGO")


def test_orders_not_found_at_startup(stage: Stage) -> None:
    # One pair is open, of the next one leg A was sent and executed. When the bot comes back, the venue does
    # not know any order for a while. Freqtrade would take that for cancelled and delete its trades.
    stage.want("ADA-ALGO")
    stage.wait_for("an open pair", lambda: stage.states() == ["HEDGED"])
    stage.fault(when={"leg": "A", "role": "e"}, answer="read_timeout", execute=True)
    stage.want("XRP-DOGE")
    stage.wait_for("the next entry", lambda: len(stage.posts("A", "e")) == 2)
    stage.want()
    stage.kill()
    kept = stage.trade_ids()
    assert len(kept) == 2
    stage.fault(name="lie", when={"call": "GET /fapi/v1/order", "times": 4}, answer="reject", code=-2013)
    stage.start()
    stage.wait_for("the wrong answers", lambda: sum(r["fault"] == "lie" for r in stage.requests()) == 4)
    stage.wait_for_rest()
    assert kept <= stage.trade_ids(), "no trade row vanishes"
    assert stage.states() == ["HEDGED", "HEDGED"], "what was executed was found in the end"
    stage.judge()
    stage.close_and_judge("ADA-ALGO", "XRP-DOGE")


def test_a_locked_database(stage: Stage) -> None:
    stage.want("ADA-ALGO")
    stage.wait_for("an open pair", lambda: stage.states() == ["HEDGED"])
    stage.want()
    stage.wait_for_loops(2)
    # Exits go out although nothing can be written; Freqtrade itself ends on its own failing commit.
    with stage.locked_database():
        stage.want_out("ADA-ALGO")
        stage.wait_for("both exits", lambda: not stage.venue.positions())
    if not stage.is_alive:
        stage.start()
    stage.wait_for("the bot to learn of it", lambda: stage.states() == ["CLOSED"] and not stage.trades())
    stage.judge()
    # Entries do not.
    stage.unlock_pairs()
    sent = len(stage.posts())
    with stage.locked_database():
        asked = stage.count("GET /fapi/v1/depth")
        stage.want_out()
        stage.want("XRP-DOGE")
        stage.wait_for(
            "an attempt",
            lambda: not stage.is_alive or stage.count("GET /fapi/v1/depth") >= asked + 4,
        )
        assert len(stage.posts()) == sent
    if not stage.is_alive:
        stage.start()
    stage.wait_for("the entry when it can be written", lambda: stage.states() == ["CLOSED", "HEDGED"])
    stage.judge()
    stage.close_and_judge("XRP-DOGE")


@pytest.mark.parametrize("database", ["alive", "dead"])
def test_flatten_when_the_bot_is_dead(stage: Stage, database: str) -> None:
    stage.want("ADA-ALGO", "XRP-DOGE")
    stage.wait_for("two open pairs", lambda: stage.states() == ["HEDGED", "HEDGED"])
    stage.want()
    stage.kill()
    extra = [] if database == "alive" else ["--ignore-database"]
    command = ["flatten", "all", "--direct", "-c", str(stage.config), *extra]
    asked = stage.pairbot(*command)
    assert asked.returncode == 1, "nothing is sent unconfirmed"
    assert asked.stdout.count("pair trade") == 4, asked.stdout + asked.stderr
    assert len(stage.venue.positions()) == 4
    done = stage.pairbot(*command, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not stage.venue.positions()
    again = stage.pairbot(*command, "--yes")
    assert "Nothing of ours is open" in again.stdout
    stage.start()
    stage.wait_for("the bot to learn of it", lambda: stage.states() == ["CLOSED", "CLOSED"])
    assert not stage.trades()


def test_dry_run_faults(stage_hand: StageHand) -> None:
    with stage_hand.own(dry_run=True) as dry:
        dry.start()
        dry.dry_fault("A", "e", kind="fill_share", share=0.6)
        dry.dry_fault("B", "e", kind="fill_share", share=0.5)
        dry.want("ADA-ALGO")
        dry.wait_for("an open pair", lambda: dry.states() == ["HEDGED"])
        assert set(dry.trades()) == {"ADAUSDT", "ALGOUSDT"}
        planned = dry.planned_amount("A")
        assert -dry.trades()["ADAUSDT"] == (planned * 6 / 10).quantize(1, rounding="ROUND_FLOOR")
        assert dry.hedge_error_of_trades("ADA-ALGO") <= 0.02
        dry.dry_fault("B", "e", kind="refuse", code=-2019)
        dry.want("XRP-DOGE")
        dry.wait_for("the rollback", lambda: dry.states() == ["HEDGED", "ABORTED"])
        assert set(dry.trades()) == {"ADAUSDT", "ALGOUSDT"}
        dry.want()
        dry.wait_for("both locks", lambda: len(dry.api("GET", "locks")["locks"]) >= 2)
        dry.unlock_pairs()
        dry.dry_fault("A", "e", kind="fill_share", share=0.0)
        dry.want("XRP-DOGE")
        dry.wait_for("the empty fill", lambda: dry.states() == ["HEDGED", "ABORTED", "ABORTED"])
        dry.want()
        dry.want_out("ADA-ALGO")
        dry.wait_for("flat", lambda: not dry.trades() and set(dry.states()) <= {"CLOSED", "ABORTED"})
        assert not dry.posts(), "nothing has left the process"
        dry.interrupt()
        assert "pair trades hedged 1, closed 1, aborted 2" in dry.new_log()
