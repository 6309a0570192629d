"""Pair trades out of a backtest or a bot's database: net of costs first."""
