"""Real backtests over random markets, orders, slots, stakes, protections and models: no leg is ever alone.

`PAIRBOT_PROPERTY_CASES=500 pytest tests/backtest/test_properties.py` makes a long run; every case is named
by its seed, so `-k "seed7-"` repeats one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from backtest_checks import naked_leg_candles, pair_trades, violations
from backtest_harness import STRATEGIES, Market, Run
from backtest_markets import epochs_file, rolling_file
from backtest_oracle import Oracle

from pairbot_ext.pairs import PairsFile
from pairbot_ext.report import pairing as report

CASES = int(os.environ.get("PAIRBOT_PROPERTY_CASES", "16"))
FIRST_SEED = int(os.environ.get("PAIRBOT_PROPERTY_FIRST_SEED", "0"))
# Seed 26 is the first whose wallet would be short of a whole stake for the last leg.
SEEDS = sorted({*range(FIRST_SEED, FIRST_SEED + CASES), 26})
LEAST_PAIR_TRADES = 20
# Room for every pair of the markets at once, and finite, as Freqtrade demands with an "unlimited" stake.
MANY_SLOTS = 10
ENTRY_COLUMNS = [
    "pair",
    "enter_tag",
    "open_date",
    "close_date",
    "amount",
    "stake_amount",
    "open_rate",
    "close_rate",
]
COLUMNS = [*ENTRY_COLUMNS, "is_short", "leverage", "exit_reason", "profit_abs"]
PROTECTIONS = {
    "none": [],
    "cooldown": [{"method": "CooldownPeriod", "stop_duration_candles": 3}],
    "stoploss": [
        {
            "method": "StoplossGuard", "lookback_period_candles": 24, "trade_limit": 1,
            "stop_duration_candles": 4, "only_per_pair": False, "required_profit": 0.0,
        }
    ],
    "stoploss_side": [
        {
            "method": "StoplossGuard", "lookback_period_candles": 48, "trade_limit": 1,
            "stop_duration_candles": 6, "only_per_pair": True, "only_per_side": True,
        }
    ],
    "drawdown": [
        {
            "method": "MaxDrawdown", "lookback_period_candles": 24, "trade_limit": 2,
            "stop_duration_candles": 5, "max_allowed_drawdown": 0.0001,
        }
    ],
    "low_profit": [
        {
            "method": "LowProfitPairs", "lookback_period_candles": 24, "trade_limit": 2,
            "stop_duration_candles": 6, "required_profit": 0.002,
        }
    ],
}  # fmt: skip
PROTECTIONS["all"] = [rule for rules in list(PROTECTIONS.values()) for rule in rules]


@dataclass(frozen=True)
class Case:
    """One draw of everything that may matter."""

    seed: int
    market: str
    models: str
    slots: int
    stake: str
    wallet: str
    protections: str
    leverage: int

    def __str__(self) -> str:
        return (
            f"seed{self.seed}-{self.market}-{self.models}-slots{self.slots}-{self.stake}-{self.wallet}-"
            f"{self.protections}-x{self.leverage}"
        )

    @property
    def is_free(self) -> bool:
        """Whether neither slots, nor money, nor protections bind."""
        return self.has_room and self.protections == "none"

    @property
    def has_room(self) -> bool:
        """Whether neither slots nor money bind."""
        return self.slots in (-1, MANY_SLOTS) and self.wallet == "ample"

    @property
    def settings(self) -> dict[str, object]:
        """Freqtrade settings of this case."""
        # "unlimited" stake with unlimited slots is refused by Freqtrade; "tight" allows two pairs, often
        # so narrowly that the last leg would find less than a whole configured stake.
        return {
            "max_open_trades": self.slots,
            "stake_amount": "unlimited" if self.stake == "unlimited" else 500,
            "dry_run_wallet": 100_000 if self.wallet == "ample" else 2_020 + 35 * (self.seed % 8),
            "pairbot": {"leverage": self.leverage},
        }


def draw(seed: int) -> Case:
    """Slots and market go round robin so that few cases cover them all; the rest is random."""
    rng = np.random.default_rng(seed)
    # Every fifth case is free of all limits: its whole trade list is compared with the oracle's.
    is_free = seed % 5 == 4
    if is_free:
        slots = -1 if seed % 10 == 4 else MANY_SLOTS
    else:
        slots = (2, 3, 5, -1)[seed % 4]
    return Case(
        seed=seed,
        market=("calm", "gappy", "ragged")[seed % 3],
        models=str(rng.choice(["rolling", "frozen1", "frozen3", "mixed4", "rolling2"])),
        slots=slots,
        stake={-1: "fixed", MANY_SLOTS: "unlimited"}.get(slots) or str(rng.choice(["fixed", "unlimited"])),
        wallet="ample" if is_free else str(rng.choice(["ample", "tight"])),
        protections="none" if is_free else str(rng.choice(list(PROTECTIONS))),
        leverage=int(rng.choice([1, 1, 2, 3])),
    )


def pairs_of(case: Case, candles) -> PairsFile:
    """The case's pairs file, the same for every whitelist order."""
    rng = np.random.default_rng([case.seed, 1])
    if case.models == "rolling":
        return rolling_file()
    count = int(case.models[-1])
    share = {"frozen": 1.0, "mixed": 0.5, "rollin": 0.0}[case.models[:-1].removesuffix("g")]
    return epochs_file(candles, rng, count, share)


def backtest(market: Market, case: Case, files, pairs_file: PairsFile, whitelist: list[str], folder) -> Run:
    settings = {**case.settings, "exchange": {"pair_whitelist": whitelist}}
    if PROTECTIONS[case.protections]:
        settings |= {
            "strategy": "PairsArbProtected",
            "strategy_path": str(STRATEGIES),
            "enable_protections": True,
            "test_protections": PROTECTIONS[case.protections],
        }
    folder.mkdir()
    return market.run(folder, pairs_file, files.datadir, settings, files.candles)


def in_order(run: Run) -> pd.DataFrame:
    return run.trades.sort_values(["open_date", "pair"])[COLUMNS].reset_index(drop=True)


@pytest.mark.parametrize("case", [draw(seed) for seed in SEEDS], ids=str)
def test_no_leg_is_alone_and_every_decision_is_its_own_models(case, market, market_files, tmp_path) -> None:
    files = market_files(case.market)
    pairs_file = pairs_of(case, files.candles)
    whitelist = list(pairs_file.pairs)
    np.random.default_rng([case.seed, 2]).shuffle(whitelist)
    run = backtest(market, case, files, pairs_file, whitelist, tmp_path / "forward")
    oracle = Oracle(run.candles, pairs_file)
    trades = pair_trades(run)

    assert naked_leg_candles(run) == 0
    steps = {name: m["precision"]["amount"] for name, m in market.exchange({}).markets.items()}
    assert violations(run, oracle, steps, case.slots) == []
    assert len(trades) >= LEAST_PAIR_TRADES
    summary = report.total(report.pair_trades(run.trades, report.legs_of(pairs_file)))
    assert (summary.pair_trades, summary.naked_leg_hours, summary.faults) == (len(trades), 0, ())

    if case.is_free:
        expected = [(t.pair_id, t.opened, t.closed, t.reason) for t in oracle.trades()]
        assert [
            (t.pair_id, t.opened, run.candles.row(t.legs[0].close_date), t.legs[0].exit_reason)
            for t in trades
        ] == expected
    if case.has_room:
        backward = backtest(market, case, files, pairs_file, whitelist[::-1], tmp_path / "backward")
        pd.testing.assert_frame_equal(in_order(backward), in_order(run), check_exact=True)
