"""Fixtures of the risk tests: the bots of the execution tests."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "execution"))

from harness import Rig, rig


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Freqtrade's log lines, kept by pytest, cost more than the trading."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """A real bot in front of the simulated venue; `dry_run=True` for the dry-run port."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(rig(tmp_path, **options))
