"""Candles of the index price and of the premium index, as ccxt reads them."""

from decimal import Decimal

import pytest

from pairbot_ext.sim.market.series import HOUR_MS
from pairbot_ext.sim.market.synthetic import synthetic_market

ADA = "ADA/USDT:USDT"
# 2026-02-02 01:00 UTC, the start of every test's world.
START_MS = 1_769_994_000_000


def test_the_index_is_the_mark_price_and_the_premium_the_last_price_above_it(world, client):
    world.market.marks["ADAUSDT"] = Decimal("0.7305")
    assert client.fetch_index_ohlcv(ADA, "1h", limit=3) == client.fetch_mark_ohlcv(ADA, "1h", limit=3)
    for _, *prices, _ in client.fetch_premium_index_ohlcv(ADA, "1h", limit=3):
        assert prices == [pytest.approx(0.7320 / 0.7305 - 1, abs=1e-8)] * 4


def test_running_candles_end_where_the_venue_stands(new_world, new_client):
    market = synthetic_market(START_MS, seed=3, start_prices={"ADA": 0.65}, planted=())
    world = new_world(market=market)
    client = new_client(world)
    world.clock.advance(HOUR_MS // 3)
    index = client.fetch_index_ohlcv(ADA, "1h", limit=1000)
    premium = client.fetch_premium_index_ohlcv(ADA, "1h", limit=1000)
    now = float(client.fapiPublicGetPremiumIndex({"symbol": "ADAUSDT"})["indexPrice"])
    last = float(client.fapiPublicGetTickerPrice({"symbol": "ADAUSDT"})["price"])
    assert index[-1][4] == now
    assert premium[-1][4] == pytest.approx(last / now - 1, abs=1e-8)
    hours = [START_MS + n * HOUR_MS for n in range(-999, 1)]
    assert [candle[0] for candle in index] == [candle[0] for candle in premium] == hours
    for _, opened, high, low, closed, _ in premium:
        assert low == min(opened, closed) <= max(opened, closed) == high
    assert min(candle[4] for candle in premium) < 0 < max(candle[4] for candle in premium)


@pytest.mark.parametrize("path", ["indexPriceKlines", "premiumIndexKlines"])
def test_nothing_is_told_without_its_name(world, path):
    status, answer = world.call(f"GET /fapi/v1/{path}", interval="1h")
    assert (status, answer["code"]) == (400, -1102)
