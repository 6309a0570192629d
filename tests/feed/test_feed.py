"""The feed over real sockets: unmodified ccxt.pro, the simulated exchange, and everything that goes wrong."""

from __future__ import annotations

import gc
import logging
import resource
import threading
import time
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import proxy
import pytest
from heard_rig import until

from pairbot_ext.feed.board import MOST_HINTS, MOST_ORDERS, Board, LineStatus
from pairbot_ext.feed.feed import Feed
from pairbot_ext.feed.line import FIRST_PAUSE_SECS, LONGEST_PAUSE_SECS, pause_secs
from pairbot_ext.model.heard import (
    BestPrices,
    MarginCall,
    OrderUpdate,
    PositionUpdate,
    Resumed,
    Source,
    Topic,
)
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.venue.actions import ClosePosition, EndListenKey, apply
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.venue import venue_of
from pairbot_ext.venue.streams import Streams

ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"


def prices(symbol: str = ADA, *, bid: float = 1.0, number: int = 0, event_ms: int = 0) -> BestPrices:
    return BestPrices(symbol, bid, 1.0, bid + 0.1, 1.0, number, event_ms, event_ms, Source.STREAM)


def update(status: str, filled: float = 0.0, event_ms: int = 1, client_id: str = "pb-x-A-x-1") -> OrderUpdate:
    order = {"id": "7", "status": status, "filled": filled, "average": 1.0 if filled else None}
    return OrderUpdate(client_id, ADA, order, event_ms, event_ms)


# -- what is heard ---------------------------------------------------------------------------------


def test_prices_of_what_is_followed_with_time_age_and_source(sea: Any) -> None:
    listener = sea.listen(ADA, ALGO)
    listener.until_live(Topic.BOOKS, Topic.MARKS)
    sea.move("ADAUSDT", "0.7350")
    best = until(lambda: (found := listener.board.best(ADA)) and found.bid > 0.733 and found)
    assert (best.bid, best.ask, best.source) == (0.7349, 0.7351, Source.STREAM)
    assert 0 <= best.arrived_ms - best.event_ms < 1_000
    mark = until(lambda: listener.board.mark(ADA))
    assert mark.price in (0.732, 0.735)
    assert listener.board.best("XRP/USDT:USDT") is None


def test_subscriptions_follow_what_is_wanted(sea: Any) -> None:
    listener = sea.listen(ADA)
    listener.until_live(Topic.BOOKS)
    assert listener.board.best(ALGO) is None
    listener.feed.follow([ALGO])
    until(lambda: listener.board.best(ALGO))
    until(lambda: listener.board.best(ADA) is None)
    open_now = until(
        lambda: (rows := [r for r in sea.connections("public") if not r["end"]]) and len(rows) == 1 and rows
    )
    assert open_now[0]["streams"] == ["algousdt@bookTicker"]


def test_orders_positions_and_margin_calls_of_the_account(sea: Any) -> None:
    listener = sea.listen(ADA, has_account=True)
    listener.until_live(Topic.ACCOUNT)
    assert listener.heard(Resumed) == [Resumed(Topic.ACCOUNT)]
    sea.client.create_order(ADA, "market", "buy", 100, None, {"newClientOrderId": "pb-x-A-e-1"})
    until(lambda: (heard := listener.board.order("pb-x-A-e-1")) and heard.is_final)
    order = listener.board.order("pb-x-A-e-1").order
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 100.0, "pb-x-A-e-1")
    assert until(lambda: listener.heard(PositionUpdate))[-1].amount == Decimal(100)
    gateway = sea.exchange.gateway
    gateway.locked(lambda: apply(ClosePosition(symbol="ADAUSDT"), gateway.venue))
    until(lambda: listener.heard(PositionUpdate)[-1].amount == 0)
    assert not listener.heard(MarginCall)


def test_a_dry_run_asks_for_no_listen_key(sea: Any) -> None:
    sea.listen(ADA).until_live(Topic.BOOKS)
    assert not sea.requests("POST /fapi/v1/listenKey")


# -- the board: nothing old replaces anything new --------------------------------------------------


def live_board(symbols: tuple[str, ...] = (ADA,)) -> tuple[Board, LineStatus]:
    class Now:
        ms = 1_000

        def now_ms(self) -> int:
            return self.ms

        def sleep(self, secs: float) -> None:
            self.ms += round(secs * 1000)

    board = Board(Now())
    line = LineStatus("books 1", Topic.BOOKS, symbols, None)
    board.add_line(line)
    board.go_live(line)
    line.heard_ms = 1_000
    return board, line


def test_doubled_late_and_reordered_prices_say_nothing() -> None:
    board, _ = live_board()
    assert board.hear(prices(bid=2.0, number=5, event_ms=900))
    assert not board.hear(prices(bid=9.0, number=5, event_ms=900))
    assert not board.hear(prices(bid=9.0, number=4, event_ms=950))
    assert not board.hear(prices(bid=9.0, event_ms=-3_600_000))
    assert board.best(ADA) == prices(bid=2.0, number=5, event_ms=900)


@pytest.mark.parametrize("bid", [0.0, -1.0, float("nan"), float("inf")])
def test_a_book_that_cannot_be_is_not_taken(bid: float) -> None:
    board, _ = live_board()
    assert not board.hear(prices(bid=bid))


def test_a_final_order_stays_final_whatever_comes_after() -> None:
    board, _ = live_board()
    assert board.hear(update("closed", 100.0, event_ms=5))
    assert not board.hear(update("open", event_ms=5))
    assert not board.hear(update("open", 50.0, event_ms=9))
    assert board.order("pb-x-A-x-1").order["filled"] == 100.0
    assert len(board.take_hints()) == 1
    assert not board.take_hints()


def test_a_slow_subscriber_loses_the_oldest_and_knows_it() -> None:
    board, _ = live_board()
    for number in range(MOST_HINTS + MOST_ORDERS):
        board.hear(update("closed", 1.0, client_id=f"pb-{number}"))
    hints = board.take_hints()
    assert len(hints) == MOST_HINTS
    assert hints[-1].client_id == f"pb-{MOST_HINTS + MOST_ORDERS - 1}"
    assert board.dropped == MOST_ORDERS
    assert board.order("pb-0") is None


def test_what_is_silent_or_late_is_stale() -> None:
    board, line = live_board()
    board.hear(prices(event_ms=1_000))
    board.clock.ms = 3_000
    assert board.best(ADA) is not None
    board.clock.ms = 3_001
    assert board.best(ADA) is None, "2 s beyond the last frame"
    line.heard_ms = 3_001
    assert board.best(ADA) is not None
    line.late_ms = 2_001
    assert board.best(ADA) is None, "updates pile up on their way"


def test_pauses_between_attempts_grow_are_blurred_and_bounded() -> None:
    rng = np.random.default_rng(3)
    pauses = [[pause_secs(failures, rng) for _ in range(50)] for failures in range(12)]
    assert all(FIRST_PAUSE_SECS / 2 <= pause <= LONGEST_PAUSE_SECS for row in pauses for pause in row)
    assert max(pauses[0]) <= FIRST_PAUSE_SECS
    assert min(pauses[11]) >= LONGEST_PAUSE_SECS / 2
    assert len({round(pause, 6) for pause in pauses[3]}) > 40


# -- stream faults ---------------------------------------------------------------------------------


def reconnects(listener: Any, topic: Topic) -> int:
    return sum(line.connects - 1 for line in listener.board.lines if line.topic is topic)


def test_a_dead_connection_is_stale_within_two_seconds_and_made_anew(sea: Any) -> None:
    listener = sea.listen(ADA)
    listener.until_live(Topic.BOOKS)
    sea.bend("dead", "/public*")
    sea.move("ADAUSDT", "0.7400")
    began = time.monotonic()
    until(lambda: listener.board.best(ADA) is None)
    assert time.monotonic() - began > 1.0
    best = until(lambda: listener.board.best(ADA))
    assert best.bid == 0.7399, "the price of before the silence is gone"
    assert reconnects(listener, Topic.BOOKS) == 1


def test_a_snapshot_closes_the_hole_after_a_cut(sea: Any) -> None:
    """The new connection says nothing: only the answer by REST knows what happened meanwhile."""
    listener = sea.listen(ADA)
    listener.until_live(Topic.BOOKS)
    asked = sea.requests("GET /fapi/v1/ticker/bookTicker")
    sea.bend("cut", "/public*")
    sea.bend("lost", "/public*", when={"times": None})
    sea.move("ADAUSDT", "0.7400")
    until(lambda: listener.board.best(ADA) is None or listener.board.best(ADA).bid == 0.7399)
    best = until(lambda: listener.board.best(ADA))
    assert (best.bid, best.source) == (0.7399, Source.REST)
    assert sea.requests("GET /fapi/v1/ticker/bookTicker") == asked + 1


def test_nothing_is_believed_before_the_snapshot(sea: Any) -> None:
    listener = sea.listen(ADA)
    listener.until_live(Topic.BOOKS)
    rule = {"when": {"call": "GET /fapi/v1/ticker/bookTicker", "times": 2}, "answer": "unknown_503_msg"}
    sea.exchange.gateway.faults.add(FaultRule.model_validate(rule))
    sea.bend("close", "/public*")
    sea.move("ADAUSDT", "0.7400")
    until(lambda: listener.board.best(ADA) is None)
    lines = [line for line in listener.board.lines if line.topic is Topic.BOOKS]
    until(lambda: len([row for row in sea.connections("public") if row["sent"] > 1]) >= 2)
    assert lines[0].connects == 1
    assert listener.board.best(ADA) is None
    assert until(lambda: listener.board.best(ADA)).bid == 0.7399


def test_the_daily_cut_is_no_event(sea: Any) -> None:
    sea.terms(connection_ms=700)
    listener = sea.listen(ADA, has_account=True)
    listener.until_live(Topic.BOOKS, Topic.ACCOUNT)
    until(lambda: reconnects(listener, Topic.BOOKS) and reconnects(listener, Topic.ACCOUNT))
    assert len(listener.heard(Resumed)) >= 2, "the account is read after each"


def test_an_expired_key_is_replaced(sea: Any) -> None:
    listener = sea.listen(ADA, has_account=True)
    listener.until_live(Topic.ACCOUNT)
    gateway = sea.exchange.gateway
    gateway.locked(lambda: apply(EndListenKey(), gateway.venue))
    sea.exchange.tick()
    until(lambda: reconnects(listener, Topic.ACCOUNT))
    assert sea.requests("POST /fapi/v1/listenKey") == 2
    sea.client.create_order(ADA, "market", "buy", 100, None, {"newClientOrderId": "pb-x-A-e-2"})
    until(lambda: listener.board.order("pb-x-A-e-2"))


def test_a_key_that_cannot_be_kept_alive_is_replaced(sea: Any) -> None:
    """The venue has dropped it without a word: the keep-alive is refused with −1125."""
    listener = sea.listen(ADA, has_account=True, options={"listenKeyRefreshRate": 300})
    listener.until_live(Topic.ACCOUNT)
    gateway = sea.exchange.gateway
    gateway.locked(lambda: apply(EndListenKey(told=False), gateway.venue))
    until(lambda: sea.requests("POST /fapi/v1/listenKey") >= 2)
    until(lambda: reconnects(listener, Topic.ACCOUNT))


@pytest.mark.parametrize("status", [403, 451])
def test_a_host_that_refuses_websockets_is_no_stream_and_no_error(sea: Any, status: int) -> None:
    sea.bend("refused_upgrade", status=status, when={"times": None})
    listener = sea.listen(ADA, has_account=True)
    until(lambda: all(line.error for line in listener.board.lines) and len(listener.board.lines) == 3)
    assert str(status) in listener.board.lines[0].error
    assert listener.board.best(ADA) is None


def test_a_proxy_without_websockets_is_no_stream_and_no_error(sea: Any) -> None:
    """It is said once, and the venue is asked."""
    with proxy.running(tunnels=False) as between:
        listener = sea.listen(ADA, settings={"httpsProxy": between.address})
        until(lambda: all(line.error for line in listener.board.lines) and len(listener.board.lines) == 2)
        assert "405" in listener.board.lines[0].error
        assert listener.board.best(ADA) is None
        assert not sea.connections("public")
        listener.feed.stop()


@pytest.mark.parametrize("named", ["httpsProxy", "https_proxy", "aiohttp_proxy", "wssProxy"])
def test_streams_go_the_way_requests_go(sea: Any, named: str) -> None:
    """Past a proxy they would come from an address the key may not be used from."""
    with proxy.running(tunnels=True) as between:
        listener = sea.listen(ADA, settings={named: between.address})
        listener.until_live(Topic.BOOKS, Topic.MARKS)
        assert between.asked.count(f"127.0.0.1:{sea.server.port}") >= 2
        listener.feed.stop()


def test_a_refused_subscription_is_tried_again(sea: Any) -> None:
    sea.bend("refused_subscription", "/public*")
    listener = sea.listen(ADA)
    until(lambda: [line for line in listener.board.lines if line.topic is Topic.BOOKS and line.error])
    assert until(lambda: listener.board.best(ADA)).bid == 0.7319


def test_half_a_message_ends_its_connection_only(sea: Any) -> None:
    sea.bend("cut", "/market*", at_byte=20)
    listener = sea.listen(ADA)
    listener.until_live(Topic.BOOKS)
    until(lambda: reconnects(listener, Topic.MARKS))
    assert reconnects(listener, Topic.BOOKS) == 0


def test_a_library_that_is_missing_is_said(sea: Any, caplog: pytest.LogCaptureFixture) -> None:
    def connect(*_: Any) -> Any:
        raise ImportError("No module named 'ccxt.pro'")

    board = Board(sea.listen().clock)
    feed = Feed(
        Streams(connect, 100, 5), board, board.clock, np.random.default_rng(1), lambda: 0.05, has_account=True
    )
    with caplog.at_level(logging.INFO):
        feed.start()
        until(lambda: board.lines and board.lines[0].error)
        assert feed.stop()
    assert "ccxt.pro" in caplog.text


def test_addresses_that_do_not_belong_together_are_refused(sea: Any) -> None:
    config = overlay(sea.server.port)
    for block in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        config["exchange"][block] = {
            **config["exchange"][block],
            "urls": {"api": {**config["exchange"][block]["urls"]["api"], "ws": {}}},
        }
    with pytest.raises(PairbotError, match="does not belong to the exchange"):
        venue_of("binance").streams(config, sea.client)


# -- its end ---------------------------------------------------------------------------------------


def test_a_hundred_starts_leave_nothing_behind(sea: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    threads = threading.active_count()
    gc.collect()  # what other tests have left is not ours to answer for
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        for number in range(100):
            with sea.listening(ADA, has_account=True) as listener:
                if number % 10 == 0:
                    listener.until_live(Topic.BOOKS, Topic.ACCOUNT)
                assert listener.feed.stop()
        until(lambda: threading.active_count() <= threads)
        gc.collect()
    until(lambda: all(row["end"] for root in ("public", "private") for row in sea.connections(root)))
    assert [str(each.message) for each in seen if issubclass(each.category, ResourceWarning)] == []
    assert [record.message for record in caplog.records if "nclosed" in record.message] == []


def test_a_venue_that_says_nothing_more_does_not_hold_up_the_end(sea: Any) -> None:
    listener = sea.listen(ADA, has_account=True)
    listener.until_live(Topic.BOOKS, Topic.ACCOUNT)
    sea.bend("dead", "/public*")
    sea.bend("dead", "/private*")
    sea.move("ADAUSDT", "0.7400")
    assert listener.feed.stop()


def test_a_hundred_thousand_updates_cost_no_memory(sea: Any) -> None:
    """Through ccxt's client as it reads them, without the sockets."""
    board, _ = live_board((ADA, ALGO))
    connection = sea.listen().streams.connect(Topic.BOOKS, (ADA, ALGO), board.hear, board.clock)
    messages = [
        {
            "e": "bookTicker",
            "u": 0,
            "s": name,
            "b": "0.7319",
            "B": "9",
            "a": "0.7321",
            "A": "9",
            "T": 1,
            "E": 1,
        }
        for name in ("ADAUSDT", "ALGOUSDT")
    ]
    take = connection._client.handle_message

    def play(first: int, many: int) -> None:
        for number in range(first, first + many):
            take(None, messages[number % 2] | {"u": number, "T": number})

    play(1, 20_000)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    play(20_001, 100_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 5 * 1024
    assert board.best(ADA).number >= 119_999
