"""What a scan filters on besides statistics, and the thresholds it writes. Every number is a knob.

The knobs live in the config block `pairbot.scan` and as options of `pairbot scan`; the options win. The naive
rule ignores the filters: it is the usual practice, unchanged, for comparison.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pairbot_ext.settings.knobs import FILTERS, THRESHOLDS, Knob

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _field(knob: Knob) -> Any:
    return Field(default=knob.default, description=knob.description)


class Thresholds(BaseModel):
    """Entry, exit and stop in standard deviations of the spread; time stop in half-lives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry_z: Positive = _field(THRESHOLDS["entry_z"])
    exit_z: NotNegative = _field(THRESHOLDS["exit_z"])
    stop_z: Positive = _field(THRESHOLDS["stop_z"])
    max_half_lives: Positive = _field(THRESHOLDS["max_half_lives"])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.exit_z < self.entry_z < self.stop_z:
            raise ValueError(
                "thresholds must satisfy exit-z < entry-z < stop-z, "
                f"got {self.exit_z:g} / {self.entry_z:g} / {self.stop_z:g}"
            )
        return self


class Filters(BaseModel):
    """Economic filters of a scan. Symbols are filtered before any test, pairs after all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_quote_volume_per_day: NotNegative = _field(FILTERS["min_quote_volume_per_day"])
    min_listing_days: NotNegative = _field(FILTERS["min_listing_days"])
    stable_coins: tuple[str, ...] = _field(FILTERS["stable_coins"])
    min_price_range: NotNegative = _field(FILTERS["min_price_range"])
    min_half_life_candles: NotNegative = _field(FILTERS["min_half_life_candles"])
    min_half_lives_in_formation: Positive = _field(FILTERS["min_half_lives_in_formation"])
    min_beta: Positive = _field(FILTERS["min_beta"])
    max_beta: Positive = _field(FILTERS["max_beta"])
    max_beta_gap_directions: NotNegative = _field(FILTERS["max_beta_gap_directions"])
    max_beta_gap_halves: NotNegative = _field(FILTERS["max_beta_gap_halves"])
    fee_bp: NotNegative = _field(FILTERS["fee_bp"])
    spread_bp: NotNegative = _field(FILTERS["spread_bp"])
    assumed_funding_bp_per_8h: Finite = _field(FILTERS["assumed_funding_bp_per_8h"])
    min_edge_over_cost: NotNegative = _field(FILTERS["min_edge_over_cost"])
    max_pairs_per_coin: Annotated[int, Field(ge=1)] = _field(FILTERS["max_pairs_per_coin"])
    top: Annotated[int, Field(ge=1)] = _field(FILTERS["top"])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_beta < self.max_beta:
            raise ValueError(f"min_beta must be below max_beta, got {self.min_beta:g} and {self.max_beta:g}")
        return self


class ScanKnobs(BaseModel):
    """The config block `pairbot.scan`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresholds: Thresholds = Thresholds()
    filters: Filters = Filters()
