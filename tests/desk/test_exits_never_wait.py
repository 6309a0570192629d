"""I5: what goes wrong with one leg, pair or question never keeps another from being closed."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from freqtrade.exceptions import FreqtradeException, TemporaryError
from harness import PRICES, Rig
from sqlalchemy.exc import OperationalError

from pairbot_ext.model.states import PairState
from pairbot_ext.sim.venue.actions import ClosePosition
from pairbot_ext.support.errors import PairbotError

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


def worker_loop(rig: Rig, *, pause_secs: float = 5.0) -> None:
    """One iteration as Freqtrade's worker runs it: a TemporaryError costs 30 s, anything else the process."""
    try:
        rig.loop(pause_secs=pause_secs)
    except TemporaryError:
        rig.clock.sleep(30)


@pytest.mark.parametrize("form", ["html_503", "reset", "empty_200", "truncated_200"])
def test_the_fee_of_a_closed_pair_holds_up_no_exit(live: Rig, form: str) -> None:
    # The fills are not there yet when the legs are out; later Freqtrade asks for the order, and that fails.
    live.open("ADA-ALGO", "XRP-DOGE")
    live.fault(when={"call": "GET /fapi/v1/userTrades", "times": None}, answer="html_503")
    live.close("ADA-ALGO")
    live.script.exits.clear()
    live.fault(when={"call": "GET /fapi/v1/order", "times": None}, answer=form)
    live.script.exits["XRP-DOGE"] = "pair_stop"
    worker_loop(live)
    assert not live.positions()
    live.script.exits.clear()
    live.gateway.faults.clear()
    live.loop(2)
    live.check_flat()


@pytest.mark.parametrize("form", ["html_503", "empty_200"])
def test_an_exit_needs_no_book(live: Rig, form: str) -> None:
    live.open("ADA-ALGO", "XRP-DOGE")
    live.fault(when={"call": "GET /fapi/v1/depth", "times": None}, answer=form)
    live.script.exits["XRP-DOGE"] = "pair_stop"
    worker_loop(live)
    assert set(live.positions()) == {"ADAUSDT", "ALGOUSDT"}


def test_a_clock_that_has_drifted_refuses_no_exit(live: Rig) -> None:
    # 4 s: beyond an order's recvWindow, within that of every question.
    live.open()
    live.venue.clock.advance(4_000)
    live.close()
    assert not live.positions()
    live.script.exits.clear()
    live.loop(2)
    live.check_flat()


def test_force_exit_of_all_outlives_a_refusal(make_rig: Callable[..., Rig]) -> None:
    """I5: Freqtrade's loop over the trades would end at the first refusal, and nobody would ask again."""
    rig = make_rig(symbols=tuple(PRICES))
    rig.open("ADA-ALGO", "XRP-DOGE", "LINK-AVAX")
    rig.fault(when={"symbol": "ADAUSDT", "reduce_only": True, "times": 2}, answer="reject", code=-1008)
    rig.bot.rpc._rpc._rpc_force_exit("all")
    assert set(rig.positions()) <= {"ADAUSDT"}
    rig.loop(3)
    rig.check_flat()
    assert {row.reason for row in rig.pair_trades()} == {"force_exit"}


def test_a_refused_force_exit_is_not_forgotten(live: Rig) -> None:
    """I5: the wish to close stays until both legs are out."""
    live.open()
    live.fault(when={"reduce_only": True, "times": 4}, answer="reject", code=-1008)
    live.bot.rpc._rpc._rpc_force_exit("2")
    live.loop(3)
    live.check_flat()


def test_weight_used_up_by_others_delays_no_exit(make_rig: Callable[..., Rig]) -> None:
    """I5: no pair waits for the housekeeping of another."""
    rig = make_rig(symbols=tuple(PRICES))
    rig.open("ADA-ALGO", "XRP-DOGE", "LINK-AVAX")
    used = rig.desk.limiter.used
    rig.desk.limiter.used = lambda: max(used(), 2_300)
    seen = len(rig.posts())
    rig.desk.risk.halt("a test")
    rig.bot.process()
    sent = [post.received_ms for post in rig.posts()[seen:]]
    assert len(sent) == 6
    assert max(sent) - min(sent) < 2_000
    del rig.desk.limiter.used
    rig.loop()
    rig.check_flat()
    assert sum("closed (" in text and "profit" in text for text in rig.told) == 3


def test_a_clock_set_back_delays_no_exit(live: Rig) -> None:
    """I5, I11: ages are measured from times that may lie in the future."""
    live.open()
    live.fault(when={"reduce_only": True, "times": 16}, answer="reject", code=-1008)
    live.close()
    live.loop(2)
    assert live.positions()
    live.gateway.faults.clear()
    live.clock.advance(-1_500)
    live.loop(1, pause_secs=0.1)
    live.check_flat()
