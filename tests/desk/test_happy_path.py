"""Both legs are opened and closed as one thing, live and in dry-run."""

from collections.abc import Callable

from harness import Rig

from pairbot_ext.model.thresholds import LONG_SPREAD, SHORT_SPREAD


def test_a_pair_is_opened_and_closed(live: Rig) -> None:
    live.open()
    assert live.states() == ["HEDGED"]
    assert set(live.positions()) == {"ADAUSDT", "ALGOUSDT"}
    live.check_rest()
    live.close()
    live.check_flat()


def test_any_number_of_slots(make_rig: Callable[..., Rig]) -> None:
    """`max_open_trades: -1` is Freqtrade's word for it."""
    rig = make_rig(max_open_trades=-1)
    rig.open()
    assert rig.states() == ["HEDGED"]
    rig.check_rest()


def test_no_symbol_is_entered_again_on_the_candle_it_was_closed_on(live: Rig) -> None:
    """The other direction too, which Freqtrade's own lock after an exit leaves open."""
    live.open(direction=SHORT_SPREAD)
    live.close()
    live.script.exits.clear()
    live.open(direction=LONG_SPREAD)
    assert live.states() == ["CLOSED"]
    live.check_flat()
    live.next_candle()
    live.open(direction=LONG_SPREAD)
    assert live.states() == ["CLOSED", "HEDGED"]
    live.check_rest()
