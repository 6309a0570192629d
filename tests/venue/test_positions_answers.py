"""I3: a positions answer that is none never counts as flat, and one answer alone writes nothing off."""

import ccxt
import pytest
from harness import Rig, ccxt_client

from pairbot_ext.sim.venue.actions import ClosePosition
from pairbot_ext.venue.binance.positions import read_fills, read_open_orders, read_positions

POSITIONS = "GET /fapi/v3/positionRisk"
NO_ANSWERS = [
    {"answer": "empty_200"},
    {"answer": "truncated_200"},
    {"answer": "custom", "status": 200, "body": "{}"},
    {"answer": "custom", "status": 200, "body": '[{"symbol": "ADAUSDT"}]'},
]


@pytest.mark.parametrize("fault", NO_ANSWERS)
def test_what_is_no_answer_does_not_count_as_flat(live: Rig, fault: dict[str, object]) -> None:
    live.open()
    held = live.positions()
    live.fault(when={"call": POSITIONS, "times": None}, **fault)
    live.loop(3, pause_secs=31)
    assert live.states() == ["HEDGED"]
    assert live.positions() == held
    live.gateway.faults.clear()
    live.loop(pause_secs=31)
    live.check_rest()


@pytest.mark.parametrize("form", ["empty_200", "truncated_200"])
def test_readers_refuse_what_is_no_answer(live: Rig, form: str) -> None:
    live.open()
    client = ccxt_client(live)
    symbol = "ADA/USDT:USDT"
    assert set(read_positions(client)) == {symbol, "ALGO/USDT:USDT"}
    assert len(read_fills(client, symbol, live.clock.now_ms() - 60_000)) == 1
    assert read_open_orders(client, symbol) == []
    for call, read in (
        (POSITIONS, lambda: read_positions(client)),
        ("GET /fapi/v1/allOrders", lambda: read_fills(client, symbol, 0)),
        ("GET /fapi/v1/openOrders", lambda: read_open_orders(client, symbol)),
    ):
        live.fault(when={"call": call}, answer=form)
        with pytest.raises(ccxt.BadResponse):
            read()


def test_one_empty_list_writes_nothing_off(live: Rig) -> None:
    # A valid answer, and a stale one: the next read of the venue is right again.
    live.open()
    held, said = live.positions(), len(live.told)
    live.fault(when={"call": POSITIONS}, answer="custom", status=200, body="[]")
    live.loop(pause_secs=31)
    assert live.states() == ["HEDGED"]
    assert any("read once more" in text for text in live.told[said:])
    live.loop(2)
    assert live.states() == ["HEDGED"]
    assert live.positions() == held
    live.check_rest()


def test_what_two_answers_miss_is_written_off(live: Rig) -> None:
    # Gone from the venue, and no fill of it can be found: the mate is closed a loop later.
    live.open()
    live.fault(when={"call": "GET /fapi/v1/allOrders", "times": None}, answer="custom", status=200, body="[]")
    live.deafen("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE")
    live.act(ClosePosition(symbol="ADAUSDT"))
    live.loop(pause_secs=31)
    assert live.states() == ["HEDGED"]
    live.loop()
    assert live.states() == ["CLOSED"]
    live.check_flat()
    live.loop(2, pause_secs=31)
    live.check_flat()
