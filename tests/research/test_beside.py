"""Two walk-forward results side by side: the same weeks compare, others are said not to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from walkforward_market import COINS, FORMATION, PLANTED

from pairbot_ext.cli import main
from pairbot_ext.research import walkforward
from pairbot_ext.sim.datadir import write_synthetic_datadir


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with base.json, costly.json (other costs) and later.json (other weeks)."""
    folder = tmp_path_factory.mktemp("beside")
    datadir = folder / "binance"
    write_synthetic_datadir(datadir, seed=4, symbols=COINS, planted=PLANTED, candles=700)
    given = f"walkforward --datadir {datadir} --formation {FORMATION} --rule naive --placebos 20 --jobs 1"
    more = {"base": "", "costly": "--slippage-bp 3", "later": f"--step {2 * 168}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walkforward, "VARIANTS", walkforward.VARIANTS[:1])
        patch.chdir(folder)
        for name, options in more.items():
            with (folder / f"{name}.json").open("w") as out:
                patch.setattr("sys.stdout", out)
                command = f"{given} {options} --no-check --json --ledger ledger.jsonl"
                assert main(command.split()) == 0
    return folder


def test_the_same_weeks_compare_and_what_differs_is_said(results, capsys) -> None:
    assert main(["report", str(results / "base.json"), str(results / "costly.json")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Not the same slippage, bp: 1.0 and 3.0." in said
    assert "base less costly: +" in said
    base, costly = (json.loads((results / f"{name}.json").read_text()) for name in ("base", "costly"))
    assert base["net_bp"] - costly["net_bp"] == pytest.approx(4.0)
    assert "not confirmed" in said
    assert "do not compare" not in said


def test_other_weeks_do_not_compare(results, capsys) -> None:
    assert main(["report", str(results / "base.json"), str(results / "later.json")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("These two results do not compare")
    assert "end differ" in said
    assert "base less later" not in said


def test_what_is_no_result_is_refused(results, tmp_path, capsys) -> None:
    (tmp_path / "other.json").write_text('{"kind": "replay"}')
    assert main(["report", str(results / "base.json"), str(tmp_path / "other.json")]) == 2
    error = capsys.readouterr().err
    assert "'replay'" in error
    assert "pairbot walkforward --json" in error
    assert main(["report", str(results / "base.json"), str(tmp_path / "nowhere.json")]) == 2
    assert "nowhere.json" in capsys.readouterr().err
