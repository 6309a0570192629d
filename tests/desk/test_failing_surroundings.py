"""Callbacks that raise, a database that cannot be written."""

import pytest
from harness import Rig

CALLBACKS = [
    "bot_loop_start",
    "leverage",
    "custom_stake_amount",
    "custom_entry_price",
    "confirm_trade_entry",
    "order_filled",
    "custom_exit",
    "confirm_trade_exit",
]


def finish(rig: Rig) -> None:
    """Time passes, the model leaves: nothing may be left."""
    rig.gateway.faults.clear()
    rig.loop(2)
    rig.check_rest()
    rig.close()
    rig.script.exits.clear()
    rig.loop(1, pause_secs=31)
    rig.check_flat()


@pytest.mark.parametrize("name", CALLBACKS)
def test_an_exception_in_a_callback(live: Rig, name: str) -> None:
    if name in ("custom_exit", "confirm_trade_exit"):
        live.open()
        live.script.broken.add(name)
        if name == "custom_exit":
            # Where the model wants out the engine does not wait to be asked for the legs.
            live.loop()
            live.close()
        else:
            live.bot.rpc._rpc._rpc_force_exit("1")
    else:
        live.script.broken.add(name)
        live.open()
    assert not live.script.broken, "the injected exception was raised"
    live.loop()
    assert set(live.states()) <= {"HEDGED", "CLOSED", "ABORTED"}
    finish(live)


def test_an_end_that_is_interrupted_leaves_the_database_free(live: Rig) -> None:
    """Ctrl+C again, while a connection of an order is waited for."""
    live.open()

    def interrupted() -> None:
        raise KeyboardInterrupt

    live.desk.port.close = interrupted
    with pytest.raises(KeyboardInterrupt):
        live.stop()
    live.start()
    finish(live)
