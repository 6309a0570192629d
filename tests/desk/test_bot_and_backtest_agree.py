"""The bot on dry-run and `freqtrade backtesting` on the same candles and the same changing pairs file.

`PAIRBOT_AGREEMENT_CANDLES=8760 pytest tests/desk/test_bot_and_backtest_agree.py -s` is a whole year.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import time_machine
from backtest_harness import HOUR, Candles, Market, pair, pairs_document, read_candles, symbol
from backtest_oracle import regression
from harness import REPO_ROOT, Rig, rig

from pairbot_ext.models.funding_aware import FundingAware
from pairbot_ext.models.half_life_window import HalfLifeWindow
from pairbot_ext.models.kalman import KalmanFilter
from pairbot_ext.models.ornstein_uhlenbeck import OuThresholds
from pairbot_ext.models.protocol import SpreadModel
from pairbot_ext.models.rolling import RollingOls
from pairbot_ext.pairs import Epoch, Pair, PairsFile, with_models, write_pairs_file
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.launch import ExchangeOptions, open_exchange
from pairbot_ext.sim.market import open_market
from pairbot_ext.sim.market.paths import PlantedPair
from pairbot_ext.sim.server import LoopbackServer

CANDLES = int(os.environ.get("PAIRBOT_AGREEMENT_CANDLES", "230"))
FORMATION = 120
BEGIN = 150
"""Past the warm-up of the backtest."""
START = datetime(2025, 1, 20, tzinfo=UTC)
COINS = ("ADA", "LINK", "SOL", "DOT", "AVAX", "ALGO", "AAVE")
# LINK and DOT are shared: who gets them depends on who is open, waits, or is gone from the file.
PLANTED = (
    PlantedPair("ADA", "LINK", 0.8, 3.0, 0.010),
    PlantedPair("SOL", "DOT", 1.2, 4.0, 0.012),
    PlantedPair("AVAX", "LINK", 0.9, 3.5, 0.011),
    PlantedPair("AAVE", "ALGO", 1.4, 4.5, 0.013),
)
SETTINGS: dict[str, Any] = {"max_open_trades": 8, "stake_amount": 500, "dry_run_wallet": 100_000}
BLOCK: dict[str, Any] = {"leverage": 2, "rearm_lookback_candles": 24, "risk": {"break_stop": None}}


@dataclass(frozen=True)
class Held:
    """One pair trade, seen from outside: what was held from which candle to which, and why it ended."""

    pair_id: str
    leg_a: str
    is_short_a: bool
    opened: int
    closed: int
    reason: str


def frozen(candles: Candles, pair_id: str, leg_a: str, leg_b: str, end: int, **more: float) -> Pair:
    """A pair with the regression of the formation window."""
    part = slice(end - FORMATION, end)
    model = regression(np.log(candles.close[symbol(leg_a)][part]), np.log(candles.close[symbol(leg_b)][part]))
    assert model is not None
    assert model.beta > 0
    return pair(
        pair_id, leg_a, leg_b, hedge_ratio=model.beta, alpha=model.alpha, sigma=model.sigma, mu=0.0,
        half_life_hours=4.0, **{"stop_z": 3.2, "max_half_lives": 4.0, **more},
    )  # fmt: skip


def epochs(candles: Candles) -> tuple[Epoch, Epoch]:
    """Two selections: the second renames one pair, swaps the legs of another, drops one and keeps one."""
    middle = BEGIN + (CANDLES - BEGIN) // 2
    first = [("AL", "ADA", "LINK"), ("SD", "SOL", "DOT"), ("VL", "AVAX", "LINK"), ("AA", "AAVE", "ALGO")]
    second = [("LINK_ADA", "LINK", "ADA"), ("DS", "SOL", "DOT"), ("VL", "AVAX", "LINK")]

    def epoch(begin: int, end: int | None, chosen: list[tuple[str, str, str]]) -> Epoch:
        return Epoch(
            valid_from=START + begin * HOUR,
            valid_to=None if end is None else START + end * HOUR,
            formation_start=START + (begin - FORMATION) * HOUR,
            formation_end=START + begin * HOUR,
            pairs=tuple(frozen(candles, *ids, begin) for ids in chosen),
        )

    return epoch(BEGIN, middle, first), epoch(middle, None, second)


def by_backtest(folder: Path, datadir: Path, file: PairsFile) -> list[Held]:
    """Freqtrade's own backtest."""
    with LoopbackServer(open_exchange(ExchangeOptions(list_all=True))) as server:
        run = Market(server.port).run(folder, file, datadir, {**SETTINGS, "pairbot": BLOCK})
    held = []
    for (_, tag), legs in run.trades.groupby(["open_date", "enter_tag"], sort=True):
        assert len(legs) == 2, f"{tag}: {legs}"
        leg_a = next(each.leg_a for epoch in file.epochs for each in epoch.pairs if each.id == tag)
        leg = legs[legs.pair == leg_a].iloc[0]
        rows = {
            (run.candles.row(each.open_date), run.candles.row(each.close_date)) for _, each in legs.iterrows()
        }
        assert len(rows) == 1, f"{tag}: legs apart {rows}"
        held.append(Held(tag, leg_a, bool(leg.is_short), *rows.pop(), leg.exit_reason))
    return held


def by_bot(folder: Path, datadir: Path, *files: PairsFile) -> tuple[list[Held], dict[str, int]]:
    """The bot on dry-run, hour by hour; the second file is written when its epoch begins."""
    path = folder / "pairs.json"
    write_pairs_file(path, files[0])
    begin, change = files[0].epochs[0].valid_from, files[1].epochs[-1].valid_from
    now = begin + timedelta(seconds=10)
    with time_machine.travel(now, tick=False):
        market = open_market(str(datadir), clock=lambda: int(now.timestamp() * 1000))
    options = {
        "market": market, "symbols": tuple(f"{coin}USDT" for coin in COINS), "start": now,
        "strategy": "PairsArb", "strategy_path": str(REPO_ROOT / "strategies"),
        "pairbot": {**BLOCK, "pairs_file": str(path)}, **SETTINGS,
    }  # fmt: skip
    with rig(folder, dry_run=True, **options) as bot:
        for row in range(BEGIN, CANDLES):
            if START + row * HOUR == change:
                write_pairs_file(path, files[1])
            bot.bot.process()
            if row < CANDLES - 1:
                bot.next_candle()
        refused = dict(bot.desk.watch.statistics.refused)
        return held_by(bot), refused


def held_by(bot: Rig) -> list[Held]:
    """Pair trades of the journal that were hedged."""

    def row(ms: int) -> int:
        return int((datetime.fromtimestamp(ms / 1000, UTC) - START) / HOUR)

    held = []
    for each in bot.pair_trades():
        trade = bot.stored_pair_trade(each.id)
        if trade.was_hedged:
            closed = CANDLES - 1 if trade.closed_ms is None else row(trade.closed_ms)
            reason = trade.reason if trade.closed_ms else "force_exit"
            held.append(
                Held(
                    trade.plan.pair_id,
                    trade.plan.leg_a,
                    trade.plan.direction < 0,
                    row(each.created_ms),
                    closed,
                    reason,
                )
            )
    return held


MODELS: dict[str, SpreadModel] = {
    "AL": KalmanFilter(), "SD": HalfLifeWindow(), "VL": RollingOls(window_candles=80),
    "AA": FundingAware(window_hours=24.0), "LINK_ADA": OuThresholds(), "DS": KalmanFilter(),
}  # fmt: skip


@pytest.mark.timeout(6000)
@pytest.mark.parametrize("models", [{}, MODELS], ids=["frozen", "models"])
def test_the_same_pairs_are_held_from_the_same_candle_to_the_same_candle(
    tmp_path: Path, models: dict[str, SpreadModel]
) -> None:
    """Whatever the pair's model: the bot has fewer candles behind it than the backtest, and the same z."""
    datadir = tmp_path / "binance"
    write_synthetic_datadir(datadir, seed=21, symbols=COINS, planted=PLANTED, start=START, candles=CANDLES)
    candles = read_candles(datadir, [symbol(coin) for coin in COINS])
    first, second = epochs(candles)
    half, whole = (
        with_models(pairs_document(each), lambda _, pair: models.get(pair.id))
        for each in ([first], [first, second])
    )
    for name in ("backtest", "bot"):
        (tmp_path / name).mkdir()
    expected = by_backtest(tmp_path / "backtest", datadir, whole)
    seen, refused = by_bot(tmp_path / "bot", datadir, half, whole)
    print(f"{len(expected)} pair trades in {CANDLES - BEGIN} candles; refused by the bot: {refused}")
    print("only backtest", [each for each in expected if each not in seen])
    print("only bot", [each for each in seen if each not in expected])
    assert len(expected) >= (CANDLES - BEGIN) // 40
    assert len(seen) == len(expected)
    assert set(seen) == set(expected)
