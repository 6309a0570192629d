"""One bot with two open pairs, its API server and, where one is installed, one browser for a whole module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import CHROMIUM, Browser, Tab, chromium
from control_world import api_block, control_rig, kept_logging
from freqtrade.rpc.api_server import ApiServer
from page_stage import World, log_in


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    block = api_block()
    with kept_logging(), control_rig(tmp_path_factory.mktemp("page"), api_server=block) as rig:
        rig.bot.process()
        assert rig.states() == ["HEDGED", "HEDGED"]
        yield World(rig, block["listen_port"], (block["username"], block["password"]))
    ApiServer.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def seen(browser: Browser, world: World) -> Iterator[Tab]:
    """A tab of somebody who has logged in."""
    with browser.tab() as tab:
        tab.size(1280, 900)
        tab.go(f"{world.url}/pairs")
        log_in(tab, *world.login)
        tab.until("document.querySelectorAll('table.pairs tbody tr').length === 2", "both pairs")
        yield tab
