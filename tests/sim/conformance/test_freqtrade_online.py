"""Freqtrade's own tests of a live exchange, unmodified, on the simulated one over its own sockets.

`tests/exchange_online/test_ccxt_compat.py` of Freqtrade's repository asks the real venues with nothing mocked
("to determine if a new exchange is suitable to run with freqtrade"). It is not part of this repository: the
test runs where `FREQTRADE_SOURCE` names a checkout of the installed release.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import freqtrade_online_plugin
import pytest

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.candles import draw_candles
from pairbot_ext.sim.market.paths import PlantedTruth, simulate
from pairbot_ext.sim.market.series import HOUR_MS
from pairbot_ext.sim.market.synthetic import coin_specs, lay_out
from pairbot_ext.sim.market.table import CandleMarket
from pairbot_ext.sim.market.universe import HOURLY_VOLATILITY
from pairbot_ext.sim.offline import child_environment
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.venue import Venue

SOURCE_VARIABLE = "FREQTRADE_SOURCE"
ONLINE_TESTS = "tests/exchange_online/test_ccxt_compat.py"
# Tests of Binance's futures that do not pass, and why: the rest of the file is of spot and of other venues.
LEFT_OUT = {
    "test_ccxt_fetch_open_interest_history[binance]": (
        "what other traders hold is not modelled, so there is no open interest to tell; refused aloud"
    ),
}
# The longest way back they look is 360 days.
HISTORY_HOURS, FUTURE_HOURS = 365 * 24, 24
START_PRICES = {"BTC": 86_000.0, "ETH": 2_900.0, "ONDO": 0.52}


def year_of_history(now_ms: int, seed: int = 1) -> CandleMarket:
    """The contracts those tests ask for, over a year up to now and a day beyond."""
    paths = simulate(
        START_PRICES,
        (),
        candles=HISTORY_HOURS + FUTURE_HOURS,
        candle_volatility=HOURLY_VOLATILITY,
        seed=seed,
    )
    specs = coin_specs(START_PRICES)
    return lay_out(
        draw_candles(paths, specs, dict.fromkeys(START_PRICES, 5e6), seed=seed),
        specs,
        first_ms=(now_ms // HOUR_MS - HISTORY_HOURS) * HOUR_MS,
        candle_ms=HOUR_MS,
        seed=seed,
        description="A year of generated prices",
        truth=PlantedTruth((), paths.alpha),
    )


@pytest.fixture
def source() -> Path:
    """The checkout of Freqtrade's source."""
    named = os.environ.get(SOURCE_VARIABLE)
    if not named:
        pytest.skip(f"{SOURCE_VARIABLE} names no checkout of Freqtrade's source, which its own tests are in")
    assert (Path(named) / ONLINE_TESTS).is_file(), f"{SOURCE_VARIABLE}={named} holds no {ONLINE_TESTS}"
    if importlib.util.find_spec("pytest_mock") is None:
        pytest.skip("Freqtrade's tests need pytest-mock, which is not installed")
    return Path(named).resolve()


@pytest.fixture
def overlay_file(tmp_path: Path) -> Iterator[Path]:
    """The overlay of an exchange that is listening."""
    gateway = Gateway(Venue(year_of_history(wall_clock_ms()), wall_clock_ms), CREDENTIALS)
    with LoopbackServer(SimulatedExchange(gateway)) as server:
        file = tmp_path / "overlay.json"
        file.write_text(json.dumps(overlay(server.port)), encoding="utf-8")
        yield file


def test_freqtrades_own_exchange_tests_pass(source, overlay_file, tmp_path):
    report, plugin = tmp_path / "report.xml", Path(freqtrade_online_plugin.__file__)
    environment = child_environment()
    environment.pop("CI_WEB_PROXY", None)  # their fixtures would set it in place of the addresses
    environment[freqtrade_online_plugin.OVERLAY_VARIABLE] = str(overlay_file)
    paths = [str(plugin.parent), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    told = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", plugin.stem, "-p", "no:cacheprovider", "-n0", "--longrun",
            f"--rootdir={source}", f"--confcutdir={source}", f"--junitxml={report}",
            str(source / ONLINE_TESTS),
        ],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert report.is_file(), told.stdout + told.stderr
    cases = list(ET.parse(report).iter("testcase"))
    failed = {case.get("name") for case in cases if len(case)}
    print(told.stdout.splitlines()[-1], *sorted(LEFT_OUT.items()), sep="\n")
    assert failed == set(LEFT_OUT), told.stdout
    assert len(cases) > len(LEFT_OUT), told.stdout
