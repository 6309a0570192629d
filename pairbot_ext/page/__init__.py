"""The page: every pair, one pair, risk, journal and results in a browser, on Freqtrade's own API server.

`sheet` gathers what is shown, `broadcast` sends it to whoever looks, `confirm` carries out what a person has
confirmed; `assets` is what a browser is given. docs/page.md shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pairbot_ext.control.service import PairService, PairsNow
    from pairbot_ext.desk.trade_desk import TradeDesk
    from pairbot_ext.page.site import Site


def make_page(
    desk: TradeDesk, pairs_now: Callable[[], PairsNow], service: Callable[[], PairService | None]
) -> Site:
    """The page of one bot. Imported here: many bots have no API server."""
    from pairbot_ext.page.site import Site

    return Site(desk, pairs_now, service)
