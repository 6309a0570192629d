"""Stops at the speed of prices: what rings the bell, and what does not. Pure, on a clock of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from math import exp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario import Script, ShortHistory

from pairbot_ext.feed.board import Board, LineStatus
from pairbot_ext.model.heard import BestPrices, Source, StopReached, Topic
from pairbot_ext.risk.ticks import (
    ACCOUNT,
    LATER_SECS,
    LOOKS_PER_SEC,
    TickStops,
    WatchedAccount,
    WatchedLeg,
    WatchedPair,
    Watchlist,
)
from pairbot_ext.settings.risk import RiskSettings

ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"


class Now:
    """A clock that stands still."""

    ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms

    def sleep(self, secs: float) -> None:
        self.ms += round(secs * 1000)


class World:
    """A short spread of ADA and ALGO, entered at z 2.5, with stop_z 4 and sigma 2 %."""

    def __init__(self, **limits: Any) -> None:
        off = {"max_pair_loss_percent": None, "min_liquidation_distance_percent": None}
        self.clock = Now()
        self.board = Board(self.clock)
        self.line = LineStatus("books 1", Topic.BOOKS, (ADA, ALGO), None)
        self.board.add_line(self.line)
        self.board.go_live(self.line)
        self.stops = TickStops(self.board, RiskSettings(**{**off, **limits}), self.clock.now_ms)
        self.board.on_price = self.stops.heard
        self.watch()

    def watch(self, account: WatchedAccount | None = None, liquidation: float | None = None) -> None:
        market = ShortHistory({"ADAUSDT": Decimal("0.7320"), "ALGOUSDT": Decimal("0.2110")})
        script = Script(market, self.clock, wishes={"ADA-ALGO": -1})  # type: ignore[arg-type]
        plan = script.entry_plan("ADA-ALGO", datetime(2026, 2, 2, tzinfo=UTC))
        assert plan is not None
        # 100 ADA sold at 0.732, 400 ALGO bought at 0.211.
        legs = (
            WatchedLeg(ADA, -1, 73.2, -100.0, liquidation),
            WatchedLeg(ALGO, 1, -84.4, 400.0, None),
        )
        self.pair = WatchedPair("trade", plan, legs, 157.6)
        self.stops.watchlist = Watchlist.of([self.pair], account)

    def price(self, symbol: str, price: float, *, after_ms: int = 0) -> None:
        self.clock.ms += after_ms
        self.line.heard_ms = self.clock.ms
        best = BestPrices(
            symbol, price, 1.0, price + 0.0001, 1.0, 0, self.clock.ms, self.clock.ms, Source.STREAM
        )
        self.board.hear(best)
        self.stops.tick()

    def rings(self) -> list[tuple[str, str | None]]:
        hints = self.board.take_hints()
        return [(hint.rule, hint.pair_trade_id) for hint in hints if isinstance(hint, StopReached)]


def test_a_level_on_two_looks_rings_once_a_second() -> None:
    world = World()
    world.price(ALGO, 0.2110)
    world.price(ADA, 0.7700, after_ms=200)
    assert world.rings() == [], "one price"
    world.price(ADA, 0.7701, after_ms=50)
    assert world.rings() == [("z_stop_live", "trade")]
    for _ in range(9):
        world.price(ADA, 0.7700, after_ms=100)
        world.price(ALGO, 0.2110)
    assert world.rings() == []
    world.price(ADA, 0.7701, after_ms=150)
    assert world.rings() == [("z_stop_live", "trade")]


def test_a_price_that_comes_back_begins_anew() -> None:
    world = World()
    world.price(ALGO, 0.2110)
    for price in (0.77, 0.732, 0.77, 0.732, 0.77):
        world.price(ADA, price, after_ms=200)
    assert world.rings() == []


def test_two_updates_of_one_instant_must_last() -> None:
    world = World(confirm_updates_ms=50)
    world.price(ALGO, 0.2110)
    world.price(ADA, 0.7700, after_ms=200)
    world.price(ADA, 0.7701, after_ms=20)
    assert world.rings() == []
    world.clock.ms += 20
    assert world.stops.tick() < LATER_SECS
    assert world.rings() == []
    world.clock.ms += 20
    world.stops.tick()  # another update need not come
    assert world.rings() == [("z_stop_live", "trade")]


def test_one_update_is_not_two_however_long_it_lasts() -> None:
    world = World()
    world.price(ALGO, 0.2110)
    world.price(ADA, 0.7700, after_ms=200)
    for _ in range(50):
        world.clock.ms += 10
        world.stops.tick()
    assert world.rings() == []


def test_an_old_book_of_the_other_leg_stops_nothing() -> None:
    world = World()
    world.price(ALGO, 0.2110)
    for _ in range(5):
        world.price(ADA, 0.7700, after_ms=1_100)
    assert world.rings() == []


def test_a_pair_is_looked_at_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    looks: list[int] = []
    judge = world.stops._judge_pair
    monkeypatch.setattr(
        world.stops, "_judge_pair", lambda pair, now_ms: (looks.append(now_ms), judge(pair, now_ms))
    )
    for price in (0.732, 0.77):
        looks.clear()
        for number in range(500):
            world.price(ADA if number % 2 else ALGO, price if number % 2 else 0.211, after_ms=2)
        # A thousand milliseconds may touch two of the clock's seconds.
        seconds = [look // 1000 for look in looks]
        assert 0 < max(map(seconds.count, seconds)) <= LOOKS_PER_SEC


def test_loss_liquidation_and_drawdown() -> None:
    world = World(live_z_stop=False, max_pair_loss_percent=1.0)
    world.price(ALGO, 0.2110)
    for price in (0.7600, 0.7601):
        world.price(ADA, price, after_ms=150)
    assert world.rings() == [("pair_loss", "trade")]

    world = World(live_z_stop=False, min_liquidation_distance_percent=10.0)
    world.watch(liquidation=0.80)
    world.price(ALGO, 0.2110)
    for price in (0.7400, 0.7401):
        world.price(ADA, price, after_ms=150)
    assert world.rings() == [("liquidation_distance", "trade")]

    world = World(live_z_stop=False)
    world.watch(account=WatchedAccount(1_000.0, world.pair.legs, 995.0))
    world.price(ALGO, 0.2110)
    for price in (0.8000, 0.8001):
        world.price(ADA, price, after_ms=150)
    assert world.rings() == [("drawdown", None)]


def test_what_is_closed_is_forgotten() -> None:
    world = World()
    world.price(ALGO, 0.2110)
    world.price(ADA, 0.7700, after_ms=200)
    world.stops.watchlist = Watchlist()
    world.price(ADA, 0.7701, after_ms=200)
    assert world.rings() == []
    assert not world.stops._streaks
    assert not world.stops._looked


@settings(max_examples=300, deadline=None)
@given(
    entry=st.floats(-3.0, 3.9),
    moves=st.tuples(*[st.floats(-0.999, 0.999)] * 4),
    loss=st.floats(0.5, 40.0),
    liquidation=st.floats(0.4, 1.6),
)
def test_inside_its_room_no_price_reaches_a_limit(
    entry: float, moves: tuple[float, float, float, float], loss: float, liquidation: float
) -> None:
    """Whichever way both sides of both books go."""
    world = World(max_pair_loss_percent=loss, min_liquidation_distance_percent=10.0)
    price = 0.7320 * exp(0.02 * (entry - 2.5))
    world.watch(WatchedAccount(1_000.0, world.pair.legs, 990.0), liquidation=0.732 * liquidation)
    world.price(ALGO, 0.2110)
    world.price(ADA, price, after_ms=200)
    beyond: list[bool] = []
    world.stops._count = lambda *_, is_beyond: beyond.append(is_beyond)  # type: ignore[method-assign]
    for subject in ("trade", ACCOUNT):
        room = world.stops._rooms[subject]
        moved = [
            (seen.bid * (1 + room.share * down), seen.ask * (1 + room.share * up))
            for seen, (down, up) in zip(room.quotes.values(), (moves[:2], moves[2:]), strict=True)
        ]
        for symbol, (bid, ask) in zip(room.quotes, moved, strict=True):
            now_ms = world.clock.ms
            world.board._best[symbol] = BestPrices(
                symbol, bid, 1.0, ask, 1.0, 0, now_ms, now_ms, Source.STREAM
            )
        if room.share:
            judge = (
                partial(world.stops._judge_account, world.stops.watchlist.account)
                if subject == ACCOUNT
                else partial(world.stops._judge_pair, world.pair)
            )
            judge(world.clock.ms)
            assert not any(beyond)


def test_a_new_picture_leaves_no_room_of_the_old_one() -> None:
    """The loop has moved a limit, or an amount: the same price may be beyond it now."""
    world = World(live_z_stop=False)
    world.watch(account=WatchedAccount(1_000.0, world.pair.legs, 900.0))
    world.price(ALGO, 0.2110)
    world.price(ADA, 0.7320, after_ms=200)
    world.watch(account=WatchedAccount(1_000.0, world.pair.legs, 1_100.0))
    for price in (0.7320, 0.7321):
        world.price(ADA, price, after_ms=150)
    assert world.rings() == [("drawdown", None)]


def test_a_jump_is_looked_at_when_it_comes_however_busy_the_market() -> None:
    world = World()
    world.price(ALGO, 0.2110)
    world.price(ADA, 0.7320, after_ms=200)
    for number in range(100):
        world.price(ADA if number % 2 else ALGO, 0.7321 if number % 2 else 0.2111, after_ms=10)
    world.price(ADA, 0.7700, after_ms=10)
    assert world.stops._streaks, "at once"
    world.price(ADA, 0.7701, after_ms=20)
    assert world.rings() == [("z_stop_live", "trade")]
