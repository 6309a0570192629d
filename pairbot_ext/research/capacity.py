"""How large pair trades could be before they are a noticeable part of the market they were filled in."""

from __future__ import annotations

import numpy as np

from pairbot_ext.research.outcome import ClosedLeg, Outcome
from pairbot_ext.stats.arrays import FloatArray

VOLUME_SHARE = 0.01
"""Of what was traded in the candle of a fill."""


def capacities(outcome: Outcome) -> FloatArray:
    """N_A + N_B at which the thinnest fill of each pair trade is `VOLUME_SHARE` of its candle.

    :return: quote currency, shape (pair trades,), in the order of opening.
    """
    pairs: dict[tuple[int, str], list[ClosedLeg]] = {}
    for leg in outcome.legs:
        pairs.setdefault((leg.opened, leg.pair_id), []).append(leg)
    traded = {leg.symbol: _traded(outcome, leg.symbol) for leg in outcome.legs}
    found = []
    for _, legs in sorted(pairs.items(), key=lambda item: item[0]):
        whole = sum(leg.notional for leg in legs)
        fills = [traded[leg.symbol][row] / leg.notional for leg in legs for row in (leg.opened, leg.closed)]
        found.append(VOLUME_SHARE * whole * min(fills))
    return np.array(found, np.float64)


def _traded(outcome: Outcome, symbol: str) -> FloatArray:
    """Quote volume of each row of the grid; 0 where there is no candle."""
    market = outcome.market
    frame = market.frames[symbol]
    volume = np.zeros(market.grid.size)
    rows = ((frame["date"] - market.grid.start) // market.grid.step).to_numpy(np.int64)
    volume[rows] = frame["volume"].to_numpy(np.float64) * frame["close"].to_numpy(np.float64)
    return volume
