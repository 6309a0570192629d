"""The synthetic market the walk-forward's tests share."""

from pairbot_ext.sim.market.paths import PlantedPair

COINS = ("ADA", "LINK", "SOL", "DOT", "AVAX", "ALGO")
PLANTED = (PlantedPair("ADA", "LINK", 0.8, 5.0, 0.012), PlantedPair("SOL", "DOT", 1.1, 5.0, 0.012))
FORMATION, CANDLES = 300, 800
