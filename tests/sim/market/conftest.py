"""A small recorded market and a generated one, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairbot_ext.sim.datadir import SyntheticDatadir, write_synthetic_datadir
from pairbot_ext.sim.market.paths import PlantedPair

SEED = 41


@pytest.fixture(scope="session")
def small_datadir(tmp_path_factory: pytest.TempPathFactory) -> SyntheticDatadir:
    """400 hours of three coins, one planted pair, with gaps and untraded candles."""
    print(f"seed {SEED}")
    path: Path = tmp_path_factory.mktemp("small")
    return write_synthetic_datadir(
        path,
        seed=SEED,
        symbols=("ADA", "LINK", "AAVE"),
        planted=(PlantedPair("ADA", "LINK", beta=0.8, half_life_candles=6.0, sigma=0.012),),
        candles=400,
        gap_share=0.02,
        zero_volume_share=0.02,
    )
