"""The simulator against Freqtrade's own `Backtesting`, trade by trade and candle by candle.

Every case is a whole backtest of the unmodified strategy; together they make more than 500 pair trades.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backtest_harness import pairs_document, symbol
from backtest_markets import CANDLES, COINS, MarketFiles, clone, epochs_file, rolling_file, spike
from parity import AMPLE, RISK, check_equal, simulated

from pairbot_ext.pairs import PairsFile
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions, epoch_of
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.sources import from_datadir
from pairbot_ext.settings.scan import ScanKnobs

REAL_DATADIR = Path(__file__).resolve().parents[3] / "shared" / "data" / "binance"


@dataclass(frozen=True)
class Case:
    """One backtest.

    :param least: pair trades it must make. :param reasons: exits that must be among them; a liquidation
        wants candles that touch one.
    :param epochs: 0 for one with rolling models. :param share: of frozen models.
    """

    least: int
    reasons: Set[str]
    market: str
    epochs: int = 0
    share: float = 0.5
    settings: Mapping[str, Any] = field(default_factory=dict)
    pairbot: Mapping[str, Any] = field(default_factory=dict)

    def pairs_file(self, files: MarketFiles, seed: int) -> PairsFile:
        """Drawn from the case's seed."""
        if not self.epochs:
            return rolling_file()
        return epochs_file(files.candles, np.random.default_rng([seed, 7]), self.epochs, self.share)


CASES = [
    Case(150, {"pair_reverted", "pair_stop", "pair_time_stop"}, "calm", settings=AMPLE),
    Case(80, set(), "ragged", 4, 0.5, AMPLE),
    Case(
        100, set(), "gappy", 3, 1.0, {**AMPLE, "max_open_trades": 5, "dry_run_wallet": 2_055}, {"leverage": 2}
    ),
    Case(
        60,
        {"pair_break_stop"},
        "gappy",
        4,
        0.5,
        {**AMPLE, "max_open_trades": 10, "stake_amount": "unlimited"},
        {"risk": RISK},
    ),
    Case(
        70,
        {"pair_break_stop"},
        "calm",
        3,
        1.0,
        {**AMPLE, "max_open_trades": 3, "stake_amount": "unlimited"},
        {"risk": RISK},
    ),
    Case(50, set(), "ragged", 2, 0.0, {**AMPLE, "stake_amount": 25}, {"risk": {**RISK, "max_pairs": 2}}),
    Case(
        150,
        {"liquidation", "stop_loss", "pair_mate_gone"},
        "calm",
        settings={**AMPLE, "stake_amount": 300},
        pairbot={"leverage": 10},
    ),
]


def test_the_cases_hold_more_than_500_pair_trades() -> None:
    assert sum(case.least for case in CASES) > 500


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_backtest_of_random_pairs_is_freqtrades(market, market_files, tmp_path, number) -> None:
    case = CASES[number]
    files: MarketFiles = market_files(case.market)
    pairs_file = case.pairs_file(files, number)
    whitelist = list(pairs_file.pairs)
    np.random.default_rng([number, 8]).shuffle(whitelist)
    settings = {**case.settings, "exchange": {"pair_whitelist": whitelist}, "pairbot": dict(case.pairbot)}
    datadir = files.datadir
    if "liquidation" in case.reasons:
        datadir = clone(files, tmp_path / "binance")
        touch_liquidations(datadir, files)
    (tmp_path / "run").mkdir()
    run = market.run(tmp_path / "run", pairs_file, datadir, settings, files.candles)
    outcome = simulated(market, pairs_file, datadir, settings)
    assert check_equal(run, outcome) >= case.least
    assert case.reasons <= set(run.trades["exit_reason"])


def touch_liquidations(datadir: Path, files: MarketFiles) -> None:
    """Every coin touches prices below and above its own in turn, and comes back: at leverage 10 the venue
    takes a leg some 8.6 % away, the distant stop-loss 9.9 %."""
    for number, coin in enumerate(COINS):
        close = files.candles.close[symbol(coin)]
        for turn, row in enumerate(range(170 + 5 * number, CANDLES - 20, 60)):
            spike(datadir, coin, row, float(close[row]) * (0.908, 1.093, 0.85, 1.15)[turn % 4])


@pytest.mark.shared_data
@pytest.mark.skipif(not REAL_DATADIR.is_dir(), reason="no real candles beside this checkout")
def test_real_candles_and_funding_of_weekly_epochs(market, tmp_path) -> None:
    """The usual weekly selection on real candles, with the default break stop."""
    symbols = [symbol(coin) for coin in ("ADA", "ALGO", "DOT", "LTC", "NEAR", "VET", "XLM", "AVAX")]
    candles = from_datadir(REAL_DATADIR, "1h", symbols)
    start = datetime(2025, 9, 1, tzinfo=UTC)
    schedule = Schedule("1h", start, start + 10 * timedelta(weeks=1), 720, 168)
    knobs = ScanKnobs()
    results = walk_forward(candles.frames, schedule.windows(), ScanOptions(Rule.NAIVE, knobs))
    pairs_file = pairs_document(
        [
            epoch_of(each, knobs.thresholds, each.window.end, each.window.end + schedule.step)
            for each in results
        ]
    )
    settings = {
        "max_open_trades": 6, "stake_amount": 500, "dry_run_wallet": 5_000, "timerange": "20250901-20251115",
        "exchange": {"pair_whitelist": list(pairs_file.pairs)},
        "pairbot": {"risk": {}, "rearm_lookback_candles": 168, "rolling_window_candles": 1440},
    }  # fmt: skip
    (tmp_path / "run").mkdir()
    run = market.run(tmp_path / "run", pairs_file, REAL_DATADIR, settings)
    outcome = simulated(market, pairs_file, REAL_DATADIR, settings)
    assert check_equal(run, outcome) >= 10
    assert (outcome.trades["funding_fees"] != 0).sum() >= 10
