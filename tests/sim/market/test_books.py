"""Books: on the grid, never crossed, around the price, reproducible, as deep and wide as asked."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.sim.market.books import BookShape, build_book
from pairbot_ext.sim.symbols import load_symbol
from pairbot_ext.support.errors import PairbotError

NOW = 1_760_000_000_000


@settings(deadline=None)
@given(
    symbol=st.sampled_from(["ADAUSDT", "BTCUSDT", "1000SATSUSDT", "AAVEUSDT", "LINKUSDT"]),
    ticks=st.integers(1, 200_000),
    spread_bp=st.floats(0, 200),
    gap_bp=st.floats(0, 50),
    levels=st.integers(1, 30),
    second=st.integers(0, 10_000),
)
def test_a_book_is_sound(
    symbol: str, ticks: int, spread_bp: float, gap_bp: float, levels: int, second: int
) -> None:
    spec = load_symbol(symbol)
    price = ticks * spec.price_tick
    shape = BookShape(spread_bp=spread_bp, gap_bp=gap_bp, levels=levels)
    book = build_book(spec, price, NOW + 1000 * second, shape)
    bids, asks = [level[0] for level in book.bids], [level[0] for level in book.asks]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert len(asks) == levels
    assert 1 <= len(bids) <= levels
    assert bids[0] < asks[0]
    assert bids[0] <= max(price, spec.price_tick) <= asks[0]
    for level_price, amount in (*book.bids, *book.asks):
        assert level_price > 0
        assert level_price % spec.price_tick == 0
        assert amount >= spec.min_amount
        assert amount % spec.amount_step == 0
    assert book == build_book(spec, price, NOW + 1000 * second, shape)


def test_spread_and_depth_are_as_asked() -> None:
    spec = load_symbol("AAVEUSDT", Decimal(200))
    price = Decimal("200.00")
    shape = BookShape(spread_bp=10, gap_bp=5, levels=4, top_notional=50_000, growth=2.0, jitter=0.0)
    book = build_book(spec, price, NOW, shape)
    assert [level[0] for level in book.bids] == [
        Decimal(text) for text in ("199.90", "199.80", "199.70", "199.60")
    ]
    assert [level[0] for level in book.asks] == [
        Decimal(text) for text in ("200.10", "200.20", "200.30", "200.40")
    ]
    notionals = [float(price * amount) for price, amount in book.asks]
    assert notionals == pytest.approx([50_000, 100_000, 200_000, 400_000], rel=1e-3)


def test_amounts_breathe_within_the_jitter() -> None:
    spec = load_symbol("AAVEUSDT", Decimal(200))
    shape = BookShape(top_notional=50_000, jitter=0.3)
    tops = {build_book(spec, Decimal(200), NOW + 1000 * second, shape).bids[0][1] for second in range(50)}
    assert len(tops) > 20
    assert all(0.69 <= float(top * 200) / 50_000 <= 1.31 for top in tops)


@pytest.mark.parametrize("field", ["levels", "top_notional", "growth"])
def test_shapes_that_are_none_are_refused(field: str) -> None:
    with pytest.raises(PairbotError, match="shape"):
        BookShape(**{field: 0})
