"""`pairbot walkforward` from the shell's side: a verdict, the same bytes after an interruption, bad input."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from walkforward_market import CANDLES, COINS, FORMATION, PLANTED

from pairbot_ext.cli import main
from pairbot_ext.research import placebos, session, walkforward
from pairbot_ext.research.costs import CostModel
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.stats import multiplicity, shifted


@pytest.fixture(scope="module")
def datadir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "binance"
    write_synthetic_datadir(path, seed=4, symbols=COINS, planted=PLANTED, candles=CANDLES)
    return path


@pytest.fixture(autouse=True)
def few_variants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Enough for the statistics to be there; no config.json of the checkout."""
    monkeypatch.setattr(walkforward, "VARIANTS", walkforward.VARIANTS[:3])
    monkeypatch.chdir(tmp_path)


def command(datadir: Path, *more: str) -> list[str]:
    given = f"walkforward --datadir {datadir} --formation {FORMATION} --rule naive --placebos 20 --jobs 1"
    return [*given.split(), "--no-check", "--ledger", "ledger.jsonl", *more]


def answer(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_a_verdict_and_the_same_bytes_after_an_interruption(datadir, tmp_path, monkeypatch, capsys) -> None:
    text = answer(capsys, command(datadir, "--json", "--out", "page.html", "--png", "sheet.png"))
    result = json.loads(text)
    assert result["evidence"] in ("none", "weak", "strong")
    assert set(result["placebos"]) == {"sign-flipped", "random pairs", "phase-shuffled"}
    assert {len(each["t"]) for each in result["placebos"].values()} == {20}
    assert result["figures"]["pair_trades"] == len(result["trades"]) > 10
    parts = result["waterfall_bp"]
    assert parts["net"] == pytest.approx(sum(value for name, value in parts.items() if name != "net"))
    assert parts["slippage"] == -2.0
    # The planted pairs come back: they earn more than directions drawn by lot.
    assert result["places"]["sign-flipped"] > 0.9
    assert result["trials"] == 4
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("plotly-graph-div") >= 6
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert 0 < result["capacity"]["0.1"] <= result["capacity"]["0.5"]
    chance = result["placebos"]["random pairs"]
    assert sum(chance["nets"]) == sum(chance["pair_trades"])

    steps = []

    def interrupted(bar: object, done: int, total: int) -> None:
        steps.append(total)
        if steps.count(20) == 27:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session.ScanProgress, "__call__", interrupted)
        assert main(command(datadir, "--json", "--store", "store")) == 130
    capsys.readouterr()
    again = []
    with monkeypatch.context() as patch:
        patch.setattr(session.ScanProgress, "__call__", lambda bar, done, total: again.append((done, total)))
        resumed = answer(capsys, command(datadir, "--json", "--store", "store"))
    assert resumed == text
    # The first kind was done, of the second seven.
    assert (7, 20) in again
    assert (6, 20) not in again


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--symbols", "ADA"], ["two symbols", "ADA"]),
        (["--formation", "5000"], ["formation is longer than the data", "5000"]),
        (["--timerange", "20200101-20200201"], ["outside the data", "20200101-20200201"]),
        (["--timerange", "yesterday"], ["malformed", "yesterday"]),
        (["--placebos", "3"], ["too few", "3"]),
        (["--slippage-bp", "-1"], ["below 0", "-1"]),
        (["--max-half-lives", "0"], ["max"]),
    ],
)
def test_bad_options_are_one_sentence_with_value_and_remedy(datadir, capsys, more, said) -> None:
    assert main(command(datadir, *more)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert all(each in error for each in said), error


def pairs_file(datadir: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    start = pd.read_feather(next(datadir.glob("futures/ADA*futures.feather")))["date"].iloc[FORMATION]
    span = f"{start + pd.Timedelta(days=1):%Y%m%d}-"
    given = f"scan --datadir {datadir} --formation {FORMATION} --rule naive --walk-forward --out wf.json"
    assert main([*given.split(), "--timerange", span]) == 0
    capsys.readouterr()
    return json.loads(Path("wf.json").read_text())


def test_bad_pairs_files_and_holes_are_said(datadir, tmp_path, capsys) -> None:
    document = pairs_file(datadir, capsys)
    empty = {**document, "pairs": [], "epochs": [{**each, "pairs": []} for each in document["epochs"]]}
    Path("empty.json").write_text(json.dumps(empty))
    assert main(command(datadir, "--pairs-file", "empty.json")) == 2
    assert f"{len(empty['epochs'])} empty epochs" in capsys.readouterr().err

    holes = tmp_path / "holes" / "binance"
    write_synthetic_datadir(holes, seed=4, symbols=COINS, planted=PLANTED, candles=CANDLES, gap_share=0.2)
    assert main(command(holes, "--pairs-file", "wf.json")) == 2
    error = capsys.readouterr().err
    assert "has holes" in error
    assert "% of its candles are missing" in error


def test_epochs_of_another_time_and_no_cost_of_legging_are_said(datadir, tmp_path, capsys) -> None:
    document = pairs_file(datadir, capsys)
    times = ("valid_from", "valid_to", "formation_start", "formation_end")

    def earlier(epoch: dict) -> dict:
        return {**epoch, **{name: epoch[name].replace("2025", "2020") for name in times}}

    old = {**document, "epochs": [earlier(each) for each in document["epochs"]]}
    Path("old.json").write_text(json.dumps(old))
    assert main(command(datadir, "--pairs-file", "old.json")) == 2
    error = capsys.readouterr().err
    assert "the epochs lie outside the candles" in error
    assert "epochs from 2020-" in error

    Path("none.json").write_text('{"cost_bp": {"count": 0}, "from": "2025-07-01", "to": "2025-07-02"}')
    assert main(command(datadir, "--legging", "none.json")) == 2
    assert "holds no pair trade" in capsys.readouterr().err
    assert main(command(datadir, "--legging", "wf.json")) == 2
    assert "no cost of legging" in capsys.readouterr().err


def test_what_a_replay_measured_takes_the_place_of_the_assumption(tmp_path) -> None:
    path = tmp_path / "legging.json"
    path.write_text('{"cost_bp": {"count": 15, "mean": 0.3}}')
    costs = CostModel.measured(path, 1.0)
    assert costs == CostModel(slippage_bp=1.0, legging_bp=0.15, replayed=15)
    trades = pd.DataFrame({"notional": [1000.0], "gross": [1.0], "fees": [1.0], "funding": [0.0]})
    assert costs.waterfall(trades)["legging"].tolist() == [pytest.approx(-0.3)]


@pytest.mark.process
def test_killed_and_resumed_it_prints_the_same_bytes(tmp_path, capsys) -> None:
    """kill -9 while placebos are made; what was kept is not made again."""
    small = tmp_path / "binance"
    write_synthetic_datadir(small, seed=4, symbols=COINS, planted=PLANTED, candles=480)
    arguments = command(small, "--json")
    whole = answer(capsys, arguments)
    store = tmp_path / "store"
    # Its own ledger: it tries all variants, this process few.
    other = [*arguments, "--store", str(store), "--ledger", "other.jsonl"]
    killed = subprocess.Popen(
        [sys.executable, "-m", "pairbot_ext.cli", *other],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list(store.rglob("*.parquet")):
        with suppress(subprocess.TimeoutExpired):
            pytest.fail(f"ended with {killed.wait(0.02)} before it had kept anything")
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert answer(capsys, [*arguments, "--store", str(store)]) == whole


def test_the_nulls_of_the_calibrated_rule_are_made_once_an_epoch(datadir, monkeypatch, capsys) -> None:
    """The scan's, then one for all shuffled universes: each of their own would take hours."""
    made: list[tuple[int, int]] = []

    def counted(log_prices, *, threads=None, progress=None):
        made.append(log_prices.shape)
        return shifted.shifted_null(log_prices, shifts=40)

    monkeypatch.setattr(multiplicity, "shifted_null", counted)
    monkeypatch.setattr(placebos, "shifted_null", counted)
    options = ("--rule", "calibrated", "--backend", "serial", "--json")
    result = json.loads(answer(capsys, command(datadir, *options)))
    assert len(result["placebos"]["phase-shuffled"]["t"]) == 20
    epochs = len(made) // 2
    assert made[:epochs] == made[epochs:]
    assert epochs > 1
