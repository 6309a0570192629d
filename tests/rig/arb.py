"""PairsArb itself in front of the simulated venue: a pair whose z is where the test puts it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from math import exp, log
from pathlib import Path
from typing import Any

from harness import Rig
from scenario import PAIRS, PRICES, REPO_ROOT, SIGMA, START, ShortHistory, unified

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file

ENTRY_Z = 2.5
"""Where z is while the market stands at `PRICES`: short the spread."""
FORMATION_CANDLES = 8
NO_RELATION = {"break_stop": None}
"""Flat candles have no relation of the legs that a rolling test could judge."""


def pair(pair_id: str, z: float = ENTRY_Z, sigma: float = SIGMA) -> Pair:
    """A frozen model that sees `z` at the fixed prices."""
    leg_a, leg_b, beta = PAIRS[pair_id]
    alpha = log(float(PRICES[leg_a])) - beta * log(float(PRICES[leg_b])) - z * sigma
    return Pair(
        id=pair_id, leg_a=unified(leg_a), leg_b=unified(leg_b), hedge_ratio=beta, alpha=alpha, mu=0.0,
        sigma=sigma, half_life_hours=20.0, adf_p=0.01, coint_p=0.01, entry_z=2.0, exit_z=0.3, stop_z=4.0,
    )  # fmt: skip


def options(directory: Path, *pairs: Pair) -> dict[str, Any]:
    """What makes a `rig` trade these pairs by PairsArb."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "pairs.json"
    end = START.replace(minute=0, second=0) - timedelta(days=1)
    epoch = Epoch(
        valid_from=end, formation_start=end - timedelta(hours=FORMATION_CANDLES), formation_end=end,
        pairs=tuple(pairs),
    )  # fmt: skip
    made = PairsFile(
        pairs=symbols_of([epoch]), refresh_period=300, generated_at=end, exchange="binance", timeframe="1h",
        scan=Scan(rule="made up for a test"), epochs=(epoch,),
    )  # fmt: skip
    write_pairs_file(path, made)
    symbols = tuple(symbol.replace("/USDT:USDT", "USDT") for symbol in made.pairs)
    return {
        "symbols": symbols, "strategy": "PairsArb", "strategy_path": str(REPO_ROOT / "strategies"),
        "pairbot": {"pairs_file": str(path), "leverage": 2, "rearm_lookback_candles": 1, "risk": NO_RELATION},
        "market": ShortHistory({name: Decimal(PRICES[name]) for name in symbols}),
    }  # fmt: skip


def move_z(rig: Rig, pair_id: str, z: float) -> None:
    """Move leg A's price so that the pair's z is `z` from the next candle on."""
    leg_a, _, _ = PAIRS[pair_id]
    price = Decimal(str(float(PRICES[leg_a]) * exp((z - ENTRY_Z) * SIGMA)))
    rig.market.prices[leg_a] = price.quantize(Decimal(PRICES[leg_a]))


def next_candle(rig: Rig, loops: int = 1) -> None:
    """The next hour's first loops."""
    rig.next_candle()
    rig.loop(loops)
