"""What those methods of ccxt's client do that are replaced or asked, on the real class that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import ccxt
import pytest
from plain_bot import ADA, PlainBot, plain_bot, proves, recorded

from pairbot_ext.host.access import with_own_connections
from pairbot_ext.host.client_hooks import accept_margin_mode


@pytest.fixture
def live(tmp_path: Path) -> Iterator[PlainBot]:
    with plain_bot(tmp_path) as bot:
        yield bot


@proves("binance.fetch2", "binance.on_rest_response")
def test_every_request_and_every_answer_passes_one_method(live: PlainBot) -> None:
    client = live.bot.exchange._api
    seen = recorded(client, "fetch2", "on_rest_response")
    before = live.asked
    order = client.create_order(ADA, "market", "buy", 50, None, {})
    client.fetch_order(order["id"], ADA, {})
    client.fetch_positions([ADA])
    calls = live.calls_since(before)
    assert len(seen["fetch2"]) == len(seen["on_rest_response"]) == len(calls) >= 3
    assert {(call["path"], call["method"]) for call in seen["fetch2"]} >= {
        ("order", "POST"),
        ("order", "GET"),
    }
    answer = seen["on_rest_response"][0]
    assert answer["code"] == 200
    assert any(name.lower().startswith("x-mbx-used-weight") for name in answer["response_headers"])


@proves("binance.throttle")
def test_the_pause_before_a_request_is_a_method_of_its_own(live: PlainBot) -> None:
    client = live.bot.exchange._api
    client.enableRateLimit = True
    costs: list[Any] = []
    client.throttle = costs.append
    client.fetch_time()
    client.fetch_order_book(ADA, 5)
    assert len(costs) == 2
    assert all(cost > 0 for cost in costs)


@proves("binance.create_order", "binance.fetch_order", "binance.cancel_order")
def test_an_order_by_our_own_id(live: PlainBot) -> None:
    client = live.bot.exchange._api
    resting = {"newClientOrderId": "pb-of-ours", "timeInForce": "GTC"}
    order = client.create_order(ADA, "limit", "buy", 50, 0.5, resting)
    assert order["clientOrderId"] == "pb-of-ours"
    found = client.fetch_order(None, ADA, {"origClientOrderId": "pb-of-ours"})
    assert (found["id"], found["status"]) == (order["id"], "open")
    client.cancel_order(None, ADA, {"origClientOrderId": "pb-of-ours"})
    assert client.fetch_order(order["id"], ADA, {})["status"] == "canceled"


@proves("binance.fetch_time", "binance.load_time_difference")
def test_the_venue_s_clock_is_read_and_followed(live: PlainBot) -> None:
    client = live.bot.exchange._api
    assert client.fetch_time() == live.clock.now_ms()
    live.venue.clock.advance(5_000)
    assert client.load_time_difference() == -5_000
    assert client.options["timeDifference"] == -5_000
    before = live.asked
    client.fetch_positions([ADA])
    assert live.asked > before, "its requests carry the venue's time: none is refused"


@proves("binance.set_margin_mode")
def test_a_margin_mode_that_is_set_already(live: PlainBot) -> None:
    """Older ccxt swallows the venue's answer, newer raises it, as nothing but this. The engine takes both."""
    client = live.bot.exchange._api
    client.set_margin_mode("isolated", ADA, {})
    with suppress(ccxt.MarginModeAlreadySet):
        client.set_margin_mode("isolated", ADA, {})
    accept_margin_mode(client)
    assert client.set_margin_mode("isolated", ADA, {})
    with pytest.raises(ccxt.BadRequest):
        client.set_margin_mode("isolated", ADA, {"marginType": "SIDEWAYS"})


@proves("binance.set_markets_from_exchange", "binance.close")
def test_a_twin_has_the_markets_and_ends_alone(live: PlainBot) -> None:
    client = live.bot.exchange._api
    twin = with_own_connections(client)
    twin.set_markets_from_exchange(client)
    assert twin.markets.keys() == client.markets.keys()
    assert twin.market(ADA)["id"] == "ADAUSDT"
    twin.close()
    assert client.fetch_time() == live.clock.now_ms()
