"""`pairbot scan` as a user runs it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.cli import main
from pairbot_ext.pairs import load_pairs_file

END = "2025-01-26"
OLD_FILE = '{"pairs": ["kept"], "epochs": [], "scan": {}, "generated_at": ""}'
"""What an earlier scan has left."""


@pytest.fixture
def scan(tmp_path, market, store_candles, monkeypatch):
    """Run `pairbot scan` on the planted market in an empty working directory."""
    datadir = store_candles(market)
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> int:
        return main(["scan", "--datadir", str(datadir), "--formation", "500", "--end", END, *args])

    return run


def test_the_planted_pair_is_found_with_the_thin_market_as_leg_a(scan, capsys):
    assert scan("--rule", "naive", "--out", "pairs.json") == 0
    document = load_pairs_file(Path("pairs.json"))
    (epoch,) = document.epochs
    planted = next(pair for pair in epoch.pairs if "THIN/USDT:USDT" in pair.symbols)
    assert planted.symbols == ("THIN/USDT:USDT", "WALK0/USDT:USDT")
    assert planted.id == "THIN_WALK0"
    assert planted.hedge_ratio == pytest.approx(1.5, abs=0.05)
    assert 1 < planted.half_life_hours < 8
    assert planted.is_frozen
    assert epoch.valid_from == epoch.formation_end
    assert (epoch.formation_end - epoch.formation_start).total_seconds() == 500 * 3600
    assert document.scan.combinations == 21
    assert document.scan.expected_false_positives == pytest.approx(1.05)
    out = capsys.readouterr().out
    assert "Combinations tested: 21" in out
    assert "expected by chance alone: 1.1" in out


def test_the_overlay_points_freqtrade_and_the_package_at_the_same_file(scan, tmp_path):
    assert scan("--out", "sub/pairs.json") == 0
    relative = json.loads(Path("sub/pairs.json.overlay.json").read_text())
    assert relative["pairlists"][0]["pairlist_url"] == "file:///sub/pairs.json"
    assert relative["pairbot"]["pairs_file"] == "sub/pairs.json"
    absolute_path = tmp_path / "pairs.json"
    assert scan("--out", str(absolute_path)) == 0
    absolute = json.loads(Path("pairs.json.overlay.json").read_text())
    assert absolute["pairlists"][0]["pairlist_url"] == f"file:///{absolute_path}"
    assert absolute["pairlists"][0]["pairlist_url"].startswith("file:////")
    assert absolute["pairbot"]["pairs_file"] == str(absolute_path)
    assert absolute["pairlists"][0]["number_assets"] == 0
    assert absolute["pairlists"][0]["processing_mode"] == "append"


def test_no_tradable_pair_is_a_normal_answer_with_an_empty_list(scan, capsys):
    assert scan("--symbols", "WALK1", "WALK2", "WALK4", "--out", "pairs.json") == 0
    assert "No tradable pair" in capsys.readouterr().out
    document = load_pairs_file(Path("pairs.json"))
    assert document.pairs == ()
    assert document.epochs[0].pairs == ()
    assert document.scan.selected == 0


def test_json_output_is_json_alone_and_names_every_reason(scan, capsys):
    assert scan("--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["combinations"] == 21
    assert len(answer["pairs"]) == 21
    assert sum(row["reason"] == "" for row in answer["pairs"]) == answer["selected"] >= 1
    p_values = [row["coint_p"] for row in answer["pairs"]]
    assert p_values == sorted(p_values)


def test_the_same_candles_give_the_same_file(scan):
    assert scan("--out", "one.json", "--generated-at", "2025-02-01") == 0
    assert scan("--out", "two.json", "--generated-at", "2025-02-01") == 0
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_later_candles_do_not_change_the_scan(scan, market, store_candles):
    """The candles from --end on are replaced by noise: same file, bit for bit."""
    early = "2025-01-24"
    assert (
        scan("--end", early, "--formation", "400", "--out", "one.json", "--generated-at", "2025-02-01") == 0
    )
    rng = np.random.default_rng(1)
    for frame in market.values():
        frame.loc[frame["date"] >= early, ["open", "high", "low", "close", "volume"]] *= rng.uniform(0.5, 2)
    store_candles(market)
    assert (
        scan("--end", early, "--formation", "400", "--out", "two.json", "--generated-at", "2025-02-01") == 0
    )
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--formation", "5"], "--formation is too short"),
        (["--exit-z", "3"], "exit-z < entry-z < stop-z"),
        (["--stop-z", "1"], "exit-z < entry-z < stop-z"),
        (["--max-half-lives", "0"], "option --max-half-lives: must be greater than 0 (found: 0.0)"),
        (["--min-beta", "5"], "min_beta must be below max_beta"),
        (["--top", "0"], "option --top"),
        (["--jobs", "0"], "--jobs must not be 0"),
        (["--block-mib", "0"], "too little memory for a block of the scan"),
        (["--block-mib", "nan"], "too little memory for a block of the scan"),
        (["--store", "x"], "one window is scanned by this process"),
        (["--backend", "dask"], "--backend dask and --scheduler belong together"),
        (["--scheduler", "here"], "--scheduler is no address"),
        (["--csv", "nowhere/all.csv"], "--csv nowhere/all.csv cannot be written"),
        (["--step", "0"], "--step must be at least one candle"),
        (["--walk-forward"], "--walk-forward needs --timerange"),
        (
            ["--walk-forward", "--timerange", "20250110-"],
            "--walk-forward makes its own epochs (found: --end)",
        ),
        (["-c", "nowhere.json"], "nowhere.json"),
        (["--timeframe", "4h"], "no 4h futures candles"),
        (["--end", "2026-01-01"], "a pair needs two symbols"),
        (["--symbols", "WALK1", "NOPE"], "NOPE"),
        (["--datadir", "nowhere"], "no futures/ folder"),
    ],
)
def test_bad_input_is_one_message_exit_code_2_and_nothing_overwritten(scan, capsys, args, message):
    Path("pairs.json").write_text(OLD_FILE)
    assert scan("--out", "pairs.json", *args) == 2
    assert message in capsys.readouterr().err
    assert Path("pairs.json").read_text() == OLD_FILE
    assert not Path("pairs.json.overlay.json").exists()


@pytest.mark.parametrize("content", ['{"exchange": {"name": "binance"}}', "not json", "[]"])
def test_a_file_that_is_no_pairs_file_is_not_replaced(scan, capsys, content):
    Path("mine.json").write_text(content)
    assert scan("--out", "mine.json") == 2
    assert "was not overwritten" in capsys.readouterr().err
    assert Path("mine.json").read_text() == content


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("not json", "config config.json cannot be read"),
        ("[]", "config config.json cannot be read"),
        ('{"pairbot": {"scan": []}}', "config pairbot.scan must be an object"),
        ('{"pairbot": {"scan": {"filters": {"max_beta": -1}}}}', "config pairbot.scan.filters.max_beta"),
        ('{"pairbot": {"scan": {"filters": {"max_betas": 1}}}}', "max_betas: is no key"),
        ('{"pairbot": {"scan": {"thresholds": {"exit_z": 3}}}}', "exit-z < entry-z < stop-z"),
    ],
)
def test_a_bad_config_is_one_message_and_exit_code_2(scan, capsys, config, message):
    Path("config.json").write_text(config)
    assert scan("--out", "p.json") == 2
    assert message in capsys.readouterr().err
    assert not Path("p.json").exists()


def test_config_sets_the_knobs_and_options_override_them(scan):
    Path("config.json").write_text(
        '{"pairbot": {"scan": {"thresholds": {"entry_z": 2.5, "stop_z": 6}, "filters": {"top": 3}}}}'
    )
    assert scan("--rule", "naive", "--stop-z", "5", "--out", "p.json") == 0
    pair = load_pairs_file(Path("p.json")).epochs[0].pairs[0]
    assert (pair.entry_z, pair.exit_z, pair.stop_z) == (2.5, 0.5, 5.0)


def test_a_time_that_is_no_time_is_a_usage_error(scan, capsys):
    with pytest.raises(SystemExit) as stop:
        scan("--end", "yesterday")
    assert stop.value.code == 2
    assert "is not an ISO time" in capsys.readouterr().err


def test_every_rule_finds_the_planted_pair_and_says_how(scan, capsys):
    for rule in ("robust", "strict", "calibrated", "naive"):
        assert scan("--rule", rule, "--json") == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["rule"].startswith(f"{rule}: ")
        best = answer["pairs"][0]
        assert (best["leg_a"], best["leg_b"], best["reason"]) == ("THIN/USDT:USDT", "WALK0/USDT:USDT", "")
        assert list(answer["funnel"].values())[-1] == answer["selected"]
    assert "q_value" not in best


def test_the_default_rule_writes_its_q_value_and_counts_all_tests(scan):
    assert scan("--out", "pairs.json") == 0
    document = load_pairs_file(Path("pairs.json"))
    assert document.scan.rule.startswith("robust: ")
    (pair,) = document.epochs[0].pairs
    assert pair.id == "THIN_WALK0"
    assert pair.q_value < 1e-4
    assert document.scan.model_extra["funnel"]["tested"] == document.scan.combinations


def test_independent_walks_are_not_selected_by_the_default_rule(scan, capsys):
    assert scan("--symbols", *(f"WALK{k}" for k in range(6)), "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["selected"] == 0
    assert all("q (BH)" in row["reason"] for row in answer["pairs"])


@pytest.mark.parametrize("name", ["THIN_WALK0", "WALK0_THIN"])
def test_explain_lists_every_number_and_every_check(scan, capsys, name):
    assert scan("--explain", name, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["pair_id"] == "THIN_WALK0"
    assert answer["decision"] == "selected"
    assert [verdict["check"] for verdict in answer["verdicts"]] == [
        "q value",
        "half-life",
        "beta",
        "beta directions",
        "beta halves",
        "cost",
    ]
    assert all(verdict["passed"] for verdict in answer["verdicts"])
    assert answer["numbers"]["beta"] == pytest.approx(1.5, abs=0.05)
    assert (
        answer["numbers"]["half_life_low"]
        < answer["numbers"]["half_life"]
        < answer["numbers"]["half_life_high"]
    )
    assert scan("--explain", name) == 0
    assert "Decision: selected" in capsys.readouterr().out


def test_explain_of_a_refused_pair_shows_all_it_fails(scan, capsys):
    assert scan("--explain", "WALK3_WALK2", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    failed = {verdict["check"]: verdict["words"] for verdict in answer["verdicts"] if not verdict["passed"]}
    assert {"q value", "half-life"} <= set(failed)
    assert answer["decision"] == failed["q value"]


def test_explain_of_an_unknown_or_rejected_symbol_says_so(scan, capsys):
    assert scan("--explain", "WALK1_NOPE") == 2
    assert "no tested pair has this id (found: WALK1_NOPE)" in capsys.readouterr().err
    assert scan("--explain", "THIN_WALK0", "--min-quote-volume-per-day", "1e8") == 2
    assert "THIN: volume" in capsys.readouterr().err


def test_filters_that_leave_nothing_to_test_are_a_normal_answer(scan, capsys):
    assert scan("--min-quote-volume-per-day", "1e12", "--out", "p.json") == 0
    out = capsys.readouterr().out
    assert "No tradable pair" in out
    assert "Rejected THIN/USDT:USDT: volume" in out
    assert load_pairs_file(Path("p.json")).pairs == ()


def test_csv_and_plots_hold_every_tested_and_every_selected_pair(scan):
    import pandas as pd

    assert scan("--csv", "all.csv", "--plots", "pictures") == 0
    table = pd.read_csv("all.csv")
    assert len(table) == 21
    assert {"leg_a", "leg_b", "coint_p", "robust_p", "q_value", "failed", "reason"} <= set(table.columns)
    assert sorted(path.name for path in Path("pictures").iterdir()) == ["THIN_WALK0.html", "THIN_WALK0.png"]


@pytest.mark.parametrize(("folder", "exchange"), [("bybit", "bybit"), ("OKX", "okx"), ("my data", "binance")])
def test_the_exchange_is_the_folder_s(tmp_path, market, store_candles, monkeypatch, folder, exchange):
    named = store_candles(market).rename(tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    command = ["scan", "--datadir", str(named), "--formation", "500", "--end", END, "--rule", "naive"]
    assert main([*command, "--out", "pairs.json"]) == 0
    assert load_pairs_file(Path("pairs.json")).exchange == exchange
    assert main([*command, "--out", "told.json", "--exchange-name", "gate"]) == 0
    assert load_pairs_file(Path("told.json")).exchange == "gate"


def test_pairs_of_another_stake_are_named_and_staked_in_it(tmp_path, market, store_candles, monkeypatch):
    datadir = store_candles(market)
    for path in (datadir / "futures").iterdir():
        path.rename(path.with_name(path.name.replace("_USDT_USDT-", "_USDC_USDC-")))
    monkeypatch.chdir(tmp_path)
    command = ["scan", "--datadir", str(datadir), "--formation", "500", "--end", END, "--rule", "naive"]
    assert main([*command, "--out", "pairs.json"]) == 0
    assert all(symbol.endswith("/USDC:USDC") for symbol in load_pairs_file(Path("pairs.json")).pairs)
    assert json.loads(Path("pairs.json.overlay.json").read_text())["stake_currency"] == "USDC"


def test_a_symbol_whose_prices_make_a_step_is_not_tested(
    tmp_path, market, store_candles, monkeypatch, capsys
):
    datadir = store_candles(market)
    (path,) = (datadir / "futures").glob("WALK1_*-1h-futures.feather")
    frame = pd.read_feather(path)
    frame.loc[len(frame) // 2 :, ["open", "high", "low", "close"]] *= 10
    frame.to_feather(path)
    monkeypatch.chdir(tmp_path)
    command = [
        "scan",
        "--datadir",
        str(datadir),
        "--formation",
        "500",
        "--end",
        END,
        "--rule",
        "naive",
        "--json",
    ]
    assert main(command) == 0
    assert "price step" in capsys.readouterr().out
