"""Both legs are opened and closed as one thing, live and in dry-run."""

from harness import Rig


def test_a_pair_is_opened_and_closed(live: Rig) -> None:
    live.open()
    assert live.states() == ["HEDGED"]
    assert set(live.positions()) == {"ADAUSDT", "ALGOUSDT"}
    live.check_rest()
    live.close()
    live.check_flat()
