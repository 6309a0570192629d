"""I15: an input unknown for longer than its bound is a breach: its consequence happens, is told, and ends."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import arb
import pytest
from harness import Rig

from pairbot_ext.risk.freshness import FRESHNESS, Input
from pairbot_ext.risk.state import RiskState
from pairbot_ext.sim.venue.actions import SymbolStatus, Transfer

MakeRig = Callable[..., Rig]
LIMITS = {
    "live_z_stop": False, "max_pair_loss_percent": None, "max_drawdown_percent": 2.0,
    "max_daily_loss_percent": 2.0, "min_liquidation_distance_percent": 1.0, "break_stop": None,
}  # fmt: skip


def held_candles(rig: Rig, symbol: str) -> Callable[[], None]:
    """The venue answers no newer candle of a symbol; returns what ends it."""
    real, frozen_ms = rig.market.klines, rig.clock.now_ms()

    def klines(name: str, interval: str, start: Any, end: Any, limit: int, now_ms: int, **kwargs: Any) -> Any:
        if name == symbol and interval == "1h":
            now_ms = min(now_ms, frozen_ms)
            end = now_ms if end is None else min(end, now_ms)
        return real(name, interval, start, end, limit, now_ms, **kwargs)

    rig.market.klines = klines
    return lambda: setattr(rig.market, "klines", real)


@pytest.mark.parametrize("symbol", ["ADAUSDT", "ALGOUSDT"])
def test_candles_that_stand_still_under_an_open_pair(make_rig: MakeRig, tmp_path: Path, symbol: str) -> None:
    rig = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO")))
    arb.next_candle(rig, 2)
    assert rig.states() == ["HEDGED"]
    end = held_candles(rig, symbol)
    before = len(rig.told)
    for _ in range(5):
        arb.next_candle(rig, 2)
    told = [text for text in rig.told[before:] if "no traded candle" in text]
    assert len(told) == 1
    assert symbol.removesuffix("USDT") in told[0]
    end()
    arb.next_candle(rig, 2)
    assert len([text for text in rig.told[before:] if "arrive again" in text]) == 1
    arb.move_z(rig, "ADA-ALGO", 0.0)
    arb.next_candle(rig, 2)
    assert rig.states() == ["CLOSED"]


def test_a_bot_that_starts_again_has_no_candles_yet(make_rig: MakeRig, tmp_path: Path) -> None:
    """They come with its first loop: nobody is told that they are missing, but where none come at all."""
    rig = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO")))
    arb.next_candle(rig, 2)
    rig.restart()
    rig.loop(3)
    assert not [text for text in rig.told if "traded candle" in text]

    real = rig.market.klines
    rig.market.klines = lambda name, *args, **kw: [] if name == "ALGOUSDT" else real(name, *args, **kw)
    rig.restart()
    rig.loop(16)
    (told,) = [text for text in rig.told if "traded candle" in text]
    assert "ALGO/USDT:USDT has had no traded candle at all" in told
    rig.market.klines = real


def test_the_time_stop_needs_no_candles(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO")))
    arb.next_candle(rig, 2)
    held_candles(rig, "ALGOUSDT")
    rig.clock.advance(81 * 3_600_000)
    arb.next_candle(rig, 3)
    assert rig.pair_trades()[0].reason == "pair_time_stop"


@pytest.mark.parametrize("status", ["SETTLING", "PRE_SETTLE", "CLOSE"])
def test_a_coin_that_stops_trading_under_an_open_pair(make_rig: MakeRig, tmp_path: Path, status: str) -> None:
    rig = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO")))
    arb.next_candle(rig, 2)
    rig.act(SymbolStatus(symbol="ALGOUSDT", status=status))
    rig.bot.exchange.reload_markets(True)
    before = len(rig.told)
    for _ in range(3):
        arb.next_candle(rig, 3)
    told = [text for text in rig.told[before:] if "is open and the venue does not trade" in text]
    assert len(told) == 1
    assert rig.states() == ["HEDGED"]
    rig.act(SymbolStatus(symbol="ALGOUSDT", status="TRADING"))
    rig.bot.exchange.reload_markets(True)
    rig.loop(2)
    assert any("trades again" in text for text in rig.told[before:])


def test_positions_that_cannot_be_read_are_told_once_and_again_when_they_can(live: Rig) -> None:
    live.open()
    live.fault(when={"call": "GET /fapi/v3/positionRisk", "times": None}, answer="html_503")
    before = len(live.told)
    for _ in range(10):
        live.work(pause_secs=31)
    told = [text for text in live.told[before:] if "Positions could not be read" in text]
    assert len(told) == 1
    live.gateway.faults.clear()
    live.loop(2, pause_secs=31)
    assert any("Positions can be read again" in text for text in live.told[before:])
    live.check_rest()


@pytest.mark.parametrize("sick", ["DOGEUSDT", "XRPUSDT"])
def test_one_book_that_cannot_be_read_hides_no_loss_of_another_pair(make_rig: MakeRig, sick: str) -> None:
    rig = make_rig(pairbot={"risk": LIMITS}, stake_amount=1500)
    rig.loop(3)
    rig.open("ADA-ALGO", "XRP-DOGE")
    rig.loop(3)
    rig.fault(when={"call": "GET /fapi/v1/depth", "symbol": sick, "times": None}, answer="html_503")
    rig.restart()
    for _ in range(3):
        rig.work()
    rig.market.prices["ADAUSDT"] = Decimal("0.9150")
    for _ in range(12):
        rig.work()
    assert rig.desk.risk.state is RiskState.HALTED
    assert "drawdown" in rig.desk.risk.trip.text or "daily_loss" in rig.desk.risk.trip.text


@pytest.mark.parametrize("amount", [-1_000, -5_000, 1_000, 50_000])
def test_what_is_paid_in_or_taken_out_is_no_profit_and_no_loss(make_rig: MakeRig, amount: int) -> None:
    rig = make_rig(pairbot={"risk": LIMITS})
    rig.open()
    rig.loop(6)
    rig.act(Transfer(amount=Decimal(amount)))
    rig.loop(14)
    assert rig.desk.risk.state is RiskState.ACTIVE
    falls = [r.value for r in rig.desk.risk.snapshot() if r.rule in ("drawdown", "daily_loss")]
    assert all(value is not None and value < 0.5 for value in falls)


def test_a_deposit_hides_no_loss(make_rig: MakeRig) -> None:
    rig = make_rig(pairbot={"risk": LIMITS}, stake_amount=1500)
    rig.open()
    rig.loop(6)
    rig.act(Transfer(amount=Decimal(5_000)))
    rig.market.prices["ADAUSDT"] = Decimal("0.9150")
    for _ in range(10):
        rig.work()
    assert rig.desk.risk.state is RiskState.HALTED


@pytest.mark.parametrize("secs", [20, 40])
def test_a_venue_that_was_away_for_a_moment_holds_no_bot(make_rig: MakeRig, secs: int) -> None:
    """A breach ends when its cause has."""
    rig = make_rig(pairbot={"risk": {"break_stop": None}})
    rig.loop(4)
    rig.fault(when={"call": "GET /fapi/v1/depth", "times": None}, answer="html_503")
    rig.fault(when={"call": "GET /fapi/v3/positionRisk", "times": None}, answer="html_503")
    rig.want()
    for _ in range(secs // 5):
        rig.work()
    rig.script.wishes.clear()
    rig.gateway.faults.clear()
    # Thirteen minutes: past every window in which the errors count.
    for _ in range(40):
        rig.work(pause_secs=20)
    rig.next_candle()
    rig.open()
    assert rig.states()[-1] == "HEDGED", rig.desk.risk.trip


@pytest.mark.parametrize("rule", ["api_errors", "stale_data"])
def test_a_breach_ends_when_its_cause_has_been_gone_for_a_minute(make_rig: MakeRig, rule: str) -> None:
    errors = {"stale_data": {"max_api_error_percent": 100}, "api_errors": {}}[rule]
    # Books that are asked for.
    rig = make_rig(pairbot={"streams": False, "risk": {"break_stop": None, **errors}})
    rig.open()
    assert rig.states() == ["HEDGED"]
    sick: dict[str, list[dict[str, object]]] = {
        "api_errors": [{"call": "GET /fapi/v3/positionRisk"}, {"call": "GET /fapi/v1/depth"}],
        "stale_data": [{"call": "GET /fapi/v1/depth", "symbol": "ADAUSDT"}],
    }
    for call in sick[rule]:
        rig.fault(when={**call, "times": None}, answer="overloaded_1008")
    for _ in range(200):
        rig.work()
        if rig.desk.risk.state is RiskState.REDUCING:
            break
    assert rig.desk.risk.trip is not None
    assert rig.desk.risk.trip.rule == rule
    rig.gateway.faults.clear()
    rig.work()
    assert rig.desk.risk.state is RiskState.REDUCING, "not at once"
    for _ in range(200):
        rig.work()
        if rig.desk.risk.state is RiskState.ACTIVE:
            break
    assert rig.desk.risk.state is RiskState.ACTIVE
    assert len([text for text in rig.told if "ACTIVE" in text]) == 1
    rig.next_candle()
    rig.open("XRP-DOGE")
    assert rig.states()[-1] == "HEDGED"


@pytest.mark.parametrize("each", Input)
def test_each_input_has_its_row_in_the_guide(each: Input, repo_root: Path) -> None:
    bound = FRESHNESS[each]
    row = f"| {each} | {bound.within} | {bound.consequence} | {bound.ends} |"
    assert row in (repo_root / "docs/execution.md").read_text(encoding="utf-8")
