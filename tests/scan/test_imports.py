"""Published tables become pairs files, among them the committed one."""

import json
import shlex
from pathlib import Path

import pytest

from pairbot_ext.cli import main
from pairbot_ext.pairs import load_pairs_file

HEADER = "id,leg A,leg B,hedge ratio,half-life h,ADF p,coint p\n"
ROW = "AI_ALGO,AI,ALGO,0.7077,5.1,0.0033,0.0037\n"
OLD_FILE = '{"pairs": [], "epochs": [], "scan": {}, "generated_at": ""}'
"""What an earlier scan has left."""


def _documented_command(repo_root: Path) -> list[str]:
    """The command in the committed table's own document."""
    text = (repo_root / "docs/pairs/scan-2026-02-01.md").read_text()
    block = text.split("```")[1].replace("\\\n", " ")
    return shlex.split(block)[1:]


def test_the_committed_pairs_file_is_what_its_documented_command_makes(repo_root, tmp_path, monkeypatch):
    monkeypatch.chdir(repo_root)
    args = _documented_command(repo_root)
    assert args[-2:] == ["--out", "pairs_config.json"]
    made = tmp_path / "pairs_config.json"
    assert main([*args[:-1], str(made)]) == 0
    assert json.loads(made.read_text()) == json.loads((repo_root / "pairs_config.json").read_text())


def test_a_csv_table_gives_the_same_pairs_as_the_markdown_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(HEADER + ROW)
    markdown = "\n".join(
        "> | " + " | ".join(line.split(",")) + " |"
        for line in (HEADER.strip(), ",".join("-" * 7), ROW.strip())
    )
    Path("table.md").write_text(f"> Some words | with a bar\n{markdown}\n")
    for name in ("csv", "md"):
        assert main(["scan", "--import-table", f"table.{name}", "--out", f"{name}.json"]) == 0
    (pair,) = load_pairs_file(Path("csv.json")).epochs[0].pairs
    assert load_pairs_file(Path("md.json")).epochs[0].pairs == (pair,)
    assert pair.symbols == ("AI/USDT:USDT", "ALGO/USDT:USDT")
    assert (pair.entry_z, pair.exit_z, pair.stop_z, pair.max_half_lives) == (2.0, 0.5, 4.0, 4.0)
    assert not pair.is_frozen


def test_thresholds_exchange_and_a_frozen_model_are_taken_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(
        "leg_a,leg_b,beta,adf_p,coint_p,alpha,sigma\nAI/USDT:USDT,ALGO,0.7,0,0.01,-1,0.02\n"
    )
    options = ["--entry-z", "2.5", "--exit-z", "0", "--stop-z", "5", "--max-half-lives", "3"]
    names = ["--exchange-name", "bybit", "--timeframe", "4h", "--generated-at", "2026-01-02T03:30"]
    assert main(["scan", "--import-table", "table.csv", "--out", "p.json", *options, *names]) == 0
    document = load_pairs_file(Path("p.json"))
    (pair,) = document.epochs[0].pairs
    assert (pair.id, pair.alpha, pair.sigma, pair.half_life_hours) == ("AI_ALGO", -1.0, 0.02, None)
    assert (pair.entry_z, pair.exit_z, pair.stop_z, pair.max_half_lives) == (2.5, 0.0, 5.0, 3.0)
    assert (document.exchange, document.timeframe) == ("bybit", "4h")
    assert document.epochs[0].formation_end.isoformat() == "2026-01-02T00:00:00+00:00"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nothing here\n", "no header line"),
        ("leg A,leg B,hedge ratio,ADF p\nAI,ALGO,1,0.1\n", "missing coint_p"),
        (HEADER + ROW.replace("0.7077", "much"), "line 2: hedge_ratio is not a number (found: 'much')"),
        (HEADER + ROW.replace("0.7077", "-0.7"), "line 2: hedge_ratio: must be greater than 0"),
        (HEADER + ROW.replace("0.7077", "nan"), "line 2: hedge_ratio"),
        (HEADER + ROW.replace("0.7077", ""), "line 2: hedge_ratio: is missing"),
        (HEADER + ROW.replace(",ALGO,", ",AI,"), "leg A and leg B are the same symbol"),
        (HEADER + ROW.replace("0.0037", "1.2"), "line 2: coint_p"),
        (HEADER + ROW + ROW, "AI_ALGO appears twice"),
        (HEADER + ROW + ROW.replace("AI_ALGO", "OTHER"), "have the same legs"),
    ],
)
def test_bad_tables_are_refused_by_line_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, content, message
):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(content)
    Path("p.json").write_text(OLD_FILE)
    assert main(["scan", "--import-table", "table.csv", "--out", "p.json"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "table.csv" in error
    assert Path("p.json").read_text() == OLD_FILE


@pytest.mark.parametrize("content", ["[1]", "no json", '{"combinations": -1}'])
def test_bad_provenance_is_refused(tmp_path, monkeypatch, capsys, content):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(HEADER + ROW)
    Path("provenance.json").write_text(content)
    command = ["scan", "--import-table", "table.csv", "--provenance", "provenance.json", "--out", "p.json"]
    assert main(command) == 2
    assert capsys.readouterr().err.startswith("pairbot scan: ")
    assert not Path("p.json").exists()
