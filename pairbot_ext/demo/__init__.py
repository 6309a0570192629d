"""The demonstration: the whole product on a simulated market, from a fresh clone, without key or network."""

BOT_NAME = "pairbot demo"
"""`bot_name` of every configuration of the demo: it marks what comes out of it as simulated."""

SIMULATED = "Simulated market with planted mean reversion: the PnL means nothing."
