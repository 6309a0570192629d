"""The limits leg B is sent at."""

from decimal import Decimal

import pytest
from harness import Rig

from pairbot_ext.journal.journal import pair_trade_of
from pairbot_ext.sim.market.base import Book


def test_each_attempt_of_leg_b_is_limited_from_the_book_as_it_is(
    live: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best price of now, times the cap, times two with each attempt, on the tick and never beyond."""
    book_at, tick = live.market.book, live.market.symbols["ALGOUSDT"].price_tick

    def rising(symbol: str, now_ms: int) -> Book:
        book = book_at(symbol, now_ms)
        rise = 3 * tick * len(live.posts("ALGOUSDT")) if symbol == "ALGOUSDT" else 0
        return Book(
            *(tuple((price + rise, amount) for price, amount in side) for side in (book.bids, book.asks))
        )

    monkeypatch.setattr(live.market, "book", rising)
    live.fault(when={"leg": "B", "times": None}, fill={"fraction": "0"})
    live.open()
    (row,) = live.pair_trades()
    cap = Decimal(str(pair_trade_of(row).sizing.slippage_cap))
    best = live.market.prices["ALGOUSDT"] + tick
    tried = [order for order in live.orders() if order.leg == "B"]
    assert [order.order_type for order in tried] == ["limit"] * 3 + ["market"]
    for attempt, sent in enumerate(tried[:3]):
        most = (best + 3 * tick * attempt) * (1 + cap * 2**attempt)
        assert Decimal(str(sent.price)) == most // tick * tick
    live.check_flat()
