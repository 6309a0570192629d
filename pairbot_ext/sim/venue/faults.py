"""The fault schedule: which request goes wrong, and how.

What the venue does with a request and what it answers are two truths. A rule bends either one, or both: it
can drop the answer of an executed order, execute an order whose answer was an error, fill part of it, fill it
late, or let something else happen around it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pairbot_ext.sim.venue.actions import Action
from pairbot_ext.sim.venue.orders import FillRule, Side
from pairbot_ext.sim.venue.stream_faults import StreamRule
from pairbot_ext.support.errors import PairbotError


class AnswerForm(StrEnum):
    """What the client gets to see."""

    NORMAL = "normal"
    REJECT = "reject"  # any code: {"code": ..., "msg": ...}
    CUSTOM = "custom"  # any status and body
    READ_TIMEOUT = "read_timeout"  # nothing, until the client gives up
    RESET = "reset"  # the connection drops after the request was read
    UNKNOWN_503_MSG = "unknown_503_msg"  # {"msg": "Unknown error, please check ..."}
    UNKNOWN_503_CODE_0 = "unknown_503_code_0"
    UNKNOWN_503_CODE_1000 = "unknown_503_code_1000"
    HTML_502 = "html_502"
    HTML_503 = "html_503"
    HTML_504 = "html_504"
    HTML_403 = "html_403"  # the web application firewall
    UNAVAILABLE_503 = "unavailable_503"  # {"msg": "Service Unavailable."}: documented as not executed
    UNEXPECTED_1006 = "unexpected_1006"
    TIMEOUT_1007 = "timeout_1007"
    OVERLOADED_1008 = "overloaded_1008"  # documented as not executed
    EMPTY_200 = "empty_200"
    TRUNCATED_200 = "truncated_200"


# Forms that say, truly, that nothing was executed; with every other one the venue has carried the request out
# unless the rule says otherwise.
_NOT_EXECUTED = frozenset(
    {AnswerForm.REJECT, AnswerForm.UNAVAILABLE_503, AnswerForm.OVERLOADED_1008, AnswerForm.HTML_403}
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Strict):
    """Which requests a rule is about. All given conditions must hold.

    :param call: "METHOD /path", with * and ? as wildcards.
    :param client_order_id: wildcard pattern; `leg` and `role` read ids of the form
        pb-<trade>-<leg>-<role>-<attempt>.
        For requests that name an order by its number, the id of that order counts.
    :param nth: the first matching request the rule bends, counting from 1; `times` how many from there on,
        null for
        all.
    :param probability: of each of those, by the schedule's seed.
    :param after_ms: only from so many ms after the venue's start; `until_ms` only before.
    """

    call: str = "POST /fapi/v1/order"
    symbol: str | None = None
    side: Side | None = None
    reduce_only: bool | None = None
    client_order_id: str | None = None
    leg: str | None = None
    role: str | None = None
    nth: int = Field(default=1, ge=1)
    times: int | None = Field(default=1, ge=1)
    probability: float = Field(default=1.0, gt=0, le=1)
    after_ms: int = Field(default=0, ge=0)
    until_ms: int | None = None

    def concerns(self, call: str, params: Mapping[str, str], client_id: str, age_ms: int) -> bool:
        """Whether the conditions hold, the count aside."""
        parts = client_id.split("-")
        leg, role = (parts[2], parts[3]) if len(parts) == 5 else ("", "")
        return (
            fnmatchcase(call, self.call)
            and self.symbol in (None, params.get("symbol"))
            and self.side in (None, params.get("side"))
            and self.reduce_only in (None, params.get("reduceOnly", "").lower() == "true")
            and (self.client_order_id is None or fnmatchcase(client_id, self.client_order_id))
            and self.leg in (None, leg)
            and self.role in (None, role)
            and self.after_ms <= age_ms
            and (self.until_ms is None or age_ms < self.until_ms)
        )


class Fill(_Strict):
    """How an order is executed; see `FillRule`."""

    fraction: Decimal = Field(default=Decimal(1), ge=0, le=1)
    hold_ms: int | None = Field(default=None, ge=-1)


class FaultRule(_Strict):
    """One rule: when, and what then.

    :param answer: what is answered; `code`, `msg`, `status` and `body` complete `reject` and `custom`.
    :param execute: whether the venue carries the request out; default: as the answer form implies.
    :param execute_delay_ms: carry it out so much later (the answer does not wait for it): a request that was
        on its
        way when its client gave up.
    :param fill: bends the execution of a new order.
    :param delay_ms: the answer is sent so much later.
    :param before, after: what else happens right before or after the execution.
    """

    name: str = ""
    when: When = When()
    answer: AnswerForm = AnswerForm.NORMAL
    code: int | None = None
    msg: str | None = None
    status: int | None = Field(default=None, ge=100, le=599)
    body: str | None = None
    execute: bool | None = None
    execute_delay_ms: int = Field(default=0, ge=0)
    fill: Fill | None = None
    delay_ms: int = Field(default=0, ge=0)
    before: tuple[Action, ...] = ()
    after: tuple[Action, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> FaultRule:
        if self.answer is AnswerForm.REJECT and self.code is None:
            raise ValueError('answer "reject" needs a "code", such as -2019')
        if self.answer is AnswerForm.CUSTOM and (self.status is None or self.body is None):
            raise ValueError('answer "custom" needs "status" and "body"')
        if self.answer is AnswerForm.NORMAL and self.execute is False:
            raise ValueError("what was not executed has no normal answer: choose another one")
        if self.execute_delay_ms and self.answer is AnswerForm.NORMAL:
            raise ValueError("a delayed execution has no normal answer: choose one that leaves it open")
        return self

    @property
    def executes(self) -> bool:
        """Whether the venue carries the request out."""
        return self.answer not in _NOT_EXECUTED if self.execute is None else self.execute

    @property
    def fill_rule(self) -> FillRule | None:
        """The engine's form of `fill`."""
        return None if self.fill is None else FillRule(self.fill.fraction, self.fill.hold_ms)


class TimedActions(_Strict):
    """What happens by itself, `at_ms` after the venue's start."""

    at_ms: int = Field(ge=0)
    actions: tuple[Action, ...]


class Schedule(_Strict):
    """A whole schedule. The first rule that applies to a request wins; the others still count it.

    :param rules: about requests. :param streams: about updates and their connections.
    """

    seed: int = 0
    rules: tuple[FaultRule, ...] = ()
    streams: tuple[StreamRule, ...] = ()
    timed: tuple[TimedActions, ...] = ()


_EXAMPLE = '{"when": {"call": "POST /fapi/v1/order", "nth": 2}, "answer": "read_timeout"}'


def load_schedule(path: Path) -> Schedule:
    """Read a schedule file.

    :raises PairbotError: it is missing, no JSON, or says something the schedule does not know.
    """
    try:
        return Schedule.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PairbotError(
            "The fault schedule cannot be read", value=f"{path}: {error.strerror}", remedy="Check the path"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PairbotError(
            f"The fault schedule {path} is wrong at {place}: {first['msg']}",
            value=_shown(first.get("input")),
            remedy=f"A rule looks like {_EXAMPLE}",
        ) from error


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


@dataclass
class _Counted:
    rule: FaultRule
    seen: int = 0

    def due(self) -> bool:
        when = self.rule.when
        return self.seen >= when.nth and (when.times is None or self.seen < when.nth + when.times)


class Faults:
    """The schedule at work: counts requests and says which rule bends the present one.

    :param start_ms: the venue's start, epoch ms.
    """

    def __init__(self, schedule: Schedule, start_ms: int) -> None:
        self._start_ms = start_ms
        self._random = random.Random(schedule.seed)
        self._counted = [_Counted(rule) for rule in schedule.rules]

    def add(self, rule: FaultRule) -> None:
        """Put one more rule at the end; its count starts now."""
        self._counted.append(_Counted(rule))

    def remove(self, rule: FaultRule) -> None:
        """Forget this rule, where it is one."""
        self._counted = [counted for counted in self._counted if counted.rule is not rule]

    def clear(self) -> None:
        """Forget all rules."""
        self._counted.clear()

    def __len__(self) -> int:
        return len(self._counted)

    def pick(self, call: str, params: Mapping[str, str], client_id: str, now_ms: int) -> FaultRule | None:
        """The rule for this request, if any. Every call counts it, so ask once per request."""
        chosen: FaultRule | None = None
        for counted in self._counted:
            when = counted.rule.when
            if not when.concerns(call, params, client_id, now_ms - self._start_ms):
                continue
            counted.seen += 1
            if chosen is not None or not counted.due():
                continue
            if when.probability >= 1 or self._random.random() < when.probability:
                chosen = counted.rule
        return chosen
