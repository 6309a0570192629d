"""What came of a rehearsal, in figures and words, judged by the venue's books."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from freqtrade.exceptions import FreqtradeException
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.model.states import PairState
from pairbot_ext.rehearse.observer import Sample, alone_ms
from pairbot_ext.rehearse.stage import Stage
from pairbot_ext.rehearse.verdict import judge
from pairbot_ext.settings import Settings

_NOISE = ("*Exchange:*", "Searching for ", "Preflight: ", "PairsArb: ")
"""How messages of every start begin."""


@dataclass(frozen=True)
class Mark:
    """One order. Times are seconds after the start; None where it never came to that. Amounts in base."""

    leg: str
    role: str
    side: str
    amount: float
    filled: float
    status: str
    intent: float
    sent: float | None
    answered: float | None
    settled: float | None


@dataclass(frozen=True)
class Result:
    """One rehearsal. Amounts in quote, times in seconds.

    :param outcome: "flat", "hedged", "operator" (a pair waits for a person), "open" (none of these: a fault)
        or "refused" (the bot did not start).
    :param story: how it got there, in words.
    :param alone_secs: how long a leg, or part of one, had no mate. :param exposure: the most that had none.
    :param loss: the deepest fall of equity below the start. :param profit: of all of it, fees included.
    :param stake: margin of both legs at their entry; 0 where none was entered.
    :param held: (seconds, {A: signed amount, B: ...}) at each change of a position.
    :param broken: what must not be; any makes the drill red. :param exceeded: configured limits that did not
        hold.
    """

    name: str
    title: str
    group: str
    pair: str
    seed: int
    outcome: str
    story: str
    was_hedged: bool
    orders: int
    alone_secs: float
    exposure: float
    loss: float
    profit: float
    stake: float
    secs: float
    then: str
    messages: list[tuple[float, str]] = field(default_factory=list)
    held: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    exceeded: list[str] = field(default_factory=list)

    @property
    def loss_percent(self) -> float:
        """Of the stake; 0 without one."""
        return 100.0 * self.loss / self.stake if self.stake else 0.0

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "loss_percent": round(self.loss_percent, 3)}

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Result:
        """The other way."""
        marks = [Mark(**mark) for mark in data["marks"]]
        plain = {name: value for name, value in data.items() if name not in ("marks", "loss_percent")}
        return cls(**{**plain, "marks": marks})


def result_of(stage: Stage, *, opens_when_calm: bool = True) -> Result:
    """Read a stage that has been played.

    :param opens_when_calm: whether this pair is opened where nothing goes wrong: what a scenario expects is
        judged only then.
    """
    end_ms = stage.clock.now_ms()
    samples, scenario = stage.observer.samples, stage.scenario
    if stage.refusal:
        return Result(
            scenario.name, scenario.title, scenario.group, stage.pair.id, stage.seed, "refused",
            f"the bot did not start: {stage.refusal}", was_hedged=False, orders=0, alone_secs=0.0,
            exposure=0.0, loss=0.0, profit=0.0, stake=0.0, secs=0.0, then="Do what the message says.",
            broken=["the bot did not start"] if opens_when_calm and scenario.entered != "never" else [],
        )  # fmt: skip
    rows = stage.pair_trades()
    states = [PairState(row.state) for row in rows]
    was_hedged = any(row.was_hedged for row in rows)
    begun = [sample for sample in samples if sample.held]
    outcome = _outcome(stage, states)
    result = Result(
        name=scenario.name,
        title=scenario.title,
        group=scenario.group,
        pair=stage.pair.id,
        seed=stage.seed,
        outcome=outcome,
        story=_story(stage, states, was_hedged),
        was_hedged=was_hedged,
        orders=len(stage.posts()),
        alone_secs=round(alone_ms(samples, end_ms) / 1000, 1),
        exposure=round(max((sample.unhedged for sample in samples), default=0.0), 2),
        loss=round(_deepest(samples), 2),
        profit=round(samples[-1].equity - samples[-1].paid_in - samples[0].equity, 2),
        stake=round(_stake(stage), 2) if begun else 0.0,
        secs=round((end_ms - stage.began_ms) / 1000, 1),
        then=_advice(stage, outcome),
        messages=_messages(stage),
        held=_held(stage),
        marks=_marks(stage),
        broken=_broken(stage, outcome, was_hedged, opens_when_calm=opens_when_calm),
    )
    result.exceeded.extend(_exceeded(result, stage.setup.settings, stage.setup.wallet))
    return result


def _deepest(samples: list[Sample]) -> float:
    """The deepest fall below the start, what somebody paid in or took out aside."""
    own = [sample.equity - sample.paid_in for sample in samples]
    return own[0] - min(own)


def _outcome(stage: Stage, states: list[PairState]) -> str:
    if PairState.NEEDS_OPERATOR in states:
        return "operator"
    if all(state.is_final for state in states) and not stage.positions():
        return "flat"
    return "hedged" if all(state.is_final or state is PairState.HEDGED for state in states) else "open"


def _story(stage: Stage, states: list[PairState], was_hedged: bool) -> str:
    if not states:
        refused = [
            str(json.loads(event.detail).get("why")) for event in stage.events() if event.kind == "refused"
        ]
        return f"not entered: {refused[-1] if refused else 'no entry was asked for'}"
    reasons = [row.reason for row in stage.pair_trades() if row.reason]
    ended = f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
    words = "opened, then closed" if was_hedged else "not opened, what was in is out again"
    if any(not state.is_final for state in states):
        words = "opened and still held" if was_hedged else "half open"
    died = f"; killed {stage.kills} times" if stage.kills > 1 else "; killed once" if stage.kills else ""
    died += f"; ended by itself {stage.crashes} times" if stage.crashes else ""
    return f"{words}{ended}{died}"


def _stake(stage: Stage) -> float:
    """Margin of what was entered by the pair trade that entered most."""
    totals: dict[str, float] = {}
    for order in stage.orders():
        if order.role in ("e", "t") and order.filled:
            notional = float(order.filled) * float(order.average or 0.0)
            totals[order.pair_trade_id] = totals.get(order.pair_trade_id, 0.0) + notional / float(
                order.leverage or 1.0
            )
    return max(totals.values(), default=0.0)


def _messages(stage: Stage) -> list[tuple[float, str]]:
    place = str(stage.directory)
    return [
        (round((each.at_ms - stage.began_ms) / 1000, 1), each.text.replace(f"{place}/", ""))
        for each in stage.messages
        if not each.text.startswith(_NOISE)
    ]


def _held(stage: Stage) -> list[tuple[float, dict[str, float]]]:
    names = {stage.legs.leg_a: "A", stage.legs.leg_b: "B"}
    found: list[tuple[float, dict[str, float]]] = []
    for sample in stage.observer.samples:
        held = {names[symbol]: float(amount) for symbol, amount in sample.held if symbol in names}
        if not found or found[-1][1] != held:
            found.append((round((sample.at_ms - stage.began_ms) / 1000, 2), held))
    return found


def _marks(stage: Stage) -> list[Mark]:
    def secs(at_ms: int | None) -> float | None:
        return None if at_ms is None else round((at_ms - stage.began_ms) / 1000, 2)

    symbols = {stage.pair.leg_a, stage.pair.leg_b}
    return [
        Mark(
            str(row.leg), str(row.role), str(row.side), float(row.amount), float(row.filled), str(row.status),
            secs(row.intent_ms) or 0.0, secs(row.sent_ms), secs(row.answered_ms), secs(row.settled_ms),
        )
        for row in stage.orders()
        if row.symbol in symbols
    ]  # fmt: skip


def _broken(stage: Stage, outcome: str, was_hedged: bool, *, opens_when_calm: bool) -> list[str]:
    scenario = stage.scenario
    found = list(stage.failures)
    waiting = (PairState.NEEDS_OPERATOR,) if scenario.operator else ()
    try:
        found += judge(stage, states=waiting)
    except (FreqtradeException, SQLAlchemyError) as error:
        found.append(f"the books cannot be read: {error}")
    if outcome == "operator" and not scenario.operator:
        found.append("a pair waits for a person, and should have been ended by the bot")
    if not opens_when_calm:
        return found
    if scenario.entered == "yes" and not was_hedged:
        found.append("the pair was to be opened and was not")
    if scenario.entered in ("no", "never") and was_hedged:
        found.append("the pair must not be opened and was")
    if scenario.entered == "never" and stage.posts():
        found.append(f"{len(stage.posts())} orders were sent where not one may be")
    return found


def _exceeded(result: Result, settings: Settings, wallet: float) -> list[str]:
    """Limits of `pairbot.risk` that did not hold, each with its figure."""
    risk, found = settings.risk, []
    if risk.max_naked_secs is not None and result.alone_secs > risk.max_naked_secs:
        found.append(f"a leg alone for {result.alone_secs:g} s, max_naked_secs is {risk.max_naked_secs:g}")
    gross = result.stake * settings.leverage
    if risk.max_pair_loss_percent is not None and gross:
        percent = 100 * result.loss / gross
        if percent > risk.max_pair_loss_percent:
            found.append(
                f"loss of {percent:.1f} % of both legs, max_pair_loss_percent is "
                f"{risk.max_pair_loss_percent:g}"
            )
    for name in ("max_daily_loss_percent", "max_drawdown_percent"):
        limit = getattr(risk, name)
        if limit is not None and 100 * result.loss / wallet > limit:
            found.append(f"loss of {100 * result.loss / wallet:.1f} % of the wallet, {name} is {limit:g}")
    return found


def _advice(stage: Stage, outcome: str) -> str:
    if outcome == "operator" and not stage.scenario.operator:
        return (
            "Look at the pair with `/pairs` or `pairbot status --orders`; docs/runbook.md knows its message."
        )
    return stage.scenario.then
