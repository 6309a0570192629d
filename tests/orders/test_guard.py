"""The order guard at the ccxt client: what Freqtrade asks of orders that have a journal row."""

from typing import Any

import ccxt
import pytest
from freqtrade.exceptions import InvalidOrderException, TemporaryError
from harness import Rig

from pairbot_ext.model.states import OrderStatus

NOT_FOUND = {"answer": "reject", "code": -2013}


def order_of(rig: Rig, leg: str) -> Any:
    """The journal's first order of a leg."""
    return next(order for order in rig.orders() if order.leg == leg)


def test_not_found_never_reaches_freqtrade_for_a_settled_order(live: Rig) -> None:
    live.open()
    order = order_of(live, "A")
    live.fault(when={"call": "GET /fapi/v1/order", "times": None}, **NOT_FOUND)
    answer = live.bot.exchange.fetch_order(order.order_id, order.symbol)
    assert (answer["status"], answer["filled"]) == ("closed", 248.0)


def test_not_found_stays_retryable_for_an_unsettled_order(live: Rig) -> None:
    live.open()
    order = order_of(live, "A")
    live.desk.journal.change_order(order.client_id, status=OrderStatus.UNKNOWN)
    live.fault(when={"call": "GET /fapi/v1/order", "times": None}, **NOT_FOUND)
    with pytest.raises(TemporaryError, match="proves nothing"):
        live.bot.exchange.fetch_order(order.order_id, order.symbol)


def test_not_found_of_a_strangers_order_is_passed_on(live: Rig) -> None:
    with pytest.raises(InvalidOrderException):
        live.bot.exchange.fetch_order("123456", "ADA/USDT:USDT")


def test_cancelling_a_filled_order_says_that_it_filled(live: Rig) -> None:
    live.open()
    order = order_of(live, "B")
    answer = live.bot.exchange.cancel_order_with_result(order.order_id, order.symbol, 1.0)
    assert (answer["status"], answer["filled"]) == ("closed", 1032.3)


def test_cancel_itself_answers_what_became_of_the_order(live: Rig) -> None:
    # -2011 "no such open order" of one of ours is an answer, not an error.
    live.open()
    order = order_of(live, "B")
    answer = live.bot.exchange.cancel_order(order.order_id, order.symbol)
    assert (answer["status"], answer["filled"]) == ("closed", 1032.3)


def test_cancel_invents_nothing_where_the_venue_cannot_say(live: Rig) -> None:
    # Freqtrade would make up "canceled, filled 0" and delete the trade.
    live.open()
    order = order_of(live, "B")
    live.fault(when={"call": "GET /fapi/v1/order", "times": None}, **NOT_FOUND)
    answer = live.bot.exchange.cancel_order_with_result(order.order_id, order.symbol, 1.0)
    assert answer["filled"] == 1032.3


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("market", {}),
        ("limit", {"timeInForce": "IOC"}),
        ("market", {"stopPrice": 0.5, "reduceOnly": True}),
        ("STOP_MARKET", {"triggerPrice": 0.5, "reduceOnly": True}),
    ],
)
def test_an_order_without_an_intent_never_leaves(live: Rig, kind: str, params: dict[str, Any]) -> None:
    with pytest.raises(ccxt.OperationRejected, match="pairbot"):
        live.bot.exchange._api.create_order("ADA/USDT:USDT", kind, "buy", 100, 0.7, params)
    assert not live.posts()


def test_a_resting_order_is_cancelled_and_read(live: Rig) -> None:
    # The venue answers NEW and fills nothing: pair legs never rest.
    live.fault(when={"leg": "A", "role": "e"}, fill={"fraction": "0", "hold_ms": -1})
    live.open()
    live.loop()
    assert not live.venue.engine.open_orders
    assert live.states() == ["ABORTED"]
    live.check_flat()


def test_a_fill_during_the_cancel_is_not_lost(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, fill={"fraction": "0", "hold_ms": -1})
    live.fault(when={"call": "DELETE /fapi/v1/order"}, before=[{"do": "fill_orders"}])
    live.open()
    live.loop()
    assert live.states() == ["HEDGED"]
    assert len(live.posts("ALGOUSDT")) == 1
    live.check_rest()


def test_ids_are_unique_and_short(live: Rig) -> None:
    for _ in range(3):
        live.fault(when={"leg": "B", "role": "e"}, fill={"fraction": "0.5"})
        live.open()
        live.close()
        live.script.exits.clear()
        live.next_candle()
    ids = [record.params["newClientOrderId"] for record in live.posts()]
    assert len(ids) == len(set(ids)) >= 12
    assert all(len(client_id) <= 36 for client_id in ids)
