"""What Freqtrade gets to see of orders of other hands: never more than closes its trade."""

from typing import Any

from pairbot_ext.host.strangers import within_trade


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
