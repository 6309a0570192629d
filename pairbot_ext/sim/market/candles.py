"""Candles drawn around latent price paths, on the venue's price grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from pairbot_ext.sim.market.paths import FloatArray, Paths, stream
from pairbot_ext.sim.symbols import SymbolSpec, decimals

FUNDING_INTERVAL_MS = 8 * 3_600_000
_FUNDING_MEAN = 0.0001  # Binance's interest component: 0.01 % per 8 hours
_FUNDING_SD = 0.00008
_FUNDING_CAP = 0.003
_BUSIEST = 4.0  # standard deviations beyond which a move adds no more volume
_MARK_NOISE = 0.00008  # standard deviation of mark against last price: just under 1 bp


@dataclass(frozen=True)
class CandleArrays:
    """Candles of one symbol; every array has shape (candles,). Prices in quote, volume in base coins."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __len__(self) -> int:
        return len(self.close)


def to_grid(values: FloatArray, grid: Decimal) -> FloatArray:
    """`values` rounded to multiples of a power-of-ten `grid`, at least one grid step."""
    return np.asarray(np.round(np.maximum(values, float(grid)), decimals(grid)), dtype=np.float64)


def draw_candles(
    paths: Paths,
    specs: Mapping[str, SymbolSpec],
    candle_notional: Mapping[str, float],
    *,
    seed: int,
    zero_volume_share: float = 0.0,
) -> dict[str, CandleArrays]:
    """Candles of every coin of `paths`.

    High and low are drawn from the exact law of a Brownian bridge's extremes between open and close, at the
    candle's own volatility. In a candle nobody trades in (`zero_volume_share` of them) open = high = low =
    close = the last close and the volume is 0, as Binance sends it; the next traded candle makes up for the
    move.

    :param specs: by coin; prices lie on the tick, volumes on the step.
    :param candle_notional: typical volume per candle in quote, by coin.
    """
    return {
        coin: _coin_candles(
            paths.log_price[:, j],
            paths.volatility[:, j],
            specs[coin],
            candle_notional[coin],
            stream(seed, f"candles {coin}"),
            zero_volume_share,
        )
        for j, coin in enumerate(paths.coins)
    }


def _coin_candles(
    log_price: FloatArray,
    volatility: FloatArray,
    spec: SymbolSpec,
    notional: float,
    rng: np.random.Generator,
    zero_volume_share: float,
) -> CandleArrays:
    count, tick = len(volatility), spec.price_tick
    traded = rng.random(count) >= zero_volume_share
    uniforms = rng.uniform(np.finfo(float).tiny, 1.0, (2, count))
    activity = rng.standard_normal(count)
    # The last price anybody saw: closes of traded candles, carried over the others.
    last_traded = np.maximum.accumulate(np.where(traded, np.arange(1, count + 1), 0))
    shown = np.concatenate([[log_price[0]], log_price[last_traded]])
    first, last = shown[:-1], shown[1:]
    move = last - first
    reach = np.sqrt(move**2 - 2.0 * volatility**2 * np.log(uniforms))
    high, low = first + (move + reach[0]) / 2.0, first + (move - reach[1]) / 2.0
    open_, close = to_grid(np.exp(first), tick), to_grid(np.exp(last), tick)
    # Volume rises with the move, as real volume does.
    busy = np.minimum(np.abs(move) / volatility, _BUSIEST)
    volume = to_grid(notional * np.exp(0.4 * activity - 0.08) * (0.6 + 0.5 * busy) / close, spec.amount_step)
    return CandleArrays(
        open=open_,
        high=np.where(traded, np.maximum(to_grid(np.exp(high), tick), np.maximum(open_, close)), close),
        low=np.where(traded, np.minimum(to_grid(np.exp(low), tick), np.minimum(open_, close)), close),
        close=close,
        volume=np.where(traded, volume, 0.0),
    )


def mark_candles(candles: CandleArrays, rng: np.random.Generator) -> CandleArrays:
    """Mark price candles beside `candles`: within a few basis points, finer than the tick, no volume."""
    noise = np.exp(_MARK_NOISE * rng.standard_normal(len(candles) + 1))
    digits = np.maximum(0, 6 - np.floor(np.log10(candles.close)).astype(int))
    scale = 10.0**digits

    def fine(values: FloatArray) -> FloatArray:
        return np.asarray(np.round(values * scale) / scale)

    open_, close = fine(candles.open * noise[:-1]), fine(candles.close * noise[1:])
    return CandleArrays(
        open=open_,
        high=np.maximum(fine(candles.high), np.maximum(open_, close)),
        low=np.minimum(fine(candles.low), np.minimum(open_, close)),
        close=close,
        volume=np.zeros(len(candles)),
    )


def funding_series(
    first_ms: int, last_ms: int, rng: np.random.Generator
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], FloatArray]:
    """Funding stamps (epoch ms, every 8 hours from 00:00 UTC) in [first_ms, last_ms] and their rates.

    :return: (stamps, rates as fractions of notional per interval), persistent from one stamp to the next.
    """
    first = -(-first_ms // FUNDING_INTERVAL_MS) * FUNDING_INTERVAL_MS
    stamps = np.arange(first, last_ms + 1, FUNDING_INTERVAL_MS, dtype=np.int64)
    rates = np.empty(len(stamps))
    deviation = 0.0
    for i, draw in enumerate(rng.standard_normal(len(stamps)).tolist()):
        deviation = 0.8 * deviation + 0.6 * _FUNDING_SD * draw
        rates[i] = _FUNDING_MEAN + deviation
    return stamps, np.asarray(np.round(np.clip(rates, -_FUNDING_CAP, _FUNDING_CAP), 8), dtype=np.float64)
