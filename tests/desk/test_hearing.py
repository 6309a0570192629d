"""A real bot that hears: every fault of a stream that concerns orders and positions, stops at the speed of
prices, and what it costs. The venue, its streams and ccxt's clients are real; so is the clock.
"""

from __future__ import annotations

import gc
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from heard_rig import HeardRig, heard_rig, until

from pairbot_ext.cli import main
from pairbot_ext.host.wake import Wake
from pairbot_ext.model.heard import Resumed, StopReached, Topic
from pairbot_ext.model.states import OrderStatus
from pairbot_ext.sim.venue.actions import ClosePosition, Liquidate, OpenPosition
from pairbot_ext.support.exitcode import ExitCode

ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"
LIMITS = {
    "max_api_error_percent": None,
    "max_naked_secs": None,
    "max_blind_secs": None,
    "break_stop": None,
    "max_drawdown_percent": None,
    "max_daily_loss_percent": None,
}
QUERY, POSITIONS = "GET /fapi/v1/order", "GET /fapi/v3/positionRisk"


@pytest.fixture(scope="module")
def _bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeardRig]:
    with heard_rig(tmp_path_factory.mktemp("heard"), pairbot={"risk": LIMITS}) as made:
        made.worker = made.sleeper()
        yield made


@pytest.fixture
def bot(_bot: HeardRig) -> Iterator[HeardRig]:
    """A bot that holds one pair, and hears everything. Its case ends flat."""
    _bot.reset()
    _bot.set_mark()
    _bot.want()
    _bot.worker._process_running()
    _bot.script.wishes.clear()
    _bot.until_heard()
    _bot.hearing.work()
    assert _bot.positions().keys() == {"ADAUSDT", "ALGOUSDT"}, [
        (e.kind, e.detail) for e in _bot.events()[-9:]
    ]
    yield _bot
    _bot.gateway.stream_faults.clear()
    _bot.gateway.faults.clear()
    for _ in range(3):
        _bot.script.exits["ADA-ALGO"] = "pair_reverted"
        _bot.worker._process_running()
    assert not _bot.positions()
    assert not _bot.trades()


def calls(bot: HeardRig, since: int, *names: str) -> list[str]:
    """What was asked of the venue since."""
    return [r.call for r in bot.gateway.log.requests if r.number > since and (not names or r.call in names)]


def now(bot: HeardRig) -> int:
    return bot.gateway.log.requests[-1].number


def leave(bot: HeardRig) -> None:
    bot.script.exits["ADA-ALGO"] = "pair_reverted"
    bot.worker._process_running()


def exits_of(bot: HeardRig) -> list[Any]:
    known = {row.id for row in bot.pair_trades()} - bot.mark.pair_trades
    return [row for row in bot.orders() if row.reduce_only and row.pair_trade_id in known]


def settled_events(bot: HeardRig, client_id: str) -> int:
    return sum(1 for row in bot.events() if row.kind == "order" and client_id in row.detail)


# -- orders: a stream tells earlier, and tells once -----------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    ["update_first", "answer_first", "lost", "doubled", "reordered", "late"],
    ids=[
        "update before the answer",
        "answer before the update",
        "update lost",
        "update doubled",
        "updates reordered",
        "update an hour late",
    ],
)
def test_an_exit_is_one_exit_whatever_becomes_of_its_update(bot: HeardRig, fault: str) -> None:
    bot.bend(fault, when={"event": "ORDER_TRADE_UPDATE", "times": None})
    leave(bot)
    assert not bot.positions()
    rows = exits_of(bot)
    assert [row.status for row in rows] == [OrderStatus.FILLED] * 2
    time.sleep(0.3)
    bot.hearing.work()
    assert exits_of(bot) == rows or [row.status for row in exits_of(bot)] == [OrderStatus.FILLED] * 2
    assert {settled_events(bot, row.client_id) for row in rows} == {1}, "recorded once"
    bot.check_flat()


def test_a_lost_answer_is_settled_by_its_update_without_a_question(bot: HeardRig) -> None:
    bot.fault(when={"leg": "A", "role": "x"}, answer="reset", execute=True)
    since = now(bot)
    leave(bot)
    bot.check_flat()
    first = calls(bot, since)
    at = first.index("POST /fapi/v1/order")
    assert first[at + 1] == "POST /fapi/v1/order", "the mate is not kept waiting"
    assert [row.status for row in exits_of(bot)] == [OrderStatus.FILLED] * 2


def test_a_lost_answer_and_a_lost_update_are_asked_for_by_id(bot: HeardRig) -> None:
    bot.bend("lost", when={"event": "ORDER_TRADE_UPDATE", "times": None})
    bot.fault(when={"leg": "A", "role": "x"}, answer="reset", execute=True)
    since = now(bot)
    leave(bot)
    assert QUERY in calls(bot, since)
    bot.check_flat()


def test_an_unknown_order_is_settled_by_an_update_that_comes_later(bot: HeardRig) -> None:
    """The venue answers no question: what is heard is the only thing known, and enough."""
    bot.bend("late", when={"event": "ORDER_TRADE_UPDATE", "leg": "A", "times": None}, delay_ms=2_600)
    bot.fault(when={"leg": "A", "role": "x"}, answer="reset", execute=True)
    bot.fault(when={"call": QUERY, "times": None}, answer="html_503")
    leave(bot)
    assert OrderStatus.UNKNOWN in {row.status for row in exits_of(bot)}
    bot.pause(bot.worker, lambda: {row.symbol for row in exits_of(bot) if row.filled} == {ADA, ALGO})
    filled = [row for row in exits_of(bot) if row.status == OrderStatus.FILLED]
    assert {row.symbol for row in filled} == {ADA, ALGO}
    assert OrderStatus.UNKNOWN not in {row.status for row in exits_of(bot)}


def test_an_update_of_another_s_order_settles_none_of_ours(bot: HeardRig) -> None:
    trade = bot.desk.journal.owner_of(ADA)
    entry = bot.desk.journal.orders_of(trade.id)[0]
    update = {"id": entry.order_id, "status": "closed", "filled": 1.0, "average": 1.0}
    assert bot.desk.guard.hear("web_1", ADA, update) is None
    assert bot.desk.guard.hear(entry.client_id, ALGO, update) is None, "another symbol"
    assert bot.desk.guard.hear(entry.client_id, ADA, update) == entry, "settled: nothing changes it"


# -- positions: a hint, never a fact --------------------------------------------------------------------


def by_hand(bot: HeardRig) -> None:
    bot.act(ClosePosition(symbol="ADAUSDT"))


def liquidated(bot: HeardRig) -> None:
    bot.act(Liquidate(symbol="ADAUSDT"))


def deleveraged(bot: HeardRig) -> None:
    bot.act(Liquidate(symbol="ADAUSDT", adl=True))


@pytest.mark.parametrize("what", [by_hand, liquidated, deleveraged])
def test_the_mate_of_a_leg_that_is_gone_follows_within_the_pause(
    bot: HeardRig, what: Callable[[HeardRig], None]
) -> None:
    began = bot.clock.now_ms()
    timer = threading.Timer(0.05, what, [bot])
    timer.start()
    bot.pause(bot.worker, lambda: not bot.positions())
    mate = bot.posts("ALGOUSDT")[-1]
    assert mate.received_ms - began < 2_500


def test_positions_from_a_stream_are_read_before_anything_is_concluded(bot: HeardRig) -> None:
    """The venue cannot be read: a position that is said to be gone closes nothing."""
    bot.fault(when={"call": POSITIONS, "times": None}, answer="html_503")
    by_hand(bot)
    sent = len(bot.posts())
    bot.worker._sleep(0.5)
    assert len(bot.posts()) == sent
    bot.gateway.faults.clear()
    bot.worker._process_running()
    assert not bot.positions()


def not_due(bot: HeardRig) -> int:
    """The positions were read just now, by the schedule. Returns the number of the last request."""
    bot.desk.reconciler._last_ms = bot.clock.now_ms()
    return now(bot)


def test_our_own_fills_are_no_news(bot: HeardRig) -> None:
    since = not_due(bot)
    bot.worker._sleep(0.3)
    bot.worker._process_running()
    assert calls(bot, since, POSITIONS) == []


def test_what_a_loop_has_read_is_owed_no_more(bot: HeardRig) -> None:
    """A hint that came too soon waits for its turn; the loop's own reading in between answers it."""
    for _ in range(2):
        bot.hearing.board.hint(Resumed(Topic.ACCOUNT))
        bot.hearing.work()
    bot.worker._process_running()
    since = now(bot)
    bot.hearing._read_ms = 0
    bot.hearing.work()
    assert calls(bot, since, POSITIONS) == []


def test_a_position_that_is_not_ours_is_told(bot: HeardRig) -> None:
    bot.act(OpenPosition(symbol="ADAUSDT", side="SELL", amount=Decimal(50)))
    bot.pause(bot.worker, lambda: any("no pair trade explains" in text for text in bot.told))
    assert any("no pair trade explains" in text for text in bot.told)
    bot.act(OpenPosition(symbol="ADAUSDT", side="BUY", amount=Decimal(50)))


def test_after_each_reconnection_the_account_is_read(bot: HeardRig) -> None:
    since = now(bot)
    bot.hearing._read_ms = 0
    bot.hearing.board.hint(Resumed(Topic.ACCOUNT))
    bot.worker._sleep(0.05)
    assert calls(bot, since, POSITIONS) == [POSITIONS]


def test_hints_nobody_took_in_time_make_the_venue_be_read(bot: HeardRig) -> None:
    since = now(bot)
    bot.hearing._read_ms = 0
    bot.hearing.board.dropped += 1
    bot.hearing.board.hint(StopReached("z_stop_live", "nobody", 0))
    bot.worker._sleep(0.05)
    assert calls(bot, since, POSITIONS) == [POSITIONS]


# -- stops at the speed of prices -----------------------------------------------------------------------


def test_a_stop_leaves_in_the_middle_of_the_pause(bot: HeardRig) -> None:
    def cross() -> None:
        for step in range(4):
            bot.move("ADAUSDT", Decimal("0.7700") + Decimal(step) / 10_000)
            time.sleep(0.22)

    began = bot.clock.now_ms()
    thread = threading.Thread(target=cross)
    thread.start()
    bot.pause(bot.worker, lambda: not bot.positions())
    thread.join()
    exits = [post for post in bot.posts() if post.received_ms >= began]
    assert len(exits) == 2
    assert bot.pair_trades()[-1].reason == "pair_stop_live"
    assert bot.hearing.audible.reaction_ms is not None
    bot.check_flat()


def test_what_has_gone_by_when_it_is_judged_is_not_acted_on(bot: HeardRig) -> None:
    trade = bot.desk.journal.owner_of(ADA)
    sent = len(bot.posts())
    bot.hearing.board.stop_reached("z_stop_live", trade.id, 1)
    bot.worker._sleep(0.1)
    assert len(bot.posts()) == sent
    assert trade.goal == bot.desk.journal.owner_of(ADA).goal


def test_a_stopped_bot_acts_on_no_stop(bot: HeardRig) -> None:
    from freqtrade.enums import State

    bot.bot.state = State.STOPPED
    try:
        trade = bot.desk.journal.owner_of(ADA)
        bot.market.prices["ADAUSDT"] = Decimal("0.7700")
        bot.hearing.board.stop_reached("z_stop_live", trade.id, 1)
        sent = len(bot.posts())
        bot.worker._sleep(0.1)
        assert len(bot.posts()) == sent
    finally:
        bot.bot.state = State.RUNNING


# -- silence, cost, the end -----------------------------------------------------------------------------


def test_silent_books_are_asked_for_in_one_question(bot: HeardRig) -> None:
    bot.bend("dead", when={"path": "/public*", "times": None})
    bot.bend("refused_upgrade", when={"path": "/public*", "times": None})
    bot.move("ADAUSDT", "0.7330")
    until(lambda: bot.hearing.board.best(ADA) is None)
    since = now(bot)
    bot.worker._process_running()
    assert calls(bot, since, "GET /fapi/v1/ticker/bookTicker", "GET /fapi/v1/depth") == [
        "GET /fapi/v1/ticker/bookTicker"
    ]
    assert bot.bridge_rate(ADA) == pytest.approx(0.7331)
    bot.gateway.stream_faults.clear()
    bot.until_heard()


def test_a_loop_at_rest_asks_for_no_book(bot: HeardRig) -> None:
    bot.worker._process_running()
    since = not_due(bot)
    for _ in range(3):
        bot.worker._process_running()
    books = ("GET /fapi/v1/depth", "GET /fapi/v1/ticker/bookTicker")
    assert calls(bot, since, *books, POSITIONS, "GET /fapi/v1/openOrders") == []


def test_status_shows_what_the_bot_has_heard_with_its_age(
    bot: HeardRig, capsys: pytest.CaptureFixture[str]
) -> None:
    bot.hearing._noted_ms = 0
    bot.hearing.on_loop()
    url = f"sqlite:///{bot.directory / 'trades.sqlite'}"
    assert main(["status", "--open", "--db-url", url]) == ExitCode.OK
    assert re.search(
        r"A 0\.73\d+, stream \d+\.\d s ago; B 0\.21\d+, stream \d+\.\d s ago", capsys.readouterr().out
    )


def test_the_worker_gets_its_own_sleep_back(bot: HeardRig) -> None:
    assert isinstance(bot.worker._sleep.__self__, Wake)
    wake = bot.hearing._wake
    wake.release()
    assert "_sleep" not in vars(bot.worker)
    wake.attend()
    bot.worker._process_running()
    assert isinstance(bot.worker._sleep.__self__, Wake)


def feeds() -> int:
    """Feeds that run now; the bot of the other cases has one."""
    return sum(thread.name == "pairbot-feed" for thread in threading.enumerate())


def test_a_dry_run_hears_prices_only_and_its_end_leaves_nothing(tmp_path: Path) -> None:
    before = feeds()
    with heard_rig(tmp_path, dry_run=True) as made:
        worker = made.sleeper()
        worker._process_running()
        made.until_heard()
        since = now(made)
        made.want()
        worker._process_running()
        made.script.wishes.clear()
        worker._process_running()
        assert made.states() == ["HEDGED"]
        assert not made.gateway.log.calls("POST /fapi/v1/listenKey")
        assert "GET /fapi/v1/ticker/bookTicker" not in calls(made, since)
        old = weakref.ref(made.bot)
        made.bot.cleanup()
        assert feeds() == before
        assert "_sleep" not in vars(worker)
        del made.bot, worker
        gc.collect()
        assert old() is None


def test_streams_off_is_as_it_was(tmp_path: Path) -> None:
    before = feeds()
    with heard_rig(tmp_path, pairbot={"streams": False}) as made:
        worker = made.sleeper()
        worker._process_running()
        assert "_sleep" not in vars(worker)
        assert feeds() == before
        assert not made.gateway.log.calls("POST /fapi/v1/listenKey")
        assert made.hearing.best_book(ADA) is None


@pytest.mark.swallows("a hint of another shape")
def test_a_fault_in_hearing_does_not_hold_up_the_loop(
    bot: HeardRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """I5: the loop that supervises goes on."""

    def broken() -> list[object]:
        raise RuntimeError("a hint of another shape")

    monkeypatch.setattr(bot.hearing.board, "take_hints", broken)
    bot.hearing.on_loop()
    assert "could not be dealt with" in caplog.text
