"""What a renewal leaves behind, as documents: what it changed, what waits for a person, why it failed."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from pairbot_ext.pairs.schema import Epoch, Line, PairId, Scan, Time

ID_LENGTH = 8


class Note(BaseModel):
    """What a pairs file says of its own renewal."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern=rf"^[0-9a-f]{{{ID_LENGTH}}}$", description="of this renewal")
    at: Time
    why: Line = Field(description="what brought it about")
    before: tuple[PairId, ...] = Field(description="pairs in force before")
    after: tuple[PairId, ...] = Field(description="pairs in force from then on")


class Proposal(BaseModel):
    """A selection that waits for a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=rf"^[0-9a-f]{{{ID_LENGTH}}}$")
    proposed_at: Time
    expires_at: Time
    base: str = Field(pattern=r"^[0-9a-f]{0,16}$", description="content of the file it would replace")
    reasons: tuple[Line, ...] = Field(description="why a person is asked")
    exchange: Line
    timeframe: Line
    scan: Scan
    epoch: Epoch
    before: tuple[PairId, ...]

    def is_open(self, now: datetime) -> bool:
        """Whether it can still be accepted."""
        return now < self.expires_at

    @property
    def after(self) -> tuple[str, ...]:
        """The pairs it would put in force."""
        return tuple(pair.id for pair in self.epoch.pairs)


class Failure(BaseModel):
    """A renewal that did not come about, and has not since."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Time
    attempts: int = Field(ge=1)
    error: str = Field(max_length=1000)
