"""Every private name relied on is there, on the real classes, and one that is gone refuses the start."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import Exchange
from freqtrade.strategy import IStrategy
from freqtrade.wallets import Wallets
from harness import Rig

from pairbot_ext.host import private, releases
from pairbot_ext.host.private import RELIED_ON, WHERE_PRESENT, Relied, missing
from pairbot_ext.support.errors import PairbotError


@pytest.mark.parametrize("relied", RELIED_ON, ids=lambda each: f"{each.owner.split(':')[1]}.{each.name}")
def test_the_real_class_has_the_name(relied: Relied) -> None:
    assert missing((relied,)) == []


@pytest.mark.parametrize(
    ("relied", "says"),
    [
        (Relied("freqtrade.freqtradebot:FreqtradeBot", "_exit_locks"), "FreqtradeBot._exit_locks is gone"),
        # What a test once faked: the name without its class.
        (Relied("freqtrade.strategy:IStrategy", "_last_candle_seen_per_pair"), "is gone"),
        (Relied("freqtrade.freqtradebot:TradingBot", "_exit_lock"), "TradingBot is gone"),
        (Relied("freqtrade.nowhere:Bot", "_exit_lock"), "nowhere:Bot is gone"),
        (Relied("freqtrade.exchange:Exchange", "_lev_prep", ("pair", "side")), "takes pair, leverage"),
        (Relied("freqtrade.exchange:Exchange", "_set_lev", ("pair",)), "Exchange._set_lev is gone"),
    ],
)
def test_what_is_gone_or_changed_is_named(relied: Relied, says: str) -> None:
    (fault,) = missing((relied,))
    assert says in fault


def test_every_private_name_the_room_uses_is_on_the_list(repo_root: Path) -> None:
    """A name that is used and not listed would break without a word."""
    listed = {each.name for each in (*RELIED_ON, *WHERE_PRESENT)}
    used: dict[str, str] = {}
    for path in (repo_root / "pairbot_ext" / "host").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        for node in nodes:
            if not isinstance(node, ast.Attribute) or ast.unparse(node.value) == "self":
                continue
            if re.match(r"_[A-Za-z]", node.attr) and node.attr not in own:
                used[node.attr] = f"{path.name}:{node.lineno}"
    assert {"_api", "_exit_lock"} <= used.keys()
    assert {name: place for name, place in used.items() if name not in listed} == {}


def test_what_every_name_does_has_a_test(repo_root: Path) -> None:
    """A name that is there with its parameters may still do something else in another release."""
    sources = [path.read_text(encoding="utf-8") for path in (repo_root / "tests").rglob("test_*.py")]
    marks = [mark for source in sources for mark in re.findall(r"^@proves\((.+?)\)$", source, re.M | re.S)]
    proved = {name for mark in marks for name in re.findall(r'"(.+?)"', mark)}
    listed = {f"{each.owner.split(':')[1]}.{each.name}" for each in (*RELIED_ON, *WHERE_PRESENT)}
    assert listed == proved


def test_a_start_without_one_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Exchange, "_fetch_and_calculate_funding_fees")
    with pytest.raises(PairbotError) as refused:
        private.check(private.BOT)
    said = str(refused.value)
    assert "Exchange._fetch_and_calculate_funding_fees is gone" in said
    assert releases.described() in said, "what is installed"
    assert releases.tested_range() in said, "what it was tested with"


def test_a_list_belongs_to_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a replay reads refuses no bot."""
    monkeypatch.delattr(Exchange, "_now_is_time_to_refresh")
    private.check(private.BOT)
    private.check(private.REHEARSAL, "a drill")
    with pytest.raises(
        PairbotError, match=r"what a replay relies on: Exchange\._now_is_time_to_refresh is gone"
    ):
        private.check(private.REPLAY, "a replay")


def test_the_bot_asks_at_its_start(
    make_rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import arb

    monkeypatch.delattr(Wallets, "check_exit_amount")
    with pytest.raises(OperationalException, match=r"Wallets\.check_exit_amount is gone"):
        make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO")))


def test_the_last_candles_seen_are_the_real_strategy_s(tmp_path: Path) -> None:
    class Plain(IStrategy):
        pass

    Plain.__abstractmethods__ = frozenset()
    assert getattr(Plain({}), private.LAST_CANDLES) == {}
