"""Every variant there is, the default first: what a pairs file may name and `pairbot compare` compares."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from pairbot_ext.models.correlation_filter import CorrelationFilter
from pairbot_ext.models.frozen import Frozen
from pairbot_ext.models.funding_aware import FundingAware
from pairbot_ext.models.half_life_window import HalfLifeWindow
from pairbot_ext.models.kalman import KalmanFilter
from pairbot_ext.models.ornstein_uhlenbeck import OuThresholds
from pairbot_ext.models.protocol import SpreadModel
from pairbot_ext.models.rolling import RollingOls
from pairbot_ext.models.volatility_filter import VolatilityFilter

Variant = (
    Frozen
    | RollingOls
    | KalmanFilter
    | OuThresholds
    | HalfLifeWindow
    | FundingAware
    | VolatilityFilter
    | CorrelationFilter
)
Chosen = Annotated[Variant, Field(discriminator="kind")]
VARIANTS: dict[str, SpreadModel] = {variant().name: variant() for variant in get_args(Variant)}
"""Each with its default parameters, by its kind."""
FROZEN, ROLLING = Frozen(), RollingOls()
"""Of a pair that names none: with a model in the file, and without."""
