"""Prices that wander inside candles: seeded, within the candle, and the same whoever asks."""

from decimal import Decimal
from itertools import groupby

import pytest

from pairbot_ext.sim.market import open_market

NOW = 1_769_994_000_000
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def markets():
    straight, wandering = (
        open_market("synthetic", compress=True, clock=lambda: NOW, seed=3, ticks=ticks)
        for ticks in (False, True)
    )
    return straight, wandering


def test_candles_stay_what_they_are(markets):
    straight, wandering = markets
    for symbol in list(straight.symbols)[:3]:
        for mark in (False, True):
            asked = (symbol, "1m", NOW, None, 5, NOW + 10 * MINUTE_MS)
            assert straight.klines(*asked, mark=mark) == wandering.klines(*asked, mark=mark)


def test_path_touches_the_candle_and_never_leaves_it(markets):
    market = markets[1]
    for symbol in list(market.symbols)[:5]:
        (candle,) = market.klines(symbol, "1m", NOW, None, 1, NOW + MINUTE_MS, mark=False)
        prices = [market.price(symbol, NOW + ms) for ms in range(0, MINUTE_MS, 50)]
        assert prices[0] == candle.open
        assert (max(prices), min(prices)) == (candle.high, candle.low)
        moves = [price for price, _ in groupby(prices)]
        turns = sum((b - a) * (c - b) < 0 for a, b, c in zip(moves, moves[1:], moves[2:], strict=False))
        assert turns > 10, "a market that turns, not three straight lines"


def test_running_candle_holds_every_price_seen(markets):
    market = markets[1]
    symbol = next(iter(market.symbols))
    seen: list[Decimal] = []
    for ms in range(0, MINUTE_MS, 997):
        seen += [market.price(symbol, NOW + part) for part in range(max(0, ms - 996), ms + 1)]
        (running,) = market.klines(symbol, "1m", NOW, None, 1, NOW + ms, mark=False)
        assert (running.high, running.low) == (max(seen), min(seen))
        assert running.close == market.price(symbol, NOW + ms)


def test_last_and_mark_price_wander_together(markets):
    market = markets[1]
    symbol = "1000SATSUSDT"
    for ms in range(0, MINUTE_MS, 500):
        last, mark = market.price(symbol, NOW + ms), market.mark_price(symbol, NOW + ms)
        assert abs(last / mark - 1) < Decimal("0.002")


def test_seed_decides_and_the_demo_keeps_its_script():
    def path(seed: int) -> list[Decimal]:
        market = open_market("synthetic", compress=True, clock=lambda: NOW, seed=seed, ticks=True)
        return [market.price("1000SATSUSDT", NOW + ms) for ms in range(0, MINUTE_MS, 500)]

    assert path(3) == path(3) != path(4)
    demo, scripted = (open_market("demo", clock=lambda: NOW, ticks=ticks) for ticks in (False, True))
    symbol = next(iter(demo.symbols))
    assert all(
        demo.price(symbol, NOW + ms) == scripted.price(symbol, NOW + ms) for ms in range(0, MINUTE_MS, 999)
    )


def test_best_is_the_top_of_the_book(markets):
    market = markets[1]
    for ms in range(0, 5000, 700):
        book, best = market.book("1000SATSUSDT", NOW + ms), market.best("1000SATSUSDT", NOW + ms)
        assert (best.bids, best.asks) == (book.bids[:1], book.asks[:1])
