"""What Freqtrade asks for around an order, and gets later: nothing is lost, nothing lands elsewhere."""

import threading
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from freqtrade.exceptions import TemporaryError
from freqtrade.persistence import Trade
from harness import Rig

from pairbot_ext.host.deferral import MAX_TRIES
from pairbot_ext.sim.venue.account import IncomeType


def leg_a() -> Trade:
    """Freqtrade's trade of leg A."""
    return Trade.get_trades([Trade.pair == "ADA/USDT:USDT"]).first()


def venue_funding(live: Rig, symbol: str) -> Decimal:
    """What the venue has paid or charged for one symbol."""
    rows = [row for row in live.venue.account.income if row.symbol == symbol]
    return sum((row.amount for row in rows if row.type is IncomeType.FUNDING_FEE), Decimal(0))


def test_the_funding_of_a_refused_exit_lands_on_no_earlier_order(live: Rig) -> None:
    live.open()
    live.bot.rpc._rpc._rpc_force_exit("1", amount=50.0)
    live.loop()
    trim = next(order for order in leg_a().orders if order.ft_order_side == leg_a().exit_side)
    live.clock.advance(9 * 3_600_000)
    live.fault(when={"leg": "A", "role": "x"}, answer="reject", code=-1008)
    live.close()
    live.script.exits.clear()
    live.loop(2)
    live.check_flat()
    paid = float(venue_funding(live, "ADAUSDT"))
    assert paid != 0.0
    Trade.session.expire_all()
    assert not trim.funding_fee
    exits = [order for order in leg_a().orders if order.ft_order_side == leg_a().exit_side and order.filled]
    assert exits[-1].funding_fee == pytest.approx(paid)
    assert leg_a().funding_fees == pytest.approx(paid)


def test_funding_that_cannot_be_read_is_read_in_the_next_loop(live: Rig) -> None:
    live.open()
    live.clock.advance(9 * 3_600_000)
    live.fault(when={"call": "GET /fapi/v1/income", "times": 6}, answer="html_502")
    live.close()
    live.script.exits.clear()
    assert not live.positions()
    live.loop(3)
    assert leg_a().funding_fees == pytest.approx(float(venue_funding(live, "ADAUSDT")))
    live.check_flat()


def test_what_a_failed_scope_leaves_behind_is_done_by_the_loop(live: Rig) -> None:
    deferral = live.desk._bridge.deferral
    asked: list[str] = []
    deferral._update_wallet = lambda: asked.append(threading.current_thread().name)

    def fail() -> None:
        with suppress(TemporaryError), deferral.scope():
            deferral.hold_wallet()
            raise TemporaryError("the account cannot be read")
        assert not deferral.is_active

    # An RPC thread, which never comes back.
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert asked == []
    live.loop()
    assert asked == [threading.current_thread().name]


def test_a_question_that_fails_keeps_no_other_from_being_asked_and_is_bounded(live: Rig) -> None:
    deferral = live.desk._bridge.deferral
    tries: list[datetime] = []
    liquidations: list[str] = []

    def broken() -> None:
        tries.append(datetime.now(UTC))
        raise KeyError("asset")

    deferral._update_wallet = broken
    deferral._update_liquidation = liquidations.append
    with deferral.scope():
        deferral.hold_wallet()
        deferral.hold_wallet()
        deferral.hold_liquidation("ADA/USDT:USDT")
    assert (len(tries), liquidations) == (1, ["ADA/USDT:USDT"])
    for _ in range(2 * MAX_TRIES):
        deferral.catch_up()
    assert len(tries) == MAX_TRIES
    assert len(liquidations) == 1


def test_messages_are_told_once_whatever_ends_the_scope(live: Rig) -> None:
    deferral = live.desk._bridge.deferral
    told: list[str] = []
    with suppress(TemporaryError), deferral.scope():
        deferral.hold_message(lambda: told.append("error"))
        raise TemporaryError("refused")
    assert told == ["error"], "by the thread that has met the error"
    with suppress(KeyboardInterrupt), deferral.scope():
        deferral.hold_message(lambda: told.append("interrupted"))
        raise KeyboardInterrupt
    assert told == ["error"], "nothing holds up a person's Ctrl+C"
    live.stop()
    assert told == ["error", "interrupted"]
