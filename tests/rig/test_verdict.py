"""The judgement every case ends with can fail: each rule of `verdict` is broken behind the engine's back."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from freqtrade.persistence import Trade
from harness import Rig, ccxt_client
from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from verdict import executed_entries

from pairbot_ext.journal.tables import OrderRow
from pairbot_ext.model.states import PairState
from pairbot_ext.sim.venue.actions import ClosePosition, OpenPosition
from pairbot_ext.sim.venue.orders import Side


def naked_leg(rig: Rig) -> None:
    rig.act(ClosePosition(symbol="ADAUSDT"))


def doubled_position(rig: Rig) -> None:
    rig.act(OpenPosition(symbol="ADAUSDT", side=Side.SELL, amount=248))


def no_freqtrade_trade(rig: Rig) -> None:
    Trade.session.delete(Trade.session.get(Trade, 1))
    Trade.session.commit()


def no_intent(rig: Rig) -> None:
    with Session(Trade.session.get_bind()) as session:
        session.execute(delete(OrderRow).where(OrderRow.leg == "B"))
        session.commit()


def state_of_neither(rig: Rig) -> None:
    for trade in rig.desk.journal.open_pair_trades():
        rig.desk.journal.change_pair_trade(trade.id, state=PairState.CLOSING)
    rig.desk.journal.flush()


def unhedged(rig: Rig) -> None:
    (trade,) = rig.desk.journal.open_pair_trades()
    plan = replace(trade.plan, model=replace(trade.plan.model, beta=1.5))
    rig.desk.journal.change_pair_trade(trade.id, plan=plan)


def entered_twice(rig: Rig) -> None:
    """Sent again with the same id: Binance takes it, because the first is no longer open. What it adds is
    closed by hand, so that only the second execution is left to see."""
    record = rig.posts("ADAUSDT")[0]
    send_as(rig, record.params["newClientOrderId"], "sell", 248)
    rig.act(OpenPosition(symbol="ADAUSDT", side=Side.BUY, amount=248))


def entered_too_much(rig: Rig) -> None:
    send_as(rig, f"pb-{rig.pair_trades()[0].id}-B-t-7", "buy", 1000, "ALGO/USDT:USDT")
    rig.act(OpenPosition(symbol="ALGOUSDT", side=Side.SELL, amount=1000))


def flipped(rig: Rig) -> None:
    send_as(rig, f"pb-{rig.pair_trades()[0].id}-A-x-7", "buy", 300)
    rig.act(OpenPosition(symbol="ADAUSDT", side=Side.SELL, amount=300))


def exit_not_reduce_only(rig: Rig) -> None:
    send_as(rig, f"pb-{rig.pair_trades()[0].id}-A-x-7", "buy", 10)
    rig.act(OpenPosition(symbol="ADAUSDT", side=Side.SELL, amount=10))


def stranger_s_id(rig: Rig) -> None:
    send_as(rig, "x-anything", "buy", 10)
    rig.act(OpenPosition(symbol="ADAUSDT", side=Side.SELL, amount=10))


def one_symbol_twice(rig: Rig) -> None:
    (trade,) = rig.desk.journal.open_pair_trades()
    rig.desk.journal.open_pair_trades = lambda: [trade, trade]


def closed_with_an_open_question(rig: Rig) -> None:
    rig.close()
    with Session(Trade.session.get_bind()) as session:
        session.execute(update(OrderRow).where(OrderRow.leg == "B").values(settled_ms=None))
        session.commit()


def send_as(rig: Rig, client_id: str, side: str, amount: float, symbol: str = "ADA/USDT:USDT") -> None:
    """An order past the guard, with an id of ours."""
    ccxt_client(rig).create_order(symbol, "market", side, amount, None, {"newClientOrderId": client_id})


@pytest.mark.parametrize(
    ("sabotage", "says"),
    [
        (naked_leg, "I9: venue"),
        (doubled_position, "I9: venue"),
        (no_freqtrade_trade, "I9: Freqtrade"),
        (no_intent, "I1"),
        (one_symbol_twice, "I7"),
        (closed_with_an_open_question, "I3"),
        (state_of_neither, "rests in CLOSING"),
        (unhedged, "I2"),
        (entered_twice, "executed more than once"),
        (entered_too_much, "leg B entered"),
        (flipped, "I8"),
        (exit_not_reduce_only, "is not reduce-only"),
        (stranger_s_id, "I1"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_verdict_fails(live: Rig, sabotage: Callable[[Rig], None], says: str) -> None:
    live.open()
    live.check_rest()
    assert executed_entries(live) == {"A-e": 1, "B-e": 1}
    sabotage(live)
    with pytest.raises(AssertionError, match=says):
        live.check_rest()


def test_open_is_not_flat(live: Rig) -> None:
    live.open()
    with pytest.raises(AssertionError, match="the venue holds"):
        live.check_flat()


def test_a_dry_run_is_judged_by_what_its_port_executed(dry: Rig) -> None:
    dry.open()
    dry.check_rest()
    assert set(dry.positions()) == {"ADAUSDT", "ALGOUSDT"}
    dry._dry_executed.pop()
    with pytest.raises(AssertionError, match="I9: venue"):
        dry.check_rest()
