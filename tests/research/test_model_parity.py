"""Every variant of the model: the simulator against Freqtrade's own `Backtesting`, trade by trade."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from backtest_harness import WINDOW_CANDLES, Run
from backtest_markets import epochs_file
from parity import AMPLE, RISK, check_equal, simulated

from pairbot_ext.models.correlation_filter import CorrelationFilter
from pairbot_ext.models.funding_aware import FundingAware
from pairbot_ext.models.half_life_window import HalfLifeWindow
from pairbot_ext.models.kalman import KalmanFilter
from pairbot_ext.models.ornstein_uhlenbeck import OuThresholds
from pairbot_ext.models.protocol import SpreadModel
from pairbot_ext.models.rolling import RollingOls
from pairbot_ext.models.variants import FROZEN, VARIANTS
from pairbot_ext.models.volatility_filter import VolatilityFilter
from pairbot_ext.pairs import Epoch, Pair, PairsFile, lacks, with_models
from pairbot_ext.report.models import frozen_models, rolling_models_at_entry
from pairbot_ext.report.models import with_models as models_of
from pairbot_ext.report.pairing import legs_of, pair_trades
from pairbot_ext.research.outcome import Outcome

# Short enough for formations of 120 candles, and such that filters do veto something.
CHOSEN: tuple[SpreadModel, ...] = (
    RollingOls(window_candles=80),
    KalmanFilter(),
    OuThresholds(),
    HalfLifeWindow(),
    FundingAware(window_hours=24.0),
    VolatilityFilter(reference_candles=96, max_ratio=1.1),
    CorrelationFilter(period_candles=48, min_correlation=0.6),
)


def test_the_cases_hold_every_variant() -> None:
    assert {each.name for each in CHOSEN} | {FROZEN.name} == set(VARIANTS)


def mixed(pairs_file: PairsFile, shift: int) -> PairsFile:
    """Each pair of each epoch with another variant."""
    places = {
        (epoch.valid_from, pair.id): number
        for number, (epoch, pair) in enumerate((e, p) for e in pairs_file.epochs for p in e.pairs)
    }

    def choose(epoch: Epoch, pair: Pair) -> SpreadModel | None:
        model = CHOSEN[(places[epoch.valid_from, pair.id] + shift) % len(CHOSEN)]
        return None if lacks(pair, model) else model

    return with_models(pairs_file, choose)


@pytest.mark.parametrize(
    ("name", "shift", "more"),
    [("calm", 0, {}), ("gappy", 3, {"risk": RISK})],
)
def test_a_backtest_with_every_variant_is_freqtrades(
    market, market_files, tmp_path, name: str, shift: int, more: Mapping[str, Any]
) -> None:
    files = market_files(name)
    pairs_file = mixed(epochs_file(files.candles, np.random.default_rng([shift, 17]), 5, 1.0), shift)
    settings = {**AMPLE, "exchange": {"pair_whitelist": list(pairs_file.pairs)}, "pairbot": dict(more)}
    (tmp_path / "run").mkdir()
    run = market.run(tmp_path / "run", pairs_file, files.datadir, settings, files.candles)
    outcome = simulated(market, pairs_file, files.datadir, settings)
    assert check_equal(run, outcome) >= 60
    check_report(run, outcome)
    made = Counter(
        variant_of(pairs_file, row["enter_tag"], row["open_date"]) for _, row in run.trades.iterrows()
    )
    assert {each.name for each in CHOSEN} <= made.keys()
    # Legs.
    assert min(made.values()) >= 4


def check_report(run: Run, outcome: Outcome) -> None:
    """A report finds the hedge ratio that sized each pair trade, also where it moves."""
    file = run.pairs_file
    sources = [
        frozen_models(file),
        rolling_models_at_entry(file, outcome.market.frames, 3600, WINDOW_CANDLES),
    ]
    sized = {(leg.pair_id, outcome.market.time(leg.opened)): leg.beta for leg in outcome.legs}
    for trade in models_of(pair_trades(run.trades, legs_of(file)), sources):
        assert trade.beta == pytest.approx(sized[trade.pair_id, trade.opened], rel=1e-12)


def variant_of(pairs_file: PairsFile, pair_id: str, opened: Any) -> str:
    epoch = pairs_file.epoch_at(opened)
    if epoch is None:
        return "the epoch before"
    return next((pair.spread_model.name for pair in epoch.pairs if pair.id == pair_id), "the epoch before")
