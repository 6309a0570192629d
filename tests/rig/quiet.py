"""For rooms whose tests run bots: `from quiet import quiet` in their conftest.py."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Freqtrade's log lines, kept by pytest, cost more than the trading."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)
