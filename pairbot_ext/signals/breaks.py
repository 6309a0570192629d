"""Whether a pair's relation still holds: half-life, hedge ratio and a unit-root test on the last candles.

Pure, numpy only. All of it uses the model the pair trade was entered with: u = log A - alpha - beta * log B
is then an *observed* series, not the residual of a regression on the same candles, so the plain Dickey-Fuller
distribution is the right one (Engle & Granger's correction is for estimated residuals).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pairbot_ext.model.findings import Blind, Reading, Rule, Verdict, above
from pairbot_ext.model.plan import EntryModel
from pairbot_ext.settings.risk import BreakStop
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.regression import MIN_STD
from pairbot_ext.stats.rolling import MIN_PRESENT_SHARE, half_life_from_slope

# MacKinnon (2010), Critical Values for Cointegration Tests, Queen's Economics Department WP 1227, table 2,
# one series, constant, no trend: critical t = b0 + b1/n + b2/n^2 (+ b3/n^3). Key: level, per cent.
_CRITICAL = {
    1: (-3.43035, -6.5393, -16.786, -79.433),
    5: (-2.86154, -2.8903, -4.234, -40.040),
    10: (-2.56677, -1.5384, -2.809, 0.0),
}

MIN_CANDLES = 30


@dataclass(frozen=True)
class PairHealth:
    """The relation of one pair on one window of candles.

    :ivar candles: present on both legs.
    :ivar half_life_candles: of u, AR(1) with a constant; `inf`: it does not revert.
    :ivar beta: of log A on a constant and log B.
    :ivar t: of the lagged level in the Dickey-Fuller regression with a constant and one lag; the more
        negative, the surer that u reverts.
    """

    candles: int
    half_life_candles: float
    beta: float
    t: float


def critical_t(level_percent: int, n: int) -> float:
    """The t above which "u is a random walk" cannot be rejected at this level (1, 5 or 10 %)."""
    return float(sum(b / n**power for power, b in enumerate(_CRITICAL[level_percent])))


def pair_health(log_a: FloatArray, log_b: FloatArray, model: EntryModel) -> PairHealth | None:
    """Half-life, hedge ratio and test of a pair on the given candles; None where they are too gappy or still.

    :param log_a: log closes of leg A, shape (n,), NaN where a candle is missing.
    :param log_b: of leg B on the same candles, shape (n,).
    """
    present = np.isfinite(log_a) & np.isfinite(log_b)
    count = int(present.sum())
    if count < max(MIN_PRESENT_SHARE * present.size, MIN_CANDLES):
        return None
    u = log_a - model.alpha - model.beta * log_b - model.mu
    level, step = u[:-1], u[1:] - u[:-1]
    is_whole = count == present.size
    seen_a, seen_b, seen_u = (each if is_whole else each[present] for each in (log_a, log_b, u))
    b = seen_b - seen_b.mean()
    spread_b = float(b @ b)
    if spread_b < MIN_STD**2 * count or float(np.var(seen_u)) < MIN_STD**2:
        return None
    # Steps over a gap are left out: they are several candles long.
    ok = np.isfinite(step)
    with_lag = ok[1:] & ok[:-1]
    slope, _ = _regress(step[ok], level[ok], None)
    _, t = _regress(step[1:][with_lag], level[1:][with_lag], step[:-1][with_lag])
    return PairHealth(
        candles=count,
        half_life_candles=float(half_life_from_slope(np.array([slope]))[0]),
        beta=float(b @ seen_a) / spread_b,
        t=t,
    )


def _regress(y: FloatArray, level: FloatArray, lag: FloatArray | None) -> tuple[float, float]:
    """Coefficient and t of `level` in the regression of y on a constant, `level` and, if given, `lag`."""
    y, x = y - y.mean(), level - level.mean()
    parameters = 2
    if lag is not None:
        # Frisch-Waugh: take the lag out of both, then regress the rest.
        w = lag - lag.mean()
        ww = float(w @ w)
        y, x = y - w * (float(w @ y) / ww), x - w * (float(w @ x) / ww)
        parameters = 3
    xx = float(x @ x)
    slope = float(x @ y) / xx
    rest = y - slope * x
    variance = float(rest @ rest) / (y.size - parameters)
    return slope, slope / math.sqrt(variance / xx) if variance > 0 else -math.inf


_NO_HEALTH = "too many candles are missing, or a price stands still"

TEST_HALF_LIVES = 45.0
"""With fewer half-lives of candles the unit-root test takes a healthy pair for a broken one too often:
1 in 6 trades at 30 half-lives, 1 in 100 at 45 (benchmarks/study_stops.py)."""
HALF_LIFE_HALF_LIVES = 30.0
"""With fewer half-lives of candles the estimated half-life says too little."""


def break_verdict(
    settings: BreakStop | None, health: PairHealth | None, half_life_candles: float, beta: float
) -> Verdict:
    """Whether a pair's relation has broken.

    :param half_life_candles: of the model at entry; where it is not finite only the hedge ratio is judged.
    :param beta: of the model at entry.
    """
    if settings is None:
        return None
    if health is None:
        return Blind(Rule.BREAK_TEST, f"the relation of the legs ({_NO_HEALTH})")
    seen = health.candles / half_life_candles if math.isfinite(half_life_candles) else 0.0
    if seen >= HALF_LIFE_HALF_LIVES * 0.9 and settings.max_half_life_ratio is not None:
        verdict = above(
            Rule.BREAK_HALF_LIFE,
            health.half_life_candles,
            settings.max_half_life_ratio * half_life_candles,
            "candles",
            f"half-life on the last {health.candles} candles",
        )
        if verdict is not None:
            return verdict
    drift = 100.0 * abs(health.beta / beta - 1.0)
    verdict = above(
        Rule.BREAK_BETA,
        drift,
        settings.max_beta_drift_percent,
        "%",
        f"hedge ratio {health.beta:.3f} on the last {health.candles} candles, {beta:.3f} at entry: drift",
    )
    # Nine tenths: some candles are always missing on thin markets.
    if verdict is None and settings.test_level_percent is not None and seen >= TEST_HALF_LIVES * 0.9:
        verdict = above(
            Rule.BREAK_TEST,
            health.t,
            critical_t(settings.test_level_percent, health.candles),
            "",
            f"Dickey-Fuller t at the {settings.test_level_percent} % level on the last "
            f"{health.candles} candles",
        )
    return verdict


def break_readings(
    settings: BreakStop | None, health: PairHealth | None, half_life_candles: float, beta: float, pair_id: str
) -> list[Reading]:
    """The three break rules of one pair, for display."""
    if settings is None:
        return [
            Reading(rule, None, None, "", pair_id, "break_stop is switched off")
            for rule in (Rule.BREAK_HALF_LIFE, Rule.BREAK_BETA, Rule.BREAK_TEST)
        ]
    ratio, level = settings.max_half_life_ratio, settings.test_level_percent
    has_half_life = math.isfinite(half_life_candles)
    most = ratio * half_life_candles if ratio is not None and has_half_life else None
    candles = 0 if health is None else health.candles
    note = _NO_HEALTH if health is None else f"{candles} candles"
    return [
        Reading(
            Rule.BREAK_HALF_LIFE,
            None if health is None else health.half_life_candles,
            most,
            "candles",
            pair_id,
            note,
        ),
        Reading(
            Rule.BREAK_BETA,
            None if health is None else 100.0 * abs(health.beta / beta - 1.0),
            settings.max_beta_drift_percent,
            "%",
            pair_id,
            note,
        ),
        Reading(
            Rule.BREAK_TEST,
            None if health is None else health.t,
            None if level is None or health is None else critical_t(level, candles),
            "t",
            pair_id,
            note,
        ),
    ]
