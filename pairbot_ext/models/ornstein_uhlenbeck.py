"""Entry level that earns most per unit of time on an Ornstein–Uhlenbeck spread, after the pair's own cost.

dx = -θ·x·dt + η·dW, stationary σ = η/√(2θ). Entered at |x| = a and left at the mean, a round trip earns a -
c and takes, waiting for the next entry on either side included, (π/2θ)·erfi(a·√θ/η) on average: Bertram
2010, Physica A 389:2234, with the exit at 0 instead of at -a, because this bot leaves a pair that has
crossed its mean. (Entered on one side only the cycle takes exactly twice as long, so the best level is the
same.) With y = a·√θ/η = z/√2 and κ = c/(σ√2) the derivative of (a - c)/E[T] is zero where

    y - D(y) = κ,   D = Dawson's function,

which has one solution, since the left side rises from 0. It does not depend on θ: a slow spread takes its
time at every level. Bertram's own symmetric bands are the same equation with κ/2.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

from pydantic import Field

from pairbot_ext.model.thresholds import Thresholds
from pairbot_ext.models.protocol import DEFAULT_ROUND_TRIP_BP, Formation, RoundTripBp, SpreadModel

LEAST_ENTRY_Z = 0.1
"""Without costs the best level is 0: enter and leave without end."""


class OuThresholds(SpreadModel):
    """The formation's regression; entered where it earns most per hour after costs, left at the mean.

    Where the best level lies at or beyond `stop_z`, costs eat the spread and the pair is not entered.
    """

    kind: Literal["ou_thresholds"] = Field(default="ou_thresholds", description="names the model")
    round_trip_bp: RoundTripBp = Field(
        default=DEFAULT_ROUND_TRIP_BP,
        description="both fills' fees and the bid-ask spread of one leg, basis points of its notional",
    )

    def thresholds(self, own: Thresholds, formation: Formation) -> Thresholds | None:
        """Best entry, exit at 0; stop and time stop of the file."""
        cost = (1.0 + formation.beta) * self.round_trip_bp / 1e4
        entry = max(best_entry_z(cost / formation.sigma), LEAST_ENTRY_Z)
        return Thresholds(entry, 0.0, own.stop, own.max_half_lives) if entry < own.stop else None


def best_entry_z(cost_sigmas: float) -> float:
    """The z at which to enter.

    :param cost_sigmas: cost of a round trip over the spread's standard deviation, ≥ 0.
    """
    from scipy.optimize import brentq
    from scipy.special import dawsn

    kappa = cost_sigmas / sqrt(2.0)
    if kappa <= 0:
        return 0.0
    # y - D(y) = κ and 0 <= D < 0.55, so y lies between κ and κ + 0.55.
    return sqrt(2.0) * float(brentq(lambda y: y - dawsn(y) - kappa, kappa, kappa + 0.55, xtol=1e-13))
