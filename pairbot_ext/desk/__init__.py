"""The desk of a trading bot: what each callback of the strategy asks, in dry-run and live."""
