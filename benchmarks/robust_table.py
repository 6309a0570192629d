"""Simulate the null distribution behind ``pairbot_ext.stats.robust`` and fit its response surface.

Null: independent random walks with iid normal steps. Statistic: the weaker (larger) of the two directions'
volatility-weighted ADF t. For each sample length the probability is fitted on the normal-score scale,
Phi^-1(P(statistic <= t)) = c0 + c1 t + c2 t², as MacKinnon (1994) fits his; the coefficients are committed
in ``robust.py``. The tail beyond the simulation's reach (about 3e-5) is the polynomial's extrapolation.

Run: ``python benchmarks/robust_table.py [--pairs 200000]`` (a quarter of an hour on one core).
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm

from pairbot_ext.stats.robust import robust_test

SAMPLE_LENGTHS = (360, 720, 1440, 2880)
SERIES = 40
# All pairs of a universe are evaluated in the first part of the universes; in the others only those whose
# cheap unweighted statistic leaves a chance of a small weighted one.
FULL_SHARE = 0.2
TAIL_FROM = -2.2
# Probabilities at which the polynomial is fitted.
FIT_BODY = np.geomspace(0.03, 0.3, 8)
FIT_TAIL = np.geomspace(5e-5, 0.02, 16)


def unweighted(levels: np.ndarray) -> np.ndarray:
    """Weaker of both directions' Dickey-Fuller t without lags, all pairs, shape (N, N)."""
    x = levels - levels.mean(axis=0)
    steps = np.diff(x, axis=0)
    covariance, step_products = x.T @ x, steps.T @ steps
    beta = covariance / np.diag(covariance)
    own = np.diag(step_products)
    first, last = (x[t][:, None] - beta * x[t] for t in (0, -1))
    squares = own[:, None] - 2 * beta * step_products + beta**2 * own
    level = np.diag(covariance)[:, None] - beta * covariance - last**2
    cross = (last**2 - first**2 - squares) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        t = cross / np.sqrt(level * (squares - cross**2 / level) / (len(steps) - 1))
    return np.maximum(t, t.T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=20260202)
    parser.add_argument("--lengths", type=int, nargs="+", default=SAMPLE_LENGTHS)
    args = parser.parse_args()
    per_universe = SERIES * (SERIES - 1) // 2
    universes = -(-args.pairs // per_universe)
    for length in args.lengths:
        rng = np.random.default_rng([args.seed, length])
        body: list[float] = []
        tail: list[float] = []
        for number in range(universes):
            x = np.cumsum(rng.standard_normal((length, SERIES)), axis=0)
            cheap = unweighted(x)
            full = number < FULL_SHARE * universes
            for i, j in zip(*np.triu_indices(SERIES, 1), strict=True):
                if full or cheap[i, j] < TAIL_FROM:
                    t = robust_test(x[:, i], x[:, j]).t
                    tail.append(t)
                    if full:
                        body.append(t)
        body_sorted, tail_sorted = np.sort(body), np.sort(tail)
        n_tail = universes * per_universe
        points = [(q, np.quantile(body_sorted, q), body_sorted.size) for q in FIT_BODY]
        points += [(q, tail_sorted[round(q * n_tail)], n_tail) for q in FIT_TAIL]
        q, t, n = np.array(points).T
        score = ndtri(q)
        # Inverse standard error of an empirical quantile's normal score.
        precision = norm.pdf(score) / np.sqrt(q * (1.0 - q) / n)
        c2, c1, c0 = np.polyfit(t, score, 2, w=precision)
        print(f"    {length}: ({c0:.5f}, {c1:.5f}, {c2:.5f}),  # {n_tail} pairs")
        for quantile, statistic, misfit in zip(q, t, c0 + t * (c1 + t * c2) - score, strict=True):
            print(f"    #   p {quantile:.2e}: t {statistic:.3f}, fitted score {misfit:+.3f}", flush=True)


if __name__ == "__main__":
    main()
