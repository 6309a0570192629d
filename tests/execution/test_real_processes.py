"""The same engine in real `freqtrade trade` processes: killed and interrupted at every send."""

import os
import socket
from pathlib import Path

import pytest
from processes import Stage, stage

pytestmark = pytest.mark.process

MOMENTS = [("A", "e"), ("B", "e"), ("A", "x"), ("B", "x"), ("A", "u")]
CASES = [
    (leg, role, executed, how)
    for leg, role in MOMENTS
    for executed in (True, False)
    for how in ("kill", "interrupt")
]
if not os.environ.get("PAIRBOT_CHAOS"):
    # Each moment once with each way to end; `make chaos` plays all of them.
    CASES = [case for case in CASES if case[2] == (case[3] == "kill")]


@pytest.mark.parametrize(("leg", "role", "executed", "how"), CASES)
def test_ended_around_a_send(tmp_path: Path, leg: str, role: str, executed: bool, how: str) -> None:
    with stage(tmp_path) as venue:
        if role == "u":
            venue.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
        if role != "x":
            venue.fault(when={"leg": leg, "role": role}, answer="read_timeout", execute=executed)
        venue.start()
        venue.want("ADA-ALGO")
        if role == "x":
            venue.wait_for("an open pair", lambda: venue.states() == ["HEDGED"])
            venue.fault(when={"leg": leg, "role": role}, answer="read_timeout", execute=executed)
            venue.want()
            venue.want_out("ADA-ALGO")
        venue.wait_for(f"the {role} order of leg {leg}", lambda: bool(venue.posts(leg, role)))
        venue.want()
        if how == "kill":
            venue.kill()
        else:
            venue.interrupt()
        venue.start()
        resting = {"HEDGED", "CLOSED", "ABORTED"}
        venue.wait_for("rest", lambda: bool(venue.states()) and set(venue.states()) <= resting)
        venue.check_rest()
        venue.want_out("ADA-ALGO")
        venue.wait_for("flat", lambda: not venue.positions() and not venue.trades())
        entries = [len(venue.posts(each, "e")) for each in ("A", "B")]
        assert entries[0] == 1, "leg A was sent once"


def test_happy_path_and_final_statistics(tmp_path: Path) -> None:
    with stage(tmp_path) as venue:
        venue.start()
        venue.want("ADA-ALGO", "XRP-DOGE")
        venue.wait_for("two open pairs", lambda: venue.states() == ["HEDGED", "HEDGED"])
        venue.check_rest()
        venue.want()
        venue.want_out("ADA-ALGO", "XRP-DOGE")
        venue.wait_for("flat", lambda: not venue.positions() and not venue.trades())
        venue.interrupt()
        shown = (tmp_path / "bot.log").read_text()
        for line in ("signals received 2, accepted 2", "success rate (hedged / accepted) 100.0%"):
            assert line in shown


def test_every_answer_lost_at_once(tmp_path: Path) -> None:
    with stage(tmp_path) as venue:
        for leg in ("A", "B"):
            for role in ("e", "x"):
                venue.fault(when={"leg": leg, "role": role}, answer="unknown_503_msg", execute=True)
        venue.start()
        venue.want("ADA-ALGO")
        venue.wait_for("an open pair", lambda: venue.states() == ["HEDGED"])
        assert [len(venue.posts(leg, "e")) for leg in ("A", "B")] == [1, 1]
        venue.want()
        venue.want_out("ADA-ALGO")
        venue.wait_for("flat", lambda: not venue.positions() and not venue.trades())


def open_two_pairs(venue: Stage) -> None:
    """Both hedged, no further signal."""
    venue.want("ADA-ALGO", "XRP-DOGE")
    venue.wait_for("two open pairs", lambda: venue.states() == ["HEDGED", "HEDGED"])
    venue.want()


@pytest.mark.parametrize("database", ["alive", "dead"])
def test_flatten_when_the_bot_is_dead(tmp_path: Path, database: str) -> None:
    with stage(tmp_path) as venue:
        venue.start()
        open_two_pairs(venue)
        venue.kill()
        extra = [] if database == "alive" else ["--ignore-database"]
        command = ["flatten", "all", "--direct", "-c", str(venue.config), *extra]
        asked = venue.pairbot(*command)
        assert asked.returncode == 1, "nothing is sent unconfirmed"
        assert asked.stdout.count("pair trade") == 4, asked.stdout + asked.stderr
        assert len(venue.positions()) == 4
        done = venue.pairbot(*command, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert not venue.positions()
        again = venue.pairbot(*command, "--yes")
        assert "Nothing of ours is open" in again.stdout
        venue.start()
        venue.wait_for("the bot to learn of it", lambda: venue.states() == ["CLOSED", "CLOSED"])
        assert not venue.trades()


def test_flatten_through_the_running_bot(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with stage(tmp_path) as venue:
        venue.start(api_port=port)
        open_two_pairs(venue)
        done = venue.pairbot("flatten", "all", "--yes", "-c", str(venue.config))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Through the running bot" in done.stdout
        assert not venue.positions()
        shown = venue.pairbot("status", "--db-url", f"sqlite:///{venue.database}")
        assert shown.stdout.count("CLOSED") == 2
