"""What a backtest's fills leave out, as stated parameters: slippage, legging, stress.

All of it in basis points of N_A + N_B, so that pair trades of any size compare.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.support.errors import DataError

FILLS = 2
"""Every unit of N_A + N_B is filled at the entry and at the exit."""
STRESS = 2.0


@dataclass(frozen=True)
class CostModel:
    """Costs beside fees and funding.

    :param slippage_bp: of one leg and fill: half the spread and the book's depth.
    :param legging_bp: of one leg and fill: what the price moves while the mate's order is on its way.
    :param replayed: pair trades it was measured on; 0 where it is assumed.
    """

    slippage_bp: float = 1.0
    legging_bp: float = 0.5
    replayed: int = 0

    @classmethod
    def measured(cls, path: Path, slippage_bp: float) -> CostModel:
        """With the mean cost of legging that `pairbot replay --legging` wrote.

        :raises DataError: no such document, or it holds no pair trade.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            cost = document["cost_bp"]
            count, mean = int(cost["count"]), float(cost.get("mean", 0.0))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is no cost of legging: {type(error).__name__} {error}",
                remedy="Make one with `pairbot replay --legging FILE`",
            ) from error
        if count == 0:
            raise DataError(
                f"{path} holds no pair trade, so it says nothing of legging",
                value=f"replayed {document.get('from')} to {document.get('to')}",
                remedy="Replay a longer time, or assume a cost with --legging-bp",
            )
        return cls(slippage_bp, mean / FILLS, count)

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
