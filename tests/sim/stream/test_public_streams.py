"""Public streams under a clock the test moves: names, roots, requests, limits, sequence, REST."""

import json
from decimal import Decimal
from typing import Any

import pytest

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market import open_market
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.stream import public
from pairbot_ext.sim.stream.hub import UpgradeRefusedError
from pairbot_ext.sim.stream.names import Feed, NotSimulatedError, Root, StreamName, parse
from pairbot_ext.sim.stream.within import StreamTap
from pairbot_ext.sim.venue.clock import VirtualClock
from pairbot_ext.sim.venue.options import StreamTerms
from pairbot_ext.sim.venue.orders import OrderRequest, OrderType, Side
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.venue import Venue

NOW = 1_769_994_000_000


def later(world: Any, ms: int = 200) -> None:
    world.clock.advance(ms)
    world.exchange.tick()


@pytest.mark.parametrize(
    ("text", "feed", "symbol", "every_ms", "levels", "root"),
    [
        ("adausdt@bookTicker", Feed.BOOK_TICKER, "ADAUSDT", 0, 0, Root.PUBLIC),
        ("!bookTicker", Feed.BOOK_TICKER, None, 0, 0, Root.PUBLIC),
        ("adausdt@depth", Feed.DEPTH, "ADAUSDT", 250, 0, Root.PUBLIC),
        ("adausdt@depth@100ms", Feed.DEPTH, "ADAUSDT", 100, 0, Root.PUBLIC),
        ("adausdt@depth10@500ms", Feed.PARTIAL_DEPTH, "ADAUSDT", 500, 10, Root.PUBLIC),
        ("adausdt@markPrice", Feed.MARK_PRICE, "ADAUSDT", 3000, 0, Root.MARKET),
        ("adausdt@markPrice@1s", Feed.MARK_PRICE, "ADAUSDT", 1000, 0, Root.MARKET),
        ("!markPrice@arr@1s", Feed.MARK_PRICE, None, 1000, 0, Root.MARKET),
        ("币安人生usdt@bookTicker", Feed.BOOK_TICKER, "币安人生USDT", 0, 0, Root.PUBLIC),
    ],
)
def test_names(text, feed, symbol, every_ms, levels, root):
    name = parse(text)
    assert name == StreamName(text, feed, symbol, every_ms, levels)
    assert name.root is root


@pytest.mark.parametrize("text", ["", "0", "adausdt", "@bookTicker", "adausdt@", "adausdt@depth7"])
def test_names_nobody_knows(text):
    assert parse(text) is None


@pytest.mark.parametrize("text", ["adausdt@kline_1m", "adausdt@aggTrade", "!miniTicker@arr", "!contractInfo"])
def test_names_that_are_not_simulated(world, text):
    with pytest.raises(NotSimulatedError):
        parse(text)
    tap = StreamTap(world.exchange, "/market/ws")
    tap.send({"method": "SUBSCRIBE", "params": [text], "id": 1})
    assert tap.messages()[0]["error"]["code"] == 2
    with pytest.raises(UpgradeRefusedError):
        StreamTap(world.exchange, f"/market/ws/{text}")


@pytest.mark.parametrize(
    ("path", "query", "served"),
    [
        ("/public/ws/adausdt@bookTicker", "", ["bookTicker"]),
        ("/ws/adausdt@bookTicker", "", ["bookTicker"]),
        ("/public/ws/adausdt@bookTicker/adausdt@markPrice@1s", "", ["bookTicker"]),
        ("/public/ws/adausdt@markPrice@1s", "", []),
        ("/ws/adausdt@markPrice@1s", "", []),
        ("/market/ws/adausdt@markPrice@1s", "", ["markPriceUpdate"]),
        ("/market/ws/adausdt@bookTicker", "", []),
        ("/public/ws/btcusdt@bookTicker", "", []),
        ("/public/ws/0", "", []),
        ("/stream", "streams=adausdt@bookTicker/adausdt@depth5", ["bookTicker", "depthUpdate"]),
        ("/market/stream", "streams=adausdt@markPrice", ["markPriceUpdate"]),
        ("/private/ws/adausdt@bookTicker", "", []),
    ],
)
def test_roots_deliver_their_own_and_are_silent_otherwise(world, path, query, served):
    tap = StreamTap(world.exchange, path, query)
    later(world)
    messages = tap.messages()
    if "stream" in path:
        assert all(set(message) == {"stream", "data"} for message in messages)
        messages = [message["data"] for message in messages]
    assert sorted(message["e"] for message in messages) == sorted(served)
    assert tap.end == ""


@pytest.mark.parametrize("path", ["/", "/pm/ws/key", "/public", "/not-simulated/papi", "/ws-fapi/v1"])
def test_other_paths_are_no_websockets(world, path):
    with pytest.raises(UpgradeRefusedError) as refused:
        StreamTap(world.exchange, path)
    assert refused.value.status == 404


def test_requests(world):
    tap = StreamTap(world.exchange, "/public/ws")
    tap.send({"method": "SUBSCRIBE", "params": ["adausdt@bookTicker"], "id": 1})
    result, ticker = tap.messages()
    assert result == {"result": None, "id": 1}
    assert ticker | {"u": 0, "T": 0, "E": 0} == {
        "e": "bookTicker", "u": 0, "s": "ADAUSDT", "b": "0.73190", "B": "10000", "a": "0.73210", "A": "10000",
        "T": 0, "E": 0,
    }  # fmt: skip
    tap.send({"method": "LIST_SUBSCRIPTIONS", "id": "two"})
    assert tap.messages() == [{"result": ["adausdt@bookTicker"], "id": "two"}]
    tap.send({"method": "SET_PROPERTY", "params": ["combined", True], "id": 3})
    tap.send({"method": "GET_PROPERTY", "params": ["combined"], "id": 4})
    later(world, 1000)
    set_, got, combined = tap.messages()
    assert (set_["result"], got["result"], combined["stream"]) == (None, True, "adausdt@bookTicker")
    tap.send({"method": "UNSUBSCRIBE", "params": ["adausdt@bookTicker", "other"], "id": 5})
    later(world, 5000)
    assert tap.messages() == [{"result": None, "id": 5}]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ({"id": 1}, 2),
        ({"method": "DANCE", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [1], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["nonsense"], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["adausdt@depth"], "id": True}, 2),
        ({"method": "SET_PROPERTY", "params": ["shiny", True], "id": 1}, 0),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}, 1),
    ],
)
def test_refused_requests(world, request_, code):
    tap = StreamTap(world.exchange, "/public/ws")
    tap.send(request_)
    (answer,) = tap.messages()
    assert answer["error"]["code"] == code
    assert world.exchange.streams.report()[0]["streams"] == []


def test_too_many_streams(new_world):
    world = new_world(streams=StreamTerms(streams_per_connection=2))
    tap = StreamTap(world.exchange, "/public/ws")
    names = ["adausdt@bookTicker", "adausdt@depth", "algousdt@depth"]
    tap.send({"method": "SUBSCRIBE", "params": names, "id": 1})
    assert tap.messages()[0]["error"]["code"] == 2
    tap.send({"method": "SUBSCRIBE", "params": names[:2], "id": 2})
    tap.send({"method": "SUBSCRIBE", "params": names[:1], "id": 3})  # no new one
    assert [message.get("result", 0) for message in tap.messages() if "id" in message] == [None, None]
    with pytest.raises(UpgradeRefusedError) as refused:
        StreamTap(world.exchange, "/stream", "streams=" + "/".join(names))
    assert refused.value.status == 400


def test_too_many_messages(world):
    tap = StreamTap(world.exchange, "/public/ws")
    for number in range(10):
        tap.send({"method": "LIST_SUBSCRIPTIONS", "id": number})
    world.clock.advance(1000)
    for number in range(10):
        tap.send({"method": "LIST_SUBSCRIPTIONS", "id": number})
    assert tap.end == ""
    tap.send({"method": "LIST_SUBSCRIPTIONS", "id": 11})
    assert tap.end == "Too many requests"


def test_heartbeat(world):
    tap = StreamTap(world.exchange, "/public/ws")
    for _ in range(30):
        later(world, 60_000)
        tap.messages()  # answers pings
    assert tap.end == ""
    for _ in range(3):
        later(world, 60_000)  # a ping goes out, nobody answers
    for _ in range(9):
        later(world, 60_000)
    assert tap.end == ""
    later(world, 60_000)
    assert tap.end == "no pong"


def test_cut_at_24_hours_and_compressed(world, new_world):
    tap = StreamTap(world.exchange, "/public/ws")
    later(world, 86_399_000)
    tap.messages()
    assert tap.end == ""
    later(world, 1000)
    assert tap.end == "connection too old"
    short = new_world(streams=StreamTerms(connection_ms=5000))
    tap = StreamTap(short.exchange, "/public/ws")
    later(short, 5000)
    assert tap.end == "connection too old"
    later(short)
    assert [row["end"] for row in short.exchange.streams.report()] == ["connection too old"]


def test_mark_prices(world):
    one, every = (
        StreamTap(world.exchange, f"/market/ws/{name}") for name in ("adausdt@markPrice", "!markPrice@arr@1s")
    )
    for _ in range(6):
        later(world, 1000)
    assert len(one.messages()) == 2, "each 3 s"
    arrays = every.messages()
    assert len(arrays) == 6
    assert [row["s"] for row in arrays[0]] == list(world.market.symbols)
    _, premium = world.call("GET /fapi/v1/premiumIndex", symbol="ADAUSDT")
    later(world, 1000)
    row = every.messages()[0][0]
    assert row == {
        "e": "markPriceUpdate", "E": world.clock(), "s": "ADAUSDT", "p": premium["markPrice"],
        "i": premium["indexPrice"], "P": premium["estimatedSettlePrice"], "r": premium["lastFundingRate"],
        "T": premium["nextFundingTime"],
    }  # fmt: skip


def test_ticker_follows_our_own_orders_and_moves_of_the_market(world):
    tap = StreamTap(world.exchange, "/public/ws/adausdt@bookTicker")
    later(world)
    tap.messages()
    world.place("BUY", 4000)
    later(world)
    (ticker,) = tap.messages()
    assert (ticker["a"], ticker["A"]) == ("0.73210", "6000")
    world.market.prices["ADAUSDT"] = Decimal("0.8000")
    later(world)
    (moved,) = tap.messages()
    assert (moved["b"], moved["a"]) == ("0.79990", "0.80010")
    assert moved["u"] > ticker["u"]


@pytest.fixture(scope="module")
def ticking():
    return open_market("synthetic", compress=True, clock=lambda: NOW, seed=3, ticks=True)


class Moving:
    """A venue on a market that moves, and its REST books."""

    def __init__(self, market: Any) -> None:
        self.clock = VirtualClock(NOW)
        self.venue = Venue(market, self.clock)
        self.exchange = SimulatedExchange(Gateway(self.venue, CREDENTIALS, limits=RateLimits(enforced=False)))

    def rest(self, path: str, symbol: str) -> Any:
        answer = self.exchange.handle(Request("GET", f"/fapi/v1/{path}", f"symbol={symbol}&limit=1000"))
        return json.loads(answer.body)


SYMBOL = "1000SATSUSDT"
SIDES = (("b", "bids"), ("a", "asks"))


def test_ticker_and_rest_agree_at_each_moment(ticking):
    world = Moving(ticking)
    tap = StreamTap(world.exchange, f"/public/ws/{SYMBOL.lower()}@bookTicker")
    seen, ticker = set(), {}
    for _ in range(50):
        later(world, 200)
        ticker = (tap.messages() or [ticker])[-1]  # none where nothing has changed
        best, depth = world.rest("ticker/bookTicker", SYMBOL), world.rest("depth", SYMBOL)
        assert [ticker[key] for key in "bBaA"] == [
            best[key] for key in ("bidPrice", "bidQty", "askPrice", "askQty")
        ]
        assert [[ticker["b"], ticker["B"]], [ticker["a"], ticker["A"]]] == [
            depth["bids"][0], depth["asks"][0],
        ]  # fmt: skip
        seen.add(ticker["b"])
    assert len(seen) > 20, "prices move between candles"


def apply_update(book: dict[str, dict[str, str]], update: Any) -> None:
    for short, side in SIDES:
        for price, amount in update[short]:
            if Decimal(amount):
                book[side][price] = amount
            else:
                book[side].pop(price, None)


@pytest.mark.parametrize("late_ms", [0, 1, 37, 99])
def test_a_snapshot_at_any_moment_and_the_updates_after_it_make_the_book(ticking, late_ms):
    """Binance's recipe: snapshot, drop what is older, the first update spans it, then pu = u before."""
    world = Moving(ticking)
    tap = StreamTap(world.exchange, f"/public/ws/{SYMBOL.lower()}@depth@100ms")
    buffered = []
    for _ in range(5):
        later(world, 100)
        buffered += tap.messages()
    world.clock.advance(late_ms)
    snapshot = world.rest("depth", SYMBOL)
    book = {side: dict(snapshot[side]) for _, side in SIDES}
    nonce, first = snapshot["lastUpdateId"], True
    world.venue.place(OrderRequest(SYMBOL, Side.BUY, OrderType.MARKET, Decimal(100_000), "mine"))
    for step in range(100):
        later(world, (100, 70, 130, 400)[step % 4])
        buffered += tap.messages()
        for update in buffered:
            if update["u"] < nonce:
                continue
            assert update["U"] <= update["u"]
            assert (first and update["U"] <= nonce <= update["u"]) or update["pu"] == nonce
            apply_update(book, update)
            nonce, first = update["u"], False
        if buffered and buffered[-1]["E"] == world.clock():
            now = world.rest("depth", SYMBOL)
            assert book == {side: dict(now[side]) for _, side in SIDES}
        buffered = []
    assert not first


def test_partial_books(ticking):
    world = Moving(ticking)
    tap = StreamTap(world.exchange, f"/public/ws/{SYMBOL.lower()}@depth5@100ms")
    before = None
    for _ in range(10):
        later(world, 500)
        (update,) = tap.messages()
        depth = world.rest("depth", SYMBOL)
        assert (update["b"], update["a"]) == (depth["bids"][:5], depth["asks"][:5])
        assert before is None or update["pu"] == before["u"] == update["U"] - 1
        before = update


def test_one_text_for_all_who_listen(world, monkeypatch):
    """However many subscribe, an event is made into JSON once."""
    taps = [StreamTap(world.exchange, "/public/ws/adausdt@bookTicker") for _ in range(20)]
    made = []
    monkeypatch.setattr(public, "as_text", lambda payload: made.append(payload) or json.dumps(payload))
    later(world, 1000)
    assert (len(made), [len(tap.messages()) for tap in taps]) == (1, [1] * 20)


def test_nothing_is_kept_of_who_left(world):
    tap = StreamTap(world.exchange, "/public/ws/adausdt@bookTicker")
    later(world)
    tap.close()
    hub = world.exchange.streams
    assert (hub._public, hub._listeners, hub._connections) == ({}, {}, [])
