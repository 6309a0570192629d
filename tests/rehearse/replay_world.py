"""A small market with planted pairs, a pairs file of it, and a configuration: what replays are tested on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from backtest_harness import HOUR, REPO_ROOT, Candles, pair, pairs_document, read_candles, symbol
from backtest_oracle import regression

from pairbot_ext.pairs import Epoch, Pair, PairsFile, write_pairs_file
from pairbot_ext.rehearse.replay.inputs import Inputs, read_inputs
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.market.paths import PlantedPair

COINS = ("ADA", "LINK", "SOL", "DOT")
PLANTED = (PlantedPair("ADA", "LINK", 0.8, 3.0, 0.010), PlantedPair("SOL", "DOT", 1.2, 4.0, 0.012))
START = datetime(2025, 1, 20, tzinfo=UTC)
FORMATION, BEGIN, END = 120, 330, 380


@dataclass(frozen=True)
class World:
    """Files on disk. Rows count candles from the start of the data."""

    datadir: Path
    pairs: Path
    config: Path
    document: PairsFile

    def inputs(self, begin: int = BEGIN, end: int = END, **more: Any) -> Inputs:
        """What a replay of these rows is made of."""
        return read_inputs(
            [str(self.config)], datadir=self.datadir, timerange=timerange(begin, end),
            pairs_file=self.pairs, **more,
        )  # fmt: skip


def timerange(begin: int, end: int) -> str:
    """Rows as Freqtrade takes a time range."""
    return "-".join(str(int((START + row * HOUR).timestamp())) for row in (begin, end))


def make_world(folder: Path) -> World:
    """Write it."""
    folder.mkdir(parents=True, exist_ok=True)
    datadir = folder / "binance"
    write_synthetic_datadir(datadir, seed=21, symbols=COINS, planted=PLANTED, start=START, candles=END + 20)
    candles = read_candles(datadir, [symbol(coin) for coin in COINS])
    epoch = Epoch(
        valid_from=START + BEGIN * HOUR,
        valid_to=None,
        formation_start=START + (BEGIN - FORMATION) * HOUR,
        formation_end=START + BEGIN * HOUR,
        pairs=(_frozen(candles, "AL", "ADA", "LINK"), _frozen(candles, "SD", "SOL", "DOT")),
    )
    document = pairs_document([epoch])
    write_pairs_file(folder / "pairs.json", document)
    raw = json.loads((REPO_ROOT / "config.json").read_text(encoding="utf-8"))
    raw.pop("$schema")
    raw |= {"strategy_path": str(REPO_ROOT / "strategies"), "dry_run_wallet": 20_000}
    raw["pairbot"] = {
        "pairs_file": str(folder / "pairs.json"), "leverage": 2, "rearm_lookback_candles": 24,
        "risk": {"break_stop": None},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    return World(datadir, folder / "pairs.json", folder / "config.json", document)


def _frozen(candles: Candles, pair_id: str, leg_a: str, leg_b: str) -> Pair:
    part = slice(BEGIN - FORMATION, BEGIN)
    model = regression(np.log(candles.close[symbol(leg_a)][part]), np.log(candles.close[symbol(leg_b)][part]))
    assert model is not None
    return pair(
        pair_id, leg_a, leg_b, hedge_ratio=model.beta, alpha=model.alpha, sigma=model.sigma, mu=0.0,
        half_life_hours=4.0, entry_z=1.2, exit_z=0.4, stop_z=4.0, max_half_lives=4.0,
    )  # fmt: skip
