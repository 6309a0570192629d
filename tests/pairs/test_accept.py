"""The one gate a pairs file comes in by; whatever is wrong with it, open pairs are managed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import arb
import pytest
from harness import Rig
from scenario import START

from pairbot_ext.pairs import PairsFile, load_pairs_file
from pairbot_ext.pairs.accept import Terms, accept, is_outdated, validity
from pairbot_ext.support.errors import PairsFileError

TERMS = Terms("1h", "USDT", "binance")


@pytest.fixture
def file(tmp_path: Path) -> PairsFile:
    arb.options(tmp_path, arb.pair("ADA-ALGO"))
    return load_pairs_file(tmp_path / "pairs.json")


def change(path: Path, **values: object) -> None:
    """Rewrite keys of a pairs file."""
    document = json.loads(path.read_text())
    document.update(values)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        (Terms("4h", "USDT", "binance"), "timeframe differs"),
        (Terms("1h", "USDC", "binance"), "stake_currency"),
        (Terms("1h", "USDT", "bybit"), "made for binance"),
        (Terms(None, "USDT", "binance"), "timeframe differs"),
    ],
)
def test_what_does_not_go_with_the_configuration_is_named(file: PairsFile, terms: Terms, says: str) -> None:
    with pytest.raises(PairsFileError, match=says):
        accept(file, terms)


@pytest.mark.parametrize("terms", [TERMS, Terms("1h", "USDT", None), Terms("1h", "USDT", "Binance")])
def test_what_goes_with_it_comes_in(file: PairsFile, terms: Terms) -> None:
    assert accept(file, terms) is file


@pytest.mark.parametrize(
    ("valid_for", "age", "says"),
    [
        (None, timedelta(days=6), None),
        (None, timedelta(days=8), "days old"),
        (None, timedelta(days=201), "201 days old"),
        (timedelta(days=2), timedelta(days=1), None),
        (timedelta(days=2), timedelta(days=3), "No pair may be entered since"),
        (timedelta(days=400), timedelta(days=201), None),
    ],
)
def test_a_selection_ages(
    file: PairsFile, valid_for: timedelta | None, age: timedelta, says: str | None
) -> None:
    first = file.epochs[0]
    valid_to = None if valid_for is None else first.valid_from + valid_for
    made = file.model_copy(update={"epochs": (first.model_copy(update={"valid_to": valid_to}),)})
    text = validity(made, first.valid_from + age)
    assert text is None if says is None else says in str(text)


def test_a_file_without_epochs_and_one_that_is_still_to_come_say_nothing(file: PairsFile) -> None:
    assert validity(file.model_copy(update={"epochs": (), "pairs": ()}), START) is None
    assert validity(file, datetime(2020, 1, 1, tzinfo=UTC)) is None
    assert not is_outdated(file.epochs[0], START)


@pytest.mark.parametrize(
    "values",
    [{"timeframe": "4h"}, {"exchange": "bybit"}, {"exchange": "okx", "timeframe": "4h"}],
    ids=str,
)
def test_a_running_bot_takes_no_file_over_that_a_start_would_refuse(
    make_rig: Callable[..., Rig], tmp_path: Path, values: dict[str, object]
) -> None:
    rig = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO", z=0.0)))
    rig.loop(2)
    path = tmp_path / "pairs.json"
    document = json.loads(path.read_text())
    document["epochs"][0]["pairs"][0]["alpha"] = arb.pair("ADA-ALGO").alpha
    path.write_text(json.dumps(document | values))
    rig.loop(2)
    for _ in range(2):
        arb.next_candle(rig, 2)
    assert not rig.pair_trades()
    assert len([text for text in rig.told if "stay in force" in text]) == 1
    path.write_text(json.dumps(document))
    rig.loop()
    arb.next_candle(rig, 2)
    assert rig.states() == ["HEDGED"], "a good file comes in again"


def test_an_old_selection_is_entered_no_more_while_a_newer_file_is_refused(
    make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO", z=0.0)))
    rig.loop(2)
    path = tmp_path / "pairs.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"timeframe": "4h"}))
    rig.clock.advance(30 * 24 * 3_600_000)
    arb.move_z(rig, "ADA-ALGO", 5.0)
    for _ in range(2):
        arb.next_candle(rig, 2)
    assert not rig.pair_trades()
    assert set(rig.desk.watch.statistics.refused) == {"pairs_file"}
    path.write_text(json.dumps(document))
    rig.loop()
    arb.next_candle(rig, 2)
    assert rig.states() == ["HEDGED"], "the file is readable again: what is told daily is its age"


def break_it(path: Path) -> None:
    path.write_text('{"pairs": ["ADA/USD')


DAMAGE: dict[str, Callable[[Path], None]] = {
    "broken": break_it,
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_text(""),
    "a list": lambda path: path.write_text("[]"),
    "another timeframe": lambda path: change(path, timeframe="4h"),
    "another exchange": lambda path: change(path, exchange="bybit"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_open_pairs_are_managed_whatever_is_wrong_with_the_file_at_a_start(
    make_rig: Callable[..., Rig], tmp_path: Path, damage: str
) -> None:
    rig = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO")))
    arb.next_candle(rig, 2)
    assert rig.states() == ["HEDGED"]
    rig.kill()
    DAMAGE[damage](tmp_path / "pairs.json")
    arb.move_z(rig, "ADA-ALGO", 4.5)
    rig.clock.advance(3_600_000)
    told = len(rig.told)
    rig.start()
    arb.next_candle(rig, 2)
    assert rig.states() == ["CLOSED"]
    rig.check_flat()
    assert any("Open pairs are managed, nothing is entered" in text for text in rig.told[told:])
    arb.move_z(rig, "ADA-ALGO", 2.5)
    arb.next_candle(rig, 2)
    assert rig.states() == ["CLOSED"], "and nothing is entered"


@pytest.mark.parametrize(
    "setting", [{"max_open_trades": 1}, {"max_open_trades": 0}, {"use_exit_signal": False}]
)
def test_open_pairs_are_managed_whatever_is_wrong_with_the_settings(
    make_rig: Callable[..., Rig], tmp_path: Path, setting: dict[str, object]
) -> None:
    rig = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO")))
    arb.next_candle(rig, 2)
    rig.kill()
    rig.extra.update(setting)
    arb.move_z(rig, "ADA-ALGO", 0.0)
    rig.clock.advance(3_600_000)
    rig.start()
    arb.next_candle(rig, 2)
    assert rig.states() == ["CLOSED"]
    rig.check_flat()


def test_without_open_pairs_a_bad_file_refuses_the_start(
    make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    from freqtrade.exceptions import OperationalException

    options = arb.options(tmp_path, arb.pair("ADA-ALGO"))
    break_it(tmp_path / "pairs.json")
    with pytest.raises(OperationalException, match="is not JSON"):
        make_rig(**options)
