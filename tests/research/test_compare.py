"""`pairbot compare` from the shell's side: same epochs and draws for every model, tests over all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pairbot_ext.cli import main
from pairbot_ext.models.variants import VARIANTS
from pairbot_ext.research import compare_session, session, walkforward
from pairbot_ext.research.compare import stepwise
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.market.paths import PlantedPair

COINS = ("ADA", "LINK", "SOL", "DOT", "AVAX", "ALGO")
PLANTED = (PlantedPair("ADA", "LINK", 0.8, 5.0, 0.012), PlantedPair("SOL", "DOT", 1.1, 5.0, 0.012))
MODELS = ("kalman", "ou_thresholds", "half_life_window:window_half_lives=6")
DRAWS = 3


@pytest.fixture(scope="module")
def datadir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "binance"
    write_synthetic_datadir(path, seed=4, symbols=COINS, planted=PLANTED, candles=800)
    return path


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No config.json of the checkout, and few draws."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "LEAST_PLACEBOS", DRAWS)


def command(name: str, datadir: Path, *more: str) -> list[str]:
    given = f"{name} --datadir {datadir} --formation 300 --rule naive --placebos {DRAWS} --jobs 1"
    return [*given.split(), "--ledger", "ledger.jsonl", *more]


def answer(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_every_model_on_the_same_epochs_and_draws(datadir, tmp_path, monkeypatch, capsys) -> None:
    written = ("--out", "page.html", "--png", "sheet.png")
    text = answer(capsys, command("compare", datadir, "--json", *written, "--models", *MODELS))
    result = json.loads(text)
    assert list(result["variants"]) == ["frozen", *MODELS]
    default = result["variants"]["frozen"]
    for name, each in result["variants"].items():
        assert each["pair_trades"] > 5, name
        assert set(each["placebos"]) == {"sign-flipped", "random pairs", "phase-shuffled"}
        assert {len(kind["t"]) for kind in each["placebos"].values()} == {DRAWS}
        parts = each["waterfall_bp"]
        assert parts["net"] == pytest.approx(sum(v for part, v in parts.items() if part != "net"))
        assert len(each["weekly"]) == result["weeks_total"]
        if name != "frozen":
            assert each["weekly"] != default["weekly"], name
    assert result["trials"] == 4
    page = Path("page.html").read_text(encoding="utf-8")
    assert Path("sheet.png").read_bytes().startswith(b"\x89PNG")
    assert page.count("plotly-graph-div") >= 3
    assert all(name.partition(":")[0] in page for name in MODELS)

    steps = []

    def interrupted(bar: object, done: int, total: int) -> None:
        steps.append(total)
        if steps.count(DRAWS) == DRAWS + 2:
            raise KeyboardInterrupt

    again = command("compare", datadir, "--json", "--store", "store", "--models", *MODELS)
    with monkeypatch.context() as patch:
        patch.setattr(compare_session.ScanProgress, "__call__", interrupted)
        assert main(again) == 130
    capsys.readouterr()
    assert answer(capsys, again) == text
    assert Path("ledger.jsonl").read_text().count("\n") == 4


def test_the_default_earns_what_the_walk_forward_says(datadir, monkeypatch, capsys) -> None:
    monkeypatch.setattr(walkforward, "VARIANTS", walkforward.VARIANTS[:1])
    compared = json.loads(answer(capsys, command("compare", datadir, "--json", "--models", "frozen")))
    walked = json.loads(answer(capsys, command("walkforward", datadir, "--json")))
    own = compared["variants"]["frozen"]
    assert list(compared["variants"]) == ["frozen"]
    assert own["net_bp"] == walked["net_bp"]
    assert own["interval_95_bp"] == walked["interval_95_bp"]
    assert own["waterfall_bp"] == walked["waterfall_bp"]
    for each in walked["placebos"].values():
        del each["nets"]  # the histogram, which a comparison does not print
    assert own["placebos"] == walked["placebos"]
    # The default is one trial, whichever command tries it.
    assert walked["trials"] == 1 + walked["variants"]


def test_words_and_tables_name_every_model(datadir, capsys) -> None:
    text = answer(capsys, command("compare", datadir, "--models", "rolling_ols", "volatility_filter"))
    assert "Evidence of an edge after costs: " in text
    assert "stepwise test" in text
    for name in ("frozen", "rolling_ols", "volatility_filter"):
        assert text.count(f"│ {name} ") == 2, text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--models", "arima"], ["no such model", "arima", *VARIANTS]),
        (["--models", "kalman:gain=2"], ["gain", "memory_half_lives"]),
        (["--models", "kalman:memory_half_lives=-3"], ["memory_half_lives", "-3"]),
        (["--models", "kalman:memory_half_lives=long"], ["no number", "memory_half_lives=long"]),
        (["--symbols", "ADA"], ["two symbols", "ADA"]),
        (["--formation", "5000"], ["formation is longer than the data", "5000"]),
        (["--timerange", "20200101-20200201"], ["outside the data", "20200101-20200201"]),
        (["--placebos", "2"], ["too few", "2"]),
    ],
)
def test_bad_options_are_one_sentence_with_value_and_remedy(datadir, capsys, more, said) -> None:
    assert main(command("compare", datadir, *more)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert all(each in error for each in said), error


def test_funding_rates_that_are_not_there_are_asked_for(tmp_path, capsys) -> None:
    path = tmp_path / "data" / "binance"
    write_synthetic_datadir(path, seed=4, symbols=COINS, planted=PLANTED, candles=800)
    for file in path.glob("futures/*funding_rate*"):
        file.unlink()
    assert main(command("compare", path, "--models", "funding_aware")) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "funding_aware reads funding rates" in error
    assert "pairbot download" in error


def test_the_stepwise_test_names_an_edge_and_not_noise() -> None:
    pytest.importorskip("arch")
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1.0, (60, 4))
    edge = rng.normal(1.0, 1.0, (60, 1))
    assert stepwise(noise, np.zeros(60), 1) == set()
    assert stepwise(np.column_stack([noise, edge]), np.zeros(60), 1) == {4}
    assert stepwise(np.column_stack([noise[:, 0], edge]), noise[:, 0], 1) == {1}
    assert stepwise(np.empty((60, 0)), np.zeros(60), 1) == set()
