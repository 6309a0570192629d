"""A live start of PairsArb asks every check of preflight first."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import OperationalException
from harness import REPO_ROOT, START, Rig, rig, unified

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.preflight import Report, check_live
from pairbot_ext.sim.venue.actions import OpenPosition
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


def test_what_people_order_before_the_engine_is_there_is_refused(
    opened: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: Freqtrade's RPC is up before its strategy, and its orders would have no intent."""
    orders = len(opened.posts())
    refused: list[str] = []

    def meanwhile(strategy: Any) -> Report:
        with pytest.raises(Exception, match="still starting") as error:
            strategy.dp._DataProvider__rpc._rpc._rpc_force_exit("1")
        refused.append(str(error.value))
        return check_live(strategy)

    monkeypatch.setattr("pairbot_ext.runtime.bot_start.check_live", meanwhile)
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
