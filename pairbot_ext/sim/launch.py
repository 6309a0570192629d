"""Put a simulated exchange together from command-line choices."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.symbols import load_symbols

SYNTHETIC = "synthetic"


def wall_clock_ms() -> int:
    """The real clock, epoch ms."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class ExchangeOptions:
    """What the user chose.

    :param market: "synthetic", or a Freqtrade datadir whose candles are replayed; None leaves it to the
        command.
    """

    market: str | None = None
    compress: bool = False
    seed: int = 1
    faults_file: str | None = None

    def with_default_market(self, datadir: Path | str | None) -> ExchangeOptions:
        """These options with the market filled in: the datadir in use, else the synthetic one."""
        return self if self.market else replace(self, market=str(datadir) if datadir else SYNTHETIC)


def open_exchange(options: ExchangeOptions) -> Gateway:
    """The exchange, ready to be served."""
    return Gateway(SimpleNamespace(symbols=load_symbols()), wall_clock_ms)  # type: ignore[arg-type]
