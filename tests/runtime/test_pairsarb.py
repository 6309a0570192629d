"""PairsArb itself in front of the venue: a pair or nothing, whatever fails (I2, I5, I7, I9, I12)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arb import move_z, next_candle, options, pair
from harness import Rig
from verdict import executed_entries

from pairbot_ext.orders.dryport import DryFault, DryFaultKind
from pairbot_ext.support.clock import as_datetime

INSIDE = {
    "bot_loop_start": ("runtime", "on_loop_start"),
    "informative_pairs": ("runtime", "symbols"),
    "populate_indicators": ("runtime", "update"),
    "populate_entry_trend": ("runtime", "entries"),
    "populate_exit_trend": ("strategy", "populate_exit_trend"),
    "leverage": ("desk", "leverage"),
    "custom_stake_amount": ("desk", "stake"),
    "custom_entry_price": ("desk", "entry_price"),
    "confirm_trade_entry": ("desk", "confirm_entry"),
    "custom_exit": ("desk", "exit_reason"),
    "confirm_trade_exit": ("desk", "confirm_exit"),
    "order_filled": ("desk", "on_order_filled"),
}
"""Every callback of PairsArb that a running bot calls, and what it calls in the package: there it raises."""
GATES = {"leverage", "custom_stake_amount", "custom_entry_price", "confirm_trade_entry"}


def test_every_callback_is_tried() -> None:
    """I12: a callback added to the strategy has to be added here."""
    import ast

    from scenario import REPO_ROOT

    tree = ast.parse((REPO_ROOT / "pairbot_ext" / "runtime" / "pairs_arb.py").read_text())
    strategy = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    methods = {node.name for node in strategy.body if isinstance(node, ast.FunctionDef)}
    # A bot never calls `advise_all_indicators`: it asks symbol by symbol.
    elsewhere = {
        "__init__",
        "__init_subclass__",
        "ft_bot_start",
        "ft_bot_cleanup",
        "plot_config",
        "version",
        "_overrides",
    }
    elsewhere |= {"advise_all_indicators"}
    assert methods - elsewhere == set(INSIDE)


@pytest.mark.parametrize("dry_run", [False, True], ids=["live", "dry"])
def test_a_pair_is_opened_and_closed(make_rig: Callable[..., Rig], tmp_path: Path, dry_run: bool) -> None:
    """I2, I9."""
    rig = make_rig(dry_run=dry_run, **options(tmp_path, pair("ADA-ALGO")))
    rig.loop()
    assert rig.states() == ["HEDGED"]
    rig.check_rest()
    move_z(rig, "ADA-ALGO", 0.0)
    next_candle(rig)
    assert [row.reason for row in rig.pair_trades()] == ["pair_reverted"]
    rig.check_flat()


@pytest.mark.parametrize("dry_run", [False, True], ids=["live", "dry"])
def test_leg_b_is_refused_and_leg_a_rolled_back(
    make_rig: Callable[..., Rig], tmp_path: Path, dry_run: bool
) -> None:
    """I8."""
    rig = make_rig(dry_run=dry_run, **options(tmp_path, pair("ADA-ALGO")))
    if dry_run:
        rig.dry_fault("B", "e", DryFault(DryFaultKind.REFUSE, code=-2019))
    else:
        rig.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    rig.loop(3)
    assert rig.states() == ["ABORTED"], "and not tried again on this candle"
    rig.check_flat()


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not_executed"])
@pytest.mark.parametrize("leg", ["A", "B"])
def test_unclear_entry_and_exit(shared_arb: Rig, leg: str, executed: bool) -> None:
    """I3, I8: one entry order each, however the answers get lost."""
    shared_arb.fault(when={"leg": leg, "role": "e"}, answer="unknown_503_msg", execute=executed)
    shared_arb.loop(2)
    shared_arb.check_rest()
    is_open = leg == "B" or executed
    assert shared_arb.states()[-1] == ("HEDGED" if is_open else "ABORTED")
    assert executed_entries(shared_arb) == ({"A-e": 1, "B-e": 1} if is_open else {})
    shared_arb.fault(when={"leg": leg, "role": "x"}, answer="read_timeout", execute=executed)
    move_z(shared_arb, "ADA-ALGO", 0.0)
    next_candle(shared_arb, loops=2)
    shared_arb.check_flat()


@pytest.mark.parametrize(("z_algo", "z_xrp", "winner"), [(2.4, 2.9, "ADA-XRP"), (2.9, 2.4, "ADA-ALGO")])
def test_a_coin_wanted_by_two_pairs(
    make_rig: Callable[..., Rig], tmp_path: Path, z_algo: float, z_xrp: float, winner: str
) -> None:
    """I7: both pairs want to short ADA on the same candle; the larger edge has it, the other gets nothing."""
    pairs = (pair("ADA-ALGO", z_algo, sigma=0.03), pair("ADA-XRP", z_xrp, sigma=0.03))
    rig = make_rig(**options(tmp_path, *pairs))
    rig.loop(3)
    assert [(row.pair_id, row.state) for row in rig.pair_trades()] == [(winner, "HEDGED")]
    rig.check_rest()


def inject(rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str, times: int | None) -> list[str]:
    """Let a callback raise, `times` or for good. Returns a list that grows with each exception."""
    strategy: Any = rig.bot.strategy
    owner, attribute = INSIDE[name]
    target = {"runtime": strategy.pairs, "desk": strategy.pairs.desk, "strategy": strategy}[owner]
    original = getattr(target, attribute)
    raised: list[str] = []

    def raising(*args: Any, **kwargs: Any) -> Any:
        if times is not None and len(raised) >= times:
            return original(*args, **kwargs)
        raised.append(name)
        raise RuntimeError(f"injected into {name}")

    monkeypatch.setattr(target, attribute, raising)
    return raised


@pytest.mark.parametrize("name", INSIDE)
def test_a_callback_raises_during_entry(shared_arb: Rig, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """I12, I2: whole or never opened at the end of that very loop; a gate that raises refuses the entry."""
    raised = inject(shared_arb, monkeypatch, name, None)
    before = len(shared_arb.states())
    shared_arb.loop()
    shared_arb.check_rest()
    opened = shared_arb.states()[before:]
    assert opened in ([], ["ABORTED"], ["HEDGED"])
    if name in GATES:
        assert raised
        assert not executed_entries(shared_arb), "fail closed"
    if name == "order_filled":
        assert raised
        assert opened == ["HEDGED"]
    monkeypatch.undo()
    move_z(shared_arb, "ADA-ALGO", 0.0)
    next_candle(shared_arb, loops=2)
    shared_arb.check_flat()


@pytest.mark.parametrize("name", INSIDE)
def test_a_callback_raises_and_no_exit_is_refused(
    shared_arb: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """I12, I5: the callback raises for good, a forced exit of one leg takes both out."""
    shared_arb.loop()
    shared_arb.check_rest()
    raised = inject(shared_arb, monkeypatch, name, None)
    trade_id = next(iter(shared_arb.trade_ids()))
    shared_arb.bot.rpc._rpc._rpc_force_exit(str(trade_id))
    if name == "order_filled":
        # The mate's turn comes with the next pass.
        assert raised
        shared_arb.loop()
    if name == "confirm_trade_exit":
        assert raised
    shared_arb.check_flat()


@pytest.mark.parametrize("name", INSIDE)
def test_a_callback_raises_once_during_the_model_s_exit(
    shared_arb: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """I12, I5: the exit goes out in that loop or in the next one, both legs together."""
    shared_arb.loop()
    shared_arb.check_rest()
    inject(shared_arb, monkeypatch, name, 1)
    move_z(shared_arb, "ADA-ALGO", 0.0)
    next_candle(shared_arb)
    shared_arb.check_rest()
    shared_arb.loop()
    shared_arb.check_flat()


def test_a_raising_clean_up_leaves_the_pair_to_the_next_start(
    make_rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4, I9."""
    rig = make_rig(**options(tmp_path, pair("ADA-ALGO")))
    rig.loop()
    strategy: Any = rig.bot.strategy
    monkeypatch.setattr(strategy.pairs, "cleanup", lambda: (_ for _ in ()).throw(RuntimeError("injected")))
    with pytest.raises(RuntimeError, match="injected"):
        rig.stop()
    rig.restart()
    rig.loop()
    rig.check_rest()


def test_a_price_step_under_a_pair_is_told_once_and_ends_its_z(
    make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    """A coin is redenominated, or a tick is wrong: no entry on a price that is another unit."""
    rig = make_rig(**options(tmp_path, pair("ADA-ALGO", z=0.0)))
    rig.loop(2)
    candles = rig.bot.strategy.pairs._candles  # type: ignore[attr-defined]
    seen = dict(candles.frames)
    frame = seen["ADA/USDT:USDT"].copy()
    frame.loc[len(frame) - 1, ["open", "high", "low", "close"]] *= 10
    candles.frames = {}
    rig.bot.strategy.pairs.update("ADA/USDT:USDT", frame)  # type: ignore[attr-defined]
    for _ in range(3):
        rig.bot.strategy.pairs.on_loop_start(as_datetime(rig.clock.now_ms()))  # type: ignore[attr-defined]
    book = rig.bot.strategy.pairs.book  # type: ignore[attr-defined]
    (path,) = book.paths
    assert np.isnan(path.z[-1])
    assert np.isfinite(path.z[-2])
    rig.loop()
    assert len([text for text in rig.told if "no market brings it" in text and "ADA/USDT:USDT" in text]) == 1
