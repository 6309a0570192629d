"""What the private names of Freqtrade's exchange do, on the real class of whatever release is installed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from freqtrade.enums import CandleType, ExitCheckTuple, ExitType, MarginMode
from freqtrade.exceptions import ExchangeError, TemporaryError
from plain_bot import ADA, ALGO, PlainBot, plain_bot, proves, recorded

from pairbot_ext.host import private
from pairbot_ext.host.access import forget_connections, leverage_tiers
from pairbot_ext.host.given_candles import give_candles

KEY = (ADA, "1h", CandleType.FUTURES)
HELD_BACK = ("get_trades_for_order", "get_funding_fees", "fetch_positions", "get_rate", "_lev_prep")
"""Questions that wait until both legs are out: each must be asked of the object they are replaced on."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[PlainBot]:
    with plain_bot(tmp_path) as bot:
        yield bot


@pytest.fixture
def dry(tmp_path: Path) -> Iterator[PlainBot]:
    with plain_bot(tmp_path, dry_run=True) as bot:
        yield bot


@proves("Exchange.get_trades_for_order", "Exchange.get_funding_fees", "Exchange.fetch_positions")
@proves("Exchange.get_rate", "Exchange._lev_prep", "Exchange.create_order")
def test_what_is_asked_around_an_order_is_asked_of_the_object(live: PlainBot) -> None:
    exchange = live.bot.exchange
    seen = recorded(exchange, *HELD_BACK, "create_order")
    trade = live.enter()
    check = ExitCheckTuple(exit_type=ExitType.CUSTOM_EXIT, exit_reason="a reason")
    assert live.bot.execute_trade_exit(trade, 0.732, check, ordertype="market", sub_trade_amt=None)
    assert [name for name, calls in seen.items() if not calls] == []
    entry, exit_ = seen["create_order"]
    sent = [(order["pair"], order["ordertype"], order["side"], order["leverage"]) for order in (entry, exit_)]
    assert sent == [(ADA, "market", "buy", 2), (ADA, "market", "sell", 2.0)]
    # Rounded to the venue's step between here and the client.
    assert 0 <= entry["amount"] - exit_["amount"] < 1
    assert (seen["_lev_prep"][0]["pair"], seen["_lev_prep"][0]["leverage"]) == (ADA, 2)
    assert seen["get_trades_for_order"][0]["pair"] == ADA
    assert isinstance(seen["get_trades_for_order"][0]["since"], datetime)
    assert seen["get_funding_fees"][0].keys() == {"pair", "amount", "is_short", "open_date"}
    assert any(call.get("pair") == ADA for call in seen["fetch_positions"]), "the liquidation price"
    assert {call["refresh"] for call in seen["get_rate"]} <= {True, False}


@proves("Exchange._lev_prep", "Exchange._set_leverage", "Exchange.set_margin_mode")
def test_margin_mode_and_leverage_are_set_by_one_request_each(live: PlainBot) -> None:
    exchange, before = live.bot.exchange, live.asked
    exchange._lev_prep(ADA, 3.0, "buy", True)
    assert live.calls_since(before) == ["POST /fapi/v1/marginType", "POST /fapi/v1/leverage"]
    before = live.asked
    exchange._set_leverage(2, ADA)
    exchange.set_margin_mode(ALGO, exchange.margin_mode)
    assert live.calls_since(before) == ["POST /fapi/v1/leverage", "POST /fapi/v1/marginType"]
    assert exchange.margin_mode is MarginMode.ISOLATED
    assert live.venue.account.position("ADAUSDT").leverage == 2


@proves("Exchange._get_funding_fees_from_exchange", "Exchange._fetch_and_calculate_funding_fees")
def test_funding_that_cannot_be_read_raises_below_and_is_zero_above(live: PlainBot) -> None:
    """Why the engine asks below: "unknown" must not be booked as nothing."""
    exchange, since = live.bot.exchange, datetime.now(UTC) - timedelta(hours=2)
    assert exchange._get_funding_fees_from_exchange(ADA, since) == 0.0
    assert isinstance(exchange._fetch_and_calculate_funding_fees(ADA, 100.0, False, since), float)
    live.fault(when={"call": "GET /fapi/v1/income", "times": None}, answer="reject", code=-1003, status=429)
    with pytest.raises(TemporaryError):
        exchange._get_funding_fees_from_exchange(ADA, since)
    assert exchange.get_funding_fees(pair=ADA, amount=100.0, is_short=False, open_date=since) == 0.0
    live.fault(when={"call": "GET /fapi/v1/fundingRate", "times": None}, answer="html_503")
    with pytest.raises(ExchangeError):
        exchange._fetch_and_calculate_funding_fees(ADA, 100.0, False, since)


@proves("Exchange._api")
def test_orders_go_through_the_client_s_own_methods(live: PlainBot) -> None:
    seen = recorded(live.bot.exchange._api, "create_order", "fetch_order", "cancel_order")
    trade = live.enter()
    (order,) = seen["create_order"]
    assert (order["symbol"], order["type"], order["side"]) == (ADA, "market", "buy")
    live.bot.exchange.fetch_order(trade.orders[0].order_id, ADA)
    with pytest.raises(Exception, match="Could not cancel"):
        live.bot.exchange.cancel_order(trade.orders[0].order_id, ADA)
    assert seen["fetch_order"][-1]["id"] == seen["cancel_order"][-1]["id"] == trade.orders[0].order_id


@proves("Exchange.fetch_l2_order_book", "Exchange.get_maintenance_ratio_and_amt")
def test_books_and_brackets(live: PlainBot) -> None:
    exchange = live.bot.exchange
    seen = recorded(exchange, "fetch_l2_order_book")["fetch_l2_order_book"]
    book = exchange.fetch_l2_order_book(ADA, 20)
    assert len(book["bids"]) == 20
    exchange.get_rate(ADA, refresh=True, side="exit", is_short=False)
    assert seen[-1] == {"pair": ADA, "limit": 1}, "one level where only a price is wanted"
    ratio, amount = exchange.get_maintenance_ratio_and_amt(ADA, 100.0)
    assert 0 < ratio < 1
    assert amount is not None


@proves("Exchange.create_dry_run_order", "Exchange._dry_run_open_orders")
def test_dry_run_orders_pass_one_method_and_are_found_where_they_are_put(dry: PlainBot) -> None:
    exchange: Any = dry.bot.exchange
    seen = recorded(exchange, "create_dry_run_order")["create_dry_run_order"]
    trade = dry.enter()
    (order,) = seen
    assert (order["pair"], order["ordertype"], order["side"]) == (ADA, "market", "buy")
    assert {"amount", "rate"} <= order.keys()
    made = {
        **exchange._dry_run_open_orders[trade.orders[0].order_id],
        "id": "of-the-engine",
        "status": "closed",
    }
    exchange._dry_run_open_orders["of-the-engine"] = made
    assert exchange.fetch_order("of-the-engine", ADA)["id"] == "of-the-engine"


@proves("Exchange._api_async")
def test_the_async_client_keeps_its_session_where_it_can_be_forgotten(live: PlainBot) -> None:
    assert live.bot.exchange._api_async.session is not None
    forget_connections(live.bot.exchange)
    assert live.bot.exchange._api_async.session is None


@proves("Exchange._leverage_tiers")
def test_leverage_brackets_have_the_columns_that_are_read(live: PlainBot) -> None:
    tiers = leverage_tiers(live.bot.exchange, ADA)
    assert len(tiers) > 2
    wanted = {"minNotional", "maxNotional", "maxLeverage", "maintenanceMarginRate", "maintAmt"}
    assert all(wanted <= tier.keys() for tier in tiers)
    assert [tier["minNotional"] for tier in tiers] == sorted(tier["minNotional"] for tier in tiers)
    assert leverage_tiers(live.bot.exchange, "NOBODY/USDT:USDT") == []


@proves("Exchange._klines", "Exchange._now_is_time_to_refresh", "Exchange._pairs_last_refresh_time")
@proves("Exchange.refresh_latest_ohlcv", "Exchange._pairs_last_poll_time")
def test_candles_that_are_handed_over_are_the_bot_s_own(live: PlainBot) -> None:
    exchange = live.bot.exchange
    live.next_candle()
    assert exchange._now_is_time_to_refresh(*KEY)
    live.loop()
    assert not exchange._now_is_time_to_refresh(*KEY)
    frames = {ADA: exchange._klines[KEY].iloc[:-1].copy(), ALGO: None}
    asked: list[int] = []
    give_candles(exchange, "1h", lambda symbol, _opened: frames[symbol], asked.append)
    live.next_candle()
    live.loop()
    assert asked == [2]
    assert exchange.klines(KEY).equals(frames[ADA])
    assert KEY in exchange._pairs_last_refresh_time
    if not private.missing(private.WHERE_PRESENT):
        assert KEY in getattr(exchange, private.POLL_TIMES)
    frames = {symbol: exchange._klines[KEY].assign(date=lambda f: f["date"] + timedelta(hours=3))
              for symbol in (ADA, ALGO)}  # fmt: skip
    live.next_candle()
    live.loop()
    assert not exchange._now_is_time_to_refresh(*KEY), "its newest candle has come"
