"""What a scan filters on besides statistics, and the thresholds it writes. Every number is a knob.

The knobs live in the config block `pairbot.scan` and as options of `pairbot scan`; the options win. The naive
rule ignores the filters: it is the usual practice, unchanged, for comparison.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pairbot_ext.pairs import DEFAULT_MAX_HALF_LIVES

STABLE_COINS = (
    "AEUR",
    "BFUSD",
    "BUSD",
    "DAI",
    "EUR",
    "EURI",
    "FDUSD",
    "FRAX",
    "GUSD",
    "LUSD",
    "PYUSD",
    "RLUSD",
    "TUSD",
    "USD1",
    "USDC",
    "USDD",
    "USDE",
    "USDP",
    "USDT",
    "USTC",
    "XUSD",
)

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Thresholds(BaseModel):
    """Entry, exit and stop in standard deviations of the spread; time stop in half-lives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry_z: Positive = Field(default=2.0, description="enter at |z| from here")
    exit_z: NotNegative = Field(default=0.5, description="leave at |z| up to here")
    stop_z: Positive = Field(default=4.0, description="leave at |z| from here")
    max_half_lives: Positive = Field(default=DEFAULT_MAX_HALF_LIVES, description="time stop, half-lives")

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

    min_quote_volume_per_day: NotNegative = Field(
        default=1e6, description="least traded volume of each leg, quote currency per day of the formation"
    )
    min_listing_days: NotNegative = Field(
        default=0.0,
        description="least age at the end of the formation; counted from the listing where the exchange says "
        "when it was, else from the first stored candle",
    )
    stable_coins: tuple[str, ...] = Field(default=STABLE_COINS, description="coins that are never a leg")
    min_price_range: NotNegative = Field(
        default=0.02,
        description="a price that moved less over the formation (highest / lowest - 1) is pegged",
    )
    min_half_life_candles: NotNegative = Field(
        default=2.0, description="a faster spread is gone before the next candle opens"
    )
    min_half_lives_in_formation: Positive = Field(
        default=45.0, description="longest half-life = formation / this: the test cannot see slower ones"
    )
    min_beta: Positive = Field(default=0.25, description="least hedge ratio")
    max_beta: Positive = Field(default=4.0, description="largest hedge ratio")
    max_beta_gap_directions: NotNegative = Field(
        default=0.25, description="how far beta may lie from 1 / beta of the reverse regression, relative"
    )
    max_beta_gap_halves: NotNegative = Field(
        default=0.5, description="how far beta of the two halves of the formation may lie apart, relative"
    )
    fee_bp: NotNegative = Field(default=5.0, description="taker fee of one fill, basis points")
    spread_bp: NotNegative = Field(
        default=2.0, description="bid-ask spread per leg and round trip, basis points"
    )
    assumed_funding_bp_per_8h: float = Field(
        default=1.0, allow_inf_nan=False, description="funding rate of a leg without stored funding rates"
    )
    min_edge_over_cost: NotNegative = Field(
        default=2.0,
        description="least (entry_z - exit_z) * sigma as a multiple of both legs' round trip and two "
        "half-lives of funding",
    )
    max_pairs_per_coin: Annotated[int, Field(ge=1)] = Field(
        default=3, description="pairs that may share a coin"
    )
    top: Annotated[int, Field(ge=1)] = Field(default=10, description="pairs to select at most")

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
