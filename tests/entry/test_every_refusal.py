"""I12, I15, I17: every reason not to enter, provoked on the real bot: nothing is sent, it is told as the
guide says, and it ends when its cause ends. The rows of docs/execution.md name these cases.

Reasons with tests of their own: risk rules (tests/risk), the journal (tests/journal), starts (tests/pairs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from freqtrade.enums import State
from freqtrade.persistence import PairLocks
from harness import Rig
from scenario import unified

from pairbot_ext.sim.market.base import Book
from pairbot_ext.sim.venue.actions import (
    AccountMode,
    CancelOrders,
    ClosePosition,
    OpenPosition,
    RestingOrder,
    SymbolSettings,
    SymbolStatus,
    Transfer,
)
from pairbot_ext.sim.venue.orders import Side
from pairbot_ext.support.clock import as_datetime

PAIR = "ADA-ALGO"
VALIDATE = "validate_stake_amount"
ONE_BY_ONE = {
    "risk": {
        "break_stop": None,
        "max_api_error_percent": None,
        "max_blind_secs": None,
        "max_naked_secs": None,
    }
}
"""Without the risk rules that would answer the same faults first."""
HOUR_MS = 3_600_000


def nothing(_: Rig) -> None:
    """The configuration alone does it, or it passes with the candle."""


@dataclass(frozen=True)
class Case:
    """One reason.

    :param provoke: before the signal. :param undo: ends the cause; the pair then opens on the next candle.
    :param is_told: whether a person is told when it comes three times in a row.
    :param comes_again: whether the cause lasts; else it is over with the candle.
    :param ends: whether it can end in this bot.
    """

    pair: str = field(default=PAIR, kw_only=True)

    provoke: Callable[[Rig], None]
    undo: Callable[[Rig], None] = nothing
    is_told: bool = False
    comes_again: bool = True
    ends: bool = True
    config: dict[str, Any] = field(default_factory=dict)


def stopped(rig: Rig) -> None:
    """A pair trade was left and its spread has not come back."""
    rig.open()
    rig.close(reason="pair_stop")
    rig.script.exits.clear()
    rig.script.still_out.add(PAIR)
    rig.next_candle()


def fault(**rule: Any) -> Callable[[Rig], None]:
    """Something the venue answers from now on."""
    return lambda rig: rig.fault(**rule)


def healed(rig: Rig) -> None:
    """The venue is well again."""
    rig.gateway.faults.clear()


def unknown_order_of_another_pair(rig: Rig) -> None:
    """Leg B's answer is lost and nobody answers the question either."""
    rig.fault(
        when={"call": "POST /fapi/v1/order", "symbol": "DOGEUSDT", "times": 1}, answer="reset", execute=False
    )
    rig.fault(when={"call": "GET /fapi/v1/order", "times": None}, answer="html_503")
    rig.open("XRP-DOGE")


def answers_again(rig: Rig) -> None:
    """The unwound pair of before is of no interest here."""
    healed(rig)
    rig.loop(3)


def paused_in_the_middle(rig: Rig) -> None:
    """/stopentry comes from Telegram's thread while a loop is at its entries."""
    plan_of = rig.script.entry_plan

    def entry_plan(*args: Any) -> Any:
        rig.bot.state = State.PAUSED
        return plan_of(*args)

    rig.script.entry_plan = entry_plan  # type: ignore[method-assign]


def running(rig: Rig) -> None:
    """/start."""
    del rig.script.entry_plan
    rig.bot.state = State.RUNNING


def tight_book(rig: Rig) -> None:
    """One coin is offered within the cap."""
    whole = rig.market.book("ALGOUSDT", 0)
    rig.market.books["ALGOUSDT"] = Book(bids=whole.bids, asks=tuple((p, Decimal(1)) for p, _ in whole.asks))


def halved_stake(rig: Rig) -> None:
    """Freqtrade makes a checked stake smaller."""
    whole = rig.bot.wallets.validate_stake_amount

    def halved(*args: Any, **named: Any) -> float:
        return float(whole(*args, **named)) / 2

    rig.bot.wallets.validate_stake_amount = halved  # type: ignore[method-assign]


def failing_check(rig: Rig) -> None:
    """A defect of ours, or of a library."""
    both_legs = rig.desk.entries._both_legs

    def clear(*_: Any) -> None:
        raise ZeroDivisionError("injected")

    both_legs.clear = clear


def locked_by_freqtrade(rig: Rig) -> None:
    """A protection, or a person's /lock, on the leg Freqtrade does not look at."""
    until = as_datetime(rig.clock.now_ms()) + timedelta(hours=50)
    PairLocks.lock_pair(unified("ALGOUSDT"), until, "a protection")


def unlocked(rig: Rig) -> None:
    """/unlock."""
    PairLocks.unlock_pair(unified("ALGOUSDT"), as_datetime(rig.clock.now_ms()))


def low_bracket(rig: Rig) -> None:
    """The venue allows less leverage on this symbol than is configured."""
    rig.bot.exchange.get_max_leverage = lambda *_: 1.0  # type: ignore[method-assign]


def xrp_was_closed(rig: Rig) -> None:
    """On this candle, as leg A of another pair."""
    rig.open("XRP-DOGE")
    rig.close("XRP-DOGE")
    rig.script.exits.clear()


def acts(action: Any) -> Callable[[Rig], None]:
    """Somebody does something on the venue."""
    return lambda rig: rig.act(action)


def leverage_nobody_may_change(rig: Rig) -> None:
    """Wrong by hand, and refused by the venue."""
    rig.act(SymbolSettings(symbol="ALGOUSDT", leverage=20))
    rig.fault(when={"call": "POST /fapi/v1/leverage", "times": None}, answer="reject", code=-4161)


def used_up(rig: Rig) -> None:
    """Other programs on this address."""
    rig.desk.limiter.used = lambda: 2_300


def status(name: str) -> Callable[[Rig], None]:
    """The venue changes it; the bot's market list is read every hour."""

    def change(rig: Rig) -> None:
        rig.act(SymbolStatus(symbol="ALGOUSDT", status=name))
        rig.clock.advance(2 * HOUR_MS)

    return change


def empty_book(rig: Rig) -> None:
    """Nobody offers or wants the coin."""
    rig.market.books["ALGOUSDT"] = Book(bids=(), asks=())


CASES: dict[str, Case] = {
    "pair_locked": Case(
        lambda rig: rig.desk.risk.lock_pair(PAIR, "a person"),
        lambda rig: rig.desk.risk.unlock_pair(PAIR, "a person"),
    ),
    "stopped": Case(stopped, lambda rig: rig.script.still_out.clear()),
    # Freqtrade itself keeps a coin it has just closed from being leg A.
    "just_closed": Case(xrp_was_closed, comes_again=False, pair="ADA-XRP"),
    "account": Case(acts(AccountMode(can_trade=False)), acts(AccountMode()), is_told=True),
    "settings": Case(leverage_nobody_may_change, healed, is_told=True),
    "leverage": Case(low_bracket, lambda rig: delattr(rig.bot.exchange, "get_max_leverage"), is_told=True),
    "weight": Case(used_up, lambda rig: delattr(rig.desk.limiter, "used")),
    "size": Case(nothing, is_told=True, ends=False, config={"stake_amount": 2.4}),
    "resized": Case(halved_stake, lambda rig: delattr(rig.bot.wallets, VALIDATE), is_told=True),
    "paused": Case(paused_in_the_middle, running, comes_again=False),
    "slots": Case(nothing, config={"max_open_trades": 1}, ends=False),
    "symbol_taken": Case(lambda rig: rig.open("XRP-DOGE"), lambda rig: rig.close("XRP-DOGE"), pair="ADA-XRP"),
    "not_tradable": Case(status("SETTLING"), status("TRADING"), is_told=True),
    "locked": Case(locked_by_freqtrade, unlocked),
    "unknown_order": Case(unknown_order_of_another_pair, answers_again),
    "foreign_position": Case(
        acts(OpenPosition(symbol="ALGOUSDT", side=Side.BUY, amount=Decimal(500))),
        acts(ClosePosition(symbol="ALGOUSDT")),
        is_told=True,
    ),
    "foreign_order": Case(
        acts(RestingOrder(symbol="ALGOUSDT", side=Side.BUY, amount=Decimal(500), price=Decimal("0.2"))),
        acts(CancelOrders(symbol="ALGOUSDT")),
        is_told=True,
    ),
    "z_moved": Case(lambda rig: setattr(rig.script, "z", 1.0), lambda rig: setattr(rig.script, "z", 2.5)),
    "depth": Case(tight_book, lambda rig: rig.market.books.clear()),
    "book": Case(empty_book, lambda rig: rig.market.books.clear(), is_told=True),
    "fault": Case(failing_check, lambda rig: delattr(rig.desk.entries._both_legs, "clear"), is_told=True),
    "money": Case(acts(Transfer(amount=Decimal(-9_850))), acts(Transfer(amount=Decimal(9_850)))),
    "venue_unreadable": Case(
        fault(when={"call": "GET /fapi/v1/depth", "symbol": "ALGOUSDT", "times": None}, answer="html_503"),
        healed,
        is_told=True,
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_a_reason_not_to_enter(make_rig: Callable[..., Rig], code: str) -> None:
    case = CASES[code]
    rig = make_rig(**{"pairbot": ONE_BY_ONE, **case.config})
    rig.loop()
    case.provoke(rig)
    before, told = len(rig.pair_trades()), len(rig.told)
    rig.desk.watch.statistics.refused.clear()
    rig.open(case.pair)
    assert dict(rig.desk.watch.statistics.refused) == {code: 1}
    rig.open(case.pair)
    assert dict(rig.desk.watch.statistics.refused) == {code: 1}, "once per candle"
    if case.comes_again:
        for _ in range(3):
            rig.next_candle()
            rig.open(case.pair)
        assert dict(rig.desk.watch.statistics.refused) == {code: 4}
    said = [text for text in rig.told[told:] if f"({code})" in text]
    assert len(said) == int(case.is_told), said
    assert len(rig.pair_trades()) == before, "nothing is planned or sent"
    if case.ends:
        case.undo(rig)
        rig.script.exits.pop("XRP-DOGE", None)
        rig.next_candle()
        rig.loop()
        rig.open(case.pair)
        assert rig.pair_trades()[-1].state == "HEDGED"
    rig.check_rest()


def test_while_preflight_waits_a_signal_is_neither_taken_nor_lost(make_rig: Callable[..., Rig]) -> None:
    """I5, I12: it is entered on the same candle once preflight has spoken, and no refusal is counted."""
    rig = make_rig()
    rig.desk.entries.is_waiting = True
    for _ in range(3):
        rig.open(PAIR)
    assert not rig.pair_trades()
    assert not rig.desk.watch.statistics.refused
    assert PairLocks.get_pair_locks(None) == []
    rig.desk.entries.is_waiting = False
    rig.open(PAIR)
    assert rig.states() == ["HEDGED"]
    rig.check_rest()
