"""The loss of a hyperopt of pairs (docs/hyperopt.md): `--hyperopt-loss PairsHyperOptLoss`."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

# As in the strategy: `freqtrade` does not put the working directory on sys.path.
if (_ROOT := str(Path(__file__).resolve().parents[2])) not in sys.path:
    sys.path.append(_ROOT)

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
        **kwargs: Any,
    ) -> float:
        trials = int(config.get(TRIALS) or config.get("epochs") or 1)
        return pairs_loss(results, min_date, max_date, starting_balance, trials)
