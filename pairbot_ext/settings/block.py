"""The optional `pairbot` block of Freqtrade's config.

Everything else the bot needs is Freqtrade's own configuration.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pairbot_ext.settings.risk import RiskSettings
from pairbot_ext.settings.scan import ScanKnobs
from pairbot_ext.support.errors import SettingsError

MAX_STARTUP_CANDLES = 2494
"""Freqtrade asks Binance for at most five calls of candles at start (499 per call, less one)."""


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VolatilityGate(_Block):
    """Entry veto on each leg's NATR (TA-Lib: 100 * average true range / close), per cent."""

    period_candles: Annotated[int, Field(ge=2, le=500)] = Field(
        default=14, description="period of the average true range"
    )
    max_natr_percent: Annotated[float, Field(gt=0)] = Field(description="no entry while a leg is above it")


class LogSettings(_Block):
    """The bot's log file; the pair-event log lies beside it. Of bots only: a backtest writes neither."""

    file: Annotated[str, Field(min_length=1)] = Field(
        default="logs/pairbot.log", description="path from user_data"
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least level written; DEBUG also shows on the console"
    )
    max_megabytes: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="the file is renamed to .1 and begun anew beyond this"
    )
    backups: Annotated[int, Field(ge=1, le=100)] = Field(default=10, description="renamed files kept")


class Settings(_Block):
    """Validated `pairbot` block with its defaults."""

    pairs_file: str = Field(
        default="pairs_config.json",
        description="path from the working directory; must be the file the whitelist comes from",
    )
    rolling_window_candles: Annotated[int, Field(ge=30, le=MAX_STARTUP_CANDLES)] = Field(
        default=1440, description="window of the rolling regression, for pairs without a frozen model"
    )
    rearm_lookback_candles: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=168,
        description="how far back a z or time stop blocks re-entry until |z| <= exit_z has been seen",
    )
    max_hold_hours_without_half_life: Annotated[float, Field(gt=0, le=24 * 365)] = Field(
        default=336.0,
        description="time stop of a pair trade whose model has no finite half-life, hours",
    )
    leverage: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="integer, the same on both legs"
    )
    spread_bp: Annotated[float, Field(ge=0, le=200)] = Field(
        default=2.0,
        description="bid-ask spread per leg charged against a signal's edge, basis points",
    )
    taker_fee_bp: Annotated[float, Field(ge=0, le=100)] = Field(
        default=5.0, description="fee of one fill charged against a signal's edge, basis points"
    )
    volatility_gate: VolatilityGate | None = None
    risk: RiskSettings = Field(default=RiskSettings(), description="limits, stops and the kill switch")
    streams: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="hear prices, orders and positions from the venue's streams; without, they are asked for "
        "in each loop",
    )
    log: LogSettings | None = Field(
        default=None, description="log file of the bot; without it Freqtrade's own logging alone"
    )
    scan: ScanKnobs = Field(default=ScanKnobs(), description="thresholds and filters of `pairbot scan`")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.leverage > self.risk.max_leverage:
            raise ValueError(
                f"leverage {self.leverage} is above risk.max_leverage {self.risk.max_leverage}: "
                "lower the one or raise the other"
            )
        return self

    def pairs_path(self, base: Path | None = None) -> Path:
        """Where the pairs file lies; relative to the working directory like Freqtrade's own paths."""
        return (base or Path.cwd()) / self.pairs_file


def parse_settings(block: Any) -> Settings:
    """Validate config["pairbot"] (or None). Raises SettingsError naming the key, value and remedy."""
    try:
        return Settings.model_validate({} if block is None else block)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("pairbot", *first["loc"]))
        raise SettingsError(
            f"config {place}: {first['msg']}",
            value=repr(first["input"]),
            remedy="Every key, its bounds and default are in docs/configuration.md",
        ) from error
