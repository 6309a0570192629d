"""The research bench: a simulator equal to Freqtrade's backtesting, and what it says of a pair selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pairbot_ext.support.lazy import exports

if TYPE_CHECKING:
    from pairbot_ext.research.account import Terms as Terms
    from pairbot_ext.research.costs import CostModel as CostModel
    from pairbot_ext.research.notebook import Backtest as Backtest
    from pairbot_ext.research.notebook import Study as Study
    from pairbot_ext.research.notebook import backtest as backtest
    from pairbot_ext.research.notebook import study as study

__getattr__, __all__ = exports(
    __name__,
    {
        "Backtest": "notebook",
        "CostModel": "costs",
        "Study": "notebook",
        "Terms": "account",
        "backtest": "notebook",
        "study": "notebook",
    },
)
