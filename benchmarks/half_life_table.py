"""Simulate the quantiles behind the half-life interval of ``pairbot_ext.stats.reversion``.

For a true reversion c = n * ln2 / HL (n = number of steps, HL in candles) the estimate
c_hat = n * ln2 / HL_hat has a distribution that depends on c only, as long as HL is well above a candle.
This prints, per c, the 5 % and 95 % quantiles of c_hat less the first-order normal quantile c + z sqrt(2c),
for an observed series and for the residual of a regression on an independent random walk that was fitted on
the same candles (Engle-Granger). The result is committed in ``half_life.py``.

Run: ``python benchmarks/half_life_table.py [--draws 40000] [--steps 2000]`` (about five minutes on one core).
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import norm

C_GRID = (0.0, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
LEVELS = (0.05, 0.95)


def estimates(c: float, draws: int, steps: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """c_hat of ``draws`` AR(1) paths: (observed series, Engle-Granger residual), each of shape (draws,)."""
    rho = np.exp(-c / steps)
    u = rng.standard_normal(draws) / np.sqrt(1.0 - rho**2) if c > 0 else np.zeros(draws)
    b = np.zeros(draws)
    n_series = 2
    sums = np.zeros((n_series, draws))
    step_sums = np.zeros((n_series, draws))
    level_level = np.zeros((n_series, n_series, draws))
    level_step = np.zeros((n_series, n_series, draws))
    for _ in range(steps):
        next_u = rho * u + rng.standard_normal(draws)
        next_b = b + rng.standard_normal(draws)
        levels, changes = (u, b), (next_u - u, next_b - b)
        for i in range(n_series):
            sums[i] += levels[i]
            step_sums[i] += changes[i]
            for j in range(n_series):
                level_level[i, j] += levels[i] * levels[j]
                level_step[i, j] += levels[i] * changes[j]
        u, b = next_u, next_b
    # The regression of u on b uses all steps + 1 values, the AR(1) regression the first `steps` as lags.
    all_sums = (sums[0] + u, sums[1] + b)
    count = steps + 1
    s_bb = level_level[1, 1] + b * b - all_sums[1] ** 2 / count
    s_ub = level_level[0, 1] + u * b - all_sums[0] * all_sums[1] / count
    out = []
    for gamma in (np.zeros(draws), s_ub / s_bb):

        def centred(products: np.ndarray, right: np.ndarray, gamma: np.ndarray = gamma) -> np.ndarray:
            m = products - sums[:, None] * right[None, :] / steps
            return m[0, 0] - gamma * (m[0, 1] + m[1, 0]) + gamma**2 * m[1, 1]

        slope = centred(level_step, step_sums) / centred(level_level, sums)
        out.append(-steps * np.log1p(np.maximum(slope, -0.999)))
    return out[0], out[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40_000)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=20260201)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    for c in C_GRID:
        # The discrete series has a slightly wider distribution than its continuous limit; the formula in
        # half_life.py carries that factor, so it is taken out here with the same formula.
        scale = np.sqrt(args.steps * np.expm1(2.0 * c / args.steps))
        row = [
            np.quantile(e, level) - c - norm.ppf(level) * scale
            for e in estimates(c, args.draws, args.steps, rng)
            for level in LEVELS
        ]
        print(f"({c}, " + ", ".join(f"{value:.3f}" for value in row) + "),", flush=True)


if __name__ == "__main__":
    main()
