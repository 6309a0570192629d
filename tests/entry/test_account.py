"""I14: margin mode, leverage, position mode and permission are read before each entry, not remembered."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from harness import Rig

from pairbot_ext.sim.venue.actions import AccountMode, SymbolSettings
from pairbot_ext.sim.venue.positions import MarginType


def settings_of(rig: Rig) -> set[tuple[int, str]]:
    """(leverage, margin type) of every open position."""
    positions = [rig.venue.account.position(symbol) for symbol in rig.positions()]
    return {(position.leverage, position.margin_type.value) for position in positions}


@pytest.mark.parametrize("symbol", ["ADAUSDT", "ALGOUSDT"])
@pytest.mark.parametrize(
    "by_hand", [{"leverage": 20}, {"margin_type": MarginType.CROSSED}, {"leverage": 1}], ids=str
)
def test_what_a_person_changed_between_two_pair_trades_is_set_back(
    live: Rig, symbol: str, by_hand: dict[str, object]
) -> None:
    live.open()
    live.close()
    live.script.exits.clear()
    live.act(SymbolSettings(symbol=symbol, **by_hand))
    live.next_candle()
    live.open()
    assert live.states()[-1] == "HEDGED"
    assert settings_of(live) == {(2, "ISOLATED")}


@pytest.mark.parametrize("code", [-4067, -4161, -4047, -4048])
def test_what_is_right_already_is_not_set(live: Rig, code: int) -> None:
    """ "Cannot be changed" is no reason to stay out where nothing has to change."""
    live.open()
    live.close()
    live.script.exits.clear()
    for call in ("POST /fapi/v1/leverage", "POST /fapi/v1/marginType"):
        live.fault(when={"call": call, "times": None}, answer="reject", code=code)
    live.next_candle()
    live.open()
    assert live.states()[-1] == "HEDGED"


def test_what_is_wrong_and_cannot_be_set_is_refused_and_told_once(live: Rig) -> None:
    live.act(SymbolSettings(symbol="ALGOUSDT", leverage=20))
    live.fault(when={"call": "POST /fapi/v1/leverage", "times": None}, answer="reject", code=-4161)
    for _ in range(6):
        live.open()
        live.next_candle()
    assert not live.pair_trades()
    told = [text for text in live.told if "refused 3 times in a row" in text]
    assert len(told) == 1
    assert "x20" in told[0]
    assert "-4161" in told[0]


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (AccountMode(dual_side=True), "hedge mode"),
        (AccountMode(multi_assets=True), "multi-asset mode"),
        (AccountMode(can_trade=False), "may not trade"),
        (AccountMode(credit=Decimal(900)), "BNFCR"),
    ],
)
def test_an_account_that_has_become_another_is_not_entered(live: Rig, mode: AccountMode, says: str) -> None:
    live.open()
    live.close()
    live.script.exits.clear()
    live.act(mode)
    live.clock.advance(3_600_000)
    live.loop()
    live.next_candle()
    live.open()
    assert live.states() == ["CLOSED"]
    assert live.desk.watch.statistics.refused == {"account": 1}
    live.loop()
    assert any(says in event.detail for event in live.events() if event.kind == "refused")
    live.act(AccountMode())
    live.next_candle()
    live.open()
    assert live.states()[-1] == "HEDGED", "it ends when its cause ends"


@pytest.mark.parametrize("call", ["GET /fapi/v1/symbolConfig", "GET /fapi/v1/accountConfig"])
@pytest.mark.parametrize("form", ["html_503", "empty_200", "truncated_200"])
def test_settings_that_cannot_be_read_refuse_the_entry(live: Rig, call: str, form: str) -> None:
    """I12: unknown is not right."""
    live.fault(when={"call": call, "times": None}, answer=form)
    live.open()
    assert not live.pair_trades()


def test_a_dry_run_asks_no_account(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(dry_run=True)
    rig.open()
    assert rig.states() == ["HEDGED"]
    assert not rig.gateway.log.calls("GET /fapi/v1/symbolConfig")


def test_a_pair_that_was_refused_asks_about_both_orders_before_it_sends_one(live: Rig) -> None:
    """I17: fees are paid for one refusal of leg B, not for each."""
    for call in ("POST /fapi/v1/order", "POST /fapi/v1/order/test"):
        live.fault(when={"call": call, "symbol": "ALGOUSDT", "times": None}, answer="reject", code=-4999)
    for _ in range(5):
        live.open()
        live.next_candle()
    assert live.states() == ["ABORTED"]
    assert live.desk.watch.statistics.refused == {"known_refusal": 2, "pair_barred": 2}
    assert len([text for text in live.told if "is not entered again" in text]) == 1
    live.gateway.faults.clear()
    live.desk.risk.unlock_pair("ADA-ALGO", "a person")
    live.next_candle()
    live.open()
    assert live.states()[-1] == "HEDGED"


def test_a_refusal_that_has_gone_is_found_gone(live: Rig) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-4999)
    live.open()
    assert live.states() == ["ABORTED"]
    live.next_candle()
    live.open()
    assert live.states() == ["ABORTED", "HEDGED"]
    assert len(live.gateway.log.calls("POST /fapi/v1/order/test")) == 2
    live.close()
    live.script.exits.clear()
    live.next_candle()
    live.open()
    assert len(live.gateway.log.calls("POST /fapi/v1/order/test")) == 2, "asked only after a refusal"
