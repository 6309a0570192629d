"""The coins and planted pairs of the built-in synthetic market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pairbot_ext.sim.market.paths import PlantedPair

# Roughly where these contracts traded in 2025-26; only the order of magnitude matters.
DEFAULT_START_PRICES: Mapping[str, float] = {
    "1000CAT": 0.0312,
    "1MBABYDOGE": 0.00124,
    "1000SATS": 0.000241,
    "AI": 0.1312,
    "ALGO": 0.2113,
    "AAVE": 182.4,
    "ACE": 0.6121,
    "ALT": 0.0304,
    "AIXBT": 0.1187,
    "ALICE": 0.4106,
    "AEVO": 0.1049,
    "ADA": 0.6511,
    "1INCH": 0.2428,
    "LINK": 14.31,
}
DEFAULT_COINS: tuple[str, ...] = tuple(DEFAULT_START_PRICES)
# Two coins are shared: 1MBABYDOGE hedges two coins, AI is leg A of one pair and leg B of another.
DEFAULT_PLANTED: tuple[PlantedPair, ...] = (
    PlantedPair("1000CAT", "1MBABYDOGE", beta=0.74, half_life_candles=5.3, sigma=0.011),
    PlantedPair("1000SATS", "1MBABYDOGE", beta=1.10, half_life_candles=6.2, sigma=0.012),
    PlantedPair("AI", "ALGO", beta=0.71, half_life_candles=5.1, sigma=0.012),
    PlantedPair("AAVE", "AI", beta=1.25, half_life_candles=5.7, sigma=0.013),
    PlantedPair("AIXBT", "ALICE", beta=0.92, half_life_candles=9.5, sigma=0.012),
    PlantedPair("ACE", "ALT", beta=0.77, half_life_candles=5.2, sigma=0.010),
)
HOURLY_VOLATILITY = 0.006


def typical_notionals(coins: Sequence[str], planted: Sequence[PlantedPair]) -> dict[str, float]:
    """Typical volume per hourly candle in USDT: leg A is thinner, a third of its leg B."""
    law = {pair.a: pair for pair in planted}
    notional: dict[str, float] = {}
    for rank, coin in enumerate(coins):
        level, at = 9_000_000.0 * (1.0 - 0.03 * (rank % 12)), coin
        while at in law:
            level, at = level / 3.0, law[at].b
        notional[coin] = level
    return notional
