"""Epochs are point-in-time: nothing after `valid_from` can reach them (I10)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.cli import main
from pairbot_ext.pairs import load_pairs_file
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions, epoch_of
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.universe import Window, cut_window
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks import Workers

START = datetime(2025, 1, 1, tzinfo=UTC)
FORMATION, STEP = 200, 48


def _epochs(frames, end: datetime, options: ScanOptions) -> list[str]:
    schedule = Schedule("1h", START + timedelta(hours=FORMATION), end, FORMATION, STEP)
    results = walk_forward(frames, schedule.windows(), options)
    return [
        epoch_of(
            result, options.knobs.thresholds, result.window.end, result.window.end + schedule.step
        ).model_dump_json()
        for result in results
    ]


@pytest.mark.parametrize(("rule", "cuts"), [(Rule.ROBUST, 200), (Rule.NAIVE, 20)])
def test_appending_candles_never_changes_an_earlier_epoch(market, rule, cuts):
    """Random cuts: the epochs of the cut history are the first epochs of the whole one, bit for bit,
    whatever the later candles are."""
    options = ScanOptions(rule)
    rng = np.random.default_rng(11)
    market = {symbol: market[symbol] for symbol in sorted(market)[:4]}
    candles = len(market["THIN/USDT:USDT"])
    whole = _epochs(market, START + timedelta(hours=candles + 1), options)
    assert len(whole) == 9
    assert any('"pairs":[{' in epoch for epoch in whole)
    for cut in rng.integers(FORMATION, candles, size=cuts):
        end = START + timedelta(hours=int(cut))
        noise = np.exp(rng.normal(0, 1, candles - cut))
        frames = {}
        for symbol, frame in market.items():
            changed = frame.copy()
            changed.loc[cut:, "close"] *= noise
            changed.loc[cut:, "volume"] = 0.0
            frames[symbol] = changed if rng.random() < 0.5 else frame.iloc[:cut]
        # Only the last epoch the cut history allows is computed: the windows are independent of each other.
        schedule = Schedule(
            "1h", START + timedelta(hours=FORMATION), end + timedelta(seconds=1), FORMATION, STEP
        )
        window = schedule.windows()[-1]
        (result,) = walk_forward(frames, [window], options)
        epoch = epoch_of(result, options.knobs.thresholds, window.end, window.end + schedule.step)
        assert epoch.model_dump_json() == whole[len(schedule.windows()) - 1]


def test_neither_workers_nor_a_store_change_the_result(market, tmp_path):
    schedule = Schedule(
        "1h", START + timedelta(hours=FORMATION), START + timedelta(hours=400), FORMATION, STEP
    )

    def scanned(**where):
        return walk_forward(market, schedule.windows(), ScanOptions(Rule.ROBUST), **where)

    here = scanned()
    # The second use of the store computes nothing.
    for where in ({"workers": Workers(jobs=2)}, {"store": tmp_path}, {"store": tmp_path}):
        for one, other in zip(here, scanned(**where), strict=True):
            pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
            for name in ("window", "rule", "symbols", "rejected", "steps"):
                assert getattr(one, name) == getattr(other, name)


def test_an_epoch_ends_where_the_next_begins_and_looks_only_back():
    schedule = Schedule("1h", START, START + timedelta(days=7), 1440, 24)
    windows = schedule.windows()
    assert len(windows) == 7
    assert [window.end for window in windows] == [START + timedelta(days=day) for day in range(7)]
    assert windows[0].start == START - timedelta(days=60)
    just_past = Schedule("1h", START, START + timedelta(days=7, seconds=1), 1440, 24)
    assert len(just_past.windows()) == 8
    off_grid = Schedule("1h", START + timedelta(minutes=40), START + timedelta(hours=3), 1440, 1)
    assert [window.end.hour for window in off_grid.windows()] == [0, 1, 2]


def test_a_walk_forward_without_an_epoch_is_an_error():
    with pytest.raises(DataError, match="no epoch"):
        Schedule("1h", START, START, 1440, 24).windows()


def test_the_command_writes_one_epoch_per_step(market, store_candles, tmp_path, monkeypatch, capsys):
    datadir = store_candles(market)
    monkeypatch.chdir(tmp_path)
    command = ["scan", "--datadir", str(datadir), "--walk-forward", "--formation", "200", "--step", "48"]
    options = ["--rule", "naive", "--timerange", "20250110-20250121", "--jobs", "1", "--out", "wf.json"]
    assert main([*command, *options]) == 0
    document = load_pairs_file(Path("wf.json"))
    begins = [epoch.valid_from for epoch in document.epochs]
    assert begins == [datetime(2025, 1, 10, tzinfo=UTC) + timedelta(days=2 * k) for k in range(6)]
    assert all(epoch.formation_end == epoch.valid_from for epoch in document.epochs)
    assert all(epoch.valid_to == epoch.valid_from + timedelta(days=2) for epoch in document.epochs)
    assert document.scan.combinations == 6 * 21
    assert len(document.scan.model_extra["epochs"]) == 6
    out = capsys.readouterr().out
    assert "6 epochs, 126 tests" in out
    assert "2025-01-20" in out


def test_a_window_before_the_data_is_named(market, store_candles, capsys):
    datadir = store_candles(market)
    command = ["scan", "--datadir", str(datadir), "--walk-forward", "--formation", "200", "--jobs", "1"]
    assert main([*command, "--timerange", "20250102-20250110"]) == 2
    assert "too short: candles begin 2025-01-01 00:00" in capsys.readouterr().err


def test_a_later_scan_is_appended_and_closes_the_epoch_before(
    market, store_candles, tmp_path, monkeypatch, capsys
):
    datadir = store_candles(market)
    monkeypatch.chdir(tmp_path)

    def scan(*args: str) -> int:
        command = [
            "scan",
            "--rule",
            "naive",
            "--datadir",
            str(datadir),
            "--formation",
            "200",
            "--out",
            "p.json",
        ]
        return main([*command, *args])

    assert scan("--append", "--end", "2025-01-20") == 0
    assert scan("--append", "--end", "2025-01-22") == 0
    document = load_pairs_file(Path("p.json"))
    first, second = document.epochs
    assert first.valid_to == second.valid_from == datetime(2025, 1, 22, tzinfo=UTC)
    assert second.valid_to is None
    before = Path("p.json").read_bytes()
    assert scan("--append", "--end", "2025-01-21") == 2
    assert "does not begin after the file's last one" in capsys.readouterr().err
    assert scan("--append", "--end", "2025-01-23", "--exchange-name", "bybit") == 2
    assert "exchange differs" in capsys.readouterr().err
    assert Path("p.json").read_bytes() == before


def test_funding_of_the_window_alone_counts(market):
    rates = pd.DataFrame(
        {"date": pd.date_range(START, periods=75, freq="8h"), "funding_rate": np.arange(75) * 1e-5}
    )
    window = Window("1h", 80, START + timedelta(hours=160))
    data = cut_window(market, window, {"THIN/USDT:USDT": rates})
    thin = data.symbols.index("THIN/USDT:USDT")
    assert data.mean_funding[thin] == pytest.approx(sum(range(10, 20)) * 1e-5 / 80)
    assert np.isnan(np.delete(data.mean_funding, thin)).all()


def test_no_signal_up_to_a_candle_depends_on_any_later_candle(market):
    """Selection and signals together: every candle after t is replaced by noise, the pairs are selected anew
    from that history, and every entry up to t is the same, for 50 random t."""
    from pairbot_ext.pairs.writing import build_pairs_file
    from pairbot_ext.settings import Settings
    from pairbot_ext.signals.book import SignalBook

    market = {symbol: market[symbol] for symbol in sorted(market)[:4]}
    candles = len(market["THIN/USDT:USDT"])
    options = ScanOptions(Rule.NAIVE)
    schedule = Schedule(
        "1h", START + timedelta(hours=FORMATION), START + timedelta(hours=candles), FORMATION, 100
    )

    def signals(frames) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        results = walk_forward(frames, schedule.windows(), options)
        epochs = [
            epoch_of(result, options.knobs.thresholds, result.window.end, result.window.end + schedule.step)
            for result in results
        ]
        document = build_pairs_file(
            epochs, scan={"rule": "naive"}, exchange="binance", timeframe="1h", generated_at=START
        )
        book = SignalBook(document, Settings(), 3600, frames, fee=0.0005)
        return {symbol: book.entries(symbol) for symbol in frames}

    whole = signals(market)
    assert sum(int((side != 0).sum()) for side, _ in whole.values()) >= 20
    rng = np.random.default_rng(5)
    changed_later = 0
    for t in rng.integers(FORMATION, candles - 1, size=50):
        frames = {}
        for symbol, frame in market.items():
            noisy = frame.copy()
            noisy.loc[t:, ["open", "high", "low", "close"]] *= np.exp(rng.normal(0, 0.05, (candles - t, 1)))
            frames[symbol] = noisy
        for symbol, (side, tags) in signals(frames).items():
            assert np.array_equal(side[:t], whole[symbol][0][:t])
            assert np.array_equal(tags[:t], whole[symbol][1][:t])
            changed_later += not np.array_equal(side[t:], whole[symbol][0][t:])
    assert changed_later > 0


def test_an_id_that_changes_its_legs_cannot_be_appended(market, store_candles, tmp_path, monkeypatch, capsys):
    datadir = store_candles(market)
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(
        "id,leg A,leg B,hedge ratio,ADF p,coint p\nTHIN_WALK0,WALK0,THIN,0.7,0.01,0.01\n"
    )
    assert (
        main(["scan", "--import-table", "table.csv", "--generated-at", "2025-01-10", "--out", "p.json"]) == 0
    )
    before = Path("p.json").read_bytes()
    command = ["scan", "--rule", "naive", "--datadir", str(datadir), "--formation", "200", "--out", "p.json"]
    assert main([*command, "--append", "--end", "2025-01-20"]) == 2
    assert "no pairs file can be made: pair id THIN_WALK0 names" in capsys.readouterr().err
    assert Path("p.json").read_bytes() == before
