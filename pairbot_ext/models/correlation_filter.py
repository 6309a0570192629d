"""No entry while the legs do not move together: TA-Lib's CORREL of their returns.

CORREL(r_A, r_B, `period_candles`) ≥ `min_correlation`, r = steps of the log close. Two coins that have
stopped moving together are a weak reason to expect that their spread comes back.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pairbot_ext.models.protocol import Candles, Given, Lengths, ModelPath, SpreadModel, frozen_path
from pairbot_ext.models.returns import over_windows


class CorrelationFilter(SpreadModel):
    """The formation's regression; no entry while the legs' returns are hardly correlated."""

    kind: Literal["correlation_filter"] = Field(default="correlation_filter", description="names the model")
    period_candles: Candles = Field(default=168, description="over which returns are correlated")
    min_correlation: Annotated[float, Field(strict=True, ge=-1, le=1)] = Field(
        default=0.6, description="below which nothing is entered"
    )

    def path(self, given: Given) -> ModelPath:
        """No entry where the correlation is not known."""
        import talib

        both = over_windows([given.log_a, given.log_b], given.first, self.period_candles, talib.CORREL)
        return frozen_path(given, both >= self.min_correlation)

    def history_candles(self, lengths: Lengths) -> int:
        """The window and the close before it."""
        return self.period_candles + 1
