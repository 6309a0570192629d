"""Fixtures of every test that runs whole backtests: the market list and the synthetic markets, made once."""

import logging
from collections.abc import Callable, Iterator

import pytest
from backtest_harness import Market
from backtest_markets import MARKETS, MarketFiles

from pairbot_ext.sim.launch import ExchangeOptions, open_exchange
from pairbot_ext.sim.server import LoopbackServer


@pytest.fixture(scope="session")
def market() -> Iterator[Market]:
    """Freqtrade's exchange object on the loopback market list."""
    logging.getLogger("freqtrade").setLevel(logging.WARNING)
    with LoopbackServer(open_exchange(ExchangeOptions(list_all=True))) as server:
        yield Market(server.port)


@pytest.fixture(scope="session")
def market_files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], MarketFiles]:
    """The named market's data directory, written on first use."""
    made: dict[str, MarketFiles] = {}

    def files(name: str) -> MarketFiles:
        if name not in made:
            made[name] = MARKETS[name](tmp_path_factory.mktemp(name) / "binance")
        return made[name]

    return files
