"""Tables, pairs files and candles as other people and programs write them: read right, or refused by place.

I18: nothing that is not ours is overwritten. Nothing here may end in a traceback.
"""

from __future__ import annotations

import codecs
import contextlib
import copy
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.cli import main
from pairbot_ext.pairs import PairsFile, parse_pairs_file
from pairbot_ext.pairs.writing import check_replaceable, previous_path, write_scan
from pairbot_ext.scan.imports import import_table
from pairbot_ext.scan.pipeline import Thresholds
from pairbot_ext.scan.universe import Window, cut_window
from pairbot_ext.settings import Settings
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.support.errors import DataError, PairbotError, PairsFileError

HEADER = ["id", "leg A", "leg B", "hedge ratio", "ADF p", "coint p"]
GENERATED = datetime(2026, 1, 2, 3, 30, tzinfo=UTC)
REPO_PAIRS = json.loads((Path(__file__).resolve().parents[2] / "pairs_config.json").read_text())


def read(path: Path) -> PairsFile:
    """As `pairbot scan --import-table` does."""
    return import_table(
        path, exchange="binance", timeframe="1h", formation_candles=100, generated_at=GENERATED,
        thresholds=Thresholds(), provenance={},
    )  # fmt: skip


@pytest.mark.parametrize(
    "leg", ["ALGO", "algo", "ALGOUSDT", "algousdt", "ALGO/USDT", "algo/usdt:usdt", " ALGO/USDT:USDT "]
)
def test_a_coin_is_known_by_all_its_names(tmp_path: Path, leg: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{','.join(HEADER)}\nx,ADA,{leg},0.8,0.001,0.002\n")
    assert read(path).epochs[0].pairs[0].leg_b == "ALGO/USDT:USDT"


def test_a_coin_of_another_quote_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{','.join(HEADER)}\nx,ADAUSDC,ALGO/USDC,0.8,0.001,0.002\n")
    assert read(path).pairs == ("ADA/USDC:USDC", "ALGO/USDC:USDC")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("x,ADA,ALGO,0.8,0.001,0.002,9\n", "line 2, column 7"),
        ("x,ADA,ALGO,0.8,0.001\n", "line 2, column 6"),
        ("x,ADA,ALGO,08. Jan,0.001,0.002\n", "line 2: hedge_ratio is not a number"),
        ('x,ADA,ALGO,"1.234,5",0.001,0.002\n', "line 2: hedge_ratio is not a number"),
        ("\n\nx,ADA,ALGO,inf,0.001,0.002\n", "line 4"),
        ('"x\ny",ADA,ALGO,much,0.001,0.002\n', "line 2"),
    ],
)
def test_what_is_ambiguous_is_refused_by_line_and_column(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",".join(HEADER) + "\n" + content)
    with pytest.raises(PairsFileError, match=says.replace(".", r"\.")):
        read(path)


def cell(delimiter: str) -> st.SearchStrategy[str]:
    return st.text(
        st.characters(exclude_characters='"\r\n\0' + delimiter, exclude_categories=("Cs", "Cc")), max_size=8
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, float, bool]:
    """A table of one pair, the hedge ratio meant, and whether nothing is wrong with it."""
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    beta = draw(st.floats(0.01, 50).map(lambda value: float(f"{value:.4g}")))
    number = f"{beta!r}"
    if delimiter != "," and draw(st.booleans()):
        number = number.replace(".", ",")
    row = [
        "P1",
        draw(st.sampled_from(["ADA", "adausdt", "ADA/USDT"])),
        "ALGO/USDT:USDT",
        number,
        "0.001",
        "0.002",
    ]
    surplus = draw(st.lists(cell(delimiter), max_size=2))
    lines = [delimiter.join(HEADER), delimiter.join([*row, *surplus])]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, 2)), "")
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines) + "\n"
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    content = text.encode(encoding, "replace")
    return content, beta, not any(each.strip() for each in surplus)


@settings(max_examples=2_000, deadline=None)
@given(tables())
def test_a_table_is_read_right_or_refused(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[bytes, float, bool]
) -> None:
    content, beta, is_whole = table
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    path.write_bytes(content)
    try:
        (found,) = read(path).epochs[0].pairs
    except PairsFileError as refused:
        found, text = None, str(refused)
    if found is None:
        assert not is_whole, text
        assert "line" in text
        return
    assert is_whole
    assert (found.leg_a, found.leg_b, found.hedge_ratio) == ("ADA/USDT:USDT", "ALGO/USDT:USDT", beta)


@settings(max_examples=1_000, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
)
def test_no_bytes_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, mark: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(mark + content)
    with pytest.raises(PairsFileError):
        read(path)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=6), st.just([]), st.just({}),
    st.sampled_from(["1h", "2026-01-01", "2026-01-01T00:00:00", "ADA/USDT", "ADAUSDT", -1e308]),
)  # fmt: skip


@settings(max_examples=2_000, deadline=None)
@given(st.data())
def test_a_bent_pairs_file_is_read_or_refused_by_place(data: st.DataObject) -> None:
    document: Any = copy.deepcopy(REPO_PAIRS)
    for _ in range(data.draw(st.integers(1, 3))):
        node, parts = document, []
        while isinstance(node, dict | list) and node:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            parts.append((node, key))
            node = node[key]
            if data.draw(st.booleans()):
                break
        holder, key = parts[-1] if parts else (None, None)
        if isinstance(holder, dict | list):
            if data.draw(st.booleans()):
                holder[key] = data.draw(VALUES)
            else:
                del holder[key]
    try:
        parse_pairs_file(document, origin="fuzzed")
    except PairsFileError as refused:
        text = str(refused)
    else:
        return
    assert "fuzzed" in text
    assert "\n" not in text


@st.composite
def candle_frames(draw: st.DrawFn) -> dict[str, pd.DataFrame]:
    """Folders nobody cleaned: holes, twins, out of order, off the grid, no prices."""
    frames = {}
    for name in ("ADA/USDT:USDT", "ALGO/USDT:USDT", "XRP/USDT:USDT"):
        size = draw(st.integers(0, 40))
        rng = np.random.default_rng(draw(st.integers(0, 2**31)))
        close = np.exp(np.cumsum(rng.normal(0, 0.02, size)))
        dates = (
            pd.date_range("2026-01-01", periods=size, freq="1h", tz="UTC").to_series().reset_index(drop=True)
        )
        frame = pd.DataFrame(
            {
                "date": dates,
                "open": np.r_[close[:1], close[:-1]],
                "high": close,
                "low": close,
                "close": close,
                "volume": 1.0,
            }
        )
        for fault in draw(
            st.lists(st.sampled_from(["nan", "zero", "negative", "hole", "late", "x10"]), max_size=3)
        ):
            if size < 5:
                break
            row = draw(st.integers(1, size - 2))
            match fault:
                case "nan" | "zero" | "negative":
                    frame.loc[row, "close"] = {"nan": math.nan, "zero": 0.0, "negative": -1.0}[fault]
                case "hole":
                    frame = frame.drop(index=[row]).reset_index(drop=True)
                    size -= 1
                case "late":
                    frame = frame.iloc[row:].reset_index(drop=True)
                    size -= row
                case "x10":
                    frame.loc[row:, ["open", "high", "low", "close"]] *= 10
        frames[name] = frame
    return frames


@settings(max_examples=400, deadline=None)
@given(candle_frames())
def test_candles_nobody_cleaned_are_judged_or_refused(frames: dict[str, pd.DataFrame]) -> None:
    window = Window("1h", 30, datetime(2026, 1, 2, 6, tzinfo=UTC))
    with contextlib.suppress(DataError):
        made = cut_window(frames, window)
        assert np.isfinite(made.log_prices).all()
        assert np.abs(np.diff(made.log_prices, axis=0)).max() < 1.0
    file = parse_pairs_file(REPO_PAIRS, origin="committed")
    legs = [
        pair.model_copy(update={"leg_a": "ADA/USDT:USDT", "leg_b": "ALGO/USDT:USDT", "id": "A_B"})
        for pair in file.epochs[0].pairs[:1]
    ]
    epoch = file.epochs[0].model_copy(update={"pairs": tuple(legs), "valid_from": window.start})
    book = SignalBook(
        file.model_copy(update={"epochs": (epoch,), "pairs": ("ADA/USDT:USDT", "ALGO/USDT:USDT")}),
        Settings(), 3600, frames, fee=0.0005,
    )  # fmt: skip
    for path in book.paths:
        assert not np.isinf(path.z).any()


# -- what is not ours ----------------------------------------------------------------------------------

FOREIGN = {
    "a whitelist": '{"pairs": ["BTC/USDT:USDT"], "refresh_period": 1800}',
    "a config": '{"stake_currency": "USDT"}',
    "a list": "[1, 2]",
    "no json": "hello",
    "epochs of somebody": '{"pairs": [], "epochs": []}',
    "binary": "\x00\x01",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_stranger_s_file_stays_as_it_was(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "Päírs of mine.json"
    path.write_text(FOREIGN[kind])
    with pytest.raises(PairbotError, match="not overwritten"):
        check_replaceable(path)
    assert path.read_text() == FOREIGN[kind]


def test_a_stranger_s_file_beside_it_stays_too(tmp_path: Path) -> None:
    (tmp_path / "p.json.overlay.json").write_text('{"mine": 1}')
    file = parse_pairs_file(REPO_PAIRS, origin="x")
    write_scan(tmp_path / "other.json", file)
    (tmp_path / "other.json").rename(tmp_path / "p.json")
    with pytest.raises(PairbotError, match="no overlay"):
        check_replaceable(tmp_path / "p.json")


def test_the_previous_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    first = parse_pairs_file(REPO_PAIRS, origin="x")
    write_scan(path, first)
    write_scan(path, first.model_copy(update={"generated_at": first.generated_at + timedelta(days=1)}))
    assert parse_pairs_file(json.loads(previous_path(path).read_text()), origin="x") == first


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_what_is_printed_fits_every_encoding(encoding: str) -> None:
    import io

    from pairbot_ext.support.terminal import speak_any_encoding

    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    speak_any_encoding(stream)
    stream.write("β −0.5 … ≤ 3 × ń 币")
    stream.flush()
    assert raw.getvalue().decode(encoding)


def test_a_pipe_that_is_closed_early_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("pairbot_ext.commands.status.run", broken)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert main(["status"]) == 0
    assert "Traceback" not in capfd.readouterr().err
