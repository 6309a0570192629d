"""The live path over recorded candles: what legging, latency and thin books would have cost, trade by trade
beside the backtest of the same candles."""
