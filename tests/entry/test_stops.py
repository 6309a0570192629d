"""After a stop a pair is entered again only when its spread has been back inside exit_z."""

import pytest
from harness import Rig


@pytest.mark.parametrize("reason", ["pair_stop", "pair_time_stop"])
def test_a_stopped_pair_waits_until_its_spread_has_come_back(live: Rig, reason: str) -> None:
    live.open()
    live.close(reason=reason)
    live.script.exits.clear()
    live.script.still_out.add("ADA-ALGO")
    live.next_candle()
    live.open()
    assert live.desk.watch.statistics.refused == {"stopped": 1}
    # The journal remembers it for the next process.
    live.restart()
    live.next_candle()
    live.open()
    assert live.desk.watch.statistics.refused == {"stopped": 1}
    live.script.still_out.clear()
    live.next_candle()
    live.open()
    assert live.states() == ["CLOSED", "HEDGED"]


def test_a_pair_that_reverted_waits_for_nothing(live: Rig) -> None:
    live.open()
    live.close(reason="pair_reverted")
    live.script.exits.clear()
    live.script.still_out.add("ADA-ALGO")
    live.next_candle()
    live.open()
    assert live.states() == ["CLOSED", "HEDGED"]
