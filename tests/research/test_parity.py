"""The simulator against Freqtrade's own `Backtesting`, trade by trade and candle by candle.

Every case is a whole backtest of the unmodified strategy; together they make more than 500 pair trades.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtest_harness import HOUR, REARM_CANDLES, WINDOW_CANDLES, Market, Run, pairs_document, symbol
from backtest_markets import CANDLES, COINS, MarketFiles, clone, epochs_file, rolling_file, spike

from pairbot_ext.pairs import PairsFile
from pairbot_ext.report.equity import marked_path
from pairbot_ext.report.legs import PairTrade
from pairbot_ext.report.pairing import legs_of, pair_trades
from pairbot_ext.research.account import Terms
from pairbot_ext.research.contracts import contracts_of
from pairbot_ext.research.market import load_market
from pairbot_ext.research.outcome import Outcome
from pairbot_ext.research.simulator import Simulation, book_of
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions, epoch_of
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.sources import from_datadir
from pairbot_ext.settings import parse_settings
from pairbot_ext.settings.scan import ScanKnobs
from pairbot_ext.startup.checks import required_startup_candles

REAL_DATADIR = Path(__file__).resolve().parents[3] / "shared" / "data" / "binance"
SAME = ["pair", "enter_tag", "open_date", "close_date", "is_short", "exit_reason", "amount"]
# As the harness configures Freqtrade where a case says nothing else.
BLOCK = {
    "rolling_window_candles": WINDOW_CANDLES,
    "rearm_lookback_candles": REARM_CANDLES,
    "risk": {"break_stop": None, "max_leverage": 20},
}
BREAK_STOP = {"window_half_lives": 15.0, "max_beta_drift_percent": 40.0}


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


AMPLE = {"dry_run_wallet": 100_000, "max_open_trades": -1, "stake_amount": 500}
RISK = {"break_stop": BREAK_STOP, "max_leverage": 20}
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


def simulated(market: Market, pairs_file: PairsFile, datadir: Path, settings: Mapping[str, Any]) -> Outcome:
    """The same backtest by the simulator, from the same files and settings."""
    parsed = parse_settings({**BLOCK, **settings["pairbot"]})
    startup = required_startup_candles(pairs_file, parsed, "1h")
    candles = load_market(
        datadir, pairs_file.pairs, "1h", parsed, startup, timerange=settings.get("timerange")
    )
    slots, stake = settings["max_open_trades"], settings["stake_amount"]
    terms = Terms(
        tuple(settings["exchange"]["pair_whitelist"]),
        stake=None if stake == "unlimited" else float(stake),
        wallet=settings["dry_run_wallet"],
        slots=inf if slots < 0 else float(slots),
    )
    contracts = contracts_of(market.exchange({}), pairs_file.pairs)
    book = book_of(candles, pairs_file, parsed)
    return Simulation(candles, book, parsed, terms, contracts, startup).run()


def check_equal(run: Run, outcome: Outcome) -> int:
    """Everything the simulator promises. Returns the number of pair trades."""
    theirs, ours = in_order(run.trades), in_order(outcome.trades)
    pd.testing.assert_frame_equal(
        ours[SAME], theirs[SAME], check_exact=True, check_dtype=False, check_index_type=False
    )
    for price in ("open_rate", "close_rate"):
        np.testing.assert_allclose(ours[price], theirs[price], rtol=1e-12)
    for fee in ("fee_open", "fee_close"):
        np.testing.assert_allclose(ours[fee], theirs[fee], rtol=1e-9)
    # Freqtrade's export rounds money to 8 decimals.
    np.testing.assert_allclose(ours["profit_abs"], theirs["profit_abs"], rtol=1e-6, atol=1e-8)
    notional = (theirs["amount"] * theirs["open_rate"]).to_numpy()
    assert (np.abs(ours["funding_fees"] - theirs["funding_fees"]) / notional).max() < 0.1e-4
    trades = pair_trades(run.trades, legs_of(run.pairs_file))
    check_equity(trades, outcome)
    return len(trades)


def check_equity(trades: Sequence[PairTrade], outcome: Outcome) -> None:
    """Against the report's path of Freqtrade's trades, 1 bp. Where a leg opens or closes the report stands
    after it, the simulator before it: between those instants they must agree."""
    path = marked_path(trades, outcome.market.frames, HOUR)
    assert path is not None
    busy = {when for trade in trades for leg in trade.legs for when in (leg.opened, leg.closed)}
    compared = 0
    for when, net in zip(path.when.to_pydatetime(), path.net, strict=True):
        row = outcome.market.grid.row(when - HOUR)
        if row is not None and when not in busy:
            assert outcome.equity[row] == pytest.approx(outcome.terms.wallet + net, rel=1e-4)
            compared += 1
    assert compared > path.net.size / 4


def in_order(trades: pd.DataFrame) -> pd.DataFrame:
    return trades.sort_values(["open_date", "pair"]).reset_index(drop=True)


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
