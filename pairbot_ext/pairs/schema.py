"""The pairs file: Freqtrade's whitelist and our pair definitions in one JSON document.

The same file is read by Freqtrade's RemotePairList (key ``pairs``) and by this package (key
``epochs``). An *epoch* is one selection of pairs with the time from which it may be traded;
walk-forward scans write several. All prices are log prices, so ``hedge_ratio`` is a ratio of
notionals: ``notional_B = hedge_ratio * notional_A``.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_serializer,
    model_serializer,
    model_validator,
)

from pairbot_ext.model.thresholds import Thresholds
from pairbot_ext.models.protocol import Formation, SpreadModel
from pairbot_ext.models.variants import FROZEN, ROLLING, Chosen
from pairbot_ext.pairs.defaults import DEFAULT_MAX_HALF_LIVES

SCHEMA_VERSION: Literal[1] = 1
MODELS_VERSION: Literal[2] = 2
"""Of a file that names a model. A file that names none stays what it was, to the byte, and older versions of
this package go on reading it."""

PairId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
# Names of coins are in any script; never what a path, a mark-up or a message would take for its own.
_SYMBOL_PATTERN = r"^[^\s\x00-\x1f./\\:|<>\"'`&%*?{}\[\]()$-]{1,40}/[A-Z0-9]{1,20}:[A-Z0-9]{1,20}$"
Symbol = Annotated[str, StringConstraints(pattern=_SYMBOL_PATTERN)]
Timeframe = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}[mhdw]$")]
# Strict: JSON numbers only, as the published schema says; not "0.7" and not true.
Probability = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
# The bound keeps products of two such numbers, and amounts of base currency, finite.
Positive = Annotated[float, Field(strict=True, gt=0, le=1e9, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(strict=True, ge=0, le=1e9, allow_inf_nan=False)]
Finite = Annotated[float, Field(strict=True, ge=-1e9, le=1e9, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**12)]
ExchangeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,40}$")]
# One line: it is part of messages.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=500)]

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _is_time_text(value: object) -> object:
    """Pydantic would take numbers, and text of digits, for seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value)):
        return value
    raise ValueError("must be a time with its zone, like 2026-02-01T20:40:21Z")


def _is_near(when: datetime) -> datetime:
    if not _EARLIEST <= when < _LATEST:
        raise ValueError("lies outside the years 2000 to 2199; an open end is null")
    return when


Time = Annotated[AwareDatetime, BeforeValidator(_is_time_text), AfterValidator(_is_near)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _utc_text(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Pair(_Model):
    """One pair of one epoch. ``alpha`` and ``sigma`` together are a frozen model; without them the
    model is a rolling regression at the last closed candle and ``hedge_ratio`` is provenance only."""

    id: PairId = Field(description="name of the pair: enter_tag of both legs' trades")
    leg_a: Symbol = Field(description="dependent variable of the regression: the thinner market, sent first")
    leg_b: Symbol = Field(description="the hedge")
    hedge_ratio: Positive = Field(description="beta of log A = alpha + beta*log B + u (notional B per A)")
    alpha: Finite | None = Field(default=None, description="intercept of a frozen model")
    mu: Finite | None = Field(default=None, description="mean of its residual, 0 when left out")
    sigma: Positive | None = Field(default=None, description="standard deviation of its residual")
    half_life_hours: Positive | None = Field(
        default=None,
        description="the time stop counts in it; left out: a rolling estimate, none with a frozen model",
    )
    adf_p: Probability = Field(description="p-value of the residual's ADF test, as the scan reports it")
    coint_p: Probability = Field(description="p-value of the Engle-Granger test")
    q_value: Probability | None = Field(default=None, description="coint_p corrected for the number of tests")
    entry_z: Positive = Field(description="enter at |z| from here, below stop_z")
    exit_z: NotNegative = Field(description="leave at |z| up to here")
    stop_z: Positive = Field(description="leave at |z| from here")
    max_half_lives: Positive = Field(
        default=DEFAULT_MAX_HALF_LIVES, description="leave after this many half-lives"
    )
    model: Chosen | None = Field(
        default=None,
        description="what is made of the formation's model while it is traded (docs/models.md), schema "
        "version 2; left out: it stays frozen",
    )

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = write(self)
        if self.model is None:
            document.pop("model", None)
        return document

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.leg_a == self.leg_b:
            raise ValueError(f"pair {self.id}: leg A and leg B are the same symbol {self.leg_a}")
        if not self.exit_z < self.entry_z < self.stop_z:
            raise ValueError(
                f"pair {self.id}: thresholds must satisfy exit_z < entry_z < stop_z, "
                f"got {self.exit_z} / {self.entry_z} / {self.stop_z}"
            )
        if (self.alpha is None) != (self.sigma is None):
            raise ValueError(f"pair {self.id}: a frozen model needs both alpha and sigma, or neither")
        if self.mu is not None and self.alpha is None:
            raise ValueError(f"pair {self.id}: mu without alpha and sigma has no meaning")
        if self.model is not None and (lacking := lacks(self, self.model)):
            raise ValueError(f"pair {self.id}: the model {self.model.name} needs {lacking}")
        return self

    @property
    def is_frozen(self) -> bool:
        """Whether the file carries the model (otherwise it is estimated on a rolling window)."""
        return self.alpha is not None

    @property
    def has_frozen_beta(self) -> bool:
        """Whether it is always hedged by `hedge_ratio`."""
        return self.is_frozen and self.spread_model.keeps_beta

    @property
    def spread_model(self) -> SpreadModel:
        """The model it is traded with."""
        if self.model is not None:
            return self.model
        return FROZEN if self.is_frozen else ROLLING

    @property
    def formation(self) -> Formation | None:
        """The frozen model of the file; None where there is none."""
        if self.alpha is None or self.sigma is None:
            return None
        return Formation(self.alpha, self.hedge_ratio, self.mu or 0.0, self.sigma)

    @property
    def own_thresholds(self) -> Thresholds:
        """What the file says."""
        return Thresholds(self.entry_z, self.exit_z, self.stop_z, self.max_half_lives)

    @property
    def thresholds(self) -> Thresholds | None:
        """What its model makes of the file's; None where no level is worth its cost."""
        formation = self.formation
        return (
            self.own_thresholds
            if formation is None
            else self.spread_model.thresholds(self.own_thresholds, formation)
        )

    @property
    def symbols(self) -> tuple[str, str]:
        """(leg A, leg B)."""
        return self.leg_a, self.leg_b

    def mate_of(self, symbol: str) -> str:
        """The other leg. Raises ValueError where `symbol` is no leg of this pair."""
        if symbol == self.leg_a:
            return self.leg_b
        if symbol == self.leg_b:
            return self.leg_a
        raise ValueError(f"{symbol} is no leg of pair {self.id} ({self.leg_a}, {self.leg_b})")


def lacks(pair: Pair, model: SpreadModel) -> str:
    """What the pair lacks for this model; empty where it may have it."""
    if not pair.is_frozen:
        return "alpha and sigma, which it starts from"
    return "half_life_hours" if model.needs_half_life and pair.half_life_hours is None else ""


class Epoch(_Model):
    """One selection: which pairs may be entered from ``valid_from`` until before ``valid_to``."""

    valid_from: Time = Field(description="no entry before it, in every mode")
    valid_to: Time | None = Field(default=None, description="exclusive; open-ended when null")
    formation_start: Time = Field(description="first candle of the data the pairs were chosen on")
    formation_end: Time = Field(description="exclusive: the last formation candle closed by then")
    pairs: tuple[Pair, ...] = Field(description="may be empty: no tradable pair is a valid answer")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.formation_start < self.formation_end:
            raise ValueError(
                f"formation_start {_utc_text(self.formation_start)} is not before "
                f"formation_end {_utc_text(self.formation_end)}"
            )
        if self.valid_from < self.formation_end:
            raise ValueError(
                f"valid_from {_utc_text(self.valid_from)} lies before formation_end "
                f"{_utc_text(self.formation_end)}: the pairs would be traded on data they were chosen from"
            )
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(
                f"valid_to {_utc_text(self.valid_to)} is not after valid_from {_utc_text(self.valid_from)}"
            )
        seen_ids: set[str] = set()
        seen_legs: dict[frozenset[str], str] = {}
        for pair in self.pairs:
            if pair.id in seen_ids:
                raise ValueError(f"pair id {pair.id} appears twice in the epoch {_utc_text(self.valid_from)}")
            seen_ids.add(pair.id)
            legs = frozenset(pair.symbols)
            if legs in seen_legs:
                raise ValueError(f"pairs {seen_legs[legs]} and {pair.id} have the same legs {sorted(legs)}")
            seen_legs[legs] = pair.id
        return self

    @field_serializer("valid_from", "valid_to", "formation_start", "formation_end")
    def _write_time(self, when: datetime | None) -> str | None:
        return None if when is None else _utc_text(when)

    def is_valid_at(self, when: datetime) -> bool:
        """Whether this epoch's pairs may be entered at `when`."""
        return self.valid_from <= when and (self.valid_to is None or when < self.valid_to)


class Scan(BaseModel):
    """Where the selection comes from. Further keys are kept: a scan may say more about itself."""

    model_config = ConfigDict(frozen=True, extra="allow")

    rule: Line = Field(description="by which rule the pairs were selected")
    combinations: Count | None = Field(default=None, description="tests made")
    selected: Count | None = Field(default=None, description="pairs that were selected")
    expected_false_positives: NotNegative | None = Field(
        default=None, description="how many of the combinations pass p < 0.05 by chance alone"
    )

    @model_validator(mode="after")
    def _is_json(self) -> Self:
        todo: list[Any] = list((self.model_extra or {}).values())
        while todo:
            value = todo.pop()
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"holds {value}, which is no JSON number")
            if isinstance(value, dict | list):
                todo.extend(value.values() if isinstance(value, dict) else value)
        return self


class PairsFile(_Model):
    """The whole document."""

    pairs: tuple[Symbol, ...] = Field(description="union of the legs over all epochs: Freqtrade's whitelist")
    refresh_period: int = Field(
        strict=True, ge=1, le=31_536_000, description="seconds after which Freqtrade reads the file again"
    )
    schema_version: Literal[1, 2] = Field(
        default=SCHEMA_VERSION, description="of this format; 2 where a pair names a `model`"
    )
    generated_at: Time = Field(description="when the file was written; its age is checked by preflight")
    exchange: ExchangeName = Field(description="whose candles the pairs were chosen on")
    timeframe: Timeframe = Field(description="of the models; the bot's must be the same")
    scan: Scan
    epochs: tuple[Epoch, ...] = Field(description="in time order; walk-forward scans write several")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        legs: dict[str, tuple[str, str]] = {}
        for earlier, later in zip(self.epochs, self.epochs[1:], strict=False):
            if earlier.valid_to is None or earlier.valid_to > later.valid_from:
                raise ValueError(
                    f"epochs overlap: the one of {_utc_text(earlier.valid_from)} is valid to "
                    f"{'ever' if earlier.valid_to is None else _utc_text(earlier.valid_to)}, "
                    f"the next begins {_utc_text(later.valid_from)}"
                )
        for epoch in self.epochs:
            for pair in epoch.pairs:
                if legs.setdefault(pair.id, pair.symbols) != pair.symbols:
                    raise ValueError(
                        f"pair id {pair.id} names {legs[pair.id]} in one epoch and {pair.symbols} in another"
                    )
                if pair.model is not None and self.schema_version < MODELS_VERSION:
                    raise ValueError(
                        f"pair {pair.id} names a model, which schema_version {self.schema_version} does not "
                        f"know: write {MODELS_VERSION}"
                    )
        union = symbols_of(self.epochs)
        if len(set(self.pairs)) != len(self.pairs):
            twice = [symbol for symbol, count in Counter(self.pairs).items() if count > 1]
            raise ValueError(f"pairs holds a symbol twice: {_some(twice)}")
        if set(self.pairs) != set(union):
            missing = sorted(set(union) - set(self.pairs))
            extra = sorted(set(self.pairs) - set(union))
            raise ValueError(
                "`pairs` must be the union of the epochs' legs; "
                f"missing: {_some(missing)}; no leg of any pair: {_some(extra)}"
            )
        return self

    @field_serializer("generated_at")
    def _write_time(self, when: datetime) -> str:
        return _utc_text(when)

    def epoch_at(self, when: datetime) -> Epoch | None:
        """The epoch whose pairs may be entered at `when`, or None."""
        return next((epoch for epoch in self.epochs if epoch.is_valid_at(when)), None)

    def pair_ids(self) -> list[str]:
        """Every pair id of any epoch, in file order, once."""
        return list(dict.fromkeys(pair.id for epoch in self.epochs for pair in epoch.pairs))

    @property
    def longest_formation_secs(self) -> float:
        """Length of the longest formation window, seconds; 0 for a file without epochs."""
        return max(
            ((epoch.formation_end - epoch.formation_start).total_seconds() for epoch in self.epochs),
            default=0.0,
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (", ".join(names[:5]) or "none") + more


def is_symbol(text: str) -> bool:
    """Whether a pairs file can name this symbol."""
    return re.fullmatch(_SYMBOL_PATTERN, text) is not None


def symbols_of(epochs: Iterable[Epoch]) -> tuple[str, ...]:
    """Union of the legs over `epochs`, in file order."""
    return tuple(
        dict.fromkeys(
            symbol for epoch in epochs for pair in epoch.pairs for symbol in (pair.leg_a, pair.leg_b)
        )
    )


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of the pairs file."""
    schema = PairsFile.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "pairs_config.json"
    return schema
