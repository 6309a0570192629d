"""The limits leg B is sent at."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest
from harness import Rig

from pairbot_ext.journal.journal import pair_trade_of
from pairbot_ext.model.thresholds import SHORT_SPREAD
from pairbot_ext.sim.market.base import Book


@pytest.mark.parametrize("direction", [SHORT_SPREAD, -SHORT_SPREAD])
def test_each_attempt_of_leg_b_is_limited_from_the_book_as_it_is(
    live: Rig, monkeypatch: pytest.MonkeyPatch, direction: int
) -> None:
    """The best price of now, further by the cap, times two with each attempt, on the tick and never beyond:
    upwards for a purchase, downwards for a sale."""
    book_at, tick = live.market.book, live.market.symbols["ALGOUSDT"].price_tick
    sign = 1 if direction == SHORT_SPREAD else -1

    def moving(symbol: str, now_ms: int) -> Book:
        book = book_at(symbol, now_ms)
        move = sign * 3 * tick * len(live.posts("ALGOUSDT")) if symbol == "ALGOUSDT" else 0
        return Book(
            *(tuple((price + move, amount) for price, amount in side) for side in (book.bids, book.asks))
        )

    monkeypatch.setattr(live.market, "book", moving)
    live.fault(when={"leg": "B", "times": None}, fill={"fraction": "0"})
    live.open(direction=direction)
    (row,) = live.pair_trades()
    cap = Decimal(str(pair_trade_of(row).sizing.slippage_cap))
    best = live.market.prices["ALGOUSDT"] + sign * tick
    tried = [order for order in live.orders() if order.leg == "B"]
    assert [order.order_type for order in tried] == ["limit"] * 3 + ["market"]
    assert {order.side for order in tried} == {"buy" if sign > 0 else "sell"}
    for attempt, sent in enumerate(tried[:3]):
        worst = (best + sign * 3 * tick * attempt) * (1 + sign * cap * 2**attempt)
        towards_the_book = ROUND_FLOOR if sign > 0 else ROUND_CEILING
        assert Decimal(str(sent.price)) == (worst / tick).to_integral_value(towards_the_book) * tick
    live.check_flat()
