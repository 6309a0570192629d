"""429 and 418: nothing is sent before the venue's time is over, over restarts too; exits at its end."""

from __future__ import annotations

import pytest
from harness import Rig

from pairbot_ext.recovery.silence import KEY, wait_out
from pairbot_ext.venue import venue_of


def ban(rig: Rig, secs: int) -> None:
    """The venue bans this address."""
    until = rig.clock.now_ms() + secs * 1000
    body = f'{{"code":-1003,"msg":"Way too many requests; IP(127.0.0.1) banned until {until}."}}'
    rig.fault(when={"call": "GET /fapi/v3/positionRisk"}, answer="custom", status=418, body=body)


def sent(rig: Rig) -> int:
    """Requests that reached the venue."""
    return len(rig.gateway.log.requests)


def test_nothing_is_sent_into_a_ban_and_the_exit_goes_out_at_its_end(live: Rig) -> None:
    """I5, I6."""
    live.open()
    ban(live, 600)
    live.loop(pause_secs=31)
    before = sent(live)
    live.script.exits["ADA-ALGO"] = "pair_stop"
    for _ in range(10):
        live.work()
    assert sent(live) == before
    said = [text for text in live.told if text.startswith("The venue takes nothing from this address")]
    assert len(said) == 1
    for _ in range(30):
        live.work(pause_secs=31)
    live.script.exits.clear()
    live.loop(2, pause_secs=31)
    live.check_flat()


def test_a_restart_within_a_ban_waits_for_its_end(live: Rig) -> None:
    live.open()
    ban(live, 600)
    live.loop(2, pause_secs=31)
    before, began = sent(live), live.clock.now_ms()
    live.kill()
    wait_out({"db_url": f"sqlite:///{live.directory / 'trades.sqlite'}"}, live.script.clock)
    assert sent(live) == before
    assert live.clock.now_ms() - began >= 500_000
    live.start()
    live.loop(2, pause_secs=31)
    live.check_rest()


def test_without_a_ban_a_start_waits_for_nothing(live: Rig) -> None:
    began = live.clock.now_ms()
    wait_out({"db_url": f"sqlite:///{live.directory / 'trades.sqlite'}"}, live.script.clock)
    wait_out({"db_url": f"sqlite:///{live.directory / 'none.sqlite'}"}, live.script.clock)
    wait_out({}, live.script.clock)
    assert live.clock.now_ms() == began
    assert live.desk.journal.setting(KEY) is None


@pytest.mark.parametrize(
    ("status", "headers", "body", "secs"),
    [
        (200, {"Retry-After": "7"}, "", None),
        (503, {}, "", None),
        (429, {"Retry-After": "7"}, "", 7.0),
        (429, {"retry-after": "7"}, "", 7.0),
        (429, {}, "", 1.0),
        (429, {"Retry-After": "soon"}, "", 1.0),
        (418, {"Retry-After": "120"}, "", 120.0),
        (418, {}, "IP(1.2.3.4) banned until 1770000060000.", 60.0),
        (418, {}, "IP(1.2.3.4) banned until 1760000000000.", 0.0),
        (418, {}, "IP(1.2.3.4) banned until 9999999999999.", 3 * 86_400.0),
    ],
)
def test_what_an_answer_asks_for(status: int, headers: dict[str, str], body: str, secs: float | None) -> None:
    assert venue_of("binance").wait_secs(status, headers, body, 1_770_000_000_000) == secs
