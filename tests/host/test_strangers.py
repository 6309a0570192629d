"""What Freqtrade gets to see of orders of other hands: never more than closes its trade, none of another."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from freqtrade.persistence import Trade
from harness import Rig

from pairbot_ext.host.strangers import within_trade
from pairbot_ext.sim.venue.actions import ClosePosition
from pairbot_ext.support.clock import as_datetime


def order(number: str, side: str, filled: float) -> dict[str, Any]:
    """A filled order of somebody at a price of 2."""
    return {
        "id": number,
        "side": side,
        "amount": filled,
        "filled": filled,
        "cost": 2 * filled,
        "remaining": 0.0,
    }


def test_an_exit_larger_than_the_trade_is_cut() -> None:
    (cut,) = within_trade([order("9", "buy", 400.0)], (), 248.0, "buy")
    assert (cut["filled"], cut["amount"], cut["cost"], cut["remaining"]) == (248.0, 248.0, 496.0, 0.0)


def test_what_comes_after_the_trade_is_closed_is_not_its_own() -> None:
    orders = [order("8", "buy", 248.0), order("9", "buy", 10.0)]
    assert [each["id"] for each in within_trade(orders, (), 248.0, "buy")] == ["8"]


def test_known_orders_and_entries_pass_as_they_are() -> None:
    orders = [order("1", "sell", 248.0), order("8", "sell", 100.0), order("9", "buy", 348.0)]
    assert within_trade(orders, ("1",), 248.0, "buy") == orders


def test_unfilled_orders_change_nothing() -> None:
    orders = [order("8", "buy", 0.0), order("9", "buy", 248.0)]
    assert within_trade(orders, (), 248.0, "buy") == orders


def rows() -> dict[int, list[str]]:
    """Freqtrade's order ids, by trade."""
    return {trade.id: [order.order_id for order in trade.orders] for trade in Trade.get_trades()}


def test_orders_of_the_trade_before_stay_with_it(live: Rig) -> None:
    """I9: a pair is closed and opened again, and the venue lists the orders of both. Freqtrade before 2026.8
    adds those of the first trade to the second, its database refuses, and nothing is booked."""
    live.open()
    live.close()
    live.script.exits.clear()
    began = live.clock.now_ms()
    live.pause_for(3600)
    live.open()
    assert live.states() == ["CLOSED", "HEDGED"]
    before, long_ago = rows(), as_datetime(began) - timedelta(hours=1)
    for trade in Trade.get_open_trades():
        shown = live.bot.exchange.fetch_orders(trade.pair, long_ago)
        assert [order["id"] for order in shown] == before[trade.id]
        live.desk._broker.look_for_fills(trade.pair, long_ago)
    assert rows() == before
    live.act(ClosePosition(symbol="ADAUSDT", fraction=Decimal("0.5")))
    live.loop(2, pause_secs=31)
    live.check_rest()
    assert {number: rows()[number] for number in (1, 2)} == {number: before[number] for number in (1, 2)}
