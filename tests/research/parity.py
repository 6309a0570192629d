"""A backtest by the simulator and by Freqtrade, compared: trades, prices, money, equity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtest_harness import HOUR, REARM_CANDLES, WINDOW_CANDLES, Market, Run

from pairbot_ext.pairs import PairsFile
from pairbot_ext.report.equity import marked_path
from pairbot_ext.report.legs import PairTrade
from pairbot_ext.report.pairing import legs_of, pair_trades
from pairbot_ext.research.account import Terms
from pairbot_ext.research.contracts import contracts_of
from pairbot_ext.research.market import load_market
from pairbot_ext.research.outcome import Outcome
from pairbot_ext.research.simulator import Simulation, book_of
from pairbot_ext.settings import parse_settings
from pairbot_ext.startup.checks import required_startup_candles

SAME = ["pair", "enter_tag", "open_date", "close_date", "is_short", "exit_reason", "amount"]
# As the harness configures Freqtrade where a case says nothing else.
BLOCK = {
    "rolling_window_candles": WINDOW_CANDLES,
    "rearm_lookback_candles": REARM_CANDLES,
    "risk": {"break_stop": None, "max_leverage": 20},
}
BREAK_STOP = {"window_half_lives": 15.0, "max_beta_drift_percent": 40.0}
AMPLE = {"dry_run_wallet": 100_000, "max_open_trades": -1, "stake_amount": 500}
RISK = {"break_stop": BREAK_STOP, "max_leverage": 20}


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
