"""The demo's market: planted pairs that cross their entry threshold on cue and revert a candle or two later.

Nothing here is a forecast of anything. It exists so that a bot started against it has pair trades to open
and close within two minutes, instead of the days a real market would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pairbot_ext.sim.market.books import DEFAULT_SHAPE, BookShape
from pairbot_ext.sim.market.candles import draw_candles
from pairbot_ext.sim.market.paths import Paths, PlantedPair, PlantedTruth, simulate
from pairbot_ext.sim.market.series import MINUTE_MS
from pairbot_ext.sim.market.synthetic import HISTORY_CANDLES, coin_specs, lay_out
from pairbot_ext.sim.market.table import CandleMarket
from pairbot_ext.sim.market.universe import DEFAULT_START_PRICES, typical_notionals

SCRIPT_CANDLES = 24 * 60
_MINUTE_VOLATILITY = 0.0008
_SIGMA = 0.008  # wide against ticks and costs: 2.1 σ from entry to exit are 168 bp of leg A
DEMO_PLANTED: tuple[PlantedPair, ...] = (
    PlantedPair("1000CAT", "1MBABYDOGE", beta=0.74, half_life_candles=2.0, sigma=_SIGMA),
    PlantedPair("AI", "ALGO", beta=0.71, half_life_candles=2.0, sigma=_SIGMA),
    PlantedPair("ACE", "ALT", beta=0.77, half_life_candles=2.0, sigma=_SIGMA),
    PlantedPair("AIXBT", "ALICE", beta=0.92, half_life_candles=2.0, sigma=_SIGMA),
)
# z at successive candle closes: beyond entry (2.0), back inside exit (0.5), then the other side, and again.
SCRIPT: tuple[float, ...] = (2.6, 0.2, -2.6, -0.2)
# A scripted candle keeps its opening price for 48 seconds, then moves: a bot that comes up within them
# finds the spread where the last candle closed, as it does in a market that does not turn within the
# minute.
_TURNS = (0.8, 0.95)
_CALM_CANDLES = 30  # before the script begins, so that no signal of the history is still alive
_CALM_SHARE = 0.15


def scripted_market(
    now_ms: int,
    *,
    seed: int,
    planted: Sequence[PlantedPair] = DEMO_PLANTED,
    shape: BookShape = DEFAULT_SHAPE,
) -> CandleMarket:
    """1-minute candles: 2,600 of history, then a day of script from the candle running at `now_ms` on.

    Inside scripted candles prices go straight from open to close, so a live spread never leaves the script.
    """
    start_prices = {
        coin: DEFAULT_START_PRICES[coin]
        for coin in dict.fromkeys(coin for pair in planted for coin in (pair.a, pair.b))
    }
    free = simulate(
        start_prices,
        planted,
        candles=HISTORY_CANDLES + SCRIPT_CANDLES,
        candle_volatility=_MINUTE_VOLATILITY,
        seed=seed,
    )
    paths = _with_script(free, planted)
    specs = coin_specs(start_prices)
    drawn = draw_candles(paths, specs, typical_notionals(list(start_prices), planted), seed=seed)
    market = lay_out(
        drawn,
        specs,
        first_ms=(now_ms // MINUTE_MS - HISTORY_CANDLES) * MINUTE_MS,
        candle_ms=MINUTE_MS,
        seed=seed,
        turns=_TURNS,
        shape=shape,
        truth=PlantedTruth(tuple(planted), paths.alpha),
        description=f"Simulated market with planted mean reversion on a script, seed {seed}, "
        f"{len(planted)} pairs: any profit made on it means nothing",
    )
    return replace(market, is_scripted=True)


def script_z(rank: int, candle: int) -> float:
    """z of the pair in place `rank` at the close of script candle `candle` (0: the one running at the start).

    Pairs are staggered: every minute one half of them crosses the entry threshold and the other half
    reverts, so that a bot finds a pair to enter whenever it starts.
    """
    return SCRIPT[(candle + rank) % len(SCRIPT)]


def _with_script(free: Paths, planted: Sequence[PlantedPair]) -> Paths:
    log_price, volatility = free.log_price.copy(), free.volatility.copy()
    # A vanishing volatility leaves no extremes beyond open and close: the path inside a candle is straight.
    volatility[HISTORY_CANDLES:] = 1e-9
    for rank, pair in enumerate(planted):
        u = free.spread[pair.pair_id].copy()
        u[HISTORY_CANDLES - _CALM_CANDLES : HISTORY_CANDLES + 1] *= _CALM_SHARE
        u[HISTORY_CANDLES + 1 :] = [pair.sigma * script_z(rank, i) for i in range(SCRIPT_CANDLES)]
        a, b = free.coins.index(pair.a), free.coins.index(pair.b)
        log_price[:, a] = free.alpha[pair.pair_id] + pair.beta * log_price[:, b] + u
    return replace(free, log_price=np.asarray(log_price), volatility=volatility)
