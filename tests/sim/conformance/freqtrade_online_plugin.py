"""A pytest plugin for Freqtrade's own exchange tests: Binance futures only, at the addresses of an overlay.

Loaded with `-p` into a pytest of its own by `test_freqtrade_online.py`. Of Freqtrade's configuration it
changes what an overlay changes for any user (addresses and keys), of its tests nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before the checkout is on the path: the installed release is to be tested, not the source beside the tests.
import freqtrade
import pytest

OVERLAY_VARIABLE = "SIMULATED_EXCHANGE_OVERLAY"


def pytest_report_header() -> str:
    """Which Freqtrade is tested."""
    return f"freqtrade {freqtrade.__version__}: {Path(freqtrade.__file__).parent}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of Binance's futures: the others ask spot markets and other venues."""

    def is_ours(item: pytest.Item) -> bool:
        call = getattr(item, "callspec", None)
        return call is not None and call.params.get("exchange_futures") == "binance"

    others = [item for item in items if not is_ours(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if is_ours(item)]


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    """Lay the overlay over the configuration that Freqtrade's fixtures build an exchange from."""
    made = yield
    if fixturedef.argname == "exchange_conf":
        overlay = json.loads(Path(os.environ[OVERLAY_VARIABLE]).read_text(encoding="utf-8"))["exchange"]
        # The tests say `api_key`, where it is the older `key` that Freqtrade reads second.
        made["exchange"].update(overlay, api_key=overlay["key"])
    return made
