"""The simulated market list and the synthetic markets, made once per session."""

from backtest_fixtures import market, market_files

__all__ = ["market", "market_files"]
