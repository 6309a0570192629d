"""What a backtest's fills leave out, as stated parameters: slippage, legging, stress.

All of it in basis points of N_A + N_B, so that pair trades of any size compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pairbot_ext.stats.arrays import FloatArray

FILLS = 2
"""Every unit of N_A + N_B is filled at the entry and at the exit."""
STRESS = 2.0


@dataclass(frozen=True)
class CostModel:
    """Costs beside fees and funding.

    :param slippage_bp: of one leg and fill: half the spread and the book's depth.
    :param legging_bp: of one leg and fill: what the price moves while the mate's order is on its way.
    """

    slippage_bp: float = 1.0
    legging_bp: float = 0.5

    def waterfall(self, trades: pd.DataFrame, factor: float = 1.0) -> pd.DataFrame:
        """Gross, fees, funding, slippage, legging and net of every pair trade, bp of N_A + N_B; costs are
        negative.

        :param trades: `Outcome.pair_trades`. :param factor: on everything but the prices and funding.
        """
        if trades.empty:
            return pd.DataFrame(
                columns=["gross", "fees", "funding", "slippage", "legging", "net"], dtype=float
            )
        per_bp = 1e4 / trades["notional"]
        parts = pd.DataFrame(
            {
                "gross": trades["gross"] * per_bp,
                "fees": -factor * trades["fees"] * per_bp,
                "funding": trades["funding"] * per_bp,
                "slippage": -factor * FILLS * self.slippage_bp,
                "legging": -factor * FILLS * self.legging_bp,
            }
        )
        return parts.assign(net=parts.sum(axis=1))


def net_bp(trades: pd.DataFrame, costs: CostModel, factor: float = 1.0) -> FloatArray:
    """Net of every pair trade, all costs included, bp of N_A + N_B. Shape (pair trades,)."""
    return costs.waterfall(trades, factor)["net"].to_numpy(np.float64)
