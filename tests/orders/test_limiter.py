"""The request weight the bot believes in: the venue's count of this minute, and no older one."""

from contextlib import suppress

import ccxt
import pytest
from freqtrade.exceptions import FreqtradeException
from harness import Rig

from pairbot_ext.orders.limiter import MINUTE_MS, WeightLimiter
from pairbot_ext.venue import venue_of

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
    assert clock.ms == before_ms
    limiter.before("depth", "GET")
    assert clock.ms == 11 * MINUTE_MS
    assert limiter.used() == 2


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
