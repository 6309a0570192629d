"""Pure statistics of pairs: numpy and pandas only, nothing of Freqtrade.

statsmodels is imported inside the functions that need it, so a strategy may import these modules in an
installation that lacks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pairbot_ext.stats.engine import scan_pairs

__all__ = ["scan_pairs"]


def __getattr__(name: str) -> Any:
    """``from pairbot_ext.stats import scan_pairs`` without importing the engine for those who need only z."""
    if name == "scan_pairs":
        from pairbot_ext.stats.engine import scan_pairs

        return scan_pairs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
