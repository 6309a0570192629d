"""The loss of a hyperopt of pairs, as Freqtrade asks for it. What lies in a hyperopts folder inherits it."""

from datetime import datetime
from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from pairbot_ext.research.loss import TRIALS, pairs_loss


class PairsHyperOptLoss(IHyperOptLoss):
    """The week's net of whole pair trades at twice the costs, less what the best of all tries so far shows by
    chance. Per cent of the wallet and week; below 0 is more than chance."""

    @staticmethod
    def hyperopt_loss_function(
        *,
        results: DataFrame,
        min_date: datetime,
        max_date: datetime,
        config: dict[str, Any],
        starting_balance: float,
        **kwargs: Any,  # noqa: ARG004 - Freqtrade fixes the signature
    ) -> float:
        """Less is better. `results` has one row per leg, as a backtest makes them."""
        trials = int(config.get(TRIALS) or config.get("epochs") or 1)
        return pairs_loss(results, min_date, max_date, starting_balance, trials)
