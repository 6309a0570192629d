"""Candles as a venue serves them: whole, running, finer, coarser, and never ahead of time."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.sim.market.base import Kline
from pairbot_ext.sim.market.candles import CandleArrays
from pairbot_ext.sim.market.series import DAY_MS, HOUR_MS, MINUTE_MS, CandleSeries, floor_to, interval_ms
from pairbot_ext.support.errors import DataError

START = 1_760_054_400_000  # a full UTC day
COUNT = 50
GAP = 20  # this candle is missing
FLAT = 30  # nobody traded in this one


def make_series(*, seed: int = 2) -> CandleSeries:
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(0.01 * rng.standard_normal(COUNT))), 2)
    open_ = np.concatenate([[100.0], close[:-1]])
    high = np.round(np.maximum(open_, close) * (1 + 0.004 * rng.random(COUNT)), 2)
    low = np.round(np.minimum(open_, close) * (1 - 0.004 * rng.random(COUNT)), 2)
    volume = np.round(1000 * rng.random(COUNT) + 10, 1)
    for column in (open_, high, low, close):
        column[FLAT] = close[FLAT - 1]
    open_[FLAT + 1] = close[FLAT - 1]
    high[FLAT + 1], low[FLAT + 1] = max(high[FLAT + 1], open_[FLAT + 1]), min(low[FLAT + 1], open_[FLAT + 1])
    volume[FLAT] = 0.0
    kept = np.arange(COUNT) != GAP
    stamps = START + np.arange(COUNT) * HOUR_MS
    table = CandleArrays(*(column[kept] for column in (open_, high, low, close, volume)))
    return CandleSeries(stamps[kept], HOUR_MS, table, grid=Decimal("0.01"), amount_step=Decimal("0.1"))


SERIES = make_series()
END = START + COUNT * HOUR_MS


def whole(interval: int = HOUR_MS) -> list[Kline]:
    return SERIES.klines(interval, START, None, 10_000, END)


def test_selection_by_start_end_and_limit() -> None:
    everything = whole()
    assert len(everything) == COUNT - 1
    assert SERIES.klines(HOUR_MS, None, None, 5, END) == everything[-5:]
    assert SERIES.klines(HOUR_MS, START + 1, None, 5, END) == everything[1:6]
    assert SERIES.klines(HOUR_MS, None, START + 5 * HOUR_MS, 3, END) == everything[3:6]
    assert SERIES.klines(HOUR_MS, START, START + 2 * HOUR_MS - 1, 500, END) == everything[:2]
    assert SERIES.klines(HOUR_MS, END + 1, None, 5, END + DAY_MS) == []
    assert SERIES.klines(HOUR_MS, None, START - 1, 5, END) == []
    assert SERIES.klines(HOUR_MS, 0, None, 2, END) == everything[:2]


def test_a_missing_candle_is_missing_and_the_price_stands_still_in_it() -> None:
    opened = START + GAP * HOUR_MS
    assert opened not in [kline.open_ms for kline in whole()]
    last = SERIES.klines(HOUR_MS, None, opened - 1, 1, END)[0].close
    assert SERIES.price(opened) == SERIES.price(opened + HOUR_MS - 1) == last


def test_an_untraded_candle_has_no_trades_at_any_resolution() -> None:
    opened = START + FLAT * HOUR_MS
    for interval in (HOUR_MS, 5 * MINUTE_MS):
        for kline in SERIES.klines(interval, opened, opened + HOUR_MS - 1, 500, END):
            assert kline.open == kline.high == kline.low == kline.close
            assert (kline.volume, kline.trades, kline.quote_volume) == (0, 0, 0)


def test_before_the_first_and_after_the_last_candle() -> None:
    assert SERIES.price(START - 5) == whole()[0].open
    assert SERIES.price(END) == SERIES.price(END + DAY_MS) == whole()[-1].close


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "30m"])
def test_finer_candles_add_up_to_the_recorded_ones(interval: str) -> None:
    finer = SERIES.klines(interval_ms(interval), START, None, 100_000, END)
    for kline in whole():
        inside = [f for f in finer if kline.open_ms <= f.open_ms <= kline.close_ms]
        assert len(inside) == HOUR_MS // interval_ms(interval)
        assert inside[0].open == kline.open
        assert inside[-1].close == kline.close
        assert max(f.high for f in inside) == kline.high
        assert min(f.low for f in inside) == kline.low
        assert sum(f.volume for f in inside) == kline.volume


@pytest.mark.parametrize("interval", ["2h", "4h", "1d", "1w"])
def test_coarser_candles_are_made_of_the_recorded_ones(interval: str) -> None:
    length = interval_ms(interval)
    hours = whole()
    for kline in SERIES.klines(length, 0, None, 1000, END):
        inside = [hour for hour in hours if kline.open_ms <= hour.open_ms <= kline.close_ms]
        assert kline.open_ms == floor_to(inside[0].open_ms, length)
        assert (kline.open, kline.close) == (inside[0].open, inside[-1].close)
        assert (kline.high, kline.low) == (max(h.high for h in inside), min(h.low for h in inside))
        assert kline.volume == sum(h.volume for h in inside)


def test_weeks_open_on_mondays() -> None:
    assert floor_to(START, interval_ms("1w")) == 1_759_708_800_000  # Monday 2025-10-06


@settings(max_examples=200, deadline=None)
@given(
    now=st.integers(START, END + HOUR_MS),
    later=st.integers(0, 3 * HOUR_MS),
    interval=st.sampled_from(["1m", "5m", "1h", "4h"]),
)
def test_nothing_of_the_future_is_ever_served(now: int, later: int, interval: str) -> None:
    length = interval_ms(interval)
    seen = SERIES.klines(length, None, None, 3, now)
    assert all(kline.open_ms <= now for kline in seen)
    assert all(
        kline.open_ms % MINUTE_MS == 0 and kline.close_ms == kline.open_ms + length - 1 for kline in seen
    )
    afterwards = {kline.open_ms: kline for kline in SERIES.klines(length, None, None, 200, now + later)}
    for kline in seen:
        final = afterwards[kline.open_ms]
        if kline.close_ms <= now:
            assert kline == final  # finished candles never change
        else:
            assert kline.open == final.open
            assert final.low <= kline.low <= kline.close <= kline.high <= final.high
            assert kline.volume <= final.volume
            assert kline.close == SERIES.price(now)


@settings(max_examples=200, deadline=None)
@given(moment=st.integers(START, END - 1))
def test_the_price_stays_inside_its_candle_and_on_the_grid(moment: int) -> None:
    price = SERIES.price(moment)
    assert price % Decimal("0.01") == 0
    candle = SERIES.klines(HOUR_MS, None, moment, 1, END)[0]
    assert candle.low <= price <= candle.high


@settings(max_examples=50, deadline=None)
@given(now=st.integers(START, END))
def test_asking_twice_or_in_another_order_gives_the_same(now: int) -> None:
    fresh = make_series()
    assert fresh.klines(HOUR_MS, None, None, 5, now) == SERIES.klines(HOUR_MS, None, None, 5, now)


def test_intervals_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="1M"):
        interval_ms("1M")
    odd = CandleSeries(
        [START],
        4 * HOUR_MS,
        CandleArrays(*(np.ones(1) for _ in range(5))),
        grid=Decimal(1),
        amount_step=Decimal(1),
    )
    with pytest.raises(DataError, match="interval"):
        odd.klines(6 * HOUR_MS, None, None, 1, END)
