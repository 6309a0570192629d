"""The config block `pairbot.risk`. Every limit has a safe default; null switches a rule off."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Percent = Annotated[float, Field(strict=True, gt=0, le=100, allow_inf_nan=False)]
Ratio = Annotated[float, Field(strict=True, gt=0, le=100, allow_inf_nan=False)]
Secs = Annotated[float, Field(strict=True, ge=1, le=86_400, allow_inf_nan=False)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BreakStop(_Block):
    """Whether a pair's relation still holds, asked on every closed candle with the model at entry."""

    window_half_lives: Annotated[float, Field(strict=True, ge=15, le=500, allow_inf_nan=False)] = Field(
        default=45.0,
        description="length of the window that ends with the last closed candle, half-lives of the model at "
        "entry; the unit-root test needs 45 of them, the half-life 30",
    )
    max_half_life_ratio: Annotated[float, Field(strict=True, ge=1.1, le=100, allow_inf_nan=False)] | None = (
        Field(default=2.0, description="half-life on the window over the half-life of the model at entry")
    )
    max_beta_drift_percent: (
        Annotated[float, Field(strict=True, gt=0, le=1_000, allow_inf_nan=False)] | None
    ) = Field(default=50.0, description="hedge ratio on the window against that of the model at entry")
    test_level_percent: Literal[1, 5, 10] | None = Field(
        default=10,
        description="level at which the augmented Dickey-Fuller test of the spread on the window must reject "
        "a random walk",
    )


class RiskSettings(_Block):
    """Limits of one bot. Amounts are relative to equity: the wallet including unrealised profit."""

    live_z_stop: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="close a pair where z on the live books of both legs is at or beyond stop_z"
    )
    confirm_readings: Annotated[int, Field(strict=True, ge=1, le=60)] = Field(
        default=3,
        description="readings of the live books in a row (one per loop) that must agree before a rule acts "
        "on prices",
    )
    confirm_updates: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        default=2,
        description="with streams: looks at changed prices in a row, ten a second at most, that must agree "
        "before a rule is judged at once; one bad price is one update, and is gone with the next",
    )
    confirm_updates_ms: Annotated[int, Field(strict=True, ge=0, le=60_000)] = Field(
        default=20, description="and how long they must span, milliseconds: two updates may be one event"
    )
    break_stop: BreakStop | None = Field(default=BreakStop(), description="rolling test of the relation")
    max_pair_loss_percent: Percent | None = Field(
        default=10.0,
        description="loss of an open pair trade, fees and funding included, of both legs' entry notional",
    )
    max_drawdown_percent: Percent | None = Field(
        default=15.0, description="fall of equity below its highest value since the last release by hand"
    )
    max_daily_loss_percent: Percent | None = Field(default=5.0, description="fall of equity since 00:00 UTC")
    max_pairs: Annotated[int, Field(strict=True, ge=1, le=1_000)] | None = Field(
        default=10, description="pair trades open at once, whatever max_open_trades allows"
    )
    max_gross_exposure_ratio: Ratio | None = Field(
        default=3.0, description="notional of all legs, both sides added, over equity"
    )
    max_coin_exposure_ratio: Ratio | None = Field(
        default=0.5, description="notional of the leg of one coin over equity"
    )
    max_leverage: Annotated[int, Field(strict=True, ge=1, le=20)] = Field(
        default=5, description="largest pairbot.leverage"
    )
    min_liquidation_distance_percent: Percent | None = Field(
        default=10.0, description="distance between the price of a leg and its liquidation price"
    )
    max_funding_share_percent: (
        Annotated[float, Field(strict=True, ge=0, le=1_000, allow_inf_nan=False)] | None
    ) = Field(
        default=50.0,
        description="funding both legs pay over two half-lives at the rates predicted now, of the expected "
        "edge after fees",
    )
    max_naked_secs: Secs | None = Field(default=60.0, description="one leg of a pair held without its mate")
    max_blind_secs: Secs | None = Field(default=300.0, description="an open pair whose books cannot be read")
    max_api_error_percent: Percent | None = Field(
        default=50.0,
        description="requests to the venue that fail (no answer, 5xx, rate limit; a refused order is none)",
    )
    api_error_window_secs: Secs = Field(default=600.0, description="over so much time")
    api_error_min_requests: Annotated[int, Field(strict=True, ge=1, le=100_000)] = Field(
        default=100, description="fewer requests than this in the window decide nothing"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        daily, drawdown = self.max_daily_loss_percent, self.max_drawdown_percent
        if daily is not None and drawdown is not None and daily > drawdown:
            raise ValueError(
                f"max_daily_loss_percent ({daily:g}) is above max_drawdown_percent ({drawdown:g}) "
                "and would never be reached"
            )
        return self
