"""The request weight the bot believes in: the venue's count of this minute, and no older one."""

from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest
from freqtrade.exceptions import FreqtradeException
from harness import Rig

from pairbot_ext.orders.limiter import LIMITS_READ_MS, LIMITS_RETRY_MS, MINUTE_MS, WeightLimiter
from pairbot_ext.preflight import venue as preflight
from pairbot_ext.preflight.results import Status
from pairbot_ext.sim.rest import exchange_info
from pairbot_ext.venue import venue_of
from pairbot_ext.venue.binance.weights import rate_limits
from pairbot_ext.venue.protocol import RateLimits

BINANCE = venue_of("binance")


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.ms = 10 * MINUTE_MS

    def now_ms(self) -> int:
        return self.ms

    def sleep(self, secs: float) -> None:
        self.ms += round(secs * 1000)


def heard(weight: int) -> dict[str, str]:
    """Headers of an answer."""
    return {"X-MBX-USED-WEIGHT-1M": str(weight)}


def test_the_venue_s_count_replaces_our_own() -> None:
    limiter = WeightLimiter(Clock(), BINANCE)
    limiter.before("account", "GET")
    assert limiter.used() == 5
    limiter.after(heard(900))
    assert limiter.used() == 900
    limiter.before("account", "GET")
    assert limiter.used() == 905


def test_an_answer_of_the_last_minute_says_nothing_about_this_one() -> None:
    clock = Clock()
    limiter = WeightLimiter(clock, BINANCE)
    clock.ms += MINUTE_MS - 100
    limiter.before("account", "GET")
    clock.ms += 200
    limiter.after(heard(2_300))
    assert limiter.used() == 0
    before_ms = clock.ms
    limiter.before("depth", "GET")
    assert clock.ms == before_ms, "nothing waits for a minute that is over"
    limiter.after(heard(7))
    assert limiter.used() == 7


def test_a_full_minute_is_waited_for_and_orders_never_wait() -> None:
    clock = Clock()
    limiter = WeightLimiter(clock, BINANCE)
    limiter.before("depth", "GET")
    limiter.after(heard(round(BINANCE.weights.wait_share * limiter.limits.weight_per_minute)))
    before_ms = clock.ms
    limiter.before("order", "POST")
    limiter.before("time", "GET")
    limiter.before("exchangeInfo", "GET")
    assert clock.ms == before_ms, "nor does what lanes ask"
    limiter.before("depth", "GET")
    assert clock.ms == 11 * MINUTE_MS
    assert limiter.used() == 2


SMALL = RateLimits(600, {10_000: 10, MINUTE_MS: 40})


def test_other_limits_than_the_documented_are_obeyed() -> None:
    clock = Clock()
    limiter = WeightLimiter(clock, BINANCE)
    limiter.renew(lambda: RateLimits(6_000, {10_000: 100}))
    limiter.before("depth", "GET")
    limiter.after(heard(3_700))
    assert limiter.has_room_for_entries, "1,500 would be the documented end of it"
    limiter.after(heard(3_760))
    assert not limiter.has_room_for_entries
    limiter.after(heard(5_000))
    before_ms = clock.ms
    limiter.before("depth", "GET")
    assert clock.ms == before_ms
    limiter.after(heard(5_625))
    limiter.before("depth", "GET")
    assert clock.ms > before_ms, "what is left is kept for orders"


def test_orders_are_counted_in_each_window() -> None:
    clock = Clock()
    limiter = WeightLimiter(clock, BINANCE)
    limiter.renew(lambda: SMALL)
    for sent in range(8):
        assert limiter.has_room_for_orders(2)
        assert limiter.has_room_for_entries == (sent <= 6)
        limiter.before("order", "POST")
    limiter.before("order", "GET")
    assert limiter.has_room_for_orders(2)
    assert not limiter.has_room_for_orders(3)
    # The venue knows of another program's orders.
    limiter.after({"x-mbx-order-count-10s": "9", "X-MBX-ORDER-COUNT-1M": "39"})
    assert limiter.has_room_for_orders(1)
    assert not limiter.has_room_for_orders(2)
    clock.ms += 10_000
    assert not limiter.has_room_for_orders(2), "the minute is not over"
    clock.ms += MINUTE_MS
    assert limiter.has_room_for_orders(2)
    assert limiter.has_room_for_orders(11), "more than it ever takes go out into an empty window"


def test_a_day_s_limit_holds_up_no_exit() -> None:
    limiter = WeightLimiter(Clock(), BINANCE)
    limiter.renew(lambda: RateLimits(600, {10_000: 10, 86_400_000: 2}))
    limiter.before("order", "POST")
    limiter.before("order", "POST")
    assert limiter.has_room_for_orders(2)
    assert not limiter.has_room_for_entries


def test_an_answer_of_the_last_window_counts_no_orders_in_this_one() -> None:
    clock = Clock()
    limiter = WeightLimiter(clock, BINANCE)
    limiter.renew(lambda: SMALL)
    clock.ms += 9_900
    limiter.before("order", "POST")
    clock.ms += 200
    limiter.after({"X-MBX-ORDER-COUNT-10S": "10", "X-MBX-ORDER-COUNT-1M": "10"})
    assert limiter.has_room_for_orders(10)


def test_limits_are_asked_for_again() -> None:
    clock = Clock()
    limiter = WeightLimiter(clock, BINANCE)
    asked: list[int] = []

    def read() -> RateLimits:
        asked.append(clock.ms)
        if len(asked) == 1:
            raise ccxt.NetworkError("no connection")
        return SMALL

    limiter.renew(read, is_busy=True)
    assert not asked, "no exit waits, even for what was never said"
    limiter.renew(read)
    assert limiter.limits == BINANCE.documented_limits
    limiter.renew(read)
    assert len(asked) == 1
    clock.ms += LIMITS_RETRY_MS
    limiter.renew(read)
    assert limiter.limits == SMALL
    clock.ms += LIMITS_READ_MS - 1
    limiter.renew(read)
    assert len(asked) == 2
    clock.ms += 1
    limiter.renew(read, is_busy=True)
    assert len(asked) == 2, "no exit waits for what is known"
    limiter.renew(read)
    assert len(asked) == 3


def test_two_lanes_ask_for_limits_once() -> None:
    limiter = WeightLimiter(Clock(), BINANCE)
    asked: list[int] = []

    def read() -> RateLimits:
        asked.append(1)
        limiter.renew(read)
        return SMALL

    limiter.renew(read)
    assert asked == [1]
    assert limiter.limits == SMALL


@pytest.mark.parametrize(
    ("stated", "weight", "orders", "documented"),
    [
        (
            [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": "10", "limit": "100"},
                {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
                {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 1},
            ],
            6_000,
            {10_000: 100, 86_400_000: 200_000},
            (),
        ),
        (
            [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 5, "limit": 6000},
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "SECOND", "intervalNum": 10, "limit": 900},
            ],
            900,
            {10_000: 300, 60_000: 1_200},
            ("orders",),
        ),
        ([{"rateLimitType": "ORDERS", "interval": "ERA", "intervalNum": 1, "limit": 5}, 7, {}], 2_400,
         {10_000: 300, 60_000: 1_200}, ("weight", "orders")),
        (None, 2_400, {10_000: 300, 60_000: 1_200}, ("weight", "orders")),
        (
            [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 0, "limit": 6000},
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": -1},
            ],
            2_400,
            {10_000: 300, 60_000: 1_200},
            ("weight", "orders"),
        ),
    ],
    ids=["other", "windows", "nonsense", "nothing", "impossible"],
)  # fmt: skip
def test_what_the_venue_says_of_its_limits(
    stated: object, weight: int, orders: dict[int, int], documented: tuple[str, ...]
) -> None:
    limits = rate_limits(stated)
    assert (limits.weight_per_minute, limits.orders, limits.documented) == (weight, orders, documented)
    assert ("as documented" in limits.text) == bool(documented)


def test_a_bot_reads_the_limits_of_its_venue(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And preflight computes with them."""
    stated = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 3000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    ]
    monkeypatch.setattr(exchange_info, "RATE_LIMITS", tuple(stated))
    rig = make_rig()
    assert rig.desk.limiter.limits == RateLimits(3_000, {10_000: 100})
    rig.open()
    assert rig.desk.limiter._orders_in(10_000) == 2
    setup: Any = SimpleNamespace(
        venue=BINANCE,
        exchange=lambda: rig.bot.exchange,
        symbols=list,
        config={},
        strategy=lambda: SimpleNamespace(startup_candle_count=1),
        settings=lambda: SimpleNamespace(streams=False),
    )
    monkeypatch.setattr(preflight, "capacity", lambda _setup: SimpleNamespace(pairs=50))
    found = preflight.request_weight(setup)
    assert found.numbers["limit_per_minute"] == 3_000
    assert found.status is Status.WARN, "50 pairs fit, all of them closing at once do not"


def test_a_request_without_an_answer_brings_no_old_count_back(live: Rig) -> None:
    limiter = live.desk.limiter
    exchange = live.bot.exchange
    exchange.fetch_l2_order_book("ADA/USDT:USDT", 20)
    stale = dict(exchange._api.last_response_headers)
    name = next(name for name in stale if name.lower() == "x-mbx-used-weight-1m")
    # What the client remembers of its last answer, as it would be after a busy minute.
    exchange._api.last_response_headers = {name: "2399"}
    used = limiter.used()
    live.fault(when={"call": "GET /fapi/v1/depth", "times": 1}, answer="read_timeout")
    with suppress(FreqtradeException, ccxt.BaseError):
        exchange._api.fetch_l2_order_book("ADA/USDT:USDT", 20)
    assert limiter.used() == pytest.approx(used, abs=10)
    assert limiter.has_room_for_entries
    # The next answer is heard.
    exchange._api.fetch_l2_order_book("ADA/USDT:USDT", 20)
    assert limiter.used() == int(exchange._api.last_response_headers[name])
