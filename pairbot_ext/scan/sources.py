"""Where a scan's candles come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from pairbot_ext.candles.files import available_symbols, last_close, load_candles, load_funding
from pairbot_ext.scan.filters import MarketInfo
from pairbot_ext.support.errors import PairbotError


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles and funding rates by symbol, gaps left as gaps, and what the exchange says of the symbols."""

    timeframe: str
    frames: Mapping[str, pd.DataFrame]
    funding: Mapping[str, pd.DataFrame]
    markets: Mapping[str, MarketInfo] = field(default_factory=dict)

    def last_close(self) -> datetime:
        """Newest close that at least half of the symbols reach."""
        return last_close(self.frames, self.timeframe)


def from_datadir(datadir: Path, timeframe: str, wanted: Sequence[str] | None = None) -> Candles:
    """Everything stored for the timeframe, or only the wanted symbols.

    :raises DataError: no candles of the timeframe there.
    :raises PairbotError: a wanted symbol has none.
    """
    symbols = choose(available_symbols(datadir, timeframe), wanted)
    return Candles(timeframe, load_candles(datadir, timeframe, symbols), load_funding(datadir, symbols))


def choose(available: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """The wanted symbols, named in full or by their coin; all if none is named."""
    if not wanted:
        return list(available)
    by_name = {name: symbol for symbol in available for name in (symbol, symbol.split("/")[0])}
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        raise PairbotError(
            "--symbols names symbols without candles",
            value=", ".join(unknown),
            remedy=f"There are: {', '.join(symbol.split('/')[0] for symbol in available)}",
        )
    return sorted({by_name[name] for name in wanted})
