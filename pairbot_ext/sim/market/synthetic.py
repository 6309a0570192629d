"""The seeded market with planted pairs, laid out as candles long enough to trade on for days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from pairbot_ext.sim.market.books import DEFAULT_SHAPE, BookShape
from pairbot_ext.sim.market.candles import CandleArrays, draw_candles, funding_series, mark_candles
from pairbot_ext.sim.market.paths import PlantedPair, PlantedTruth, simulate, stream
from pairbot_ext.sim.market.series import HOUR_MS, MINUTE_MS, TURNS, CandleSeries
from pairbot_ext.sim.market.table import CandleMarket, SymbolCourse
from pairbot_ext.sim.market.times import TimeMap
from pairbot_ext.sim.market.universe import (
    DEFAULT_PLANTED,
    DEFAULT_START_PRICES,
    HOURLY_VOLATILITY,
    typical_notionals,
)
from pairbot_ext.sim.symbols import SymbolSpec, load_symbol

# More than the longest start-up a Freqtrade strategy may ask for on Binance (2,494 candles).
HISTORY_CANDLES = 2_600
FUTURE_HOURS = 60 * 24
FUTURE_MINUTES = 3 * 24 * 60
_MARK_DIGITS_BELOW_TICK = 2


def coin_specs(start_prices: Mapping[str, float]) -> dict[str, SymbolSpec]:
    """Contract rules by base coin, their grids scaled to the start prices."""
    return {coin: load_symbol(f"{coin}USDT", Decimal(str(price))) for coin, price in start_prices.items()}


def lay_out(
    drawn: Mapping[str, CandleArrays],
    specs: Mapping[str, SymbolSpec],
    *,
    first_ms: int,
    candle_ms: int,
    seed: int,
    description: str,
    truth: PlantedTruth,
    shape: BookShape = DEFAULT_SHAPE,
    turns: tuple[float, float] = TURNS,
) -> CandleMarket:
    """A market of drawn candles, with mark prices and funding beside them.

    :param drawn: candles by base coin. :param first_ms: opening of the first one, epoch ms.
    :param turns: see `CandleSeries`.
    """
    courses = {}
    for coin, candles in drawn.items():
        spec = specs[coin]
        stamps = first_ms + np.arange(len(candles), dtype=np.int64) * candle_ms
        last_ms = int(stamps[-1])
        funding_ms, rates = funding_series(first_ms, last_ms, stream(seed, f"funding {coin}"))
        courses[spec.symbol] = SymbolCourse(
            spec=spec,
            last=CandleSeries(
                stamps, candle_ms, candles, grid=spec.price_tick, amount_step=spec.amount_step, turns=turns
            ),
            mark=CandleSeries(
                stamps,
                candle_ms,
                mark_candles(candles, stream(seed, f"mark {coin}")),
                grid=spec.price_tick.scaleb(-_MARK_DIGITS_BELOW_TICK),
                amount_step=spec.amount_step,
                turns=turns,
            ),
            funding=[
                (int(stamp), Decimal(repr(float(rate))))
                for stamp, rate in zip(funding_ms, rates, strict=True)
            ],
        )
    return CandleMarket(
        courses=courses, time_map=TimeMap(), description=description, truth=truth, shape=shape
    )


def synthetic_market(
    now_ms: int,
    *,
    seed: int,
    compress: bool = False,
    start_prices: Mapping[str, float] = DEFAULT_START_PRICES,
    planted: Sequence[PlantedPair] = DEFAULT_PLANTED,
    shape: BookShape = DEFAULT_SHAPE,
) -> CandleMarket:
    """A generated market with 2,600 candles before `now_ms` and days of them after it.

    The law is that of hourly candles in both cases; compressed, each is served as one minute.
    """
    candle_ms = MINUTE_MS if compress else HOUR_MS
    first_ms = (now_ms // candle_ms - HISTORY_CANDLES) * candle_ms
    paths = simulate(
        start_prices,
        planted,
        candles=HISTORY_CANDLES + (FUTURE_MINUTES if compress else FUTURE_HOURS),
        candle_volatility=HOURLY_VOLATILITY,
        seed=seed,
    )
    specs = coin_specs(start_prices)
    drawn = draw_candles(paths, specs, typical_notionals(list(start_prices), planted), seed=seed)
    return lay_out(
        drawn,
        specs,
        first_ms=first_ms,
        candle_ms=candle_ms,
        seed=seed,
        shape=shape,
        truth=PlantedTruth(tuple(planted), paths.alpha),
        description=f"Simulated market, seed {seed}, {len(planted)} planted cointegrated pairs: "
        "any profit made on it means nothing",
    )
