"""What stands in for something real in the tests has its methods, with its parameters: a fake that was left
behind proves what is no longer there, or raises where nobody looks."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from model_venue import ModelBot, ModelBridge, ModelClock, ModelVenue
from scenario import HERE, Script

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.intents import Intents
from pairbot_ext.journal.journal import Journal
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.orders.port import VenuePort
from pairbot_ext.pairtrade.coordinator import Coordinator
from pairbot_ext.pairtrade.facts import Knowledge
from pairbot_ext.pairtrade.prices import Prices
from pairbot_ext.signals.port import Signals
from pairbot_ext.signals.rules import PairRules
from pairbot_ext.support.clock import SystemClock

TESTS = HERE.parent


def module_of(path: Path) -> ModuleType:
    """Of a strategy, which Freqtrade loads from a folder, or of a test."""
    spec = importlib.util.spec_from_file_location(f"looked_at_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public_methods(kind: type) -> dict[str, Callable[..., Any]]:
    """By name."""
    members = inspect.getmembers(kind, inspect.isroutine)
    return {name: member for name, member in members if not name.startswith("_")}


def parameters(method: Callable[..., Any]) -> list[tuple[str, Any]]:
    """Names and kinds, without self."""
    listed = inspect.signature(method).parameters.values()
    return [(each.name, each.kind) for each in listed if each.name != "self"]


def differences(fake: type, real: type, *, is_whole: bool, own: frozenset[str] = frozenset()) -> list[str]:
    """In words. :param is_whole: the fake has to have every method. :param own: what is the fake's alone."""
    has, wanted = public_methods(fake), public_methods(real)
    missing = sorted(set(wanted) - set(has)) if is_whole else []
    unknown = sorted(set(has) - set(wanted) - own)
    bent = [
        f"{name}{[each[0] for each in parameters(has[name])]} for {[e[0] for e in parameters(wanted[name])]}"
        for name in sorted(set(has) & set(wanted))
        if parameters(has[name]) != parameters(wanted[name])
    ]
    return [f"no {name}" for name in missing] + [f"only the fake has {name}" for name in unknown] + bent


SCRIPTED = frozenset({"call", "wish", "interfere", "reset", "plain_wish"})


@pytest.mark.parametrize("fake", [Script, module_of(HERE / "strategies" / "DeskStrategy.py").FileScript])
def test_scripts_are_whole_signals(fake: type) -> None:
    assert not differences(fake, Signals, is_whole=True, own=SCRIPTED)
    assert not differences(fake, PairRules, is_whole=False, own=SCRIPTED)


@pytest.mark.parametrize(
    ("fake", "real", "own"),
    [
        (ModelBot, Broker, {"open_trade", "force_exit"}),
        (ModelBridge, Bridge, set()),
        (ModelVenue, VenuePort, {"held", "positions", "by_hand", "ask"}),
        (ModelClock, SystemClock, set()),
    ],
)
def test_the_protocol_machine_s_models_have_the_methods_of_what_they_model(
    fake: type, real: type, own: set[str]
) -> None:
    assert not differences(fake, real, is_whole=False, own=frozenset(own))


@pytest.mark.parametrize(
    ("file", "own", "reals"),
    [
        ("pairtrade/test_performer.py", set(), [Broker, Journal, Knowledge, Intents, Prices, OrderGuard]),
        ("pairtrade/test_missing.py", {"look"}, [Broker, Journal, Knowledge]),
        ("orders/test_settling.py", set(), [Journal, VenuePort]),
        ("recovery/test_schedule.py", {"passes"}, [Journal, Broker, Coordinator]),
    ],
)
def test_a_case_that_stands_for_several_has_only_methods_of_theirs(
    file: str, own: set[str], reals: list[type]
) -> None:
    fake = module_of(TESTS / file).Case
    for name, method in public_methods(fake).items():
        owners = [real for real in [*reals, SystemClock] if name in public_methods(real)]
        assert owners or name in own, f"{file}: nobody has {name}"
        for real in owners:
            asked, has = parameters(getattr(real, name)), parameters(method)
            assert len(has) <= len(asked), f"{file}: {name}{has}, {real.__name__} has {asked}"
            by_name = {each for each, kind in has if kind is inspect.Parameter.KEYWORD_ONLY}
            assert by_name <= {each for each, _ in asked}, f"{file}: {name}{has}, {real.__name__} has {asked}"
