"""The venue cannot be reached for a minute while a pair is half open, closing or unwinding (I3, I5, I6)."""

from typing import Any

import pytest
import requests
from harness import Rig
from verdict import executed_entries

AWAY_MS = 60_000


def go_away_at(rig: Rig, monkeypatch: pytest.MonkeyPatch, leg: str, role: str, *, executed: bool) -> None:
    """From the next such order on nothing gets through for a minute; `executed`: that order still does, but
    not its answer."""
    send = rig.transport.send
    since: list[int] = []

    def cut(method: str, url: str, body: bytes | None, *rest: Any) -> Any:
        is_it = method == "POST" and f"-{leg}-{role}-" in (body or b"").decode()
        if is_it and not since:
            since.append(rig.clock.now_ms())
            if executed:
                send(method, url, body, *rest)
        rig.transport.reachable = not since or rig.clock.now_ms() - since[0] >= AWAY_MS
        return send(method, url, body, *rest)

    monkeypatch.setattr(rig.transport, "send", cut)


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not_executed"])
@pytest.mark.parametrize(("leg", "role"), [("A", "e"), ("B", "e"), ("A", "x"), ("B", "x"), ("A", "u")],
                         ids=["A-entry", "B-entry", "A-exit", "B-exit", "A-unwind"])  # fmt: skip
def test_unreachable_for_a_minute(
    shared: Rig, monkeypatch: pytest.MonkeyPatch, leg: str, role: str, executed: bool
) -> None:
    """I3, I5, I6: nothing is concluded meanwhile, nothing is entered twice; afterwards whole or flat."""
    if role == "u":
        shared.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    if role == "x":
        shared.open()
        shared.script.exits["ADA-ALGO"] = "pair_reverted"
    else:
        shared.want()
    go_away_at(shared, monkeypatch, leg, role, executed=executed)
    began_ms = shared.clock.now_ms()
    shared.work()
    shared.script.reset()
    while shared.clock.now_ms() - began_ms < AWAY_MS + 10_000:
        shared.work()
    # The longest wait of the bounded exits is a minute.
    shared.loop(3, pause_secs=61)
    shared.check_rest()
    expected = {"e": {"HEDGED", "ABORTED"}, "x": {"CLOSED"}, "u": {"ABORTED"}}[role]
    assert shared.states()[-1] in expected
    assert executed_entries(shared).get("A-e", 0) <= 1
    assert executed_entries(shared).get("B-e", 0) <= 1
    if shared.states()[-1] == "HEDGED":
        shared.close()
    shared.check_flat()


def test_the_transport_says_what_requests_would(shared: Rig) -> None:
    """The case above would be empty if the transport let anything through."""
    shared.transport.reachable = False
    try:
        with pytest.raises(requests.exceptions.ConnectionError):
            shared.bot.exchange._api.session.request("GET", "https://127.0.0.1:1/fapi/v1/time", timeout=1)
    finally:
        shared.transport.reachable = True
