"""Less than a step: what the venue takes in no order is told and valued, and the pair ends (I6, I9)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from freqtrade.persistence import Trade
from harness import Rig


def coarser(rig: Rig, symbol: str, step: str) -> None:
    """The venue changes a symbol's amount step while it is held."""
    market = rig.market
    market._symbols[symbol] = replace(
        market._symbols[symbol], amount_step=Decimal(step), min_amount=Decimal(step)
    )
    rig.bot.exchange.reload_markets(True)


@pytest.mark.parametrize(("symbol", "step", "rest"), [("ALGOUSDT", "1", "0.3"), ("ADAUSDT", "10", "8")])
def test_a_rest_that_cannot_be_ordered_ends_its_pair(live: Rig, symbol: str, step: str, rest: str) -> None:
    live.open()
    coarser(live, symbol, step)
    live.close()
    live.script.exits.clear()
    live.loop(3, pause_secs=31)
    assert live.states() == ["CLOSED"]
    assert {name: abs(amount) for name, amount in live.positions().items()} == {symbol: Decimal(rest)}
    assert not live.trades(), "Freqtrade's trade ends too"
    told = [text for text in live.told if "stay on the account" in text]
    assert len(told) == 1
    assert rest in told[0]
    assert f"steps of {step}" in told[0]
    closed = next(text for text in live.told if "closed (" in text)
    assert "gone at a price nobody knows" in closed
    assert live.desk.risk.state == "ACTIVE"
    assert all(not trade.is_open for trade in Trade.get_trades([]))


def test_a_second_pass_does_nothing(live: Rig) -> None:
    """I4"""
    live.open()
    coarser(live, "ALGOUSDT", "1")
    live.close()
    live.script.exits.clear()
    live.loop(2)
    sent = len(live.posts())
    live.restart()
    live.loop(3, pause_secs=31)
    assert len(live.posts()) == sent
    assert len([text for text in live.told if "stay on the account" in text]) == 1
