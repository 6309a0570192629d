"""Real candles, the real strategy: PairsArb trades recorded hours in dry-run and in live mode alike."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import time_machine
from harness import REPO_ROOT, Rig, rig, unified

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.sim.market import open_market

LEGS = [("ADA", "ALGO"), ("DOT", "AVAX"), ("LTC", "BCH"), ("OP", "ARB")]
FORMATION_CANDLES = 240
START = datetime(2025, 8, 1, 0, 0, 10, tzinfo=UTC)
WANTED = 6
MOST_CANDLES = 600

pytestmark = pytest.mark.shared_data


def closes(datadir: Path, coin: str) -> pd.Series:
    """Log closes of the formation window."""
    frame = pd.read_feather(datadir / "futures" / f"{coin}_USDT_USDT-1h-futures.feather").set_index("date")
    end = pd.Timestamp(START).floor("h")
    return np.log(frame["close"][end - timedelta(hours=FORMATION_CANDLES) : end - timedelta(hours=1)])


def frozen_pair(datadir: Path, leg_a: str, leg_b: str) -> Pair:
    """A pair with a model of the formation window, ratio of standard deviations so that beta is positive.

    Loose thresholds: it is to trade often, not well.
    """
    log_a, log_b = closes(datadir, leg_a), closes(datadir, leg_b)
    beta = float(log_a.std() / log_b.std())
    alpha = float(log_a.mean() - beta * log_b.mean())
    residual = log_a - alpha - beta * log_b
    return Pair(
        id=f"{leg_a}_{leg_b}", leg_a=unified(f"{leg_a}USDT"), leg_b=unified(f"{leg_b}USDT"),
        hedge_ratio=beta, alpha=alpha, mu=0.0, sigma=float(residual.std()),
        half_life_hours=3.5, adf_p=0.01, coint_p=0.01, entry_z=0.5, exit_z=0.1, stop_z=9.0,
        max_half_lives=2.0,
    )  # fmt: skip


def pairs_file(datadir: Path, path: Path) -> PairsFile:
    """One epoch, valid from the start of the replay."""
    end = START.replace(minute=0, second=0)
    epoch = Epoch(
        valid_from=end,
        formation_start=end - timedelta(hours=FORMATION_CANDLES),
        formation_end=end,
        pairs=tuple(frozen_pair(datadir, *legs) for legs in LEGS),
    )
    made = PairsFile(
        pairs=symbols_of([epoch]), refresh_period=300, generated_at=end, exchange="binance", timeframe="1h",
        scan=Scan(rule="regression on ten days, for a test"), epochs=(epoch,),
    )  # fmt: skip
    write_pairs_file(path, made)
    return made


def replay(directory: Path, datadir: Path, *, dry_run: bool) -> tuple[list[tuple[str, str]], Rig]:
    """Drive the bot hour by hour until enough pair trades have closed. Returns their history."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "pairs.json"
    symbols = tuple(symbol.replace("/USDT:USDT", "USDT") for symbol in pairs_file(datadir, path).pairs)
    with time_machine.travel(START, tick=False):
        market = open_market(str(datadir), clock=lambda: int(START.timestamp() * 1000))
    options = {
        "market": market, "symbols": symbols, "start": START, "strategy": "PairsArb",
        "strategy_path": str(REPO_ROOT / "strategies"), "pairbot": {
            "pairs_file": str(path), "leverage": 2,
            # Ten days of coins chosen by hand are no pair: the break stop would rightly refuse them.
            "risk": {"break_stop": None},
            # Nor do they come back inside exit_z after a time stop: it is forgotten at once.
            "rearm_lookback_candles": 1,
        },
        "max_open_trades": 8, "stake_amount": 500,
    }  # fmt: skip
    with rig(directory, dry_run=dry_run, **options) as bot:
        for _ in range(MOST_CANDLES):
            bot.bot.process()
            if bot.states().count("CLOSED") >= WANTED:
                break
            bot.next_candle()
        bot.check_rest()
        names = {row.id: f"{row.pair_id} {number}" for number, row in enumerate(bot.pair_trades())}
        kinds = {"planned", "a_sent", "b_sent", "order", "hedged", "closing", "closed", "aborted"}
        history = [(e.kind, names.get(e.pair_trade_id or "", "")) for e in bot.events() if e.kind in kinds]
        closed = [row for row in bot.pair_trades() if row.state == "CLOSED"]
        assert len(closed) >= WANTED, f"{len(closed)} pair trades closed in {MOST_CANDLES} candles"
        assert all(row.was_hedged for row in closed)
        return history, bot


def test_recorded_hours_in_dry_run_and_live(tmp_path: Path, shared_dir: Path) -> None:
    datadir = shared_dir / "data" / "binance"
    live, live_bot = replay(tmp_path / "live", datadir, dry_run=False)
    dry, _ = replay(tmp_path / "dry", datadir, dry_run=True)
    assert live == dry
    fills = live_bot.venue.engine.fills
    assert len(fills) >= 4 * WANTED
