"""I12 with the real bot: an exception in a gate refuses the entry there and then.

Freqtrade takes an exception in a gate for a yes at full stake. The guard would still refuse an order without
an intent; the gate must not let it come to that, and what was cleared before the exception must be worth
nothing.
"""

from typing import Any

import pytest
from harness import Rig


class Calls:
    """Counts Freqtrade's attempts to create an order."""

    def __init__(self, rig: Rig) -> None:
        self.count = 0
        self._create = rig.bot.exchange.create_order
        exchange: Any = rig.bot.exchange
        exchange.create_order = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        return self._create(*args, **kwargs)


@pytest.mark.parametrize("gate", ["leverage", "custom_stake_amount", "confirm_trade_entry"])
def test_a_gate_that_raises_refuses_the_entry(live: Rig, gate: str) -> None:
    calls = Calls(live)
    live.script.broken.add(gate)
    live.want()
    live.loop()
    assert not live.script.broken, "the exception was raised"
    assert calls.count == 0, "Freqtrade was not stopped before the order"
    assert not live.posts()
    assert not live.trades()
    live.script.wishes.clear()
    live.loop()
    live.check_flat()


def test_the_gate_of_an_exit_never_refuses(live: Rig) -> None:
    live.open()
    calls = Calls(live)
    live.script.broken.add("confirm_trade_exit")
    live.bot.rpc._rpc._rpc_force_exit("1")
    assert not live.script.broken
    assert calls.count == 2, "the leg and its mate"
    live.check_flat()
