"""Pure statistics of pairs: numpy and pandas only, nothing of Freqtrade.

statsmodels is imported inside the functions that need it, so a strategy may import these modules in an
installation that lacks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pairbot_ext.support.lazy import exports

if TYPE_CHECKING:
    from pairbot_ext.stats.candles import missing_candles as missing_candles
    from pairbot_ext.stats.engine import scan_pairs as scan_pairs
    from pairbot_ext.stats.multiplicity import q_values as q_values
    from pairbot_ext.stats.regression import fit_spread_model as fit_spread_model
    from pairbot_ext.stats.regression import spread as spread
    from pairbot_ext.stats.regression import zscore as zscore
    from pairbot_ext.stats.reversion import half_life as half_life
    from pairbot_ext.stats.robust import robust_test as robust_test
    from pairbot_ext.stats.rolling import rolling_models as rolling_models

__getattr__, __all__ = exports(
    __name__,
    {
        "fit_spread_model": "regression",
        "half_life": "reversion",
        "missing_candles": "candles",
        "q_values": "multiplicity",
        "robust_test": "robust",
        "rolling_models": "rolling",
        "scan_pairs": "engine",
        "spread": "regression",
        "zscore": "regression",
    },
)
