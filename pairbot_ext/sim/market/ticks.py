"""The seeded wandering of a price between the knots of its candle: a Brownian bridge on each straight line.

A candle says how far its price went, not how. Straight lines between open, extremes and close make a price
that never turns; here each line becomes a bridge whose volatility is the candle's own, so that a stop, a
spread or a best bid sees the ups and downs it would see on a market. The knots stay where they are and no
price leaves the candle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from zlib import crc32

import numpy as np

from pairbot_ext.sim.market.paths import FloatArray

_FINEST_MS = 250
_MOST_TURNS = 4096
# The mean range of a Brownian motion is 1.6 of its standard deviation (Feller 1951, Parkinson 1980).
_RANGE_PER_DEVIATION = 1.596


@dataclass(frozen=True)
class TickPath:
    """Paths of one symbol. Last and mark price share one, so that they wander together.

    :param seed: of the market. :param name: Binance id; each symbol draws from a stream of its own.
    """

    seed: int
    name: str

    def vertices(
        self, open_ms: int, candle_ms: int, times: Sequence[float], knots: Sequence[float]
    ) -> tuple[FloatArray, FloatArray]:
        """Where the path of one candle turns, as (shares of its time, prices); straight lines in between.

        :param open_ms: the candle's opening, epoch ms; the same candle always has the same path.
        :param times: shares of the candle's time at which it is at `knots`, from 0 to 1.
        """
        low, high = min(knots), max(knots)
        rng = np.random.default_rng([self.seed, crc32(self.name.encode()), open_ms])
        turns = min(_MOST_TURNS, max(1, candle_ms // _FINEST_MS))
        shares, prices = [np.array([times[0]])], [np.array([knots[0]])]
        for start, end, first, last in zip(times, times[1:], knots, knots[1:], strict=False):
            steps = max(1, round((end - start) * turns))
            walk = np.cumsum(rng.standard_normal(steps)) / sqrt(steps)
            along = np.arange(1, steps + 1) / steps
            bridge = walk - along * walk[-1]
            deviation = (high - low) / _RANGE_PER_DEVIATION * sqrt(end - start)
            shares.append(start + along * (end - start))
            prices.append(_folded(first + along * (last - first) + deviation * bridge, low, high))
        found = np.concatenate(prices)
        found[-1] = knots[-1]
        return np.concatenate(shares), found


def _folded(prices: FloatArray, low: float, high: float) -> FloatArray:
    """`prices` reflected at the candle's extremes until they lie between them."""
    if high <= low:
        return np.full_like(prices, low)
    width = high - low
    return np.asarray(low + width - np.abs((prices - low) % (2 * width) - width))
