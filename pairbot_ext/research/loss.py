"""What a hyperopt of pairs minimises: the week's net of pair trades under stress, less what chance explains.

Freqtrade's own losses look at legs: one of a pair nearly always loses, and the other one wins. Here the two
legs are one trade, its costs are a walk-forward's under stress (`costs`), weeks are the unit, and the best of
N tries without any edge is expected to be so many standard errors above 0 as Bailey & López de Prado (2014,
J. Portfolio Management 40:94) say. N is what the trial ledger has counted and the epochs to come.
"""

from __future__ import annotations

from datetime import datetime
from math import sqrt

import numpy as np
import pandas as pd

from pairbot_ext.research.costs import STRESS, CostModel, net_bp
from pairbot_ext.research.evidence import best_of_chance
from pairbot_ext.research.weeks import weekly_returns

TRIALS = "pairbot_trials"
"""Key of Freqtrade's configuration: how many configurations will have been tried when the hyperopt ends."""
WORST = 1_000.0
"""Where there is nothing to judge: Freqtrade takes no loss of 100 or more for a result."""


def pair_trades_of(results: pd.DataFrame) -> pd.DataFrame:
    """One row per pair trade in the order of opening, with the columns the cost model reads: opened, notional
    (N_A + N_B), gross, fees and funding, quote currency.

    :param results: Freqtrade's trades, one row per leg.
    """
    fees = results["amount"] * (
        results["open_rate"] * results["fee_open"] + results["close_rate"] * results["fee_close"]
    )
    legs = pd.DataFrame(
        {
            "pair_id": results["enter_tag"],
            "opened": results["open_date"],
            "notional": results["amount"] * results["open_rate"],
            "gross": results["profit_abs"] + fees - results["funding_fees"],
            "fees": fees,
            "funding": results["funding_fees"],
        }
    )
    return legs.groupby(["opened", "pair_id"], sort=True).sum().reset_index()


def weekly_stressed(
    trades: pd.DataFrame, begin: datetime, end: datetime, wallet: float, costs: CostModel
) -> pd.Series:
    """Net of each week under twice the costs, per cent of the starting wallet.

    :param trades: of `pair_trades_of`, or `Outcome.pair_trades`.
    """
    return 100.0 * weekly_returns(trades, net_bp(trades, costs, STRESS), begin, end, wallet)


def pairs_loss(
    results: pd.DataFrame,
    begin: datetime,
    end: datetime,
    wallet: float,
    trials: int,
    costs: CostModel | None = None,
) -> float:
    """Minus (mean week - what the best of `trials` shows by chance), per cent of the wallet and week; `WORST`
    without a pair trade or with fewer than two weeks. Below 0: more than chance explains.

    :param results: Freqtrade's trades, one row per leg. :param begin, end: of the candles traded.
    """
    if results.empty:
        return WORST
    weeks = weekly_stressed(pair_trades_of(results), begin, end, wallet, costs or CostModel()).to_numpy()
    if weeks.size < 2:
        return WORST
    error = float(np.std(weeks, ddof=1)) / sqrt(weeks.size)
    # A wallet lost several times over in a week is no better than nothing, and no result.
    return float(min(best_of_chance(trials) * error - weeks.mean(), WORST))
