"""The curated set: what venues, networks, people and machines do to a pair trade. All of it is data."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pairbot_ext.model.commands import Command
from pairbot_ext.model.sizing import Leg
from pairbot_ext.rehearse.schedule import (
    Act,
    Book,
    Database,
    Effect,
    Fault,
    Funding,
    InPhase,
    Kill,
    Money,
    Move,
    OnOrder,
    PairsFile,
    Person,
    Scenario,
    SecondBot,
    Spread,
    Step,
    StreamFault,
)
from pairbot_ext.sim.rest import calls
from pairbot_ext.sim.venue import actions
from pairbot_ext.sim.venue.errors import Code
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.stream_faults import StreamRule

_LOOK = "Look at the pair with `/pairs` or `pairbot status --orders`, and do what the last message says."
_WORDS = {"e": "entry", "x": "exit", "u": "unwind"}


def _rule(leg: str, role: str, answer: str, **more: Any) -> Step:
    """An order's answer goes wrong."""
    when = {"leg": leg, "role": role, **more.pop("when", {})}
    rule = FaultRule.model_validate({"when": when, "answer": answer, **more})
    return Step(at=InPhase(phase="entry"), effect=Fault(rule=rule))


def _calls(call: str, answer: str, *, phase: str = "entry", secs: float = 0, lasts: float | None = None,
           **more: Any) -> Step:  # fmt: skip
    """Every request of a kind goes wrong."""
    when = {"call": call, "times": None, **more.pop("when", {})}
    rule = FaultRule.model_validate({"when": when, "answer": answer, **more})
    return _at(phase, secs, Fault(rule=rule, lasts_secs=lasts))


def _at(phase: Any, secs: float, effect: Effect) -> Step:
    return Step(at=InPhase(phase=phase, secs=secs), effect=effect)


def _on(leg: str, role: Any, moment: Any, effect: Effect, times: int = 1) -> Step:
    return Step(at=OnOrder(leg=Leg(leg), role=role, moment=moment), effect=effect, times=times)


def _act(leg: str | None, action: actions.Action) -> Act:
    return Act(action=action, leg=None if leg is None else Leg(leg))


def _one(group: str, name: str, title: str, *steps: Step, **more: Any) -> Scenario:
    return Scenario(name=name, title=title, group=group, steps=steps, **more)


def _answers() -> list[Scenario]:
    made = [_one("answers", "calm", "Nothing happens at all", entered="yes")]
    forms: Mapping[str, str] = {
        "read_timeout": "no answer before the timeout",
        "reset": "the connection drops",
        "unknown_503_msg": "503 “unknown error”",
        "html_504": "an HTML page with 504",
        "empty_200": "200 with nothing in it",
    }
    for leg in "AB":
        for form, words in forms.items():
            made.append(
                _one(
                    "answers",
                    f"entry-{leg.lower()}-{form.replace('_', '-')}",
                    f"Leg {leg}'s entry is executed, its answer is lost: {words}",
                    _rule(leg, "e", form, execute=True),
                    entered="yes",
                )
            )
        made.append(
            _one(
                "answers",
                f"entry-{leg.lower()}-never-arrived",
                f"Leg {leg}'s entry never arrives, and nothing says so",
                _rule(leg, "e", "read_timeout", execute=False),
            )
        )
        made.append(
            _one(
                "answers",
                f"exit-{leg.lower()}-lost",
                f"Leg {leg}'s exit is executed, its answer is lost",
                _rule(leg, "x", "reset", execute=True),
                entered="yes",
            )
        )
    made += [
        _one(
            "answers",
            "answer-and-queries-lost",
            "Leg A's answer is lost, and for 90 seconds no order can be asked about",
            _rule("A", "e", "read_timeout", execute=True),
            _calls(calls.ORDER_QUERY, "html_503", lasts=90),
        ),
        _one(
            "answers",
            "unwind-lost",
            "Leg B is refused for good, and the answer to leg A's unwind is lost",
            _rule("B", "e", "reject", code=Code.MARGIN_INSUFFICIENT, when={"times": None}),
            _rule("A", "u", "reset", execute=True),
        ),
    ]
    return made


def _fills() -> list[Scenario]:
    half = {"fraction": "0.5"}
    return [
        _one("fills", "entry-a-half", "Half of leg A is filled", _rule("A", "e", "normal", fill=half)),
        _one("fills", "entry-b-half", "Half of leg B is filled", _rule("B", "e", "normal", fill=half)),
        _one(
            "fills", "entry-a-sliver", "Three percent of leg A is filled",
            _rule("A", "e", "normal", fill={"fraction": "0.03"}),
        ),
        _one(
            "fills", "entry-a-nothing", "Nothing of leg A is filled",
            _rule("A", "e", "normal", fill={"fraction": "0"}), entered="no",
        ),
        _one(
            "fills", "entry-b-nothing", "Nothing of leg B is filled, three times",
            _rule("B", "e", "normal", fill={"fraction": "0"}, when={"times": 3}),
        ),
        _one("fills", "exit-a-half", "Half of leg A's exit is filled", _rule("A", "x", "normal", fill=half)),
        _one(
            "fills", "exit-b-nothing", "Nothing of leg B's exit is filled, twice",
            _rule("B", "x", "normal", fill={"fraction": "0"}, when={"times": 2}),
        ),
    ]  # fmt: skip


def _refusals() -> list[Scenario]:
    return [
        _one(
            "refusals", "b-refused-once", "Leg B is refused once for lack of margin",
            _rule("B", "e", "reject", code=Code.MARGIN_INSUFFICIENT),
        ),
        _one(
            "refusals", "b-refused-for-good", "Leg B is refused for good, after leg A is in",
            _rule("B", "e", "reject", code=Code.MARGIN_INSUFFICIENT, when={"times": None}),
        ),
        _one(
            "refusals", "a-refused", "Leg A is refused for lack of margin",
            _rule("A", "e", "reject", code=Code.MARGIN_INSUFFICIENT, when={"times": None}), entered="no",
        ),
        _one(
            "refusals", "b-halted-before", "Leg B's symbol is halted before the bot starts",
            _at("before", 0, _act("B", actions.SymbolStatus(status="PENDING_TRADING"))), entered="never",
            then="Nothing: the pair is left out until its symbol trades again.",
        ),
        _one(
            "refusals", "b-halted-between", "Leg B's symbol is halted between the legs",
            _on("A", "e", "after", _act("B", actions.SymbolStatus(status="PENDING_TRADING"))),
            _at("held", 30, _act("B", actions.SymbolStatus(status="TRADING"))),
        ),
        _one(
            "refusals", "exit-refused-for-a-minute", "Leg A's exit is refused for a minute",
            _calls(calls.ORDER, "reject", phase="exit", lasts=60, code=Code.MARGIN_INSUFFICIENT,
                   when={"role": "x", "leg": "A"}), entered="yes",
        ),
        _one(
            "refusals", "overloaded", "The venue is overloaded (503, not executed) at every second order",
            _calls(calls.ORDER, "overloaded_1008", lasts=60, when={"probability": 0.5}),
        ),
    ]  # fmt: skip


def _markets() -> list[Scenario]:
    return [
        _one(
            "market", "gap-between-legs", "Leg B's price jumps 2 % against the pair between the legs",
            _on("A", "e", "after", Move(leg=Leg.B, percent=2)),
        ),
        _one(
            "market", "gap-a-against", "Leg A's price falls 5 % as soon as leg A is in",
            _on("A", "e", "after", Move(leg=Leg.A, percent=-5)),
        ),
        _one(
            "market", "thin-book-b", "Leg B's book is thin: 20 USDT at each price",
            _at("before", 0, Book(leg=Leg.B, depth_usdt=20)), entered="never",
        ),
        _one(
            "market", "thin-book-between", "Leg B's book empties between the legs",
            _on("A", "e", "after", Book(leg=Leg.B, depth_usdt=10)),
        ),
        _one(
            "market", "stop-reached", "The spread runs away to its stop while the pair is held",
            _at("held", 10, Spread(z="stop")), entered="yes", held_hours=1,
        ),
        _one(
            "market", "crash-30", "Leg A jumps 30 % while the pair is held",
            _at("held", 10, Move(leg=Leg.A, percent=30)), entered="yes", held_hours=1,
        ),
        _one(
            "market", "funding-jump", "Funding jumps to 0.75 % against both stamps of a day held",
            _at("held", 5, Funding(percent=0.75)), held_hours=17, entered="yes",
        ),
        _one(
            "market", "liquidated-a", "Leg A is liquidated",
            _at("held", 10, _act("A", actions.Liquidate())), entered="yes",
        ),
        _one(
            "market", "adl-b", "Leg B is auto-deleveraged",
            _at("held", 10, _act("B", actions.Liquidate(adl=True))), entered="yes",
        ),
        _one(
            "market", "delisted-b", "Leg B's symbol is taken off the market while the pair is held",
            _at("held", 10, _act("B", actions.SymbolStatus(status="SETTLING"))), entered="yes", operator=True,
            then="The venue settles leg B itself at its announced time, nothing can be sent for it before: "
            "read the announcement, and decide about leg A. " + _LOOK,
        ),
    ]  # fmt: skip


def _people() -> list[Scenario]:
    return [
        _one(
            "people", "closed-a-by-hand", "Somebody closes leg A by hand",
            _at("held", 10, _act("A", actions.ClosePosition())), entered="yes",
        ),
        _one(
            "people", "halved-b-by-hand", "Somebody closes half of leg B by hand",
            _at("held", 10, _act("B", actions.ClosePosition(fraction=Decimal("0.5")))), entered="yes",
        ),
        _one(
            "people", "leverage-by-hand", "Somebody sets leg B's leverage to 1 before the entry",
            _at("before", 0, _act("B", actions.SymbolSettings(leverage=1))),
        ),
        _one(
            "people", "hedge-mode", "Somebody switches the account to hedge mode before the entry",
            _at("entry", 0, _act(None, actions.AccountMode(dual_side=True))), entered="never",
            then="Set the account back to one-way mode: nothing is entered until then.",
        ),
        _one(
            "people", "withdrawal", "Somebody takes nine tenths of the money out between the legs",
            _on("A", "e", "after", Money(share=-0.9)),
        ),
        _one(
            "people", "deposit", "Somebody puts money in while the pair is held",
            _at("held", 10, Money(share=0.5)), entered="yes",
        ),
        _one(
            "people", "pairs-file-emptied", "The pairs file is rewritten without any pair while one is open",
            _at("held", 5, PairsFile(how="empty")), entered="yes", held_hours=1,
        ),
        _one(
            "people", "pairs-file-broken", "The pairs file is replaced by half a file",
            _at("held", 5, PairsFile(how="broken")), entered="yes",
            then="Write the pairs file anew with `pairbot scan`: nothing new is entered until then.",
        ),
        _one(
            "people", "forceexit-a", "/forceexit of leg A alone while the pair is held",
            _at("held", 5, Person(command=Command.FORCE_EXIT)), entered="yes",
            then="Nothing: the bot has closed leg B, too.",
        ),
        _one(
            "people", "forceexit-a-third", "A third of leg B is closed by Freqtrade's API",
            _at("held", 5, Person(command=Command.FORCE_EXIT_PART, leg=Leg.B)), entered="yes",
            then="Nothing: the bot has made leg A as small.",
        ),
        _one(
            "people", "stopped-between-legs", "/stop between the legs' entries, /start a minute later",
            _on("A", "e", "after", Person(command=Command.STOP, lasts_secs=60)),
        ),
        _one(
            "people", "reloaded", "/reload_config while the pair is held",
            _at("held", 5, Person(command=Command.RELOAD_CONFIG)), entered="yes",
        ),
        _one(
            "people", "deleted-in-freqtrade", "/delete of leg A while the pair is held",
            _at("held", 5, Person(command=Command.DELETE)), entered="yes",
            then="Nothing: the venue still holds the leg, so the bot has booked it again.",
        ),
        _one(
            "people", "second-bot", "A second bot is started on the same database",
            _at("held", 5, SecondBot()), entered="yes",
            then="Nothing: the second bot was refused, the first one goes on.",
        ),
    ]  # fmt: skip


def _venue() -> list[Scenario]:
    return [
        _one(
            "venue", "down-between-legs",
            "The venue cannot be reached for 10 minutes, from leg A's entry on",
            _on("A", "e", "after", _down(600)),
            then="Nothing, once the venue is back: the bot asks what became of the order and ends it.",
        ),
        _one(
            "venue", "down-while-held", "The venue is not reachable for 10 minutes while the pair is held",
            _at("held", 5, _down(600)), entered="yes",
        ),
        _one(
            "venue", "down-at-exit", "The venue is not reachable for 10 minutes, from leg A's exit on",
            _on("A", "x", "after", _down(600)), entered="yes",
        ),
        _one(
            "venue", "ban", "The venue bans this address (HTTP 418) for two minutes while the pair is held",
            _calls(calls.ANY, "custom", phase="held", secs=5, lasts=120, status=418,
                   body=f'{{"code": {Code.TOO_MANY_REQUESTS:d}, "msg": "Way too many requests; banned."}}'),
            entered="yes",
        ),
        _one(
            "venue", "clock-skew", "The venue's clock is twelve seconds ahead",
            _at("entry", 0, _act(None, actions.AdvanceTime(ms=12_000))),
        ),
        _one(
            "venue", "slow", "Every answer takes three seconds",
            _calls(calls.ANY, "normal", delay_ms=3_000),
        ),
    ]  # fmt: skip


def _down(secs: float) -> Fault:
    rule = {"when": {"call": calls.ANY, "times": None}, "answer": "reset", "execute": False}
    return Fault(rule=FaultRule.model_validate(rule), lasts_secs=secs)


def _machine() -> list[Scenario]:
    made = [
        _one(
            "machine",
            f"kill-{_WORDS[role]}-{leg.lower()}-{moment}",
            f"kill −9 {'before' if moment == 'before' else 'after'} leg {leg}'s {_WORDS[role]} "
            f"{'is sent' if moment == 'before' else 'is executed'}",
            _on(leg, role, moment, Kill()),
            **({"entered": "yes"} if role == "x" else {}),
        )
        for role in "ex"
        for leg in "AB"
        for moment in ("before", "after")
    ]
    return [
        *made,
        _one(
            "machine", "kill-twice", "kill −9 before leg B's entry, and again before what follows it",
            _on("B", "e", "before", Kill(), times=2), _on("A", "u", "before", Kill()),
        ),
        _one(
            "machine", "database-locked",
            "Another process holds the database for a minute from leg A's entry on",
            _on("A", "e", "after", Database(how="locked")),
        ),
        _one(
            "machine", "disk-full", "The disk is full from leg A's entry on, for a minute",
            _on("A", "e", "after", Database(how="full")),
        ),
        _one(
            "machine", "disk-full-at-exit", "The disk is full when the pair is to be closed",
            _at("held", 5, Database(how="full", lasts_secs=120)), entered="yes",
        ),
        _one(
            "machine", "streams-silent", "The streams fall silent, and leg A is closed by hand",
            _at("held", 1, StreamFault(rule=StreamRule.model_validate({"fault": "silence"}))),
            _at("held", 10, _act("A", actions.ClosePosition())), entered="yes", streams=True,
        ),
    ]  # fmt: skip


@lru_cache(maxsize=1)
def curated() -> tuple[Scenario, ...]:
    """All of them, in groups. Names are unique."""
    return (
        *_answers(),
        *_fills(),
        *_refusals(),
        *_markets(),
        *_people(),
        *_venue(),
        *_machine(),
    )
