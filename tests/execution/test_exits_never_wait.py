"""I5: what goes wrong with one leg, pair or question never keeps another from being closed."""

from contextlib import suppress

import pytest
from freqtrade.exceptions import FreqtradeException
from harness import Rig
from sqlalchemy.exc import OperationalError

from pairbot_ext.errors import PairbotError
from pairbot_ext.execution.states import PairState
from pairbot_ext.sim.venue.actions import ClosePosition

BROKEN = OperationalError("select", {}, Exception("database is locked"))


def test_a_lost_exit_is_asked_for_when_its_mate_is_out(live: Rig) -> None:
    live.open()
    live.fault(when={"leg": "A", "role": "x"}, answer="read_timeout", execute=True)
    live.close()
    first, second = live.posts()[2:]
    between = [r.call for r in live.gateway.log.requests if first.number < r.number < second.number]
    assert [first.params["symbol"], second.params["symbol"]] == ["ADAUSDT", "ALGOUSDT"]
    assert "GET /fapi/v1/order" not in between
    live.script.exits.clear()
    live.loop()
    live.check_flat()


def test_unreadable_trades_let_both_exits_out(live: Rig) -> None:
    live.open()

    def unreadable(_symbol: str) -> bool:
        raise BROKEN

    live.desk._broker.has_open_trade = unreadable
    live.close()
    assert not live.positions()


def test_a_pair_whose_pass_raises_holds_up_no_other(live: Rig) -> None:
    live.open("ADA-ALGO", "XRP-DOGE")
    first = live.pair_trades()[0].id
    advance = live.desk.coordinator.advance

    def broken(pair_trade_id: str, **options: object) -> None:
        if pair_trade_id == first:
            raise RuntimeError("injected")
        advance(pair_trade_id, **options)

    live.desk.coordinator.advance = broken
    live.act(ClosePosition(symbol="DOGEUSDT"))
    live.loop(pause_secs=31)
    assert live.states() == ["HEDGED", "CLOSED"]
    # Freqtrade calls this without a net.
    live.desk.journal.change_pair_trade(first, state=PairState.CLOSING)
    live.bot.process_stopped()


def test_the_model_closes_a_pair_in_any_state(live: Rig) -> None:
    live.open()
    live.desk.journal.change_pair_trade(live.pair_trades()[0].id, state=PairState.NEEDS_OPERATOR)
    trade = live.bot.strategy.desk.journal.open_pair_trades()[0]
    assert trade.state is PairState.NEEDS_OPERATOR
    live.desk.reconciler.run = lambda: None
    live.close()
    live.script.exits.clear()
    live.check_flat()


def test_an_overloaded_venue_gets_its_exits_later(live: Rig) -> None:
    live.open()
    said = len(live.told)
    live.fault(when={"role": "x", "times": None}, answer="reject", code=-1008)
    live.close()
    live.script.exits.clear()
    held_back = [text for text in live.told[said:] if "in a row" in text]
    assert len(held_back) == 2, "once per leg"
    for _ in range(25):
        live.loop(pause_secs=61)
    assert live.states() == ["NEEDS_OPERATOR"]
    assert len([text for text in live.told[said:] if "in a row" in text]) == 2
    assert len([text for text in live.told[said:] if "NEEDS YOU" in text]) == 1
    live.gateway.faults.clear()
    live.loop(2, pause_secs=61)
    live.check_flat()


def test_an_unanswered_trim_is_not_sent_twice(live: Rig) -> None:
    live.open()
    live.fault(when={"leg": "B", "role": "r"}, answer="read_timeout", execute=True)
    live.fault(when={"call": "GET /fapi/v1/order", "times": 60}, answer="html_502")
    with suppress(FreqtradeException):
        live.bot.rpc._rpc._rpc_force_exit("1", amount=50.0)
    live.loop(2)
    assert [o.role for o in live.orders()].count("r") == 2, "one per leg"
    live.gateway.faults.clear()
    live.loop(2, pause_secs=31)
    assert live.states() == ["HEDGED"]
    live.check_rest()


@pytest.mark.parametrize("call", ["GET /fapi/v1/time", "GET /fapi/v1/order"])
@pytest.mark.parametrize("form", ["empty_200", "truncated_200"])
def test_no_answer_to_a_question_ends_nothing(live: Rig, call: str, form: str) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="read_timeout", execute=call.endswith("order"))
    live.fault(when={"call": call, "times": 2}, answer=form)
    live.open()
    live.loop(2)
    assert live.states() == ["HEDGED"]
    live.check_rest()


def test_a_clock_behind_the_venue_settles_nothing_early(live: Rig) -> None:
    # The venue's clock is 10 s ahead: by ours the order's recvWindow seems long over, while it is on its way.
    port = live.desk.port
    honest = port.venue_ms
    port.venue_ms = lambda: honest() + 10_000
    live.fault(when={"leg": "B", "role": "e"}, answer="reset", execute_delay_ms=1_500)
    live.open()
    live.loop(2)
    assert len({record.params["newClientOrderId"] for record in live.posts("ALGOUSDT")}) == 1
    assert live.states() == ["HEDGED"]
    live.check_rest()


def test_the_other_mode_s_pair_trades_are_not_taken_over(dry: Rig) -> None:
    dry.open()
    dry.kill()
    dry.dry_run = False
    with pytest.raises((PairbotError, FreqtradeException), match="dry-run"):
        dry.start()
    dry.dry_run = True
    dry.start()
