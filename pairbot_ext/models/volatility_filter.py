"""No entry while a leg moves unusually much: TA-Lib's STDDEV of its returns, now against its own usual.

STDDEV(r, `period_candles`) ≤ `max_ratio` · STDDEV(r, `reference_candles`) on both legs, r = steps of the log
close. A spread that is far from its mean because news moves one coin is another thing than one that has
drifted there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from pairbot_ext.models.protocol import Candles, Given, Lengths, ModelPath, Positive, SpreadModel, frozen_path
from pairbot_ext.models.returns import over_windows


class VolatilityFilter(SpreadModel):
    """The formation's regression; no entry while a leg is much more volatile than it usually is."""

    kind: Literal["volatility_filter"] = Field(default="volatility_filter", description="names the model")
    period_candles: Candles = Field(default=24, description="over which a leg's volatility is looked at now")
    reference_candles: Candles = Field(default=240, description="over which it is usual")
    max_ratio: Positive = Field(default=1.5, description="of the two, beyond which nothing is entered")

    def path(self, given: Given) -> ModelPath:
        """No entry where a volatility is not known."""
        import talib

        calm = np.ones(given.log_a.size - given.first, np.bool_)
        for leg in (given.log_a, given.log_b):
            now, usual = (
                over_windows([leg], given.first, window, talib.STDDEV)
                for window in (self.period_candles, self.reference_candles)
            )
            calm &= now <= self.max_ratio * usual
        return frozen_path(given, calm)

    def history_candles(self, lengths: Lengths) -> int:
        """The longer window and the close before it."""
        return max(self.period_candles, self.reference_candles) + 1
