"""kill -9 at every moment, restart, stop and reload: the journal goes on where the process ended."""

from typing import Any, NoReturn

import pytest
from harness import Rig
from sqlalchemy.exc import OperationalError


class Killed(BaseException):
    """The process ends here: no handler of ours or Freqtrade's catches it."""


def kill_at(rig: Rig, leg: str, role: str, *, after: bool) -> None:
    """End the process right before or after the venue has executed the next such order."""
    port = rig.desk.port
    send = port.send

    def deadly(order: Any, *client: Any) -> Any:
        if (order.leg, order.role) != (leg, role):
            return send(order, *client)
        if after:
            send(order, *client)
        end_of_process(rig)

    port.send = deadly


def end_of_process(rig: Rig) -> NoReturn:
    """From here on nothing is written any more, whatever handlers still run."""
    journal = rig.desk.journal
    journal._commit = journal._file.put = journal._file.drop = lambda *_, **__: None
    raise Killed


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize(("leg", "role"), [("A", "e"), ("B", "e"), ("A", "x"), ("B", "x"), ("A", "u")])
def test_kill_9_around_an_order(live: Rig, leg: str, role: str, after: bool) -> None:
    if role == "u":
        live.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    if role == "x":
        live.open()
    kill_at(live, leg, role, after=after)
    with pytest.raises(Killed):
        live.close() if role == "x" else live.open()
    live.script.wishes.clear()
    live.clock.sleep(10)
    live.restart()
    live.loop(2)
    live.check_rest()
    assert live.states()[-1] in {
        "Ae": ("HEDGED", "ABORTED"), "Be": ("HEDGED",), "Ax": ("CLOSED",), "Bx": ("CLOSED",),
        "Au": ("ABORTED",),
    }[leg + role]  # fmt: skip
    for name, amount in live.entry_fills().items():
        assert amount <= 1100, f"{name} was entered twice"
    live.close()
    live.loop()
    live.check_flat()


@pytest.mark.parametrize("out", ["A", "B"])
def test_no_book_is_read_before_the_other_leg_is_out(live: Rig, out: str) -> None:
    """I9: one leg is out when the process ends, and no book can be read afterwards. The messages of what is
    booked first would like a price: the leg that is alone does not wait for it."""
    live.open()
    live.desk.port.lanes.backwards = out == "B"
    kill_at(live, "B" if out == "A" else "A", "x", after=False)
    with pytest.raises(Killed):
        live.close()
    live.fault(when={"call": "GET /fapi/v1/depth", "times": None}, answer="read_timeout")
    seen, began_ms = len(live.posts()), live.clock.now_ms()
    sent_ms: list[int] = []
    before = live.gateway.handle

    def noted(request: Any, *rest: Any) -> Any:
        if (request.method, request.path) == ("POST", "/fapi/v1/order"):
            sent_ms.append(live.clock.now_ms())
        return before(request, *rest)

    live.gateway.handle = noted
    live.restart()
    assert len(live.posts()) == seen + 1
    assert sent_ms[0] - began_ms < 5_000, "no question of five seconds came before it"
    live.gateway.faults.clear()
    live.loop(2)
    live.check_flat()


@pytest.mark.parametrize("leg", ["A", "B"])
@pytest.mark.parametrize("when", ["alone", "first_answer", "booking", "file"])
def test_kill_9_between_two_exits(live: Rig, leg: str, when: str) -> None:
    """The other instants of two exits that leave together: one out and not the other, whichever it is; one
    answer recorded; one booked; both intents in the file of a database that cannot be written."""
    live.open()
    desk, seen = live.desk, len(live.posts())
    mate = {"A": "B", "B": "A"}[leg]
    desk.port.lanes.backwards = leg == "B"
    if when in ("alone", "file"):
        kill_at(live, mate, "x", after=False)
    elif when == "first_answer":
        heard = desk.guard._heard

        def deadly(order: Any, sent: Any) -> Any:
            return heard(order, sent) if order.leg == leg else end_of_process(live)

        desk.guard._heard = deadly
        # The answer of this one comes first.
        live.fault(when={"leg": mate, "role": "x"}, delay_ms=300)
    else:
        book = desk.coordinator._broker.exit
        desk.coordinator._broker.exit = lambda order, *rest: (
            book(order, *rest) if order.leg == leg else end_of_process(live)
        )
    if when == "file":
        in_file: dict[str, int] = {}
        put = desk.journal._file.put

        def locked(*_: Any) -> NoReturn:
            raise OperationalError("insert", {}, Exception("database is locked"))

        desk.journal._commit = locked

        def note(order: Any) -> Any:
            in_file.setdefault(order.leg, len(live.posts()) - seen)
            return put(order)

        desk.journal._file.put = note
    with pytest.raises(Killed):
        live.close()
    if when == "file":
        assert in_file == {"A": 0, "B": 0}, "both are durable before either leaves"
    live.script.exits.clear()
    live.clock.sleep(10)
    live.restart()
    live.loop(2)
    assert live.states() == ["CLOSED"]
    live.check_flat()


def test_kill_9_after_leg_a_is_booked(live: Rig) -> None:
    # The fill is in Freqtrade's database; the process ends before leg B's intent.
    live.desk.coordinator._broker.enter = lambda *_: end_of_process(live)
    with pytest.raises(Killed):
        live.open()
    live.script.wishes.clear()
    live.restart()
    assert live.states() == ["HEDGED"], "resumed before anything else is done"
    live.loop()
    live.check_rest()
    live.close()
    live.check_flat()


def test_order_filled_is_replayed(live: Rig) -> None:
    """I4: `order_filled` twice for one order, in any order, does nothing."""
    from freqtrade.persistence import Order, Trade

    live.open()
    before = len(live.posts())
    for row in Order.session.query(Order).all():
        trade = Trade.session.get(Trade, row.ft_trade_id)
        for _ in range(2):
            live.bot.strategy.order_filled(trade.pair, trade, row, None)
    assert len(live.posts()) == before
    live.check_rest()


@pytest.mark.parametrize("leg", ["A", "B"])
def test_not_found_at_startup_deletes_nothing(live: Rig, leg: str) -> None:
    from freqtrade.persistence import Order

    live.open()
    symbol = {"A": "ADA/USDT:USDT", "B": "ALGO/USDT:USDT"}[leg]
    row = Order.session.query(Order).filter(Order.ft_pair == symbol).one()
    row.ft_is_open, row.status = True, "open"
    Order.session.commit()
    live.fault(when={"call": "GET /fapi/v1/order", "times": None}, answer="reject", code=-2013)
    live.fault(when={"call": "DELETE /fapi/v1/order", "times": None}, answer="reject", code=-2011)
    live.restart()
    live.loop(2)
    assert set(live.trades()) == {"ADAUSDT", "ALGOUSDT"}
    live.check_rest()


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not_executed"])
@pytest.mark.parametrize("leg", ["A", "B"])
def test_not_found_at_startup_of_an_order_just_sent(live: Rig, leg: str, executed: bool) -> None:
    """I3: killed right after a send; at the start the venue does not know the order for a while."""
    kill_at(live, leg, "e", after=executed)
    with pytest.raises(Killed):
        live.open()
    live.script.wishes.clear()
    live.fault(when={"call": "GET /fapi/v1/order", "times": 8}, answer="reject", code=-2013)
    rows = set(live.trades())
    live.restart()
    assert rows <= set(live.trades()), "no trade row vanishes"
    live.loop(3, pause_secs=31)
    live.check_rest()
    live.close()
    live.check_flat()


@pytest.mark.parametrize("leg", ["A", "B"])
def test_not_found_after_a_cancel(live: Rig, leg: str) -> None:
    """I3: an order rests and is cancelled while it fills; the cancel and the next questions say not found."""
    live.fault(when={"leg": leg, "role": "e"}, fill={"fraction": "0.5", "hold_ms": -1})
    live.fault(
        when={"call": "DELETE /fapi/v1/order"}, before=[{"do": "fill_orders"}], answer="reject", code=-2011,
        execute=False,
    )  # fmt: skip
    live.fault(when={"call": "GET /fapi/v1/order", "nth": 2, "times": 4}, answer="reject", code=-2013)
    live.open()
    live.loop(2)
    live.check_rest()
    assert live.states() == ["HEDGED"]
    assert [len(live.posts(symbol)) for symbol in ("ADAUSDT", "ALGOUSDT")] == [1, 1]
    live.close()
    live.check_flat()


def test_ctrl_c_finishes_what_is_half_open(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="read_timeout")
    live.fault(when={"call": "GET /fapi/v1/order", "times": 40}, answer="html_502")
    live.open()
    assert live.states() == ["UNKNOWN"]
    live.stop()
    assert live.states() == ["HEDGED"]
    assert any("success rate" in line for line in live.script.last_words)
    live.start()
    live.loop()
    live.check_rest()


def test_stop_and_start(live: Rig) -> None:
    from freqtrade.enums import State

    live.open()
    live.bot.state = State.STOPPED
    for _ in range(3):
        live.bot.process_stopped()
    assert sum("not supervised" in text for text in live.told) == 1
    live.bot.state = State.RUNNING
    live.bot.startup()
    live.close()
    live.check_flat()


def test_reload_config_keeps_the_pair(live: Rig) -> None:
    live.open()
    live.bot.cleanup()
    live.start()
    live.loop()
    live.check_rest()
    live.close()
    live.check_flat()
