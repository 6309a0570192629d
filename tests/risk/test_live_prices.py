"""Live prices in a running bot: what is no stop, whose books are read, how much they weigh; and locks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from freqtrade.persistence import PairLocks
from harness import Rig

from pairbot_ext.model.findings import Rule
from pairbot_ext.model.thresholds import LONG_SPREAD, SHORT_SPREAD
from pairbot_ext.sim.market.base import Book

MakeRig = Callable[..., Rig]


@pytest.fixture
def opened(make_rig: MakeRig) -> Rig:
    """A bot with one open pair that asks for its prices; what hears them is judged in test_ticks.py and
    desk/test_hearing.py."""
    rig = make_rig(pairbot={"streams": False})
    rig.open()
    rig.loop(2)
    assert rig.states() == ["HEDGED"]
    return rig


def test_one_bad_price_closes_nothing(opened: Rig) -> None:
    fair = opened.market.prices["ADAUSDT"]
    high = fair * Decimal("1.06")
    bad = Book(bids=((high, Decimal(1000)),), asks=((high, Decimal(1000)),))
    for _ in range(3):
        for books in ({"ADAUSDT": bad}, {"ADAUSDT": bad}, {}):
            opened.market.books = books
            opened.loop()
    assert opened.states() == ["HEDGED"]


def test_a_book_that_cannot_be_read_or_has_one_side_is_no_stop(opened: Rig) -> None:
    price = opened.market.prices["ADAUSDT"]
    far = price * Decimal("1.3")
    opened.market.books["ADAUSDT"] = Book(bids=(), asks=((far, Decimal(1000)),))
    opened.loop(4)
    # The bid is where it was: only somebody's far ask is left on the other side.
    opened.market.books["ADAUSDT"] = Book(bids=((price, Decimal(1000)),), asks=((far, Decimal(1000)),))
    opened.loop(4)
    del opened.market.books["ADAUSDT"]
    opened.fault(when={"call": "GET /fapi/v1/depth", "times": 30}, answer="html_503")
    opened.loop(3)
    assert opened.states() == ["HEDGED"]


def test_the_live_stop_waits_for_its_readings_and_then_closes_both_legs(opened: Rig) -> None:
    sent = len(opened.posts())
    opened.market.prices["ADAUSDT"] *= Decimal("1.04")
    opened.loop(2)
    assert opened.states() == ["HEDGED"]
    opened.loop()
    opened.check_flat()
    assert len(opened.posts()) == sent + 2
    # Not entered again before z has come back: the memory of stops knows live stops, over restarts too.
    opened.restart()
    assert opened.desk.registry.named("ADA-ALGO").disarmed_by == "pair_stop_live"


def test_live_rules_read_no_book_of_their_own(opened: Rig) -> None:
    seen = opened.gateway.log.next_number()
    opened.loop(12)
    depth = [r for r in opened.gateway.log.since(seen) if r.call == "GET /fapi/v1/depth"]
    assert len(depth) == 24, "Freqtrade's own: both legs once per loop"


def test_books_freqtrade_does_not_read_are_read(opened: Rig, monkeypatch: Any) -> None:
    monkeypatch.setattr(opened.bot, "exit_positions", lambda trades: 0)
    opened.market.prices["ADAUSDT"] *= Decimal("1.04")
    opened.loop(4)
    opened.check_flat()
    assert opened.pair_trades()[0].reason == "pair_stop_live"


def test_the_snapshot_shows_every_rule_of_an_open_pair(opened: Rig) -> None:
    shown = {(reading.rule, reading.pair_id) for reading in opened.desk.risk.snapshot()}
    pair = {Rule.Z_STOP_LIVE, Rule.PAIR_LOSS, Rule.LIQUIDATION, Rule.STALE_DATA, Rule.NAKED}
    bot = {
        Rule.DRAWDOWN, Rule.DAILY_LOSS, Rule.API_ERRORS, Rule.MAX_PAIRS, Rule.GROSS_EXPOSURE,
        Rule.COIN_EXPOSURE, Rule.LEVERAGE,
    }  # fmt: skip
    assert shown == {(rule, "ADA-ALGO") for rule in pair} | {(rule, None) for rule in bot}
    values = {reading.rule: reading.value for reading in opened.desk.risk.snapshot()}
    assert values[Rule.Z_STOP_LIVE] == pytest.approx(2.5, abs=0.1)
    assert values[Rule.GROSS_EXPOSURE] == pytest.approx(0.04, rel=0.05)
    assert values[Rule.LIQUIDATION] == pytest.approx(45, abs=6)
    assert values[Rule.PAIR_LOSS] < 1


def test_rules_without_numbers_refuse_entries_only(make_rig: MakeRig) -> None:
    rig = make_rig(symbols=("ADAUSDT", "ALGOUSDT", "XRPUSDT", "DOGEUSDT"))
    rig.open()
    rig.fault(when={"call": "GET /fapi/v1/premiumIndex", "times": None}, answer="html_503")
    rig.next_candle()
    rig.open("XRP-DOGE")
    rig.loop()
    refused = [e.detail for e in rig.events() if e.kind == "refused"]
    assert any("risk_blind" in detail and "funding" in detail for detail in refused), refused
    rig.close("ADA-ALGO")
    rig.check_flat()


@pytest.mark.parametrize(
    ("direction", "locked", "side", "is_refused"),
    [
        (SHORT_SPREAD, "ALGO/USDT:USDT", "long", True),
        (SHORT_SPREAD, "ALGO/USDT:USDT", "short", False),
        (LONG_SPREAD, "ALGO/USDT:USDT", "short", True),
        (LONG_SPREAD, "ALGO/USDT:USDT", "*", True),
        (SHORT_SPREAD, "ADA/USDT:USDT", "short", True),
        (SHORT_SPREAD, "*", "*", True),
        (SHORT_SPREAD, "*", "long", True),
    ],
)
def test_a_lock_on_either_coin_refuses_the_pair_and_no_exit(
    make_rig: MakeRig, direction: int, locked: str, side: str, is_refused: bool
) -> None:
    rig = make_rig()
    rig.loop()
    until = datetime.fromtimestamp(rig.clock.now_ms() / 1000, UTC) + timedelta(hours=6)
    PairLocks.lock_pair(locked, until, "a protection", side=side)
    rig.open(direction=direction)
    assert rig.states() == ([] if is_refused else ["HEDGED"])
    assert not (is_refused and rig.posts())
    if is_refused:
        PairLocks.unlock_pair(locked, side=side)
        rig.next_candle()
        rig.open(direction=direction)
        assert rig.states() == ["HEDGED"]
        PairLocks.lock_pair(locked, until, "a protection", side=side)
    rig.close()
    rig.check_flat()
