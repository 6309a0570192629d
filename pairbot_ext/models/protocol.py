"""What a model is given, what it answers, and what every variant promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pairbot_ext.model.thresholds import Thresholds
from pairbot_ext.stats.arrays import BoolArray, FloatArray

Positive = Annotated[float, Field(strict=True, gt=0, le=1e6, allow_inf_nan=False)]
Candles = Annotated[int, Field(strict=True, ge=4, le=2_494)]
RoundTripBp = Annotated[float, Field(strict=True, ge=0, le=1_000, allow_inf_nan=False)]
DEFAULT_ROUND_TRIP_BP = 12.0
"""Two fills at 5 bp and a spread of 2 bp: the defaults of `taker_fee_bp` and `spread_bp`."""


@dataclass(frozen=True)
class Formation:
    """log A = alpha + beta·log B + u on the formation; mu and sigma are u's mean and standard deviation."""

    alpha: float
    beta: float
    mu: float
    sigma: float


@dataclass(frozen=True)
class Lengths:
    """What a model's memory may scale with.

    :param epoch_candles: from the end of the formation to the end of the epoch.
    """

    half_life_candles: float
    formation_candles: int
    epoch_candles: int
    candle_hours: float


@dataclass(frozen=True)
class Given:
    """What a model may know of one pair of one epoch. Arrays have shape (n,), NaN where a candle is missing.

    Row t of an answer may depend on rows up to t only.

    :param first: row from which on the model is asked.
    :param log_a, log_b: log closes of the legs.
    :param formation: None where the pairs file carries no model.
    :param half_life_candles: of the pairs file; NaN where it says none.
    :param thresholds: of the pairs file.
    :param window_candles: length of the formation, or the settings' rolling window where there is none.
    :param candle_hours: length of a candle.
    :param is_whole: whether the rows reach back to the last candle of the formation.
    :param funding_a, funding_b: sum of the funding rates that were settled since the candle before opened,
        up to this candle's open: known with certainty when it closes. NaN where unknown. None: not read.
    """

    first: int
    log_a: FloatArray
    log_b: FloatArray
    formation: Formation | None
    half_life_candles: float
    thresholds: Thresholds
    window_candles: int
    candle_hours: float
    is_whole: bool = True
    funding_a: FloatArray | None = None
    funding_b: FloatArray | None = None

    @property
    def frozen(self) -> Formation:
        """The formation's model. Only asked by variants that the pairs file gives to no pair without one."""
        assert self.formation is not None
        return self.formation


@dataclass(frozen=True)
class ModelPath:
    """A model on the rows from `Given.first` on. Shapes (m,); NaN where it says nothing.

    z = (log A - alpha - beta·log B - mu) / sigma, of which an entry freezes the four numbers.

    :param may_enter: where the model does not veto an entry; None: nowhere does it.
    """

    alpha: FloatArray
    beta: FloatArray
    mu: FloatArray
    sigma: FloatArray
    z: FloatArray
    half_life_candles: FloatArray
    may_enter: BoolArray | None = None


class SpreadModel(BaseModel):
    """One variant with its parameters, as the pairs file names it (`kind`).

    :cvar is_constant: alpha, beta, mu and sigma are the formation's on all candles.
    :cvar keeps_beta: the hedge ratio is the formation's.
    :cvar needs_half_life: a pair without `half_life_hours` cannot have it.
    :cvar needs_funding: it reads funding rates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    is_constant: ClassVar[bool] = True
    keeps_beta: ClassVar[bool] = True
    needs_half_life: ClassVar[bool] = False
    needs_funding: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Its `kind`."""
        return str(getattr(self, "kind"))  # noqa: B009  # declared by each variant, with its own literal

    def path(self, given: Given) -> ModelPath:
        """alpha, beta, mu, sigma and z on each candle."""
        return frozen_path(given)

    def thresholds(self, own: Thresholds, formation: Formation) -> Thresholds | None:
        """Levels of |z|; None where none of them is worth its cost, so that the pair is not entered.

        :param own: of the pairs file.
        """
        return own

    def history_candles(self, lengths: Lengths) -> int:
        """How many candles a decision looks back on, its own included."""
        return 1


def frozen_path(given: Given, may_enter: BoolArray | None = None) -> ModelPath:
    """The formation's numbers on every candle."""
    model = given.frozen
    log_a, log_b = given.log_a[given.first :], given.log_b[given.first :]
    alpha, beta, mu, sigma = (
        np.full(log_a.size, value) for value in (model.alpha, model.beta, model.mu, model.sigma)
    )
    z = (log_a - model.alpha - model.beta * log_b - model.mu) / model.sigma
    return ModelPath(alpha, beta, mu, sigma, z, np.full(log_a.size, given.half_life_candles), may_enter)


def no_path(given: Given) -> ModelPath:
    """A model that says nothing: it is never entered."""
    nothing = np.full(given.log_a.size - given.first, np.nan)
    return ModelPath(*(nothing.copy() for _ in range(6)))
