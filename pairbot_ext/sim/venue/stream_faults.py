"""What can go wrong with a stream: rules of the fault schedule beside those about requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field, model_validator

HOUR_MS = 3_600_000


class StreamFault(StrEnum):
    """What happens to an update, a connection or a key. The comment says what the client sees."""

    SILENCE = "silence"  # no update any more on an open connection; pings are answered
    DEAD = "dead"  # nothing at all on an open connection, not even a pong
    CUT = "cut"  # the connection drops in the middle of this update's frame, `at_byte`
    CLOSE = "close"  # a close frame instead of the update
    LOST = "lost"  # this update never comes
    DOUBLED = "doubled"  # it comes twice
    REORDERED = "reordered"  # it comes after the next one
    LATE = "late"  # it comes `delay_ms` later; an hour where nothing is said
    UPDATE_FIRST = "update_first"  # the answer to the request it stems from comes `delay_ms` after it
    ANSWER_FIRST = "answer_first"  # it comes `delay_ms` after that answer
    STALE_KEY = "stale_key"  # the listen key is gone without a word: silence, and −1125 on PUT
    SLOW_CONSUMER = "slow_consumer"  # updates pile up unsent until the venue drops the connection
    REFUSED_UPGRADE = "refused_upgrade"  # the websocket is answered with HTTP `status`
    REFUSED_SUBSCRIPTION = "refused_subscription"  # SUBSCRIBE is answered with an error


_ABOUT_CONNECTIONS = frozenset({StreamFault.REFUSED_UPGRADE, StreamFault.REFUSED_SUBSCRIPTION})
# Of a delay nobody named: longer than any answer takes, yet nothing a person would notice.
_SHORT_MS = 250


@dataclass(frozen=True, slots=True)
class Update:
    """What a rule sees of one update on its way to one connection.

    :param event: type, such as ORDER_TRADE_UPDATE or bookTicker. :param path: of the connection.
    :param client_id: of the order; `execution` and `status` ("x" and "X") likewise, "" for other events.
    """

    event: str
    path: str
    symbol: str = ""
    client_id: str = ""
    execution: str = ""
    status: str = ""


class StreamWhen(BaseModel):
    """Which updates, connections or subscriptions a rule is about. All given conditions must hold.

    :param event: type of the update, with * and ?. :param path: of the connection, such as "/private/*".
    :param execution: "x" of an order update, `status` its "X"; `client_order_id` a pattern; `leg` and `role`
        read ids of the form pb-<trade>-<leg>-<role>-<attempt>.
    :param nth: the first match the rule bends, counting from 1; `times` how many from there on, null for all.
    :param probability: of each of those, by the schedule's seed.
    :param after_ms: only from so many ms after the schedule was loaded; `until_ms` only before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: str = "*"
    path: str = "*"
    symbol: str | None = None
    client_order_id: str | None = None
    leg: str | None = None
    role: str | None = None
    execution: str | None = None
    status: str | None = None
    nth: int = Field(default=1, ge=1)
    times: int | None = Field(default=1, ge=1)
    probability: float = Field(default=1.0, gt=0, le=1)
    after_ms: int = Field(default=0, ge=0)
    until_ms: int | None = None

    def concerns(self, update: Update, age_ms: int) -> bool:
        """Whether the conditions hold, the count aside."""
        parts = update.client_id.split("-")
        leg, role = (parts[2], parts[3]) if len(parts) == 5 else ("", "")
        return (
            fnmatchcase(update.event, self.event)
            and fnmatchcase(update.path, self.path)
            and self.symbol in (None, update.symbol)
            and (self.client_order_id is None or fnmatchcase(update.client_id, self.client_order_id))
            and self.leg in (None, leg)
            and self.role in (None, role)
            and self.execution in (None, update.execution)
            and self.status in (None, update.status)
            and self.after_ms <= age_ms
            and (self.until_ms is None or age_ms < self.until_ms)
        )


class StreamRule(BaseModel):
    """One rule: when, and what then.

    :param delay_ms: of `late`, `update_first` and `answer_first`.
    :param at_byte: of the update's frame, where `cut` drops the connection; 0 before its first byte.
    :param lasts_ms: how long `silence` and `dead` last; null for ever.
    :param status: HTTP status of `refused_upgrade`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    when: StreamWhen = StreamWhen()
    fault: StreamFault
    delay_ms: int | None = Field(default=None, ge=0)
    at_byte: int = Field(default=20, ge=0)
    lasts_ms: int | None = Field(default=None, gt=0)
    status: int = Field(default=403, ge=400, le=599)

    @model_validator(mode="after")
    def _complete(self) -> StreamRule:
        if self.fault in _ABOUT_CONNECTIONS and self.when.event != "*":
            raise ValueError(f'"{self.fault}" is about connections, which carry no event: leave it out')
        return self

    @property
    def wait_ms(self) -> int:
        """The delay, where the fault has one."""
        if self.delay_ms is not None:
            return self.delay_ms
        return HOUR_MS if self.fault is StreamFault.LATE else _SHORT_MS


@dataclass
class _Counted:
    rule: StreamRule
    seen: int = 0

    def due(self) -> bool:
        when = self.rule.when
        return self.seen >= when.nth and (when.times is None or self.seen < when.nth + when.times)


class StreamFaults:
    """The rules at work.

    :param seed: of the probabilities. :param start_ms: when the rules were loaded, epoch ms.
    """

    def __init__(self, rules: Sequence[StreamRule], seed: int, start_ms: int) -> None:
        self._start_ms = start_ms
        self._random = random.Random(seed)
        self._counted = [_Counted(rule) for rule in rules]

    def __len__(self) -> int:
        return len(self._counted)

    def add(self, rule: StreamRule) -> None:
        """Put one more rule at the end; its count starts now."""
        self._counted.append(_Counted(rule))

    def clear(self) -> None:
        """Forget all rules."""
        self._counted.clear()

    def on_update(self, update: Update, now_ms: int) -> StreamRule | None:
        """The rule for this delivery, if any. Every call counts it, so ask once."""
        return self._pick(update, now_ms, lambda fault: fault not in _ABOUT_CONNECTIONS)

    def on_upgrade(self, path: str, now_ms: int) -> StreamRule | None:
        """The rule that refuses a websocket at `path`, if any."""
        wanted = StreamFault.REFUSED_UPGRADE
        return self._pick(Update("", path), now_ms, lambda fault: fault is wanted)

    def on_subscribe(self, path: str, now_ms: int) -> StreamRule | None:
        """The rule that refuses a SUBSCRIBE on a connection at `path`, if any."""
        wanted = StreamFault.REFUSED_SUBSCRIPTION
        return self._pick(Update("", path), now_ms, lambda fault: fault is wanted)

    def _pick(self, update: Update, now_ms: int, kind: Callable[[StreamFault], bool]) -> StreamRule | None:
        """The first rule that applies wins; the others still count."""
        chosen: StreamRule | None = None
        for counted in self._counted:
            rule = counted.rule
            if not kind(rule.fault) or not rule.when.concerns(update, now_ms - self._start_ms):
                continue
            counted.seen += 1
            if chosen is not None or not counted.due():
                continue
            if rule.when.probability >= 1 or self._random.random() < rule.when.probability:
                chosen = rule
        return chosen
