"""The page as people use it, in headless Chromium: what they see, press and are told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from browser import Browser, Tab
from heard_rig import until
from page_stage import World, log_in

ROW = 'table.pairs tbody tr:has(a[href="#/pair/{}"])'
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
ADA, XRP = ROW.format("ADA_ALGO"), ROW.format("XRP_DOGE")
VIEWS = ("#/pairs", "#/pair/ADA_ALGO", "#/risk", "#/journal", "#/results")


def see(tab: Tab, view: str, selector: str) -> None:
    """Go to a view and wait for something in it."""
    tab.value(f"location.hash = {json.dumps(view)}")
    # The view before it may have such an element, too.
    heading = f"#{view.split('/')[1]}-title"
    tab.until(f"document.querySelector('{heading}') !== null", f"the heading of {view}")
    tab.until(f"document.querySelector({json.dumps(selector)}) !== null", f"{selector} in {view}")


def cells(tab: Tab, row: str) -> list[str]:
    """The texts of a row, column by column."""
    found: list[str] = tab.value(f"[...document.querySelector('{row}').cells].map((c) => c.innerText)")
    return found


def test_a_wrong_login_is_refused_and_shows_nothing(browser: Browser, world: World) -> None:
    with browser.tab() as tab:
        tab.go(f"{world.url}/pairs#/pairs")
        log_in(tab, world.login[0], "wrong")
        tab.until("document.querySelector('#login-error').textContent !== ''")
        assert tab.text("#login-error") == "The user name or the password is wrong."
        assert "ADA_ALGO" not in tab.value("document.documentElement.outerHTML")
        assert tab.value("sessionStorage.length + localStorage.length + document.cookie.length") == 0
        # A login that has ended leads back here.
        tab.value(
            "sessionStorage.setItem('pairbot-login', JSON.stringify({access: 'a.b.c', refresh: 'a.b.c'}))"
        )
        tab.call("Page.reload")
        tab.until("document.querySelector('#login-error')?.textContent === 'Log in again.'")


def test_every_pair_with_its_numbers_and_live(seen: Tab, world: World) -> None:
    see(seen, "#/pairs", XRP)
    told = {each["pair"]: each for each in world.ask("GET", "pairs").json()["open"]}
    for row, name in ((ADA, "ADA_ALGO"), (XRP, "XRP_DOGE")):
        pair, state, z, money, hedge, age, price, act = cells(seen, row)
        trade = told[name]
        assert pair.split("\n") == [name, trade["direction"]]
        assert state == "HEDGED"
        assert z.startswith(f"{trade['z']:+.2f}".replace("-", "−"))
        assert money.split("\n") == [f"{trade['profit_now']:+.4f}".replace("-", "−"), "funding +0.0000"]
        assert hedge == f"{100 * trade['hedge_error']:.2f} %"
        assert age == "0.00 of 4"
        assert price != "–"
        assert act == "Close…"
    assert seen.text("#mode"), seen.text("#risk-state") == ("dry-run", "ACTIVE")
    world.rig.market.move_z("ADA_ALGO", 1.1)
    world.rig.bot.process()
    seen.until(f"document.querySelector('{ADA}').innerText.includes('+1.1')", "z after the price")
    world.rig.market.move_z("ADA_ALGO", 2.5)
    world.rig.bot.process()


def test_one_pair_with_its_course_and_every_step_of_its_orders(seen: Tab, world: World) -> None:
    see(seen, "#/pair/ADA_ALGO", ".orders")
    seen.until("document.querySelectorAll('.plot canvas').length === 3", "three charts")
    said = seen.value("[...document.querySelectorAll('.plot')].map((e) => e.getAttribute('aria-label'))")
    assert said[0].startswith("z of the spread, with entries and exits. ")
    assert "1 pair trade in it" in said[0]
    # Something is drawn.
    assert seen.value(
        "[...document.querySelectorAll('.plot canvas')].every((c) => "
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v !== 0))"
    )
    lines = seen.value(
        "[...document.querySelectorAll('.order-line')].map((e) => e.getAttribute('aria-label'))"
    )
    assert [line.split(":")[0] for line in lines] == ["Leg A entry", "Leg B entry"]
    for step in ("intent", "sent", "answered", "settled"):
        assert all(step in line for line in lines)
    orders = world.ask("GET", "pairs/ADA_ALGO").json()["open"]["orders"]
    for order in orders:
        assert order["client_id"] in seen.text("#view")
    assert "Entry 2" in seen.text("#view") or "entry 2, exit 0.3, stop 4" in seen.text("#view")


def test_risk_exposure_journal_and_results(seen: Tab, world: World) -> None:
    see(seen, "#/risk", ".bars progress")
    risk = seen.text("#view")
    for words in (
        "Gross exposure",
        "limit 3 x equity",
        "Drawdown",
        "Liquidation distance".lower(),
        "long ",
        "DOGE",
    ):
        assert words in risk, words
    see(seen, "#/journal", ".journal li")
    assert "hedged" in seen.text(".journal")
    world.rig.desk.journal.add_event(None, "a_new_event", why="just now")
    world.rig.desk.journal.flush()
    seen.until(
        "document.querySelector('.journal li').innerText.includes('why just now')", "the event at the top"
    )
    folder = world.rig.directory / "user_data" / "research"
    folder.mkdir()
    (folder / "walk.json").write_text(json.dumps({
        "kind": "walkforward", "evidence": "none", "net_bp": -3.2, "interval_95_bp": [-9, 2.5],
        "weekly": {"2026-01-05": 0.01, "2026-01-12": -0.02, "2026-01-19": 0.005},
        "waterfall_bp": {"fees": -8.0}, "figures": {"pair_trades": 41},
    }))  # fmt: skip
    see(seen, "#/results", "#view table a")
    results = seen.text("#view")
    assert "planted for a test" in results
    assert "evidence: none; net -3.20 bp a pair trade, 95 % interval -9.00 bp to +2.50 bp" in results
    seen.click("#view table a")
    seen.until("document.querySelectorAll('.plot canvas').length === 1", "the weeks")
    assert "fees" in seen.text("#view")


def test_what_others_have_written_is_text(seen: Tab, world: World) -> None:
    journal = world.rig.desk.journal
    trade = journal.open_pair_trades()[1]
    folder = world.rig.directory / "user_data"
    outside = world.rig.directory / "outside.json"
    outside.write_text(json.dumps({"kind": "walkforward", "evidence": "of somebody else"}))
    (folder / "link.json").symlink_to(outside)
    (folder / "<img src=x onerror=window.pwned=1>.json").write_text(
        json.dumps({"kind": "walkforward", "evidence": HOSTILE, "figures": {HOSTILE: HOSTILE}, "net_bp": "x"})
    )
    journal.change_pair_trade(trade.id, plan=replace(trade.plan, pair_id=HOSTILE), reason=HOSTILE)
    journal.add_event(trade.id, HOSTILE[:32], why=HOSTILE, pair=HOSTILE)
    journal.flush()
    try:
        see(seen, "#/pairs", XRP)
        seen.until("document.querySelector('table.pairs').innerText.includes('<script>')", "the name as text")
        seen.click("table.pairs tbody tr:first-child a")
        seen.until("document.querySelector('#pair-title')?.textContent.includes('<script>')", "its own view")
        see(seen, "#/journal", ".journal li")
        assert HOSTILE in seen.text(".journal")
        see(seen, "#/results", "#view table")
        results = seen.text("#view table")
        assert HOSTILE in results
        assert "of somebody else" not in results, "a link leads out of the folder"
        seen.click("#view table a")
        seen.until("document.querySelector('.facts')?.innerText.includes('onerror')")
        assert seen.value("window.pwned ?? 'nothing'") == "nothing"
        assert seen.value("document.querySelectorAll('img, main script').length") == 0
    finally:
        journal.change_pair_trade(trade.id, plan=trade.plan, reason=trade.reason)
        journal.flush()
        see(seen, "#/pairs", XRP)
        seen.until(f"document.querySelector('{XRP}').innerText.includes('HEDGED')")
        # The pair of that name has no candles, and its picture was asked for.
        seen.faults[:] = [fault for fault in seen.faults if "404" not in fault]


def test_an_action_repeats_the_numbers_and_refuses_others(seen: Tab, world: World) -> None:
    see(seen, "#/pairs", XRP)
    seen.click(f"{XRP} button")
    seen.until("document.querySelector('#confirm').open")
    trade = world.ask("GET", "pairs/XRP_DOGE").json()["open"]
    asked = seen.text("#confirm")
    assert asked.startswith("Close XRP_DOGE")
    for leg in trade["legs"]:
        assert f"{leg['side']} {leg['held']} {leg['symbol']} at {leg['price']:.8g}" in asked
    assert f"{trade['profit_now']:+.4f} USDT, funding +0.0000 included" in asked
    assert seen.value("document.activeElement.id") == "confirm-no", "nothing happens by Enter alone"
    seen.press("Escape", 27)
    seen.until("!document.querySelector('#confirm').open")
    assert world.rig.states() == ["HEDGED", "HEDGED"]
    # The price moves while somebody thinks.
    seen.click(f"{XRP} button")
    seen.until("document.querySelector('#confirm').open")
    world.rig.market.move_z("XRP_DOGE", -1.2)
    world.rig.bot.process()
    seen.click("#confirm-yes")
    seen.until("document.querySelector('#confirm-changed').textContent !== ''", "the refusal")
    assert "nothing was done" in seen.text("#confirm-changed")
    assert world.rig.states() == ["HEDGED", "HEDGED"]
    seen.faults[:] = [fault for fault in seen.faults if "409" not in fault]
    seen.click("#confirm-yes")
    seen.until("!document.querySelector('#notice').hidden", "what came of it")
    assert "XRP_DOGE" in seen.text("#notice")
    assert "closed" in seen.text("#notice")
    assert world.rig.states() == ["HEDGED", "CLOSED"]
    seen.until(f"document.querySelector('{XRP}').innerText.includes('WATCHED')", "its new state")
    assert seen.value("document.querySelector('#announcer').textContent") != ""


def test_lock_halt_and_resume(seen: Tab, world: World) -> None:
    see(seen, "#/pairs", XRP)
    for button, done in (
        (
            f"{XRP} button",
            "document.querySelector('table.pairs').innerText.includes('locked by API user')",
        ),
        (f"{XRP} button", "!document.querySelector('table.pairs').innerText.includes('locked by')"),
        ("#halt", "document.querySelector('#risk-state').textContent === 'HALTED'"),
        ("#resume", "document.querySelector('#risk-state').textContent === 'ACTIVE'"),
    ):
        seen.click(button)
        seen.until("document.querySelector('#confirm').open")
        seen.click("#confirm-yes")
        seen.until("!document.querySelector('#confirm').open", "the answer")
        seen.until(done, f"what {button} does")
    assert world.rig.states() == ["CLOSED", "CLOSED"]
    assert world.rig.desk.risk.state == "ACTIVE"


def test_by_keyboard_alone(seen: Tab) -> None:
    see(seen, "#/pairs", XRP)
    seen.call("Page.reload")
    seen.until("document.readyState === 'complete'")
    see(seen, "#/pairs", XRP)
    order = []
    for _ in range(12):
        seen.press("Tab", 9)
        order.append(seen.value("(document.activeElement.textContent || document.activeElement.id).trim()"))
    assert order[0] == "Skip to the content"
    for earlier, later in (
        ("Pairs", "Risk"),
        ("Results", "FreqUI"),
        ("Halt…", "Log out"),
        ("filter", "ADA_ALGO"),
    ):
        assert order.index(earlier) < order.index(later), order
    assert seen.value("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is seen"


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_needs_no_sideways_scroll(seen: Tab, view: str) -> None:
    seen.size(360, 740, is_phone=True)
    try:
        see(seen, view, "#view section")
        seen.until("document.querySelector('#view').innerText.length > 20")
        assert seen.value("document.documentElement.scrollWidth") <= 360
    finally:
        seen.size(1280, 900)


def test_structure_for_a_screen_reader(seen: Tab) -> None:
    for view in VIEWS:
        see(seen, view, "#view section")
        missing = seen.value(
            "[...document.querySelectorAll('button, a, input, [role=img], progress')]"
            ".filter((e) => e.checkVisibility())"
            ".filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length))"
            ".map((e) => e.outerHTML)"
        )
        assert missing == []
        headless = (
            "[...document.querySelectorAll('#view table')].filter((t) => !t.querySelector('th')).length"
        )
        assert seen.value(headless) == 0
    assert seen.value("document.querySelectorAll('header, nav[aria-label], main').length") == 3
    assert seen.value("document.querySelector('#announcer').getAttribute('aria-live')") == "polite"
    assert seen.value("document.documentElement.lang") == "en"


def test_nothing_was_asked_of_anybody_else_and_nothing_went_wrong(seen: Tab, world: World) -> None:
    assert {url for url in seen.requests if not url.startswith(world.url + "/")} == set()
    assert seen.faults == []


def test_who_leaves_is_no_longer_worked_for(seen: Tab, world: World) -> None:
    broadcast = world.control._page.broadcast
    assert broadcast.viewers == 1
    seen.go("about:blank")
    until(lambda: broadcast.viewers == 0, 20, "the viewer to be gone")
    seen.call(
        "Page.navigateToHistoryEntry", entryId=seen.call("Page.getNavigationHistory")["entries"][-2]["id"]
    )
    until(lambda: broadcast.viewers == 1, 20, "the viewer to be back")
    seen.until("document.body.dataset.connection === 'live'")
