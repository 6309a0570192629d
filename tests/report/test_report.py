"""A report's figures against a calculation by hand, and what it says about them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_export import START, leg, make_pair, make_pairs_file, two_pair_trades, write_export

from pairbot_ext.model.simulated import BOT_NAME, SIMULATED
from pairbot_ext.report.data_files import as_json, pairs_csv, trades_csv
from pairbot_ext.report.document import Report, build_report
from pairbot_ext.report.evidence import clustered_mean
from pairbot_ext.report.sources import open_source
from pairbot_ext.report.summary import total
from pairbot_ext.report.wording import evidence
from pairbot_ext.support.errors import DataError
from pairbot_ext.support.redact import without_secrets

NOW = START + timedelta(days=40)
HOUR = timedelta(hours=1)


def report_of(tmp_path: Path, rows: list[dict[str, Any]], **more: Any) -> Report:
    pairs_file = more.pop("pairs_file", make_pairs_file())
    source = open_source(str(write_export(tmp_path, rows, **more.pop("config", {}))))
    return build_report(source, pairs_file, now=NOW, **more)


def candles(close: np.ndarray, start: Any = START) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": pd.date_range(start, periods=close.size, freq="1h"),
            "open": close, "high": close * 1.001, "low": close * 0.999, "close": close, "volume": 1.0,
        }
    )  # fmt: skip


def test_the_figures_by_hand(tmp_path: Path) -> None:
    """Pair trade 1: +100 and −25 on prices, fees 2.1 + 2.025, funding −0.25: net 70.625 on 2,000.
    Pair trade 2: −20 and −10, fees 2.02 + 1.99: net −34.01 on 2,000."""
    report = report_of(tmp_path, two_pair_trades())
    first, second = report.trades
    assert (first.gross, first.fees, first.funding) == pytest.approx((75.0, 4.125, -0.25))
    assert (first.profit, second.profit) == pytest.approx((70.625, -34.01))
    assert (first.net_bp, second.net_bp) == pytest.approx((353.125, -170.05))
    everything = report.everything
    assert (everything.pair_trades, everything.wins, everything.win_rate) == (2, 1, 0.5)
    assert everything.gross == pytest.approx(45.0)
    assert everything.fees == pytest.approx(8.135)
    assert everything.profit == pytest.approx(36.615)
    assert everything.gross - everything.fees + everything.funding == pytest.approx(everything.profit)
    # Held 5 h and 12 h at a half-life of 4 h.
    assert everything.median_held_hours == pytest.approx(8.5)
    assert everything.median_held_half_lives == pytest.approx(2.125)
    # |1.02 · 1000 − 1000| / 2000
    assert everything.worst_hedge_error == pytest.approx(0.01)
    assert everything.naked_leg_hours == 0
    assert everything.exit_reasons == {"pair_reverted": 1, "pair_stop": 1}
    assert everything.exit_counts == {"reverted": 1, "stop": 1, "time stop": 0, "other": 0}
    # Two weeks: mean 91.5375, both cluster sums ±261.5875, SE the same, t(0.975, 1) = 12.7062.
    assert everything.net_bp is not None
    assert everything.net_bp.mean == pytest.approx(91.5375)
    assert everything.net_bp.se == pytest.approx(261.5875)
    assert everything.net_bp.low == pytest.approx(91.5375 - 12.7062 * 261.5875, rel=1e-5)
    assert report.problems == []


def test_the_net_leads_and_says_what_it_cannot_show(tmp_path: Path) -> None:
    report = report_of(tmp_path, two_pair_trades())
    assert report.statements[0].startswith("Net +91.5 bp per pair trade, fees and funding included (95 %")
    assert "+36.62 USDT on 2 closed pair trades in 2 weeks" in report.statements[0]
    said = " ".join(report.statements)
    assert "cannot tell the result from chance" in said
    assert "2 pair trades in 2 weeks are too few" in said
    assert "at 45.8 bp per fill nothing is left" in said
    assert "chosen on data to 2025-03-03 00:00" in said


def test_enough_pair_trades_say_which_edge_they_can_show() -> None:
    # Weekly means 4 and -4 in turn, ten weeks of two: SE^2 = 10/9 * 10 * 8^2 / 20^2, t(9) = 2.26216, 0.88340.
    values = [value for week in range(10) for value in [4.0 if week % 2 else -4.0] * 2]
    times = [START + timedelta(days=7 * week + day) for week in range(10) for day in range(2)]
    mean = clustered_mean(values, times)
    assert mean is not None
    se = math.sqrt(10 / 9 * 640 / 400)
    summary = replace(total([]), pair_trades=20, net_bp=mean)
    reading, power, rough = evidence(summary)
    assert "includes zero" in reading
    assert f"standard error is {se:.1f} bp" in power
    assert "an edge of 4 bp or more" in power
    assert mean.detectable == pytest.approx((2.26216 + 0.88340) * se, rel=1e-4)
    assert "would take" not in power
    assert "10 weeks" in rough
    wide = clustered_mean([10 * value for value in values], times)
    # (41.94 / 10)^2 * 20 = 352, to two digits.
    assert "10 bp would take about 350 pair trades" in evidence(replace(summary, net_bp=wide))[1]


def test_realized_equity_and_drawdown(tmp_path: Path) -> None:
    equity = report_of(tmp_path, two_pair_trades()).equity
    np.testing.assert_allclose(equity.net, [0, 70.625, 36.615])
    fall = equity.drawdown
    assert not equity.is_marked
    assert fall is not None
    assert fall.amount == pytest.approx(34.01)
    assert fall.ratio == pytest.approx(34.01 / 1070.625)
    assert fall.high_at == START + timedelta(hours=6)
    assert not fall.is_over


def test_equity_marked_to_market(tmp_path: Path) -> None:
    """While open, A falls to 9 before it closes at 11: a loss that realized equity never shows."""
    close_a, close_b = np.full(240, 10.0), np.full(240, 20.0)
    close_a[3] = 9.0  # the candle that closes at 04:00
    frames = {"A/USDT:USDT": candles(close_a), "B/USDT:USDT": candles(close_b)}
    report = report_of(tmp_path, two_pair_trades(), frames=frames)
    equity = report.equity
    at = dict(zip(equity.when, equity.net, strict=True))
    assert equity.is_marked
    assert at[pd.Timestamp(START + HOUR)] == pytest.approx(-4.125 / 2)
    assert at[pd.Timestamp(START + 4 * HOUR)] == pytest.approx(-100 - 4.125 / 2)
    assert at[pd.Timestamp(START + 6 * HOUR)] == pytest.approx(70.625)
    assert equity.net[-1] == pytest.approx(36.615)
    assert equity.drawdown is not None
    assert equity.drawdown.amount == pytest.approx(100 + 4.125 / 2)
    assert equity.drawdown.is_over


def test_a_lone_leg_and_a_bad_hedge_are_problems(tmp_path: Path) -> None:
    report = report_of(
        tmp_path, two_pair_trades()[:3], pairs_file=make_pairs_file(make_pair(hedge_ratio=0.9))
    )
    text = "\n".join(report.problems)
    assert "0 leg B trades instead of 1" in text
    assert "one leg alone for 12 hours in a backtest" in text
    assert "A_B: worst hedge error 90.00 %, allowed are 2 %" in text
    assert report.everything.worst_hedge_error == pytest.approx(0.9)


def test_a_rolling_model_is_estimated_again_from_the_candles(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    log_b = 3 + np.cumsum(rng.normal(0, 0.01, 400))
    log_a = 0.4 + 0.8 * log_b + np.cumsum(rng.normal(0, 0.001, 400))
    begin = START - timedelta(hours=200)
    frames = {"A/USDT:USDT": candles(np.exp(log_a), begin), "B/USDT:USDT": candles(np.exp(log_b), begin)}
    report = report_of(
        tmp_path,
        two_pair_trades(),
        frames=frames,
        pairs_file=make_pairs_file(make_pair(alpha=None, mu=None, sigma=None, half_life_hours=None)),
        config={"pairbot": {"rolling_window_candles": 100}},
    )
    # Opened at 01:00, after the 201st candle had closed: candles 101 … 200 counted from 0.
    expected = np.polyfit(log_b[101:201], log_a[101:201], 1)[0]
    assert report.trades[0].beta == pytest.approx(expected, rel=1e-9)
    assert report.trades[1].beta != report.trades[0].beta
    without = report_of(
        tmp_path, two_pair_trades(), pairs_file=make_pairs_file(make_pair(alpha=None, mu=None, sigma=None))
    )
    assert without.everything.worst_hedge_error is None
    assert any("--datadir" in note for note in without.notes)


def test_an_empty_export(tmp_path: Path) -> None:
    report = report_of(tmp_path, [])
    assert report.statements == ["No pair trade has closed: there is no result yet."]
    assert report.everything.win_rate is None
    document = as_json(report)
    assert document["total"]["pair_trades"] == 0
    assert document["trades"] == []
    assert trades_csv(report) == ""
    assert pairs_csv(report).splitlines()[1].startswith("all,0,")


def test_trades_of_no_pair(tmp_path: Path) -> None:
    stranger = leg(
        "C/USDT:USDT", opened=1, closed=2, short=False, amount=10, prices=(10, 9), tag="force_entry"
    )
    report = report_of(tmp_path, [*two_pair_trades(), stranger])
    assert report.everything.profit == pytest.approx(36.615)
    assert any("'force_entry' (−10.19 USDT)" in note for note in report.notes)
    with pytest.raises(DataError, match="--pairs-file"):
        report_of(tmp_path, [stranger])


def test_the_simulated_market_is_named_wherever_figures_are(tmp_path: Path) -> None:
    report = report_of(tmp_path, two_pair_trades(), config={"bot_name": BOT_NAME})
    assert report.simulated == SIMULATED
    assert as_json(report)["simulated"] == SIMULATED
    assert all(line.endswith(SIMULATED) for line in pairs_csv(report).splitlines()[1:])
    assert report_of(tmp_path, two_pair_trades()).simulated == ""


def test_a_pairs_file_of_another_time_is_noticed(tmp_path: Path) -> None:
    later = make_pairs_file(generated_at=START + timedelta(days=31))
    assert any(
        "after the backtest" in note
        for note in report_of(tmp_path, two_pair_trades(), pairs_file=later).notes
    )


def test_json_has_no_nan_and_csv_no_formula(tmp_path: Path) -> None:
    rows = two_pair_trades()[:2]
    for row in rows:
        del row["fee_open"]
        row["exit_reason"] = "=HYPERLINK(1)"
    report = report_of(tmp_path, rows)
    assert math.isnan(report.everything.fees)
    assert as_json(report)["total"]["fees"] is None
    assert ",'=HYPERLINK(1)," in trades_csv(report)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("binance GET /fapi/v1/order?signature=0a1b&timestamp=5", "signature=[removed]&timestamp=5"),
        ("apiKey: abc123, retry", "apiKey: [removed], retry"),
        ("key vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A!", "key [removed]!"),
        ("bot 123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc", "bot [removed]"),
    ],
)
def test_what_looks_like_a_key_is_taken_out(text: str, shown: str) -> None:
    assert without_secrets(text).endswith(shown)


@pytest.mark.parametrize(
    "text", ["1000CAT_1MBABYDOGE", "pair_time_stop", "A_B 2025-03-03 01:00: both legs long"]
)
def test_what_is_no_key_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_what_is_neither_export_nor_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database")
    with pytest.raises(DataError, match="neither"):
        open_source(str(tmp_path / "notes.txt"))
    with pytest.raises(DataError, match="does not exist"):
        open_source(str(tmp_path / "gone.zip"))
    (tmp_path / "torn.json").write_text('{"strategy": {"PairsArb": {"trades": [')
    with pytest.raises(DataError, match="no readable backtest result"):
        open_source(str(tmp_path / "torn.json"))
    with pytest.raises(DataError) as caught:
        open_source("postgresql://bot:hunter2@db/freqtrade")
    assert "hunter2" not in str(caught.value)


def test_an_export_of_several_strategies_needs_a_name(tmp_path: Path) -> None:
    path = write_export(tmp_path, two_pair_trades())
    with pytest.raises(DataError, match="PairsArb"):
        open_source(str(path), "Other")


def test_selections_in_turn(tmp_path: Path) -> None:
    """Walk-forward: each pair trade has the model of the epoch it was opened in."""
    rows, first = two_pair_trades(), make_pairs_file().epochs[0]
    turn = START + timedelta(days=5)
    second = first.model_copy(
        update={
            "valid_from": turn, "formation_end": turn,
            "pairs": (make_pair(hedge_ratio=1.0, half_life_hours=6.0),),
        }
    )  # fmt: skip
    pairs_file = make_pairs_file().model_copy(
        update={"epochs": (first.model_copy(update={"valid_to": turn}), second)}
    )
    report = report_of(tmp_path, rows, pairs_file=pairs_file)
    assert [(trade.beta, trade.half_life_hours) for trade in report.trades] == [(1.02, 4.0), (1.0, 6.0)]
    assert any(each.startswith("Out of sample: 2 selections in turn") for each in report.statements)
    # A file that covers only some of the pair trades proves nothing.
    only_first = pairs_file.model_copy(update={"epochs": pairs_file.epochs[:1]})
    report = report_of(tmp_path, rows, pairs_file=only_first)
    assert any("is not known here" in each for each in report.statements)
    assert report.trades[1].hedge_error is None
