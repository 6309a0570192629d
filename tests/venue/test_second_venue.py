"""The whole engine at a venue that is not Binance: nothing outside `venue/` says a word of its own.

The bot, Freqtrade and ccxt are real; what they say is translated by a client that knows Acme's words only.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

import pytest
from acme import Acme, speak_acme
from harness import Rig, ccxt_client
from sqlalchemy import create_engine

from pairbot_ext.commands.flatten import flatten_on_venue
from pairbot_ext.journal.ledger import read_ledger
from pairbot_ext.orders.limiter import WeightLimiter
from pairbot_ext.support.clock import SystemClock
from pairbot_ext.venue import venue_of


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Acme:
    return speak_acme(monkeypatch)


def test_a_pair_is_opened_and_closed(acme: Acme, make_rig: Callable[..., Rig]) -> None:
    """I2, I8, I9."""
    rig = make_rig()
    assert venue_of("binance") is acme
    rig.open()
    assert rig.states() == ["HEDGED"]
    rig.check_rest()
    rig.close()
    rig.check_flat()
    assert acme.asked["order_params"] == 4
    assert acme.asked["positions"] > 0
    assert acme.asked["open_orders"] > 0


@pytest.mark.parametrize("leg", ["A", "B"])
@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not_executed"])
@pytest.mark.parametrize("form", ["read_timeout", "timeout_1007", "empty_200"])
def test_lost_answers_are_asked_for_by_acme_s_label(
    acme: Acme, make_rig: Callable[..., Rig], leg: str, executed: bool, form: str
) -> None:
    """I3: one entry order of each leg, whatever was heard of it."""
    rig = make_rig()
    rig.fault(when={"leg": leg, "role": "e"}, answer=form, execute=executed)
    rig.open()
    rig.loop(2)
    assert acme.asked["id_params"] > 0
    rig.check_rest()


def test_a_refusal_in_acme_s_words_unwinds_leg_a_at_once(acme: Acme, make_rig: Callable[..., Rig]) -> None:
    """I8: funds are short; were the code not understood, the bot would ask what became of leg B."""
    rig = make_rig()
    rig.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
    rig.open()
    assert rig.states() == ["ABORTED"]
    rig.check_flat()
    rejected = [event for event in rig.events() if event.kind == "rejected"]
    assert len(rejected) == 1
    assert "ACME-7" in str(rejected[0].detail)


def test_a_dead_bot_s_pairs_are_flattened_there(acme: Acme, make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.open("ADA-ALGO", "XRP-DOGE")
    rig.kill()
    pairs = read_ledger(create_engine(f"sqlite:///{rig.directory / 'trades.sqlite'}"), only_open=True)
    yes = Namespace(yes=True, json=False, ignore_database=False)
    assert flatten_on_venue(yes, acme, ccxt_client(rig), pairs, None) == 0
    assert not rig.positions()
    assert acme.asked["fills"] > 0


def test_weights_are_acme_s(acme: Acme) -> None:
    limiter = WeightLimiter(SystemClock(), acme)
    limiter.before("depth", "GET")
    limiter.before("order", "POST")
    limiter.after({"X-MBX-USED-WEIGHT-1M": "2399"})
    assert limiter.used() == 12, "another venue's header says nothing"
    assert limiter.has_room_for_entries
