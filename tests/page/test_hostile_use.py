"""What the page's routes give, to whom, and what they refuse."""

from __future__ import annotations

import base64
import hashlib
import re
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from page_stage import World

from pairbot_ext.control.refusals import NotNowError
from pairbot_ext.control.refusing import MOST_BODY_BYTES
from pairbot_ext.model.states import PairState
from pairbot_ext.page.confirm import Action, Confirmations
from pairbot_ext.page.files import assets

DATA = (
    "pairs_live",
    "pairs_chart/ADA_ALGO",
    "pairs_journal?before=5",
    "pairs_results",
    "pairs_results/" + "0" * 16,
)
ACTIONS = (
    "pairs_ask",
    "pairs_act",
    "pairs/close",
    "pairs/lock",
    "pairs/unlock",
    "pairs/halt",
    "pairs/resume",
    "pairs/accept",
)


def basic(world: World) -> str:
    return "Basic " + base64.b64encode(":".join(world.login).encode()).decode()


def test_nothing_without_the_login(world: World) -> None:
    for auth in (None, (world.login[0], "wrong"), ("", world.login[1])):
        for path in DATA:
            assert world.ask("GET", path, auth=auth).status_code == 401, path
        for path in ACTIONS:
            assert world.ask("POST", path, auth=auth, json={"id": "all"}).status_code == 401, path
    assert (
        world.ask("GET", "pairs_live", auth=None, headers={"Authorization": "Bearer a.b.c"}).status_code
        == 401
    )
    assert world.rig.states() == ["HEDGED", "HEDGED"]
    assert world.rig.desk.risk.state == "ACTIVE"


def test_the_page_itself_holds_no_data_and_allows_nothing_from_elsewhere(world: World) -> None:
    page = requests.get(f"{world.url}/pairs", timeout=20)
    assert page.status_code == 200
    assert "ADA_ALGO" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert "set-cookie" not in page.headers
    # No inline script, style or handler, no address elsewhere.
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|style=|https?://", page.text) == []
    again = requests.get(f"{world.url}/pairs", headers={"If-None-Match": page.headers["etag"]}, timeout=20)
    assert (again.status_code, again.content) == (304, b"")


def test_what_others_have_made_is_listed_and_as_they_publish_it() -> None:
    found = assets()
    listed = dict(
        re.findall(r"^(\S+) +\S+ +([0-9a-f]{64})$", found["vendor/ASSETS.txt"].content.decode(), re.M)
    )
    made = {
        name.removeprefix("vendor/"): asset for name, asset in found.items() if name.startswith("vendor/")
    }
    del made["ASSETS.txt"]
    assert listed == {name: hashlib.sha256(asset.content).hexdigest() for name, asset in made.items()}


def test_every_file_of_the_page_is_served_and_asks_for_nothing_elsewhere(world: World) -> None:
    found = assets()
    assert {"index.html", "page.css", "main.js", "vendor/uPlot.js", "vendor/LICENSE-uPlot.txt"} <= set(found)
    for name, asset in found.items():
        answer = requests.get(f"{world.url}/pairs/{name}", timeout=20)
        assert (answer.status_code, answer.content) == (200, asset.content), name
        assert answer.headers["content-type"] == asset.media_type
        if not name.startswith("vendor/"):
            lines = asset.content.decode().splitlines()
            assert len(lines) < 400, name
            code = "\n".join(lines).replace("http://www.w3.org/2000/svg", "")
            assert (
                re.findall(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", code)
                == []
            ), name


@pytest.mark.parametrize(
    "path",
    [
        "/pairs/../site.py", "/pairs/%2e%2e/site.py", "/pairs/..%2fsite.py", "/pairs/vendor/../../site.py",
        "/pairs//etc/passwd", "/pairs/%2fetc%2fpasswd", "/pairs/index.html%00.js", "/pairs/vendor",
        "/pairs/..\\site.py", "/pairs/" + "x" * 5000, "/pairs/%ff%fe",
    ],
)  # fmt: skip
def test_path_tricks_lead_nowhere(world: World, path: str) -> None:
    connection, answer = world.raw("GET", path, {"Host": "127.0.0.1"})
    body = answer.read()
    connection.close()
    assert answer.status in (400, 404), path
    assert b"root:" not in body
    assert b"APIRouter" not in body


def test_frequi_is_what_it_was(world: World) -> None:
    for path in ("/", "/trade", "/pairlist", "/fallback_file.html"):
        answer = requests.get(world.url + path, timeout=20)
        assert answer.status_code == 200
        assert 'src="pairs/main.js"' not in answer.text
    assert requests.get(f"{world.url}/api/nothing", timeout=20).status_code == 404


@pytest.mark.parametrize("path", ACTIONS)
def test_another_site_cannot_act_with_a_login_the_browser_keeps(world: World, path: str) -> None:
    for headers in (
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": world.url},
        {"Origin": f"http://127.0.0.1:{world.port + 1}"},
    ):  # fmt: skip
        answer = world.ask("POST", path, json={"id": "all"}, headers=headers)
        # A form's body is no JSON, and that is said first.
        assert answer.status_code in (403, 422), (headers, answer.text)
        assert path.startswith("pairs_") or answer.status_code == 403
    assert world.rig.states() == ["HEDGED", "HEDGED"]
    assert world.rig.desk.risk.state == "ACTIVE"


def test_the_page_s_own_requests_and_programs_may_act(world: World) -> None:
    for headers in (
        {},
        {"Origin": world.url},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"},
    ):
        for path in ("pairs/lock", "pairs/unlock"):
            assert world.ask("POST", path, json={"id": "XRP_DOGE"}, headers=headers).status_code == 200, (
                headers
            )


@pytest.mark.parametrize("path", ["pairs_ask", "pairs/close", "pairs/halt"])
@pytest.mark.parametrize("has_login", [True, False])
def test_a_large_body_is_not_read(world: World, path: str, has_login: bool) -> None:
    login = {"Authorization": basic(world)} if has_login else {}
    common = {"Host": "127.0.0.1", "Content-Type": "application/json", **login}
    long = {**common, "Content-Length": "10000000"}
    connection, answer = world.raw("POST", f"/api/v1/{path}", long, b"x" * 1000)
    assert answer.status == 413
    connection.close()
    # Nobody says how long it is.
    size = MOST_BODY_BYTES + 1
    chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
    connection, answer = world.raw(
        "POST", f"/api/v1/{path}", {**common, "Transfer-Encoding": "chunked"}, chunk
    )
    assert answer.status == 413
    connection.close()
    assert world.rig.desk.risk.state == "ACTIVE"


def test_data_are_not_kept(world: World) -> None:
    for path in ("pairs", "pairs/ADA_ALGO", "pairs_chart/ADA_ALGO", "pairs_results", "pairs_scan"):
        answer = world.ask("GET", path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store", path


def test_the_stream_gives_everything_once_then_what_changes(world: World) -> None:
    with world.ask("GET", "pairs_live", stream=True) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        frames = world.frames(response)
        assert next(frames)[0] == "now"
        event, whole = next(frames)
        assert event == "whole"
        row = whole["pairs"]["ADA_ALGO"]
        assert (row["state"], row["entry_z"], row["exit_z"], row["stop_z"]) == ("HEDGED", 2.0, 0.3, 4.0)
        told = world.ask("GET", "pairs").json()["open"][0]
        assert row["z"] == pytest.approx(told["z"], abs=0.001)
        assert row["pnl"] == pytest.approx(told["profit_now"], abs=0.001)
        assert (row["hedge_error"], row["half_life_secs"]) == (
            told["hedge_error"],
            pytest.approx(9.5 * 3600, abs=40),
        )
        assert {event["kind"] for event in whole["journal"]} >= {"planned", "order", "hedged"}
        world.ask("POST", "pairs/lock", json={"id": "XRP_DOGE"})
        changes: dict[str, Any] = {}
        for _, change in frames:
            changes |= change.get("pairs", {}).get("XRP_DOGE", {})
            if "locked" in changes:
                break
        assert "API user operator" in changes["locked"]
        assert "legs" not in changes, "what has not changed is not sent"
        world.rig.market.move_z("ADA_ALGO", 1.2)
        world.rig.bot.process()
        z = next(
            row["z"]
            for _, change in frames
            if (row := change.get("pairs", {}).get("ADA_ALGO")) and "z" in row
        )
        assert z == pytest.approx(1.2, abs=0.05)
        world.rig.market.move_z("ADA_ALGO", 2.5)
        world.rig.bot.process()
    world.ask("POST", "pairs/unlock", json={"id": "XRP_DOGE"})


def test_what_is_confirmed_is_what_was_shown_and_once(world: World) -> None:
    question = world.ask("POST", "pairs_ask", json={"action": "lock", "id": "ADA_ALGO"}).json()
    assert question["title"] == "Lock ADA_ALGO"
    assert {each["name"] for each in question["numbers"]} == {"z of the last candle", "Locked", "Open"}
    ticket = {"ticket": question["ticket"]}
    # Somebody else has locked it meanwhile.
    world.ask("POST", "pairs/lock", json={"id": "ADA_ALGO"})
    answer = world.ask("POST", "pairs_act", json=ticket)
    assert answer.status_code == 409
    assert "has changed since the numbers were shown" in answer.json()["detail"]
    question = world.ask("POST", "pairs_ask", json={"action": "unlock", "id": "ADA_ALGO"}).json()
    ticket = {"ticket": question["ticket"]}
    assert "unlocked" in world.ask("POST", "pairs_act", json=ticket).json()["result"]
    assert world.ask("POST", "pairs_act", json=ticket).status_code == 409, "a ticket is good once"
    for body in ({}, {"ticket": ""}, {"ticket": "x" * 65}, {"ticket": ["a"]}, {"action": "explode"}):
        for path in ("pairs_act", "pairs_ask"):
            assert world.ask("POST", path, json=body).status_code == 422
    for asked, status in (
        ({"action": "resume"}, 409), ({"action": "close", "id": "NO_SUCH"}, 404),
        ({"action": "lock", "id": "<script>alert(1)</script>"}, 404),
    ):  # fmt: skip
        assert world.ask("POST", "pairs_ask", json=asked).status_code == status


def test_numbers_that_have_moved_another_person_or_an_old_ticket_do_nothing(world: World) -> None:
    service, now = world.control.service, SimpleNamespace(ms=1_000)
    clock: Any = SimpleNamespace(now_ms=lambda: now.ms)
    tickets = Confirmations(clock)

    def close() -> str:
        return tickets.ask(service, Action.CLOSE, "ADA_ALGO", "one").ticket

    with pytest.raises(NotNowError, match="never asked"):
        tickets.act(service, close(), "another")
    old = close()
    now.ms += 61_000
    with pytest.raises(NotNowError, match="more than 60 s ago"):
        tickets.act(service, old, "one")
    moved = close()
    world.rig.market.move_z("ADA_ALGO", 1.5)
    world.rig.bot.process()
    with pytest.raises(NotNowError, match=r"the profit has moved by \d\.\d\d % of the legs' value"):
        tickets.act(service, moved, "one")
    other = close()
    trade = world.rig.desk.journal.open_pair_trades()[0]
    world.rig.desk.journal.change_pair_trade(trade.id, reason=trade.reason, state=PairState.UNKNOWN)
    with pytest.raises(NotNowError, match="what is open, held or in force has changed"):
        tickets.act(service, other, "one")
    world.rig.desk.journal.change_pair_trade(trade.id, state=trade.state)
    world.rig.market.move_z("ADA_ALGO", 2.5)
    world.rig.bot.process()
    assert world.rig.states() == ["HEDGED", "HEDGED"]
    for number in range(120):
        tickets.ask(service, Action.LOCK, "ADA_ALGO", f"somebody {number}")
    assert len(tickets._tickets) == 100


def test_a_bot_that_goes_down_does_not_wait_for_its_viewers(world: World) -> None:
    control = world.control
    with world.ask("GET", "pairs_live", stream=True) as response:
        frames = world.frames(response)
        assert next(frames)[0] == "now"
        service, control._service = control._service, None
        control._page.close()
        assert len(list(frames)) <= 1, "the stream has ended"
    assert world.ask("GET", "pairs_live").status_code == 503
    # It goes on for the tests that follow.
    control._service, control._page.broadcast._is_closed = service, False
