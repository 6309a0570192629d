"""Ordinary least squares of log A on a constant and log B over a rolling window that ends with each candle.

z = (log A - α_t - β_t·log B) / σ_t. The candle itself is in its window, and σ_t is the window's residual
standard deviation with n - 2 degrees of freedom.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from pairbot_ext.models.protocol import Candles, Given, Lengths, ModelPath, SpreadModel
from pairbot_ext.stats.rolling import rolling_models


class RollingOls(SpreadModel):
    """Regression with an intercept on a window that ends with each candle."""

    kind: Literal["rolling_ols"] = Field(default="rolling_ols", description="names the model")
    window_candles: Candles | None = Field(
        default=None, description="length of the window; left out: the formation's"
    )
    is_constant = keeps_beta = False

    def path(self, given: Given) -> ModelPath:
        """See `stats.rolling`: what a row says depends on its own window alone, bit for bit."""
        window = self.window_candles or given.window_candles
        begin = max(given.first + 1 - window, 0)
        rolling = rolling_models(given.log_a[begin:], given.log_b[begin:], window)
        alpha, beta, sigma, z, half_life = (
            values[given.first - begin :]
            for values in (rolling.alpha, rolling.beta, rolling.sigma, rolling.z, rolling.half_life_candles)
        )
        return ModelPath(alpha, beta, np.zeros(z.size), sigma, z, half_life)

    def history_candles(self, lengths: Lengths) -> int:
        """The window."""
        return self.window_candles or lengths.formation_candles
