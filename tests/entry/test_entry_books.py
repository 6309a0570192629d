"""Books no price can be read from: the pair is refused once, and asked about again on the next candle."""

import json

import pytest
from harness import Rig


@pytest.mark.parametrize(
    "sides", [("bids", "asks"), ("bids",), ("asks",)], ids=["empty", "no_bids", "no_asks"]
)
def test_a_pair_without_a_price_is_locked_until_the_next_candle(live: Rig, sides: tuple[str, ...]) -> None:
    # Leg B's book is read by the checks only.
    book = {"lastUpdateId": 1, "E": 1, "T": 1, "bids": [["0.2109", "9999"]], "asks": [["0.2111", "9999"]]}
    body = json.dumps(book | {side: [] for side in sides})
    live.fault(
        when={"call": "GET /fapi/v1/depth", "symbol": "ALGOUSDT", "times": 99},
        answer="custom",
        status=200,
        body=body,
    )
    live.want()
    live.loop(5)
    assert live.desk.watch.statistics.refused == {"book": 1}
    assert len([r for r in live.gateway.log.calls("GET /fapi/v1/depth") if r.fault]) == 1
    assert not live.posts()
    live.gateway.faults.clear()
    live.next_candle()
    live.loop()
    assert live.states() == ["HEDGED"]
    live.check_rest()
