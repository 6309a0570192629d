"""`pairbot exchange` in a process of its own, on a market whose prices stand still."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
from scenario import REPO_ROOT

from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.sim.control import ControlClient
from pairbot_ext.sim.offline import child_environment
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.venue.faults import FaultRule

STILL = {"ADAUSDT": 0.7320, "ALGOUSDT": 0.2110, "XRPUSDT": 2.1003, "DOGEUSDT": 0.20003}
"""Prices by Binance id. Their last digit is the tick: the venue takes it from the candles."""
_RECORDED_FROM = datetime(2025, 7, 1, tzinfo=UTC)
_HISTORY = 12
_START_TIMEOUT_SECS = 60.0
_FUNDING_HOURS = 8


def write_still_market(datadir: Path) -> str:
    """A Freqtrade datadir of flat hourly candles. Returns what `pairbot exchange --market` takes.

    Few candles: the script of a test gives the signals, and reading candles is most of a bot's start. The
    recording is entered at hour `_HISTORY`, and served on whole days, so two days must follow.
    """
    hours = _HISTORY + 72
    folder = datadir / "futures"
    folder.mkdir(parents=True)
    dates = pd.date_range(_RECORDED_FROM, periods=hours, freq="1h")
    for name, price in STILL.items():
        flat = dict.fromkeys(("open", "high", "low", "close"), price)
        candles = pd.DataFrame({"date": dates, **flat, "volume": 1_000_000.0})
        funding = pd.DataFrame({"date": dates[::_FUNDING_HOURS], "funding_rate": 0.0001})
        stem = f"{name.removesuffix('USDT')}_USDT_USDT-1h"
        candles.to_feather(folder / f"{stem}-futures.feather")
        candles.to_feather(folder / f"{stem}-mark.feather")
        funding.to_feather(folder / f"{stem}-funding_rate.feather")
    entered_at = _RECORDED_FROM + timedelta(hours=_HISTORY)
    return f"{datadir}@{entered_at:%Y-%m-%dT%H:%M:%S}"


class VenueProcess:
    """The venue, its levers and its truth. A context manager."""

    def __init__(self, directory: Path) -> None:
        market = write_still_market(directory / "market")
        overlay_file = directory / "overlay.json"
        self._log = directory / "exchange.log"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pairbot_ext.cli", "exchange", "--market", market),
                    *("--overlay-out", str(overlay_file), "--no-rate-limits"),
                ],
                cwd=directory,
                env=child_environment() | {"PYTHONPATH": str(REPO_ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT_SECS
        while "Serving." not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"pairbot exchange did not start\n{self._log.read_text()}")
            time.sleep(0.05)
        url = json.loads(overlay_file.read_text())["exchange"]["ccxt_config"]["urls"]["api"]["fapiPublic"]
        self.port = int(url.rsplit(":", 1)[1].split("/")[0])
        self.control = ControlClient(self.port)

    def stop(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)

    def __enter__(self) -> VenueProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def overlay(self, *, timeout_ms: int) -> dict[str, Any]:
        """The `exchange` block of a bot's configuration, with a client timeout of a test's patience."""
        block: dict[str, Any] = overlay(self.port)["exchange"]
        for name in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
            block[name] |= {"timeout": timeout_ms}
        return block

    def fault(self, **rule: Any) -> None:
        """Add a fault rule."""
        self.control.add_fault(FaultRule.model_validate(rule))

    def positions(self) -> dict[str, Decimal]:
        """What the account truly holds, signed, by Binance id."""
        held = {row["symbol"]: Decimal(row["positionAmt"]) for row in self.control.state()["positions"]}
        return {name: amount for name, amount in held.items() if amount}

    def requests(self, since: int) -> list[dict[str, Any]]:
        """The log above number `since`."""
        return self.control.requests(since)

    def last_request(self) -> int:
        """Number of the latest request."""
        return int(self.control.state()["requests"])

    def posts(self, since: int, leg: str | None = None, role: str | None = None) -> list[dict[str, Any]]:
        """Order requests of pair trades that reached the venue, of one leg and role or of all."""
        found = []
        for record in self.requests(since):
            if record["call"] != "POST /fapi/v1/order" or record["delivery"] == "late":
                continue
            parsed = ClientOrderId.parse(record["params"].get("newClientOrderId", ""))
            if parsed is not None and leg in (None, parsed.leg) and role in (None, parsed.role):
                found.append(record)
        return found

    def fills(self, since: int) -> list[dict[str, Any]]:
        """Fills with a trade id above `since`."""
        return self.control.fills(since)
