"""A Kalman filter over intercept and hedge ratio: both are random walks, and each candle corrects them.

log A_t = α_t + β_t·log B_t + ε_t,  ε ~ N(0, R);  (α, β)_t = (α, β)_{t-1} + η_t,  η ~ N(0, W)
(Kalman 1960, J. Basic Eng. 82:35; for pairs Elliott, van der Hoek & Malcolm 2005, Quant. Finance 5:271, and
Chan 2013, Algorithmic Trading, ch. 3). z is the innovation over its standard deviation: the state is the one
*predicted* for the candle, before the candle has corrected it.

Three choices are ours, because R and W are not identified by a few hundred candles:

- The filter begins at the end of the formation with the formation's α and β, R = σ² of its residual.
- W of the level makes the steady gain 1 / memory: a deviation that lasts much longer than `memory_half_lives`
  half-lives becomes the new level. W of β lets it drift by `beta_drift_per_week` of itself in a week.
- log B is counted from where it stood at the end of the formation, so that level and slope are nearly
  independent.

A missing candle widens the prediction and corrects nothing. An entry freezes α, β and σ, so a trade is hedged
and left by the numbers it was made with.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

import numpy as np
from pydantic import Field

from pairbot_ext.models.protocol import Given, Lengths, ModelPath, Positive, SpreadModel, no_path

HOURS_PER_WEEK = 168.0


class KalmanFilter(SpreadModel):
    """Intercept and hedge ratio as random walks, corrected by each candle; frozen while a trade is open."""

    kind: Literal["kalman"] = Field(default="kalman", description="names the model")
    memory_half_lives: Positive = Field(
        default=20.0, description="a deviation lasting longer becomes the new level"
    )
    beta_drift_per_week: Positive = Field(
        default=0.05, description="standard deviation of the hedge ratio's drift in a week, share of itself"
    )
    is_constant = keeps_beta = False
    needs_half_life = True

    def path(self, given: Given) -> ModelPath:
        """Nothing where the candles do not reach back to the end of the formation: there is no beginning."""
        log_a, log_b = given.log_a[given.first :], given.log_b[given.first :]
        known = np.flatnonzero(np.isfinite(log_b))
        if not given.is_whole or not known.size:
            return no_path(given)
        origin = float(log_b[known[0]])
        alpha, beta, sigma = self._filter(given, log_a, log_b, origin)
        z = (log_a - alpha - beta * log_b - 0.0) / sigma
        return ModelPath(alpha, beta, np.zeros(z.size), sigma, z, np.full(z.size, given.half_life_candles))

    def _filter(
        self, given: Given, log_a: np.ndarray, log_b: np.ndarray, origin: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(alpha, beta, standard deviation of the innovation) predicted for each candle. Shapes (m,)."""
        model = given.frozen
        noise = model.sigma**2
        memory = max(self.memory_half_lives * given.half_life_candles, 1.0)
        drift = (self.beta_drift_per_week * model.beta) ** 2
        w_level, w_beta = noise / memory**2, drift * given.candle_hours / HOURS_PER_WEEK
        level, beta = model.alpha + model.mu + model.beta * origin, model.beta
        p_level, p_cross, p_beta = noise / memory, 0.0, drift
        out = np.empty((3, log_a.size))
        for row, (a, b) in enumerate(zip(log_a.tolist(), (log_b - origin).tolist(), strict=True)):
            is_present = a - a == 0.0 and b - b == 0.0  # neither NaN nor infinite
            x = b if is_present else 0.0
            gain_level, gain_beta = p_level + x * p_cross, p_cross + x * p_beta
            variance = gain_level + x * gain_beta + noise
            out[:, row] = level - beta * origin, beta, sqrt(variance)
            # The first candle is the formation's last: it has been used.
            if row and is_present:
                error = (a - level - beta * x) / variance
                level, beta = level + gain_level * error, beta + gain_beta * error
                p_level -= gain_level * gain_level / variance
                p_cross -= gain_level * gain_beta / variance
                p_beta -= gain_beta * gain_beta / variance
            p_level, p_beta = p_level + w_level, p_beta + w_beta
        return out[0], out[1], out[2]

    def history_candles(self, lengths: Lengths) -> int:
        """Back to the end of the formation."""
        return lengths.epoch_candles + 1
