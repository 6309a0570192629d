"""Orders Freqtrade cannot book: never given up silently, never booked twice."""

from collections.abc import Callable
from contextlib import suppress

from freqtrade.exceptions import DependencyException, FreqtradeException
from harness import Rig


def refuse_to_book(live: Rig, error: Exception) -> Callable[[], int]:
    """From now on Freqtrade raises `error` where it should book an entry. Returns a count of the attempts."""
    attempts: list[int] = []

    def refuse(*_: object) -> bool:
        attempts.append(live.clock.now_ms())
        raise error

    live.desk._broker.enter = refuse
    return lambda: len(attempts)


def test_an_order_that_cannot_be_booked_is_told_and_tried_again(live: Rig) -> None:
    live.open()
    enter = live.desk._broker.enter
    # A person deletes leg A's row: /delete.
    live.bot.rpc._rpc._rpc_delete(1)
    attempts = refuse_to_book(live, DependencyException("the stake is too small"))
    said = len(live.told)
    live.loop(8)
    (row,) = live.pair_trades()
    entry = next(order for order in live.orders() if order.leg == "A")
    assert row.state == "NEEDS_OPERATOR"
    assert entry.client_id in row.reason
    assert attempts() == 5, "then once a minute"
    live.loop(24)
    assert 6 <= attempts() <= 8
    told = [text for text in live.told[said:] if entry.client_id in text]
    assert len(told) == 1
    assert "NEEDS YOU" in told[0]
    live.desk._broker.enter = enter
    live.loop(13)
    assert live.states() == ["HEDGED"]
    assert len([text for text in live.told[said:] if "in order again" in text]) == 1
    live.check_rest()
    live.close()
    live.check_flat()


def test_an_exit_goes_out_past_an_entry_that_cannot_be_booked(live: Rig) -> None:
    live.open()
    enter = live.desk._broker.enter
    live.bot.rpc._rpc._rpc_delete(1)
    attempts = refuse_to_book(live, RuntimeError("no such market"))
    live.loop(8)
    assert live.states() == ["NEEDS_OPERATOR"]
    assert attempts() == 5, "whatever Freqtrade raises counts"
    live.close(reason="pair_stop")
    live.script.exits.clear()
    assert not live.positions()
    live.loop(6)
    assert live.states() == ["NEEDS_OPERATOR"], "nothing is forgotten before Freqtrade has booked it"
    live.desk._broker.enter = enter
    live.loop(15)
    assert live.pair_trades()[0].reason == "pair_stop"
    live.check_flat()


def test_a_fill_is_not_imported_while_its_order_is_unsettled(live: Rig) -> None:
    live.open()
    live.fault(when={"leg": "B", "role": "r"}, answer="read_timeout", execute=True)
    live.fault(when={"call": "GET /fapi/v1/order", "times": 60}, answer="html_502")
    with suppress(FreqtradeException):
        live.bot.rpc._rpc._rpc_force_exit("1", amount=100.0)
    # A person has Freqtrade read leg B's orders on the venue: it books the trim whose fate we do not know.
    live.bot.rpc._rpc._rpc_reload_trade_from_exchange(2)
    live.loop(2)
    assert not [order for order in live.orders() if order.client_id.startswith("ext-")]
    live.gateway.faults.clear()
    live.loop(3, pause_secs=31)
    assert not [order for order in live.orders() if order.client_id.startswith("ext-")]
    assert live.states() == ["HEDGED"]
    live.check_rest()
