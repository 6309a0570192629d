"""`pairbot report` as a user runs it: files, exit codes, and what must never be in them."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from small_export import SECRETS, START, make_pair, make_pairs_file, two_pair_trades, write_export

from pairbot_ext.cli import main
from pairbot_ext.model.simulated import BOT_NAME, SIMULATED
from pairbot_ext.pairs import write_pairs_file


@pytest.fixture
def datadir(tmp_path: Path) -> Path:
    """Candles of both legs, written by Freqtrade."""
    import pandas as pd
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    folder = tmp_path / "data"
    (folder / "futures").mkdir(parents=True)
    log_b = 3 + np.cumsum(np.random.default_rng(5).normal(0, 0.01, 400))
    for symbol, close in (("A/USDT:USDT", np.exp(log_b)), ("B/USDT:USDT", np.exp(log_b) * 2)):
        frame = pd.DataFrame(
            {
                "date": pd.date_range(START, periods=400, freq="1h"),
                "open": close, "high": close, "low": close * 0.999, "close": close, "volume": 1.0,
            }
        )  # fmt: skip
        get_datahandler(folder, "feather").ohlcv_store(symbol, "1h", frame, CandleType.FUTURES)
    return folder


def test_the_folder(tmp_path: Path, pairs_path: Path, datadir: Path, capsys) -> None:
    rows = two_pair_trades()
    rows[0]["exit_reason"] = f"exchange said apiKey={SECRETS['exchange key']}"
    rows[2]["exit_reason"] = "<script>alert(1)</script>"
    export = write_export(
        tmp_path,
        rows,
        bot_name=BOT_NAME,
        pairbot={"pairs_file": str(pairs_path), "rolling_window_candles": 100},
    )
    out = tmp_path / "out"
    assert main(["report", str(export), "--datadir", str(datadir), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    files = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    assert set(files) == {
        "index.html", "report.json", "pairs.csv", "trades.csv", "equity.png",
        "pairs/A_B.html", "pairs/A_B.png",
    }  # fmt: skip
    for name in ("equity.png", "pairs/A_B.png"):
        assert files[name].read_bytes().startswith(b"\x89PNG")
    texts = {name: files[name].read_text(encoding="utf-8") for name in files if not name.endswith(".png")}
    for name, text in texts.items():
        # The market is simulated: said wherever there are figures.
        assert SIMULATED in text, name
        for what, secret in SECRETS.items():
            assert secret not in text, f"{what} in {name}"
    for secret in SECRETS.values():
        assert secret not in printed.out + printed.err
    pages = {name: text for name, text in texts.items() if name.endswith(".html")}
    for name, page in pages.items():
        drawn = re.sub(r'"data:image/png;base64,[^"]*"', '""', page)
        assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link|<iframe", drawn), name
        wanted = re.findall(r'(?:src|href)="([^"]*)"', page)
        assert wanted
        for target in wanted:
            if not target.startswith("data:image/png;base64,"):
                assert (files[name].parent / target).resolve().is_file(), f"{target} in {name}"
    # The net figure comes before any other number of the result.
    index = re.sub(r"<style>.*?</style>|<[^>]+>", " ", texts["index.html"], flags=re.S)
    assert index.index("+91.5") < index.index("+36.6") < index.index("45.00")
    document = json.loads(texts["report.json"])
    assert document["total"]["net"] == pytest.approx(36.615)
    trades = list(csv.DictReader(io.StringIO(texts["trades.csv"])))
    assert [float(row["net"]) for row in trades] == pytest.approx([70.625, -34.01])


def test_json_and_csv_on_stdout(tmp_path: Path, pairs_path: Path, capsys) -> None:
    export = str(write_export(tmp_path, two_pair_trades()))
    assert main(["report", export, "--pairs-file", str(pairs_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["headline"].startswith("Net +91.5 bp")
    assert document["pairs"][0]["net_bp_standard_error"] == pytest.approx(261.5875)
    assert document["pairs"][0]["median_held_half_lives"] == 2.125
    assert main(["report", export, "--pairs-file", str(pairs_path), "--csv"]) == 0
    pair, everything = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (pair["pair"], everything["pair"]) == ("A_B", "all")
    assert float(pair["fees"]) == pytest.approx(-8.135)
    assert pair["exit_reasons"] == "reverted 1, stop 1"


def test_a_table_for_people(tmp_path: Path, pairs_path: Path, capsys) -> None:
    export = str(write_export(tmp_path, two_pair_trades()))
    assert main(["report", export, "--pairs-file", str(pairs_path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Net +91.5 bp per pair trade, fees and funding included")
    for cell in ("50 %", "+91.5", "45.00", "−8.13", "−0.25", "2.1", "1.00 %", "1/1/0/0"):
        assert cell in out, cell


def test_exit_codes(tmp_path: Path, pairs_path: Path, capsys) -> None:
    empty = str(write_export(tmp_path, [], name="empty"))
    assert main(["report", empty, "--pairs-file", str(pairs_path), "--out", str(tmp_path / "none")]) == 0
    assert "No pair trade has closed" in (tmp_path / "none" / "index.html").read_text(encoding="utf-8")
    bad = tmp_path / "bad.json"
    write_pairs_file(bad, make_pairs_file(make_pair(hedge_ratio=1.5)))
    export = str(write_export(tmp_path, two_pair_trades()))
    assert main(["report", export, "--pairs-file", str(bad)]) == 1
    assert "worst hedge error 25.00 %" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "gone.zip")]) == 2
    (tmp_path / "file").touch()
    assert main(["report", export, "--pairs-file", str(pairs_path), "--out", str(tmp_path / "file")]) == 2


def test_a_missing_pairs_file_is_asked_for(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    export = str(write_export(tmp_path, two_pair_trades(), pairbot={"pairs_file": "moved.json"}))
    assert main(["report", export]) == 2
    message = capsys.readouterr().err
    assert "moved.json" in message
    assert "--pairs-file" in message


def test_interactive_pages_keep_secrets_too(tmp_path: Path, pairs_path: Path, datadir: Path) -> None:
    rows = two_pair_trades()
    rows[0]["exit_reason"] = f"secret={SECRETS['exchange secret']}"
    export = str(write_export(tmp_path, rows, pairbot={"rolling_window_candles": 100}))
    out = tmp_path / "out"
    command = [
        "report",
        export,
        "--pairs-file",
        str(pairs_path),
        "--datadir",
        str(datadir),
        "--out",
        str(out),
    ]
    assert main([*command, "--out", str(out), "--interactive"]) == 0
    page = (out / "pairs" / "A_B-interactive.html").read_text(encoding="utf-8")
    assert "secret=[removed]" in page
    assert SECRETS["exchange secret"] not in page
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', page)
    assert 'href="A_B-interactive.html"' in (out / "pairs" / "A_B.html").read_text(encoding="utf-8")
