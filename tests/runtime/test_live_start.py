"""A live start of PairsArb asks every check of preflight first."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import OperationalException
from harness import REPO_ROOT, START, Rig, rig, unified

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.preflight import holds_anything
from pairbot_ext.runtime.bot_start import PATIENCE_MS
from pairbot_ext.sim.venue.actions import ClosePosition, OpenPosition
from pairbot_ext.sim.venue.orders import Side


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Rig]:
    """A bot with one pair open; its next start is PairsArb on a foreign position."""
    with rig(tmp_path) as bot:
        bot.open()
        assert bot.states() == ["HEDGED"]
        path = tmp_path / "pairs.json"
        pair = Pair(
            id="XRP-DOGE", leg_a=unified("XRPUSDT"), leg_b=unified("DOGEUSDT"), hedge_ratio=0.8,
            half_life_hours=6.0, adf_p=0.01, coint_p=0.01, entry_z=2.0, exit_z=0.3, stop_z=4.0,
        )  # fmt: skip
        epoch = Epoch(
            valid_from=START, formation_start=START - timedelta(days=10), formation_end=START, pairs=(pair,)
        )
        made = PairsFile(
            pairs=symbols_of([epoch]), refresh_period=300, generated_at=START, exchange="binance",
            timeframe="1h", scan=Scan(rule="none, for a test"), epochs=(epoch,),
        )  # fmt: skip
        write_pairs_file(path, made)
        bot.strategy_path = str(REPO_ROOT / "strategies")
        bot.extra |= {"strategy": "PairsArb", "pairbot": {"pairs_file": str(path), "leverage": 2}}
        bot.act(OpenPosition(symbol="XRPUSDT", side=Side.SELL, amount=100))
        yield bot


def test_a_bot_that_holds_a_pair_starts_and_enters_nothing(opened: Rig) -> None:
    """I5: nobody else would close it."""
    opened.restart()
    opened.loop()
    assert opened.states() == ["HEDGED"]
    told = [text for text in opened.told if text.startswith("Preflight: ")]
    assert len(told) == 1, opened.told
    assert "FAIL  foreign" in told[0]
    assert "No new pair is entered" in told[0]
    assert opened.desk.entries.refused_because


@pytest.mark.parametrize("is_lasting", [False, True])
def test_what_is_open_comes_before_preflight(opened: Rig, is_lasting: bool) -> None:
    """I9: its questions, several for every pair, are asked when no leg is alone any more, and after a minute
    where one stays alone. Nothing is entered before."""
    opened.act(ClosePosition(symbol="ADAUSDT"))
    opened.kill()
    if is_lasting:
        opened.fault(when={"leg": "B", "times": None}, answer="reject", code=-1001)
    began, began_ms = opened.gateway.log.next_number(), opened.clock.now_ms()
    opened.start()
    asked: list[str] = []
    while "GET /fapi/v1/accountConfig" not in asked:
        assert opened.desk.entries.is_waiting
        opened.loop()
        asked = [record.call for record in opened.gateway.log.since(began)]
        assert len(asked) < 2_000
    assert not opened.desk.entries.is_waiting
    assert opened.desk.entries.refused_because.code == "preflight", "of the foreign position"
    assert "POST /fapi/v1/order" in asked[: asked.index("GET /fapi/v1/accountConfig")]
    assert ("ALGOUSDT" in opened.positions()) == is_lasting
    assert (opened.clock.now_ms() - began_ms >= PATIENCE_MS) == is_lasting
    assert len([text for text in opened.told if text.startswith("Preflight: ")]) == 1


def test_preflight_is_not_asked_of_a_venue_that_is_away(opened: Rig) -> None:
    """Its questions would hold the loop for minutes, and their timeouts would be FAILs until a restart."""
    opened.act(ClosePosition(symbol="ADAUSDT"))
    opened.kill()
    began, began_ms = opened.gateway.log.next_number(), opened.clock.now_ms()
    opened.fault(when={"leg": "B", "times": None}, answer="reject", code=-1001)
    opened.start()
    while opened.states() == ["HEDGED"]:
        opened.loop(pause_secs=1)
        assert opened.clock.now_ms() - began_ms < PATIENCE_MS
    opened.fault(when={"call": "GET /fapi/v3/positionRisk", "times": None}, answer="html_503")
    while opened.clock.now_ms() - began_ms < 2 * PATIENCE_MS:
        opened.loop()
    assert "GET /fapi/v1/accountConfig" not in [each.call for each in opened.gateway.log.since(began)]
    assert opened.desk.entries.is_waiting
    opened.gateway.faults.clear()
    opened.loop(2, pause_secs=31)
    assert not opened.desk.entries.is_waiting
    assert len([text for text in opened.told if text.startswith("Preflight waits")]) == 1
    assert len([text for text in opened.told if text.startswith("Preflight: ")]) == 1


def test_what_people_order_before_the_engine_is_there_is_refused(
    opened: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: Freqtrade's RPC is up before its strategy, and its orders would have no intent."""
    orders = len(opened.posts())
    refused: list[str] = []

    def meanwhile(strategy: Any) -> bool:
        with pytest.raises(Exception, match="still starting") as error:
            strategy.dp._DataProvider__rpc._rpc._rpc_force_exit("1")
        refused.append(str(error.value))
        return holds_anything(strategy)

    monkeypatch.setattr("pairbot_ext.runtime.bot_start.holds_anything", meanwhile)
    opened.restart()
    opened.loop()
    assert len(refused) == 1
    assert len(opened.posts()) == orders
    assert opened.states() == ["HEDGED"]


def test_a_bot_that_holds_nothing_does_not_start(opened: Rig) -> None:
    opened.close()
    opened.kill()
    with pytest.raises(OperationalException, match=r"preflight refuses live trading.*foreign"):
        opened.start()
