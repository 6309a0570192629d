"""What happens in a rehearsal besides the bot's own doing: a scenario, as data that a file can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pairbot_ext.model.commands import Command
from pairbot_ext.model.sizing import Leg
from pairbot_ext.sim.venue.actions import Action
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.stream_faults import StreamRule
from pairbot_ext.support.errors import PairbotError

LONGEST_TITLE = 400


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OnOrder(_Strict):
    """An instant of one of the bot's orders.

    :param leg: A or B. :param role: e entry, t top-up, x exit, u unwind, r trim.
    :param moment: `before` it reaches the venue (its intent is stored), or `after` the venue has dealt with
        it and before the bot hears so.
    """

    leg: Leg
    role: Literal["e", "t", "x", "u", "r"]
    moment: Literal["before", "after"] = "after"


class InPhase(_Strict):
    """An instant of the course of a pair trade: before the bot starts, or `secs` after its entry is
    signalled, after it is open (or was not opened), or after its spread has come back."""

    phase: Literal["before", "entry", "held", "exit"]
    secs: float = Field(default=0.0, ge=0, le=86_400)


class Fault(_Strict):
    """Requests go wrong by this rule, for `lasts_secs` or for the whole scenario."""

    do: Literal["fault"] = "fault"
    rule: FaultRule
    lasts_secs: float | None = Field(default=None, gt=0)


class StreamFault(_Strict):
    """Updates and connections go wrong by this rule."""

    do: Literal["stream"] = "stream"
    rule: StreamRule


class Act(_Strict):
    """Somebody does something on the venue, by hand or by rule; to the leg's symbol where it needs one."""

    do: Literal["act"] = "act"
    action: Action
    leg: Leg | None = None


class Move(_Strict):
    """A leg's price jumps by so many percent of itself."""

    do: Literal["move"] = "move"
    leg: Leg
    percent: float = Field(gt=-100, le=1_000)


class Spread(_Strict):
    """Leg A's price goes where the pair's |z|, on the side where it was entered, is so much."""

    do: Literal["spread"] = "spread"
    z: float | Literal["stop"]


class Book(_Strict):
    """A leg's book holds so much at each price, quote."""

    do: Literal["book"] = "book"
    leg: Leg
    depth_usdt: float = Field(gt=0)


class Funding(_Strict):
    """The rate of the next stamps, percent of notional."""

    do: Literal["funding"] = "funding"
    percent: float = Field(ge=-3, le=3)


class Money(_Strict):
    """So large a share of the wallet is paid in or, negative, taken out."""

    do: Literal["money"] = "money"
    share: float = Field(gt=-1, le=100)


class Person(_Strict):
    """A person gives one of Freqtrade's commands, about a leg where it needs one. It waits until no loop
    runs; with `lasts_secs` the bot is started again after so long."""

    do: Literal["person"] = "person"
    command: Command
    leg: Leg = Leg.A
    lasts_secs: float | None = Field(default=None, gt=0)


class Kill(_Strict):
    """kill -9; the bot is started again ten seconds later."""

    do: Literal["kill"] = "kill"


class Database(_Strict):
    """The bot's database cannot be written: another process holds it, or the disk is full."""

    do: Literal["database"] = "database"
    how: Literal["locked", "full"]
    lasts_secs: float = Field(default=60.0, gt=0)


class PairsFile(_Strict):
    """The pairs file is rewritten: without pairs, as half a file, or with other limits."""

    do: Literal["pairs_file"] = "pairs_file"
    how: Literal["empty", "broken", "tighter"]


class SecondBot(_Strict):
    """A second bot is started on the same database."""

    do: Literal["second_bot"] = "second_bot"


Effect = Annotated[
    Fault
    | StreamFault
    | Act
    | Move
    | Spread
    | Book
    | Funding
    | Money
    | Person
    | Kill
    | Database
    | PairsFile
    | SecondBot,
    Field(discriminator="do"),
]


class Step(_Strict):
    """One thing, and when. `times`: on so many of the orders it waits for."""

    at: OnOrder | InPhase
    effect: Effect
    times: int = Field(default=1, ge=1, le=100)


class Scenario(_Strict):
    """One rehearsal.

    :param name: short, for `--fault`. :param title: what happens, for people.
    :param then: what a person has to do when it is over.
    :param held_hours: how long the pair is held before its spread comes back.
    :param entered: whether the pair must be opened, must not be, or may be; judged where it is opened when
        nothing goes wrong. With "never" not one order may be sent.
    :param operator: it may end with a pair that waits for a person.
    :param streams: play it with `pairbot.streams` on whatever the configuration says.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    title: str = Field(min_length=1, max_length=LONGEST_TITLE)
    group: str = "own"
    steps: tuple[Step, ...] = Field(default=(), max_length=200)
    then: str = "Nothing: the bot has ended it by itself."
    held_hours: int = Field(default=0, ge=0, le=72)
    entered: Literal["yes", "no", "never", "maybe"] = "maybe"
    operator: bool = False
    streams: bool = False


class ScheduleFile(_Strict):
    """What `--schedule` reads and `--search` writes.

    :param pair: id of the pair it was found with. :param found: what it showed, in words.
    """

    schema_version: Literal[1] = 1
    scenario: Scenario
    pair: str | None = None
    seed: int = Field(default=1, ge=0)
    found: str = ""

    @model_validator(mode="before")
    @classmethod
    def _is_object(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("must be a JSON object with a scenario")
        return data


def read_schedule(path: Path) -> ScheduleFile:
    """Raises PairbotError: it is missing, or says something a schedule does not know."""
    try:
        return ScheduleFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PairbotError(
            "The schedule cannot be read", value=f"{path}: {error.strerror}", remedy="Check the path"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PairbotError(
            f"The schedule {path} is wrong at {place}: {first['msg']}",
            value=str(first.get("input"))[:80],
            remedy="Its format is in docs/drill.md; `pairbot drill --search` writes one",
        ) from error


def text_of(schedule: ScheduleFile) -> str:
    """For the file. Nothing is left out: in a rule null is a value."""
    return schedule.model_dump_json(indent=1) + "\n"
