"""kill -9 at every moment, restart, stop and reload: the journal goes on where the process ended."""

from typing import Any, NoReturn

import pytest
from harness import Rig


class Killed(BaseException):
    """The process ends here: no handler of ours or Freqtrade's catches it."""


def kill_at(rig: Rig, leg: str, role: str, *, after: bool) -> None:
    """End the process right before or after the venue has executed the next such order."""
    port = rig.desk.port
    send = port.send

    def deadly(order: Any) -> Any:
        if (order.leg, order.role) != (leg, role):
            return send(order)
        if after:
            send(order)
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


def test_a_second_pass_does_nothing(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="read_timeout")
    live.open()
    live.loop()
    events, orders = len(live.events()), len(live.orders())
    for _ in range(3):
        live.clock.sleep(31)
        live.desk.on_loop_start(None)
    assert (len(live.events()), len(live.orders())) == (events, orders)


def test_order_filled_is_replayed(live: Rig) -> None:
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


def test_unreachable_while_half_open(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="reset", execute=False)
    send = live.transport.send
    cut = [0]

    def cut_off(method: str, url: str, *rest: Any) -> Any:
        if method == "POST" and "/order" in url and "leg" not in url and cut[0] == 0:
            parsed = rest[0].decode()
            if "-B-e-" in parsed:
                cut[0] = live.clock.now_ms()
        if cut[0] and live.clock.now_ms() - cut[0] < 60_000:
            live.transport.reachable = False
        else:
            live.transport.reachable = True
        return send(method, url, *rest)

    live.transport.send = cut_off  # type: ignore[method-assign]
    live.open()
    for _ in range(20):
        live.clock.sleep(5)
        try:
            live.bot.process()
        except Exception:  # noqa: BLE001 - Freqtrade's worker sleeps on it
            live.clock.sleep(30)
    live.transport.reachable = True
    live.loop(3)
    # CLOSED: by the rule about a leg alone, which is judged although nothing else can be asked.
    assert live.states() in (["HEDGED"], ["ABORTED"], ["CLOSED"])
    live.check_rest()


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
