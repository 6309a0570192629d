"""What cannot be replayed is said in one sentence; what can, with a hole in it, is said as well."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from freqtrade.exchange import Exchange
from replay_world import BEGIN, END, START, World, make_world, timerange

from pairbot_ext.cli import main
from pairbot_ext.pairs import write_pairs_file
from pairbot_ext.rehearse.replay.inputs import read_inputs
from pairbot_ext.rehearse.replay.terms import Terms, terms_of
from pairbot_ext.sim.market.books import BookShape
from pairbot_ext.support.errors import PairbotError


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize(
    ("begin", "end", "says"),
    [
        (0, 100, "is of another period: no selection of it is in force"),
        (BEGIN - 50, END, "No selection of the pairs file is in force where --timerange begins"),
        (END + 500, END + 600, "No candle lies within --timerange"),
    ],
)
def test_a_time_range_without_pairs_or_candles(world: World, begin: int, end: int, says: str) -> None:
    with pytest.raises(PairbotError, match=says):
        world.inputs(begin, end)


def test_a_file_without_pairs_ends_the_command(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pairs.json"
    empty = world.document.epochs[0].model_copy(update={"pairs": ()})
    write_pairs_file(path, world.document.model_copy(update={"pairs": (), "epochs": (empty,)}))
    code = main(
        [
            "replay", "-c", str(world.config), "--datadir", str(world.datadir), "--pairs", str(path),
            "--timerange", timerange(BEGIN, END),
        ]
    )  # fmt: skip
    said = capsys.readouterr().err
    assert code == 2
    assert "There is no pair to replay" in said
    assert "Traceback" not in said


def test_a_release_that_keeps_candles_otherwise_ends_the_command(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Exchange, "_now_is_time_to_refresh")
    span = timerange(BEGIN, END)
    code = main(["replay", "-c", str(world.config), "--datadir", str(world.datadir), "--timerange", span])
    assert code == 2
    said = capsys.readouterr().err
    assert "lacks what a replay relies on: Exchange._now_is_time_to_refresh is gone" in said


def test_no_datadir_no_timerange_no_candles_of_a_coin(world: World, tmp_path: Path) -> None:
    for datadir, wanted, says in (
        (tmp_path, timerange(BEGIN, END), "has no futures/ folder"),
        (world.datadir, "yesterday", "--timerange is none"),
    ):
        with pytest.raises(PairbotError, match=says):
            read_inputs([str(world.config)], datadir=datadir, timerange=wanted)
    other = make_world(tmp_path / "other")
    next((other.datadir / "futures").glob("ADA_*-futures.feather")).unlink()
    with pytest.raises(PairbotError, match="no 1h candles of ADA"):
        other.inputs()


def test_holes_and_an_early_end_are_said(world: World, tmp_path: Path) -> None:
    assert world.inputs().notes == ()
    other = make_world(tmp_path / "holes")
    path = next((other.datadir / "futures").glob("ADA_*-futures.feather"))
    frame = pd.read_feather(path)
    at = START + pd.Timedelta(hours=BEGIN + 10)
    frame[(frame["date"] < at) | (frame["date"] >= at + pd.Timedelta(hours=7))].reset_index(
        drop=True
    ).to_feather(path)
    notes = other.inputs(BEGIN, END + 500).notes
    assert notes[0].startswith("the candles end at")
    assert "candles are missing" in notes[1]
    assert "ADA 7" in notes[1]


def test_finer_candles_say_where_prices_are(world: World, tmp_path: Path) -> None:
    with pytest.raises(PairbotError, match="No 5m futures candles"):
        world.inputs(detail="5m").market(BookShape())
    with pytest.raises(PairbotError, match="--detail must be shorter"):
        world.inputs(detail="1h")
    other = make_world(tmp_path / "fine")
    for path in (other.datadir / "futures").glob("*-1h-futures.feather"):
        frame = pd.read_feather(path)
        fine = frame.loc[frame.index.repeat(12)].reset_index(drop=True)
        fine["date"] += pd.to_timedelta(fine.index % 12 * 5, unit="min")
        # Flat pieces, each a hundredth above the last: nothing a path through the hour would do.
        level = fine["open"] * (1 + 0.01 * (fine.index % 12))
        for name in ("open", "high", "low", "close"):
            fine[name] = level
        fine.to_feather(path.with_name(path.name.replace("-1h-", "-5m-")))
    inputs = other.inputs(detail="5m")
    name = next(iter(inputs.market(BookShape()).symbols))
    market, at = inputs.market(BookShape()), inputs.begin_ms
    first, later = (market.price(name, at + minutes * 60_000) for minutes in (1, 31))
    assert float(later / first) == pytest.approx(1.06, abs=0.01)
    assert market.klines(name, "1h", at, None, 1, at + 3_600_000, mark=False)[0].close != later


def test_terms_out_of_range_are_refused_by_name() -> None:
    assert terms_of("calm") == Terms()
    assert terms_of("busy", latency_ms=7).latency_ms == 7
    with pytest.raises(PairbotError, match="--fault-share must lie between"):
        terms_of("calm", fault_share=0.9)
