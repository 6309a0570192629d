"""Exits Freqtrade sends by itself, by the hand of a person: always market orders, never in the mate's way."""

from contextlib import suppress

import pytest
from freqtrade.exceptions import FreqtradeException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Order, Trade
from harness import Rig
from sqlalchemy import text


def test_a_forced_limit_exit_leaves_as_a_market_order(live: Rig) -> None:
    live.open()
    live.bot.rpc._rpc._rpc_force_exit("1", ordertype="limit", price=9.99)
    live.loop()
    live.check_flat()
    exits = live.posts()[2:]
    assert [record.params["type"] for record in exits] == ["MARKET", "MARKET"]
    assert all(record.params["reduceOnly"] == "true" for record in exits)


@pytest.mark.parametrize("executed", [True, False])
def test_the_mate_does_not_wait_for_a_forced_exit_without_an_answer(live: Rig, executed: bool) -> None:
    live.open()
    live.fault(when={"leg": "A", "role": "x"}, answer="read_timeout", execute=executed)
    live.fault(when={"call": "GET /fapi/v1/order", "times": 4}, answer="read_timeout")
    live.bot.rpc._rpc._rpc_force_exit("1")
    first, second = live.posts()[2:4]
    assert [first.params["symbol"], second.params["symbol"]] == ["ADAUSDT", "ALGOUSDT"]
    between = [r.call for r in live.gateway.log.requests if first.number < r.number < second.number]
    assert "GET /fapi/v1/order" not in between
    client_timeout_ms = live.bot.exchange._api.timeout
    assert second.received_ms - first.received_ms <= client_timeout_ms + 2_000
    live.loop(6)
    live.check_flat()
    assert live.pair_trades()[0].reason == "force_exit"


def test_forceexit_all_goes_on_past_an_exit_without_an_answer(live: Rig) -> None:
    live.open("ADA-ALGO", "XRP-DOGE")
    live.fault(when={"leg": "A", "role": "x", "symbol": "ADAUSDT"}, answer="read_timeout", execute=True)
    live.bot.rpc._rpc._rpc_force_exit("all")
    assert not live.positions()
    live.loop(2)
    live.check_flat()


def lone_trade(live: Rig) -> None:
    """A trade of Freqtrade's own, as from a database older than the engine: in no pair trade."""
    live.open()
    with live.bot._exit_lock:
        trade = live.desk.journal.open_pair_trades()[0]
        live.desk.journal._trades.pop(trade.id)
        for order in live.desk.journal.orders_of(trade.id):
            live.desk.journal._orders.pop(order.client_id)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_lone_exit_without_an_answer_is_asked_for_and_booked(live: Rig, restarted: bool) -> None:
    lone_trade(live)
    live.fault(when={"role": "x"}, answer="read_timeout", execute=True)
    live.fault(when={"call": "GET /fapi/v1/order", "times": 12}, answer="html_502")
    with suppress(FreqtradeException):
        live.bot.rpc._rpc._rpc_force_exit("1", ordertype="limit", price=9.99)
    assert live.posts()[-1].params["type"] == "MARKET"
    assert "ADAUSDT" in live.trades(), "Freqtrade has got no answer"
    assert not live.held("ADAUSDT")
    if restarted:
        # The legs' own pair trade is not this test's: it is final in the database.
        forget_pair_trades(live)
        live.restart()
    live.gateway.faults.clear()
    live.loop(2)
    assert "ADAUSDT" not in live.trades()
    assert [order.role for order in live.orders() if order.symbol == "ADA/USDT:USDT"].count("x") == 1


def forget_pair_trades(live: Rig) -> None:
    """As if the database had never known them."""
    with Trade.session.get_bind().begin() as connection:
        connection.execute(text("UPDATE pairbot_pair_trades SET state = 'CLOSED'"))


class Died(BaseException):
    """The process ends here."""


def test_a_lone_exit_whose_row_freqtrade_never_took_into_its_trade(
    live: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9: a death between Freqtrade's two commits. The row is taken in, and no second one is written."""
    lone_trade(live)

    def dies(_trade: Trade, _order: Order, _recalculating: bool = False) -> None:
        Trade.commit()
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(Trade, "update_trade", dies)
        with pytest.raises(Died):
            live.bot.rpc._rpc._rpc_force_exit("1")
    forget_pair_trades(live)
    with monkeypatch.context() as patched:
        # Freqtrade's recovery adds up only where a leg has one entry and one exit.
        patched.setattr(FreqtradeBot, "handle_onexchange_order", lambda *_: False)
        live.restart()
        live.loop(3)
    trade = Trade.get_trades([Trade.id == 1]).one()
    exits = [row for row in trade.orders if row.ft_order_side == trade.exit_side]
    assert not trade.is_open
    assert len(exits) == 1
    assert not live.held(trade.pair.replace("/USDT:USDT", "USDT"))


def test_a_pair_is_closed_on_request_and_told_once(live: Rig) -> None:
    live.open()
    said = len(live.told)
    with live.bot._exit_lock:
        live.desk.close(live.desk.journal.open_pair_trades()[0], "by_request")
    live.check_flat()
    told = [text for text in live.told[said:] if "Pair ADA-ALGO" in text]
    assert len(told) == 1
    assert "closed (by_request)" in told[0]
    live.loop(2, pause_secs=31)
    assert len([text for text in live.told[said:] if "Pair ADA-ALGO" in text]) == 1


def test_a_request_the_venue_does_not_take_is_not_forgotten(live: Rig) -> None:
    live.open()
    live.fault(when={"role": "x", "times": 4}, answer="reject", code=-1008)
    with live.bot._exit_lock:
        live.desk.close(live.desk.journal.open_pair_trades()[0], "by_request")
    live.loop(4)
    live.check_flat()
    assert live.pair_trades()[0].reason == "by_request"
