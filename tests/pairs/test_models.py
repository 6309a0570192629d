"""Models in the pairs file: schema 2, old files as they were, and what contradicts is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pairbot_ext.cli import main
from pairbot_ext.models.half_life_window import HalfLifeWindow
from pairbot_ext.models.kalman import KalmanFilter
from pairbot_ext.models.ornstein_uhlenbeck import OuThresholds
from pairbot_ext.models.variants import FROZEN, ROLLING, VARIANTS
from pairbot_ext.pairs import (
    PairsFile,
    content_hash,
    funded_symbols,
    json_schema,
    load_pairs_file,
    with_model,
    write_pairs_file,
)
from pairbot_ext.support.errors import PairsFileError

MODEL = {"alpha": 0.5, "mu": 0.0, "sigma": 0.01, "half_life_hours": 9.0}


def document(version: int = 1, **more: Any) -> dict[str, Any]:
    pair = {
        "id": "ADA_SOL", "leg_a": "ADA/USDT:USDT", "leg_b": "SOL/USDT:USDT", "hedge_ratio": 0.9,
        "adf_p": 0.01, "coint_p": 0.01, "entry_z": 2.0, "exit_z": 0.5, "stop_z": 4.0, **MODEL, **more,
    }  # fmt: skip
    epoch = {
        "valid_from": "2025-03-01T00:00:00Z", "valid_to": None, "formation_start": "2025-01-01T00:00:00Z",
        "formation_end": "2025-03-01T00:00:00Z", "pairs": [pair],
    }  # fmt: skip
    return {
        "pairs": ["ADA/USDT:USDT", "SOL/USDT:USDT"], "refresh_period": 300, "schema_version": version,
        "generated_at": "2025-03-01T00:00:00Z", "exchange": "binance", "timeframe": "1h",
        "scan": {"rule": "test"}, "epochs": [epoch],
    }  # fmt: skip


def written(tmp_path: Path, content: dict[str, Any]) -> Path:
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(content))
    return path


def test_a_file_without_models_is_written_as_ever(tmp_path) -> None:
    file = load_pairs_file(written(tmp_path, document()))
    (pair,) = file.epochs[0].pairs
    assert pair.spread_model == FROZEN
    assert pair.thresholds == pair.own_thresholds
    assert with_model(file, FROZEN) == file
    again = tmp_path / "again.json"
    write_pairs_file(again, file)
    text = again.read_text()
    assert '"model"' not in text
    assert json.loads(text)["schema_version"] == 1
    assert '"model"' not in file.model_dump_json()
    rolling = load_pairs_file(written(tmp_path, document(alpha=None, mu=None, sigma=None)))
    assert rolling.epochs[0].pairs[0].spread_model == ROLLING


@pytest.mark.parametrize("kind", VARIANTS)
def test_every_model_is_read_again_and_fits_the_published_schema(kind, tmp_path) -> None:
    file = load_pairs_file(written(tmp_path, document(2, model={"kind": kind})))
    assert file.epochs[0].pairs[0].spread_model == VARIANTS[kind]
    path = tmp_path / "again.json"
    write_pairs_file(path, file)
    assert load_pairs_file(path) == file
    jsonschema.validate(json.loads(path.read_text()), json_schema())
    assert funded_symbols(file) == (file.pairs if kind == "funding_aware" else ())
    plain = load_pairs_file(written(tmp_path, document()))
    assert (content_hash(with_model(plain, VARIANTS[kind])) == content_hash(plain)) == (kind == "frozen")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (document(1, model={"kind": "kalman"}), ["names a model", "schema_version 1", "write 2"]),
        (document(2, model={"kind": "arima"}), ["model", "arima", "kalman"]),
        (document(2, model={"kind": "kalman", "gain": 1.0}), ["gain", "is no key"]),
        (document(2, model={"kind": "kalman", "memory_half_lives": 0}), ["memory_half_lives", "found: 0"]),
        (document(2, model={"kind": "kalman"}, half_life_hours=None), ["kalman needs half_life_hours"]),
        (document(2, model={"kind": "ou_thresholds"}, alpha=None, mu=None, sigma=None), ["alpha and sigma"]),
    ],
)
def test_what_contradicts_is_refused_with_place_and_value(content, said, tmp_path) -> None:
    with pytest.raises(PairsFileError) as caught:
        load_pairs_file(written(tmp_path, content))
    assert all(each in str(caught.value) for each in said), caught.value


def test_a_pair_that_lacks_what_a_model_needs_keeps_the_frozen_one(tmp_path) -> None:
    file = load_pairs_file(written(tmp_path, document(half_life_hours=None)))
    assert with_model(file, KalmanFilter()) == file
    made = with_model(file, OuThresholds())
    assert made.schema_version == 2
    levels = made.epochs[0].pairs[0].thresholds
    assert levels is not None
    assert (levels.exit, levels.stop) == (0.0, 4.0)
    assert 0.3 < levels.entry < 2.0


def test_the_scan_writes_a_model_where_it_is_asked_for(tmp_path, monkeypatch, capsys) -> None:
    from pairbot_ext.sim.datadir import write_synthetic_datadir
    from pairbot_ext.sim.market.paths import PlantedPair

    monkeypatch.chdir(tmp_path)
    planted = (PlantedPair("ADA", "LINK", 0.8, 5.0, 0.012),)
    write_synthetic_datadir(
        tmp_path / "binance", seed=4, symbols=("ADA", "LINK", "SOL"), planted=planted, candles=400
    )
    scan = f"scan --datadir {tmp_path / 'binance'} --formation 300 --rule naive --out pairs.json".split()
    assert main([*scan, "--model", "half_life_window:window_half_lives=5"]) == 0
    file: PairsFile = load_pairs_file(Path("pairs.json"))
    assert file.schema_version == 2
    assert {pair.model for pair in file.epochs[0].pairs} == {HalfLifeWindow(window_half_lives=5)}
    assert main([*scan, "--model", "arima"]) == 2
    assert "no such model" in capsys.readouterr().err
    assert main(scan) == 0
    assert load_pairs_file(Path("pairs.json")).schema_version == 1
