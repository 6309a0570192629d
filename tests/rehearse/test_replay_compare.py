"""The difference between backtest and replay, split by cause: nothing is left, whatever the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.rehearse.replay.compare import Cause, Comparison, compare
from pairbot_ext.rehearse.replay.mishaps import Mishaps
from pairbot_ext.rehearse.replay.terms import Terms
from pairbot_ext.rehearse.replay.trades import LegResult, PairResult
from pairbot_ext.sim.rest.calls import ORDER, ORDER_QUERY

HOUR = 3_600_000
A, B = "ADA/USDT:USDT", "LINK/USDT:USDT"


def trade(opened: int = 10, closed: int | None = 20, **leg: float) -> PairResult:
    values: dict[str, Any] = {
        "amount": 100.0, "entry_price": 1.0, "exit_price": 1.1, "fees": 0.1, "funding": 0.02, **leg,
    }  # fmt: skip
    return PairResult(
        "AL", opened * HOUR, None if closed is None else closed * HOUR, "pair_reverted",
        (LegResult(symbol=A, sign=-1, **values), LegResult(symbol=B, sign=1, **values)),
    )  # fmt: skip


def compared(backtest: Sequence[PairResult], ours: Sequence[PairResult]) -> Comparison:
    return compare(
        backtest, ours, profits=(sum(t.pnl for t in backtest), sum(t.pnl for t in ours)), elsewhere=0.0,
        candle_ms=HOUR, open_price=lambda _symbol, open_ms: 1.0 + open_ms / HOUR / 100, end_ms=50 * HOUR,
        why_missed=lambda _wanted: "depth: too thin",
    )  # fmt: skip


price = st.floats(0.5, 2.0)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(price, price, st.floats(1, 1000)),
    st.tuples(price, price, st.floats(1, 1000)),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_the_causes_are_the_whole_difference(
    theirs: tuple[float, float, float], ours: tuple[float, float, float], late_in: int, late_out: int
) -> None:
    one = trade(entry_price=theirs[0], exit_price=theirs[1], amount=theirs[2])
    other = trade(
        10 + late_in, 20 + late_out, entry_price=ours[0], exit_price=ours[1], amount=ours[2], fees=0.3
    )
    found = compared([one], [other])
    assert found.unexplained == pytest.approx(0, abs=1e-9)
    assert (found.same == 1) == (late_in == late_out == 0)
    if not late_in and not late_out:
        assert found.causes[Cause.CANDLE] == 0


def test_what_only_one_of_them_has_is_its_own_cause() -> None:
    aborted = replace(trade(30, 30), is_aborted=True, reason="leg B refused")
    extra, missed = trade(40, 45), replace(trade(5, 8), pair_id="SD")
    last = trade(50, None)
    found = compared([missed], [aborted, extra, last])
    assert found.causes[Cause.MISSED] == pytest.approx(-missed.pnl)
    assert found.causes[Cause.ABORTED] == pytest.approx(aborted.pnl)
    assert found.causes[Cause.EXTRA] == pytest.approx(extra.pnl + last.pnl)
    assert [side.why for side in found.sides] == [
        "missed: depth: too thin", "aborted: leg B refused",
        "extra: the backtest was not free to enter it",
        "extra: a backtest enters nothing on its last candle",
    ]  # fmt: skip
    assert found.same == 0
    assert found.unexplained == pytest.approx(0, abs=1e-9)


def test_what_is_left_later_or_not_at_all_is_said() -> None:
    found = compared([trade(), trade(30, 35)], [trade(closed=22), trade(30, None)])
    assert "left 2 h later" in found.sides[0].why
    assert found.sides[1].why == "still open"


def test_an_aborted_opening_and_its_second_attempt_are_told_apart() -> None:
    aborted = replace(trade(10, 10), is_aborted=True)
    found = compared([trade()], [aborted, trade(11)])
    assert [side.backtest is not None for side in found.sides] == [True, False]
    assert "opened 1 h later" in found.sides[0].why


def test_chance_does_not_depend_on_what_came_before() -> None:
    terms = Terms(partial_share=0.2, fault_share=0.2, seed=3)
    asked = [
        ({"symbol": name, "side": "BUY"}, f"pb-{'a' * 12}-A-e-{number}", 1_000 * number)
        for name in ("X", "Y")
        for number in range(300)
    ]
    whole, part = Mishaps(terms, 0), Mishaps(terms, 200_000)
    names = [rule.name if (rule := whole.pick(ORDER, *each)) else "" for each in asked]
    later = [rule.name if (rule := part.pick(ORDER, *each)) else "" for each in asked[400:]]
    assert names[400:] == later
    assert 0.1 < names.count("partial fill") / len(names) < 0.25
    assert 0.3 < sum(map(bool, names)) / len(names) < 0.5
    assert all(whole.pick(ORDER_QUERY, *each) is None for each in asked)
