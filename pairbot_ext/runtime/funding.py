"""Funding rates of the symbols whose model reads them; of no other, and where no model does, of none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.enums import CandleType
from freqtrade.enums.runmode import TRADE_MODES
from freqtrade.strategy import IStrategy

from pairbot_ext.candles.files import FUNDING_TIMEFRAME, load_funding
from pairbot_ext.pairs import PairsFile, funded_symbols


class FundingRates:
    """Of one strategy object: a bot has Freqtrade ask the venue, anything else reads the stored ones."""

    def __init__(self) -> None:
        self._stored: tuple[tuple[str, ...], dict[str, pd.DataFrame]] = ((), {})

    def informative(self, pairs_file: PairsFile) -> list[tuple[Any, ...]]:
        """What a bot's Freqtrade must keep up to date."""
        return [(symbol, FUNDING_TIMEFRAME, CandleType.FUNDING_RATE) for symbol in funded_symbols(pairs_file)]

    def rates(self, strategy: IStrategy, pairs_file: PairsFile) -> dict[str, pd.DataFrame]:
        """By symbol, columns date and funding_rate; symbols without any are left out."""
        symbols = funded_symbols(pairs_file)
        if not symbols:
            return {}
        if strategy.config.get("runmode") not in TRADE_MODES:
            return self._read(Path(strategy.config["datadir"]), symbols)
        frames = {
            symbol: strategy.dp.get_pair_dataframe(symbol, FUNDING_TIMEFRAME, CandleType.FUNDING_RATE)
            for symbol in symbols
        }
        return {
            symbol: frame[["date", "funding_rate"]] for symbol, frame in frames.items() if not frame.empty
        }

    def _read(self, datadir: Path, symbols: Sequence[str]) -> dict[str, pd.DataFrame]:
        if self._stored[0] != tuple(symbols):
            self._stored = tuple(symbols), load_funding(datadir, symbols)
        return self._stored[1]
