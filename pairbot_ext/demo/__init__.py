"""The demonstration: the whole product on a simulated market, from a fresh clone, without key or network."""

SIMULATED = "Simulated market with planted mean reversion: the PnL means nothing."
