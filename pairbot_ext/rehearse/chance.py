"""Schedules by chance: the same small language of things that go wrong, drawn by a random generator for seeds
and by hypothesis for a search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from pairbot_ext.model.commands import Command
from pairbot_ext.model.sizing import Leg
from pairbot_ext.rehearse import schedule as plan
from pairbot_ext.sim.rest import calls
from pairbot_ext.sim.venue import actions
from pairbot_ext.sim.venue.errors import Code
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.stream_faults import StreamRule

T = TypeVar("T")
Draw = Callable[[Sequence[Any]], Any]
"""Chooses one of a sequence; the first is the simplest."""

MOST_STEPS = 4
_UNCLEAR = (
    "read_timeout", "reset", "unknown_503_msg", "unknown_503_code_1000", "html_502", "html_504",
    "timeout_1007", "empty_200", "truncated_200",
)  # fmt: skip
_LEGS, _ROLES = ("A", "B"), ("e", "x", "u")


def random_scenarios(count: int, seed: int) -> tuple[plan.Scenario, ...]:
    """So many, each from a seed of its own: seed, seed + 1, ..."""
    return tuple(_random(seed + number) for number in range(count))


def _random(seed: int) -> plan.Scenario:
    rng = np.random.default_rng(seed)
    return compose(lambda choices: choices[int(rng.integers(len(choices)))], f"seed-{seed}")


def compose(draw: Draw, name: str) -> plan.Scenario:
    """One scenario of at most `MOST_STEPS` steps, heard or asked for."""
    streams = draw((False, True))
    steps = tuple(_step(draw) for _ in range(draw(range(1, MOST_STEPS + 1))))
    title = "; ".join(described(step) for step in steps)
    if len(title) > plan.LONGEST_TITLE:
        title = f"{title[: plan.LONGEST_TITLE - 3]}..."
    return plan.Scenario(name=name, title=title, group="chance", steps=steps, streams=streams)


def _step(draw: Draw) -> plan.Step:
    return draw(_KINDS)(draw)


def _order(draw: Draw) -> plan.OnOrder:
    return plan.OnOrder(leg=Leg(draw(_LEGS)), role=draw(_ROLES), moment=draw(("after", "before")))


def _now(draw: Draw) -> plan.InPhase:
    return plan.InPhase(phase=draw(("held", "entry", "exit")), secs=float(draw((5, 0, 1, 12, 20))))


def _rule(draw: Draw, **rule: Any) -> plan.Step:
    when = {"leg": draw(_LEGS), "role": draw(_ROLES), "times": draw((1, 2, 4))}
    effect = plan.Fault(rule=FaultRule.model_validate({"when": when, **rule}))
    return plan.Step(at=plan.InPhase(phase="entry"), effect=effect)


def _answer(draw: Draw) -> plan.Step:
    return _rule(draw, answer=draw(_UNCLEAR), execute=draw((True, False)), delay_ms=draw((0, 2_000)))


def _fill(draw: Draw) -> plan.Step:
    return _rule(draw, answer="normal", fill={"fraction": draw(("0.5", "0", "0.04", "0.97"))})


def _refusal(draw: Draw) -> plan.Step:
    code = draw((Code.MARGIN_INSUFFICIENT, Code.OVERLOADED, Code.TOO_MANY_ORDERS, Code.UNABLE_TO_FILL))
    return _rule(draw, answer="reject", code=int(code))


def _questions(draw: Draw) -> plan.Step:
    call = draw((calls.ORDER_QUERY, calls.POSITIONS, calls.BALANCE, calls.BOOK))
    rule = {"when": {"call": call, "times": None}, "answer": draw(("html_503", "empty_200", "read_timeout"))}
    effect = plan.Fault(rule=FaultRule.model_validate(rule), lasts_secs=float(draw((30, 90, 300))))
    return plan.Step(at=_now(draw), effect=effect)


def _down(draw: Draw) -> plan.Step:
    rule = {"when": {"call": calls.ANY, "times": None}, "answer": "reset", "execute": False}
    effect = plan.Fault(rule=FaultRule.model_validate(rule), lasts_secs=float(draw((20, 60, 300))))
    return plan.Step(at=draw((_order, _now))(draw), effect=effect)


def _move(draw: Draw) -> plan.Step:
    percent = float(draw((1, -1, 3, -3, 8, -8)))
    return plan.Step(at=draw((_order, _now))(draw), effect=plan.Move(leg=Leg(draw(_LEGS)), percent=percent))


def _kill(draw: Draw) -> plan.Step:
    return plan.Step(at=_order(draw), effect=plan.Kill(), times=draw((1, 2)))


def _by_hand(draw: Draw) -> plan.Step:
    action: actions.Action = draw((actions.ClosePosition(), actions.Liquidate(), actions.Liquidate(adl=True)))
    return plan.Step(at=draw((_now, _order))(draw), effect=plan.Act(action=action, leg=Leg(draw(_LEGS))))


def _halt(draw: Draw) -> plan.Step:
    action = actions.SymbolStatus(status="PENDING_TRADING")
    return plan.Step(at=_order(draw), effect=plan.Act(action=action, leg=Leg(draw(_LEGS))))


def _thin(draw: Draw) -> plan.Step:
    depth = float(draw((100, 20)))
    return plan.Step(at=_order(draw), effect=plan.Book(leg=Leg(draw(_LEGS)), depth_usdt=depth))


def _stream(draw: Draw) -> plan.Step:
    fault = draw(("silence", "dead", "cut", "close", "lost", "doubled", "reordered", "late", "stale_key"))
    rule: dict[str, Any] = {"fault": fault}
    if fault in ("lost", "doubled", "reordered", "late"):
        rule["when"] = {"event": draw(("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "*")), "times": draw((1, 5))}
    elif fault in ("silence", "dead"):
        rule["lasts_ms"] = draw((20_000, 120_000))
    effect = plan.StreamFault(rule=StreamRule.model_validate(rule))
    return plan.Step(at=draw((_now, _order))(draw), effect=effect)


def _person(draw: Draw) -> plan.Step:
    command: Command = draw(tuple(Command))
    stops = command in (Command.PAUSE, Command.STOP)
    effect = plan.Person(
        command=command, leg=Leg(draw(_LEGS)), lasts_secs=float(draw((5, 60))) if stops else None
    )
    return plan.Step(at=draw((_now, _order))(draw), effect=effect)


def _settings(draw: Draw) -> plan.Step:
    """Leverage by hand, also beyond what the wallet carries."""
    action = actions.SymbolSettings(leverage=draw((1, 5, 20)))
    return plan.Step(at=draw((_now, _order))(draw), effect=plan.Act(action=action, leg=Leg(draw(_LEGS))))


def _money(draw: Draw) -> plan.Step:
    return plan.Step(at=draw((_now, _order))(draw), effect=plan.Money(share=draw((0.5, -0.3, -0.9))))


def _machine(draw: Draw) -> plan.Step:
    """What goes wrong where the bot runs."""
    effect: plan.Effect = draw(
        (
            plan.Database(how="locked", lasts_secs=30),
            plan.Database(how="full", lasts_secs=30),
            plan.PairsFile(how="empty"),
            plan.PairsFile(how="broken"),
            plan.PairsFile(how="tighter"),
            plan.SecondBot(),
        )
    )
    return plan.Step(at=_now(draw), effect=effect)


def _market(draw: Draw) -> plan.Step:
    effect: plan.Effect = draw((plan.Spread(z="stop"), plan.Spread(z=0.0), plan.Funding(percent=1.0)))
    return plan.Step(at=_now(draw), effect=effect)


_KINDS = (
    _answer, _fill, _refusal, _questions, _down, _move, _kill, _by_hand, _halt, _thin,
    _stream, _person, _settings, _money, _machine, _market,
)  # fmt: skip


def described(step: plan.Step) -> str:
    """A step in a few words."""
    at = step.at
    when = f"{at.moment} {at.leg}-{at.role}" if isinstance(at, plan.OnOrder) else f"{at.phase}+{at.secs:g}s"
    effect = step.effect
    match effect:
        case plan.Fault(rule=rule):
            target = f"{rule.when.leg or ''}{'-' + rule.when.role if rule.when.role else ''}"
            what = f"{target or rule.when.call} {rule.answer}"
            what += "" if rule.executes or rule.fill else " (not executed)"
            what += f" fill {rule.fill.fraction}" if rule.fill else ""
            what += f" for {effect.lasts_secs:g}s" if effect.lasts_secs else ""
        case plan.Move():
            what = f"{effect.leg} {effect.percent:+g}%"
        case plan.Act():
            what = f"{effect.action.do} {effect.leg or ''}".strip()
        case plan.StreamFault(rule=rule):
            what = f"stream {rule.fault} {'' if rule.when.event == '*' else rule.when.event}".strip()
        case plan.Person():
            what = f"/{effect.command} {effect.leg}"
            what += f" for {effect.lasts_secs:g}s" if effect.lasts_secs else ""
        case plan.Money():
            what = f"money {effect.share:+g}"
        case plan.Database() | plan.PairsFile():
            what = f"{effect.do} {effect.how}"
        case plan.Spread():
            what = f"spread {effect.z}"
        case plan.Book():
            what = f"{effect.leg}'s book {effect.depth_usdt:g}"
        case _:
            what = effect.do
    return f"{what} @{when}" + (f" x{step.times}" if step.times > 1 else "")
