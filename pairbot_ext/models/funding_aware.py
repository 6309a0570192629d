"""Entered only where the expected edge is left after costs and after the funding both legs are likely to pay.

edge = (|z| - exit)·σ - (1 + β)·round trip - d·(f_A - β·f_B)·hours > 0 per unit of leg A's notional, with d =
+1 for a long spread (long A pays f_A, short B receives f_B) and -1 for a short one, f the mean funding rate
per hour over the last `window_hours`, and hours = `hold_half_lives` half-lives. That the recent mean goes on
is the assumption. Rates are settled every 1, 4 or 8 hours; the last one counted is that of the candle's
open, which is surely known when the candle closes.
"""

from __future__ import annotations

from math import ceil
from typing import Literal

import numpy as np
from pydantic import Field

from pairbot_ext.models.protocol import (
    DEFAULT_ROUND_TRIP_BP,
    Given,
    Lengths,
    ModelPath,
    Positive,
    RoundTripBp,
    SpreadModel,
    frozen_path,
)
from pairbot_ext.stats.arrays import FloatArray


class FundingAware(SpreadModel):
    """The formation's regression; no entry whose edge the funding of both legs is likely to eat."""

    kind: Literal["funding_aware"] = Field(default="funding_aware", description="names the model")
    window_hours: Positive = Field(default=72.0, description="over which funding rates are averaged")
    hold_half_lives: Positive = Field(default=2.0, description="for how long funding is counted")
    round_trip_bp: RoundTripBp = Field(
        default=DEFAULT_ROUND_TRIP_BP,
        description="both fills' fees and the bid-ask spread of one leg, basis points of its notional",
    )
    needs_half_life = True
    needs_funding = True

    def path(self, given: Given) -> ModelPath:
        """No entry where a leg's funding is not known."""
        path, model = frozen_path(given), given.frozen
        if given.funding_a is None or given.funding_b is None:
            return frozen_path(given, np.zeros(path.z.size, np.bool_))
        window = self._window(given.candle_hours)
        rate_a, rate_b = (
            _sums(each, given.first, window) / (window * given.candle_hours)
            for each in (given.funding_a, given.funding_b)
        )
        hours = self.hold_half_lives * given.half_life_candles * given.candle_hours
        paid = -np.sign(path.z) * (rate_a - model.beta * rate_b) * hours
        cost = (1.0 + model.beta) * self.round_trip_bp / 1e4
        edge = (np.abs(path.z) - given.thresholds.exit) * model.sigma - cost - paid
        return frozen_path(given, edge > 0)

    def history_candles(self, lengths: Lengths) -> int:
        """The window over which rates are averaged."""
        return self._window(lengths.candle_hours)

    def _window(self, candle_hours: float) -> int:
        return max(ceil(self.window_hours / candle_hours), 1)


def _sums(values: FloatArray, first: int, window: int) -> FloatArray:
    """Of the `window` rows that end with each row from `first` on; NaN where they begin before row 0."""
    padded = np.concatenate([np.full(window - 1, np.nan), values])[first:]
    return np.lib.stride_tricks.sliding_window_view(padded, window).sum(axis=1)
