"""z of the last few half-lives: the spread's mean and deviation over a window that scales with its half-life.

u = log A - α - β·log B with the formation's α and β; z_t = (u_t - mean_w) / s_w over the w candles that end
with t, w = `window_half_lives` half-lives. The z window of published baselines (24 hourly candles in Tadi &
Witzany 2025, Financial Innovation 11:40) is the same for every pair; a window of less than a few half-lives
follows the deviation it should measure, so here it is longer for slower pairs.
"""

from __future__ import annotations

from math import ceil
from typing import Literal

import numpy as np
from pydantic import Field

from pairbot_ext.models.protocol import Given, Lengths, ModelPath, Positive, SpreadModel
from pairbot_ext.stats.regression import MIN_STD
from pairbot_ext.stats.rolling import MIN_PRESENT_SHARE, windowed_moments

LEAST_CANDLES = 12


class HalfLifeWindow(SpreadModel):
    """The formation's hedge ratio; mean and deviation of the spread over the last few half-lives."""

    kind: Literal["half_life_window"] = Field(default="half_life_window", description="names the model")
    window_half_lives: Positive = Field(
        default=10.0, description="length of the window; 12 candles at least, the formation at most"
    )
    is_constant = False
    needs_half_life = True

    def path(self, given: Given) -> ModelPath:
        """NaN where a tenth of the window is missing, or its spread stands still."""
        model = given.frozen
        window = self.history_candles(
            Lengths(given.half_life_candles, given.window_candles, 0, given.candle_hours)
        )
        begin = max(given.first + 1 - window, 0)
        u = given.log_a[begin:] - model.alpha - model.beta * given.log_b[begin:]
        u = np.where(np.isfinite(u), u, np.nan)
        if u.size < window:
            count = mean = square = np.full(u.size, np.nan)
        else:
            count, (mean,), products = windowed_moments((u,), ((0, 0),), window)
            square = products[0, 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            sigma = np.sqrt(square / (count - 1))
            is_regular = (count >= MIN_PRESENT_SHARE * window) & (sigma >= MIN_STD)
        rows = slice(given.first - begin, None)
        mu, sigma = (np.where(is_regular, each, np.nan)[rows] for each in (mean, sigma))
        alpha, beta = (np.full(mu.size, each) for each in (model.alpha, model.beta))
        log_a, log_b = given.log_a[given.first :], given.log_b[given.first :]
        z = (log_a - alpha - beta * log_b - mu) / sigma
        return ModelPath(alpha, beta, mu, sigma, z, np.full(z.size, given.half_life_candles))

    def history_candles(self, lengths: Lengths) -> int:
        """The window."""
        wanted = max(ceil(self.window_half_lives * lengths.half_life_candles), LEAST_CANDLES)
        return max(min(wanted, lengths.formation_candles), LEAST_CANDLES)
