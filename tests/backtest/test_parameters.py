"""Hyperopt and PairsArb.json: parameters replace the file's thresholds, and no state leaks between runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import warm
from backtest_harness import REPO_ROOT, Market, Run
from backtest_markets import rolling_file
from freqtrade.optimize.backtesting import Backtesting

from pairbot_ext.cli import main
from pairbot_ext.research.adopt import OVERRIDES
from pairbot_ext.research.ledger import TrialLedger
from pairbot_ext.research.loss import pairs_loss

PAIRS = rolling_file(["SOL_DOT", "ADA_LINK", "AVAX_LINK"])
SETTINGS = {"max_open_trades": -1, "dry_run_wallet": 100_000, "timerange": "20250126-20250203"}
COLUMNS = ["pair", "enter_tag", "open_date", "close_date", "amount", "exit_reason"]


def rows(trades: pd.DataFrame) -> list[tuple]:
    return list(trades.sort_values(["open_date", "pair"])[COLUMNS].itertuples(index=False, name=None))


def with_parameters(backtesting: Backtesting, data: dict[str, pd.DataFrame], **values: float) -> pd.DataFrame:
    """One more run of the same strategy object, as hyperopt makes them."""
    strategy = backtesting.strategylist[0]
    for name in OVERRIDES:
        getattr(strategy, name).value = values.get(name, -1.0)
    backtesting.backtest_one_strategy(strategy, data, backtesting.timerange)
    return backtesting.all_bt_content["PairsArb"]["results"]


@pytest.fixture
def fresh(market: Market, market_files, tmp_path) -> Iterator[Callable[[], tuple[Backtesting, dict]]]:
    """Makes a `Backtesting` with its candles loaded."""
    config = market.config(tmp_path, PAIRS, market_files("calm").datadir, SETTINGS)

    def make() -> tuple[Backtesting, dict]:
        backtesting = market.backtesting(config)
        return backtesting, backtesting.load_bt_data()[0]

    yield make
    Backtesting.cleanup()


def test_runs_of_one_strategy_object_do_not_see_each_other(fresh) -> None:
    shared = fresh()
    draws = [{}, {"entry_z": 1.2, "exit_z": 0.1}, {"stop_z": 2.2}, {}]
    got = [rows(with_parameters(*shared, **draw)) for draw in draws]
    assert got[0] == got[3]
    assert got[1:3] == [rows(with_parameters(*fresh(), **draw)) for draw in draws[1:3]]
    assert len({tuple(each) for each in got[:3]}) == 3


def test_each_parameter_acts(fresh) -> None:
    """Without the indicators being made anew, as in a hyperopt without --analyze-per-epoch."""
    backtesting, data = fresh()
    strategy = backtesting.strategylist[0]
    backtesting._set_strategy(strategy)
    processed = strategy.advise_all_indicators(data)
    span = (pd.Timestamp("2025-01-26", tz="UTC"), pd.Timestamp("2025-02-03", tz="UTC"))

    def trades(**values: float) -> list[tuple]:
        for name in OVERRIDES:
            getattr(strategy, name).value = values.get(name, -1)
        frames = {symbol: frame.copy() for symbol, frame in processed.items()}
        return rows(backtesting.backtest(frames, *span)["results"])

    usual = trades()
    draws = {
        "entry_z": 1.9, "exit_z": 0.1, "stop_z": 2.2, "max_half_lives": 1.0, "window_candles": 60,
        "max_half_life_hours": 3,
    }  # fmt: skip
    for name in OVERRIDES:
        getattr(strategy, name).value = draws[name]
    assert set(strategy._overrides()) == set(OVERRIDES.values()), "what the strategy gives and `adopt` takes"
    for name, value in draws.items():
        assert trades(**{name: value}) != usual, name
    assert trades() == usual


def test_a_contradicting_draw_enters_nothing(fresh) -> None:
    """Hyperopt draws each parameter for itself: entry 4.5 does not go with the pairs' own stop of 4."""
    shared, data = fresh()
    assert not with_parameters(shared, data).empty
    strategy = shared.strategylist[0]
    processed = strategy.advise_all_indicators(data)
    strategy.entry_z.value = 4.5
    frame = strategy.advise_entry(processed["SOL/USDT:USDT"], {"pair": "SOL/USDT:USDT"})
    assert not frame[["enter_long", "enter_short"]].any(axis=None)


def test_the_parameter_file_replaces_thresholds_and_the_banner_says_so(
    market: Market, market_files, tmp_path, caplog
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    shutil.copy(REPO_ROOT / "strategies" / "PairsArb.py", folder)
    document = {"strategy_name": "PairsArb", "ft_stratparam_v": 1}
    document["params"] = {"buy": {"entry_z": 1.9}, "sell": {"exit_z": 0.2}}
    (folder / "PairsArb.json").write_text(json.dumps(document))
    with caplog.at_level("INFO", logger="pairbot_ext"):
        run: Run = market.run(
            tmp_path, PAIRS, market_files("calm").datadir, {**SETTINGS, "strategy_path": str(folder)}
        )
    said = [record.getMessage() for record in caplog.records if "ALL pairs" in record.getMessage()]
    assert len(said) == 1
    assert "entry 1.9" in said[0]
    assert "exit 0.2" in said[0]
    assert "never tried out of sample" in said[0]

    equal = rolling_file(["SOL_DOT", "ADA_LINK", "AVAX_LINK"], entry_z=1.9, exit_z=0.2)
    (tmp_path / "same").mkdir()
    same = market.run(tmp_path / "same", equal, market_files("calm").datadir, SETTINGS)
    assert rows(run.trades) == rows(same.trades)
    assert len(run.trades) >= 8


@pytest.mark.process
def test_hyperopt_epochs_equal_fresh_backtests(market: Market, market_files, tmp_path, fresh, capsys) -> None:
    pytest.importorskip("optuna", reason="freqtrade[hyperopt] is not installed")
    pytest.importorskip("filelock", reason="freqtrade[hyperopt] is not installed")
    # A copy: the trial ledger lies beside the candles, and other tests tune on them, too.
    datadir = Path(
        shutil.copytree(
            market_files("calm").datadir, tmp_path / "candles" / "binance",
            ignore=shutil.ignore_patterns("*.jsonl"),
        )
    )  # fmt: skip
    paths = market.write_config(tmp_path, PAIRS, datadir, SETTINGS)
    command = [
        "pairbot", "offline", "--", "hyperopt", "--strategy", "PairsArb",
        "--spaces", "buy", "sell", "--hyperopt-loss", "PairsHyperOptLoss", "--epochs", "2", "-j", "1",
        "--hyperopt-path", str(REPO_ROOT / "user_data" / "hyperopts"),
        "--random-state", "3", "--datadir", str(datadir), "--timerange",
        SETTINGS["timerange"], *(part for path in paths if "overlay" not in path for part in ("-c", path)),
    ]  # fmt: skip
    done = warm.run(command, cwd=REPO_ROOT, timeout_secs=500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert not (REPO_ROOT / "strategies" / "PairsArb.json").exists(), "written by `pairbot adopt` alone"
    assert len(TrialLedger.beside(datadir).tried("hyperopt")) == 2
    (results,) = (tmp_path / "user_data" / "hyperopt_results").glob("*.fthypt")
    epochs = [json.loads(line) for line in results.read_text().splitlines()]
    assert len(epochs) == 2
    assert epochs[0]["params_dict"] != epochs[1]["params_dict"]
    for epoch in epochs:
        trades = with_parameters(*fresh(), **epoch["params_dict"])
        assert epoch["results_metrics"]["total_trades"] == len(trades) > 0
        assert epoch["results_metrics"]["wins"] == (trades["profit_abs"] > 0).sum()
        # `pairbot offline` derives amount steps from the candles, which differ from this process's a little.
        assert epoch["results_metrics"]["profit_total_abs"] == pytest.approx(
            trades["profit_abs"].sum(), rel=1e-3
        )
        span = (
            pd.Timestamp(epoch["results_metrics"][f"backtest_{end}"], tz="UTC") for end in ("start", "end")
        )
        loss = pairs_loss(trades, *span, SETTINGS["dry_run_wallet"], trials=2)
        assert epoch["loss"] == pytest.approx(loss, rel=1e-2)

    # The same epochs, tried on the candles after them.
    ours = [part for path in paths if "overlay" not in path for part in ("-c", path)]
    out = tmp_path / "PairsArb.json"
    code = main(["adopt", *ours, "--datadir", str(datadir), "--out", str(out)])
    said = capsys.readouterr().out
    assert code == (0 if out.exists() else 1), said
    assert "IN SAMPLE" in said
    assert "Out of sample, 2025-02-03" in said
    assert len(TrialLedger.beside(datadir).tried("adopt")) == 1
    code = main(["adopt", *ours, "--datadir", str(datadir), "--timerange", "20250130-", "--out", str(out)])
    assert code == 2
    assert "ones it was chosen on" in capsys.readouterr().err
