"""How what comes out of a simulated market is marked, so that nobody takes it for a result."""

BOT_NAME = "pairbot demo"
"""`bot_name` of every configuration of the demo: it marks what comes out of it as simulated."""
SIMULATED = "Simulated market with planted mean reversion: the PnL means nothing."

SIMULATED_MARK = "SIMULATED.txt"
"""A file in the data directory by which a report knows that its candles are made up."""
