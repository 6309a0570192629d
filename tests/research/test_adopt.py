"""`pairbot adopt`: what does not hold out of sample is not written, nor is over a file that is not ours."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pairbot_ext.research.adopt import (
    Check,
    Epoch,
    Stretch,
    best_epoch,
    latest_epochs,
    objections,
    write_parameters,
)
from pairbot_ext.support.errors import DataError, PairbotError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Stretch(pair_trades=40, weeks=8, net_bp=12.0, week=0.5, error=0.2)
OWN = replace(GOOD, week=0.1)
EPOCH = Epoch(7, -0.2, {"buy": {"entry_z": 2.1}, "sell": {"exit_z": 0.3}}, 80, NOW, NOW + timedelta(days=60))
CHECK = Check(EPOCH, NOW, NOW, GOOD, GOOD, OWN, 1, [])


def test_what_holds_has_no_objection() -> None:
    assert objections(GOOD, OWN, looks=1) == []


@pytest.mark.parametrize(
    ("after", "own", "looks", "why"),
    [
        (replace(GOOD, pair_trades=19), OWN, 1, "19 pair trades in 8 weeks are too few"),
        (replace(GOOD, weeks=3), OWN, 1, "40 pair trades in 3 weeks are too few"),
        (replace(GOOD, week=-0.1), replace(OWN, week=-0.2), 1, "the mean week is -0.100 %"),
        (GOOD, replace(OWN, week=0.6), 1, "the pairs' own thresholds make \\+0.600 %"),
        # 2.54 standard errors is what the best of a hundred shows by chance.
        (GOOD, OWN, 100, "the best of 100 tried there shows \\+0.506 %"),
    ],
)
def test_each_objection_is_said(after: Stretch, own: Stretch, looks: int, why: str) -> None:
    (said,) = objections(after, own, looks)
    assert re.search(why, said), said


def test_the_file_is_one_the_strategy_reads_and_says_what_it_rests_on(tmp_path: Path) -> None:
    from freqtrade.optimize.hyperopt_tools import HyperoptTools

    path = tmp_path / "PairsArb.json"
    write_parameters(path, CHECK, NOW)
    read = HyperoptTools.load_params_from_file(path)
    assert read["strategy_name"] == "PairsArb"
    assert read["params"]["buy"] == {"entry_z": 2.1}
    assert read["params"]["adopt"]["said"].startswith("adopted 2026-01-01 after 40 pair trades")
    write_parameters(path, CHECK, NOW)


@pytest.mark.parametrize("text", ["", "[]", '{"strategy_name": "Other"}'])
def test_a_file_that_is_not_ours_stays(tmp_path: Path, text: str) -> None:
    """I18."""
    path = tmp_path / "PairsArb.json"
    path.write_text(text)
    with pytest.raises(PairbotError, match="not a parameter file of PairsArb"):
        write_parameters(path, CHECK, NOW)
    assert path.read_text() == text


def line(loss: float, number: int, strategy: str = "PairsArb") -> str:
    figures = {"strategy_name": strategy, "backtest_start_ts": 1_700_000_000_000, "total_trades": 4}
    return json.dumps(
        {
            "loss": loss, "current_epoch": number, "params_details": {"buy": {"entry_z": 2.0 + number}},
            "results_metrics": figures | {"backtest_end_ts": 1_701_000_000_000},
        }
    )  # fmt: skip


def test_the_best_epoch_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "hyperopt_results"
    folder.mkdir()
    (folder / ".last_result.json").write_text('{"latest_hyperopt": "x.fthypt"}')
    (folder / "x.fthypt").write_text("\n".join([line(0.5, 1), line(-0.5, 2), line(100000, 3)]))
    found = best_epoch(latest_epochs(tmp_path))
    assert (found.number, found.overrides) == (2, {"entry": 4.0})


@pytest.mark.parametrize(
    ("text", "why"), [("", "holds no epoch"), ("{}", "no epoch"), (line(1, 1, "Sample"), "another strategy")]
)
def test_what_is_no_hyperopt_of_pairs_is_said(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "x.fthypt"
    path.write_text(text)
    with pytest.raises(DataError, match=why):
        best_epoch(path)
    with pytest.raises(DataError, match="no hyperopt result"):
        latest_epochs(tmp_path)
