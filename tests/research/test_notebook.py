"""What a notebook shows: frames, figures and HTML, of the trades the command makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pairbot_ext import research
from pairbot_ext.cli import main
from pairbot_ext.research import walkforward
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.market.paths import PlantedPair
from pairbot_ext.support.errors import DataError

COINS = ("ADA", "LINK", "SOL", "DOT")
PLANTED = (PlantedPair("ADA", "LINK", 0.8, 5.0, 0.012),)


@pytest.fixture(scope="module")
def datadir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "binance"
    write_synthetic_datadir(path, seed=4, symbols=COINS, planted=PLANTED, candles=700)
    return path


def test_a_study_is_the_command_s(datadir, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(walkforward, "VARIANTS", walkforward.VARIANTS[:3])
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "ledger.jsonl"
    found = research.study(datadir, rule="naive", formation=300, placebos=20, ledger=kept)
    given = f"walkforward --datadir {datadir} --formation 300 --rule naive --placebos 20 --jobs 1 --json"
    assert main([*given.split(), "--ledger", str(kept)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert found.verdict == said["evidence"]
    assert len(found.trades) == len(said["trades"]) > 5
    assert found.trades["net_bp"].mean() == pytest.approx(said["net_bp"])
    assert found.result.trials == said["trials"], "the same configurations, counted once"
    assert found.placebos["kind"].value_counts().to_dict() == dict.fromkeys(said["placebos"], 20)
    assert found.weeks["net"].tolist() == pytest.approx(list(said["weekly"].values()))
    assert {type(each).__name__ for each in found.figures.values()} == {"Figure"}
    html = found._repr_html_()
    assert "Evidence of an edge after costs" in html
    assert "<table" in html

    again = research.backtest(datadir, found.pairs_file)
    assert again.trades["net_bp"].tolist() == found.trades["net_bp"].tolist()
    assert again.equity.iloc[-1] == pytest.approx(again.outcome.final_balance)
    assert again.figure.data[0].y[-1] == again.equity.iloc[-1]
    assert "pair trades" in again._repr_html_()
    other = research.backtest(datadir, found.pairs_file, thresholds={"entry": 1.2})
    assert len(other.trades) > len(again.trades)


def test_a_formation_longer_than_the_data_is_said(datadir) -> None:
    with pytest.raises(DataError, match="formation is longer"):
        research.study(datadir, formation=5000)
