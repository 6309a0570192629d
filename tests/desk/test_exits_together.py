"""Both legs of a pair leave at the same moment: neither waits for the other's answer, whatever that is.

Times are the venue's. What leaves together is played from one instant here; that it does so with threads and
connections is shown in orders/test_lanes.py and, with real processes, in test_real_processes.py.
"""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from freqtrade.persistence import Trade
from harness import PRICES, Rig

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.sim.venue.actions import ClosePosition
from pairbot_ext.venue.binance.futures import BinanceFutures
from pairbot_ext.venue.protocol import RateLimits

SLOW_MS = 1_500


def gaps(rig: Rig, seen: int) -> list[int]:
    """Ms from the first to the second order of each pair of them since `seen`."""
    sent = [post.received_ms for post in rig.posts()[seen:]]
    return [second - first for first, second in zip(sent[::2], sent[1::2], strict=True)]


def by_model(rig: Rig) -> None:
    rig.close()


def by_force(rig: Rig) -> None:
    rig.bot.rpc._rpc._rpc_force_exit(str(rig.trade_ids()[1]))


def by_stop_of_freqtrade(rig: Rig) -> None:
    """A leg's own stop-loss, which takes the whole pair along."""
    trade = Trade.get_open_trades()[0]
    trade.stop_loss = trade.open_rate * 0.5
    Trade.commit()
    rig.loop()


def by_halt(rig: Rig) -> None:
    rig.desk.risk.halt("a test")
    rig.loop()


def by_request(rig: Rig) -> None:
    with rig.bot._exit_lock:
        rig.desk.close(rig.desk.journal.open_pair_trades()[0], "by_request", insists=True)


@pytest.mark.parametrize(
    ("leave", "slow"),
    [
        (by_model, "A"),
        (by_model, "B"),
        (by_force, "A"),
        (by_force, "B"),
        (by_stop_of_freqtrade, "A"),
        (by_halt, "B"),
        (by_request, "A"),
    ],
)
def test_neither_exit_waits_for_the_other(shared: Rig, leave: Callable[[Rig], None], slow: str) -> None:
    rig = shared
    if leave is by_halt:
        rig.desk.risk.resume("a test")
    rig.open()
    rig.fault(when={"leg": slow, "role": "x"}, delay_ms=SLOW_MS)
    seen = len(rig.posts())
    leave(rig)
    assert gaps(rig, seen) == [0]
    rig.script.exits.clear()
    if leave is by_halt:
        rig.desk.risk.resume("a test")
    rig.loop()
    rig.check_flat()


def test_both_legs_are_unwound_at_once(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, fill={"fraction": "0.05"})
    live.fault(when={"leg": "B", "role": "t"}, answer="reject", code=-2019)
    live.fault(when={"leg": "A", "role": "u"}, delay_ms=SLOW_MS)
    live.open()
    unwound = [post for post in live.posts() if "-u-" in post.params["newClientOrderId"]]
    assert [post.received_ms for post in unwound] == [unwound[0].received_ms] * 2
    assert live.states() == ["ABORTED"]
    live.check_flat()


def test_freqtrade_books_when_both_are_out_and_asks_for_neither(live: Rig) -> None:
    live.open()
    first = live.gateway.log.next_number()
    live.close()
    calls = [record.call for record in live.gateway.log.since(first - 1)]
    assert "GET /fapi/v1/order" not in calls, "the answers that came are what Freqtrade books"
    closed = Trade.get_trades([Trade.is_open.is_(False)]).all()
    assert {trade.exit_reason for trade in closed} == {"pair_reverted"}
    assert all(trade.close_profit_abs is not None and trade.close_rate for trade in closed)
    assert all(post.params["reduceOnly"] == "true" for post in live.posts()[2:])
    live.check_flat()


def test_one_is_refused_and_the_other_fills(live: Rig) -> None:
    live.open()
    live.fault(when={"leg": "A", "role": "x"}, answer="reject", code=-1008)
    seen = len(live.posts())
    live.close()
    first, second, third = live.posts()[seen:]
    assert first.received_ms == second.received_ms
    assert third.params["symbol"] == "ADAUSDT"
    live.script.exits.clear()
    live.loop()
    live.check_flat()


@pytest.mark.parametrize("executed", [True, False])
def test_both_answers_are_lost(live: Rig, executed: bool) -> None:
    live.open()
    live.fault(when={"role": "x", "times": 2}, answer="read_timeout", execute=executed)
    seen = len(live.posts())
    live.close()
    first, second = live.posts()[seen : seen + 2]
    assert first.received_ms == second.received_ms
    live.script.exits.clear()
    live.loop(3)
    assert live.states() == ["CLOSED"]
    live.check_flat()


def test_a_leg_that_is_gone_holds_up_nothing(live: Rig) -> None:
    live.open()
    live.deafen("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE")
    live.act(ClosePosition(symbol="ADAUSDT"))
    seen = len(live.posts())
    live.close()
    first, second = live.posts()[seen:]
    assert first.received_ms == second.received_ms
    assert not live.positions()
    live.script.exits.clear()
    live.loop(3, pause_secs=31)
    live.check_flat()


def test_one_fills_in_part(live: Rig) -> None:
    live.open()
    live.fault(when={"leg": "B", "role": "x"}, fill={"fraction": "0.4"})
    seen = len(live.posts())
    live.close()
    sent = live.posts()[seen:]
    assert sent[0].received_ms == sent[1].received_ms
    assert [post.params["symbol"] for post in sent[2:]] == ["ALGOUSDT"]
    live.script.exits.clear()
    live.check_flat()


def test_both_intents_are_durable_before_either_leaves(live: Rig) -> None:
    """I1, with the database and without it."""
    port, stored = live.desk.port, []
    send = port.send

    def note(order: OrderRecord, *client: object) -> object:
        stored.append({row.role + row.leg for row in live.orders() if row.settled_ms is None})
        return send(order, *client)

    port.send = note
    live.open()
    stored.clear()
    live.close()
    assert stored == [{"xA", "xB"}] * 2
    live.check_flat()


def test_ctrl_c_while_both_are_out(live: Rig) -> None:
    live.open()
    send = live.desk.port.send

    def interrupted(order: OrderRecord, *client: object) -> object:
        send(order, *client)
        raise KeyboardInterrupt

    live.desk.port.send = interrupted
    with pytest.raises(KeyboardInterrupt):
        live.close()
    live.desk.port.send = send
    live.stop()
    assert live.states() == ["CLOSED"]
    live.start()
    live.check_flat()


@pytest.fixture
def three(make_rig: Callable[..., Rig]) -> Rig:
    """Three open pairs; the second has lost most, the third less."""
    rig = make_rig(symbols=tuple(PRICES))
    rig.open("ADA-ALGO", "XRP-DOGE", "LINK-AVAX")
    assert rig.states() == ["HEDGED"] * 3
    for name, factor in (("XRPUSDT", "1.03"), ("LINKUSDT", "1.01")):
        rig.market.prices[name] = (rig.market.prices[name] * Decimal(factor)).quantize(Decimal("0.0001"))
    rig.loop(pause_secs=31)
    return rig


def left(rig: Rig, seen: int) -> list[str]:
    """Coins of leg A in the order their pairs have left in."""
    exits = (post.params for post in rig.posts()[seen:])
    return [each["symbol"] for each in exits if re.search("-A-x-", each["newClientOrderId"])]


def test_pairs_leave_in_the_order_of_their_risk(three: Rig) -> None:
    seen = len(three.posts())
    three.desk.risk.halt("a test")
    three.loop()
    assert left(three, seen) == ["XRPUSDT", "LINKUSDT", "ADAUSDT"]
    assert gaps(three, seen) == [0, 0, 0]
    three.check_flat()


def test_a_leg_close_to_its_liquidation_goes_first(three: Rig) -> None:
    broker = three.desk._broker
    level, prices = broker.liquidation_level, three.market.prices
    broker.liquidation_level = lambda symbol: (
        float(prices["ALGOUSDT"]) * 0.95 if symbol == "ALGO/USDT:USDT" else level(symbol)
    )
    seen = len(three.posts())
    three.close("ADA-ALGO", "XRP-DOGE", "LINK-AVAX")
    assert left(three, seen) == ["ADAUSDT", "XRPUSDT", "LINKUSDT"]


def test_a_pair_without_a_price_comes_last_and_disturbs_no_other(three: Rig) -> None:
    last_price, gone = three.desk._broker.last_price, {"XRP/USDT:USDT": float("nan"), "ALGO/USDT:USDT": None}
    three.desk._broker.last_price = lambda symbol: gone.get(symbol, last_price(symbol))
    leaving = [trade.plan.pair_id for trade in three.desk.open_by_risk()]
    assert leaving == ["LINK-AVAX", "ADA-ALGO", "XRP-DOGE"]
    three.market.prices["ADAUSDT"] *= Decimal("1.02")
    three.loop(pause_secs=31)
    assert leaving == [trade.plan.pair_id for trade in three.desk.open_by_risk()], "ALGO may have won more"


def test_no_exit_waits_for_limits_the_venue_never_says(live: Rig) -> None:
    live.open()
    limiter = live.desk.limiter
    limiter.limits, limiter._renew_ms = BinanceFutures.documented_limits, 0
    live.fault(when={"call": "GET /fapi/v1/exchangeInfo", "times": 3}, answer="read_timeout")
    live.script.exits["ADA-ALGO"] = "pair_stop"
    seen, begun_ms = len(live.posts()), live.clock.now_ms()
    live.loop(pause_secs=0)
    assert [post.received_ms for post in live.posts()[seen:]] == [begun_ms] * 2
    live.check_flat()


def test_more_exits_than_the_venue_takes_wait_for_its_next_window(three: Rig) -> None:
    """Whole pairs leave, the one at most risk first; an order over the limit would be refused."""
    limiter = three.desk.limiter
    limiter.limits = RateLimits(2_400, {10_000: 4, 60_000: 1_200})
    three.clock.advance(10_000 - three.clock.now_ms() % 10_000)
    seen = len(three.posts())
    for pair_id in ("ADA-ALGO", "XRP-DOGE", "LINK-AVAX"):
        three.script.exits[pair_id] = "pair_stop"
    three.loop(pause_secs=1)
    assert left(three, seen) == ["XRPUSDT", "LINKUSDT"]
    assert three.states() == ["CLOSING", "CLOSED", "CLOSED"]
    three.loop(pause_secs=1)
    assert len(three.posts()) == seen + 4
    three.loop(2, pause_secs=5)
    assert left(three, seen) == ["XRPUSDT", "LINKUSDT", "ADAUSDT"]
    three.check_flat()
