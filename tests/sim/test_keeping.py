"""A venue put away and taken out again holds the same; a file of somebody else's calls nothing."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.venue.keeping import keep, restore
from pairbot_ext.sim.venue.orders import OrderRequest, OrderType, Side
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.support.errors import DataError


@dataclass
class Clock:
    """Set by hand."""

    at_ms: int = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.at_ms


def market() -> Any:
    return FixedMarket({"ADAUSDT": Decimal("0.5"), "ALGOUSDT": Decimal("0.2")})


def order(symbol: str, side: Side, amount: int, name: str) -> OrderRequest:
    return OrderRequest(symbol, side, OrderType.MARKET, Decimal(amount), name)


def test_everything_it_holds_goes_on() -> None:
    clock, before = Clock(), market()
    venue = Venue(before, clock.now_ms)
    venue.engine.tape.listen(lambda _happening: None)
    venue.place(order("ADAUSDT", Side.BUY, 100, "first"))
    later, after = Clock(clock.at_ms), market()
    kept = restore(keep(venue, clock), after, later)
    assert kept.market is after
    assert kept.account.position("ADAUSDT") == venue.account.position("ADAUSDT")
    assert kept.engine.fills == venue.engine.fills
    later.at_ms = clock.at_ms = clock.at_ms + 9 * 3_600_000
    for each in (venue, kept):
        each.settle()
        each.place(order("ADAUSDT", Side.SELL, 100, "second"))
    assert kept.account.income == venue.account.income
    assert kept.account.wallet == venue.account.wallet
    assert [fill.trade_id for fill in kept.engine.fills] == [fill.trade_id for fill in venue.engine.fills]


class Evil:
    """What a hand-made file would hold."""

    def __reduce__(self) -> Any:
        return os.getcwd, ()


@pytest.mark.parametrize("content", [b"", b"no books", pickle.dumps(Evil()), pickle.dumps([1])])
def test_what_was_not_kept_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="kept books"):
        restore(content, market(), Clock())
