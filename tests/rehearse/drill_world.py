"""A user's folder for drills: the committed configuration with changes, and a pairs file of two pairs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path
from typing import Any

from scenario import PAIRS, PRICES, REPO_ROOT, unified

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.rehearse.drill import Cast, play
from pairbot_ext.rehearse.outcome import Result
from pairbot_ext.rehearse.scenarios import curated
from pairbot_ext.rehearse.schedule import Scenario
from pairbot_ext.rehearse.setup import Setup, read_setup


def user_pair(pair_id: str, **changes: Any) -> Pair:
    """A frozen model at the prices of `scenario.PRICES`."""
    leg_a, leg_b, beta = PAIRS[pair_id]
    alpha = log(float(PRICES[leg_a])) - beta * log(float(PRICES[leg_b]))
    made = {
        "id": pair_id.replace("-", "_"), "leg_a": unified(leg_a), "leg_b": unified(leg_b),
        "hedge_ratio": beta, "alpha": alpha, "mu": 0.0, "sigma": 0.012, "half_life_hours": 9.0,
        "adf_p": 0.001, "coint_p": 0.002, "entry_z": 2.0, "exit_z": 0.3, "stop_z": 4.0, **changes,
    }  # fmt: skip
    return Pair(**made)


def write_user(directory: Path, *pairs: Pair, **config: Any) -> Path:
    """The folder's config.json; `config` replaces top-level keys. Without pairs ADA-ALGO and XRP-DOGE."""
    chosen = pairs or (user_pair("ADA-ALGO"), user_pair("XRP-DOGE"))
    end = datetime(2026, 1, 5, tzinfo=UTC)
    epoch = Epoch(
        valid_from=end, formation_start=end - timedelta(days=30), formation_end=end, pairs=tuple(chosen)
    )
    document = PairsFile(
        pairs=symbols_of([epoch]), refresh_period=300, generated_at=end, exchange="binance", timeframe="1h",
        scan=Scan(rule="made up for a test"), epochs=(epoch,),
    )  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    write_pairs_file(directory / "pairs.json", document)
    base: dict[str, Any] = json.loads((REPO_ROOT / "config.json").read_text())
    base.pop("$schema")
    block = {"pairs_file": str(directory / "pairs.json"), "leverage": 2, **config.pop("pairbot", {})}
    base |= {
        "user_data_dir": str(directory / "user_data"), "strategy_path": str(REPO_ROOT / "strategies"),
        "stake_amount": 100, "dry_run_wallet": 1_000, "pairbot": block, **config,
    }  # fmt: skip
    path = directory / "config.json"
    path.write_text(json.dumps(base))
    (directory / "user_data").mkdir(exist_ok=True)
    return path


def user_setup(directory: Path, *pairs: Pair, **config: Any) -> Setup:
    """What a drill reads of it."""
    return read_setup([str(write_user(directory, *pairs, **config))])


def named(name: str) -> Scenario:
    """One of the curated set."""
    return next(each for each in curated() if each.name == name)


def drilled(setup: Setup, scenario: str | Scenario, *, seed: int = 1) -> Result:
    """Play one, by the first pair."""
    if isinstance(scenario, str):
        scenario = named(scenario)
    return play(setup, Cast(scenario, setup.pairs[0].id, seed))
