"""The candles one strategy object has seen last, of all symbols at once."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pandas as pd
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.strategy import IStrategy

from pairbot_ext.model.spans import DataSpan, data_span
from pairbot_ext.pairs import PairsFile
from pairbot_ext.stats.steps import price_steps

_COLUMNS = ["date", "open", "high", "low", "close", "volume"]


class SeenCandles:
    """See the module.

    :ivar frames: per symbol Freqtrade's columns; replaced whole whenever something is new.
    :ivar spans: per symbol, which candles can be traded.
    :ivar steps: per symbol that has any, candles with which its prices become another series.
    """

    def __init__(self) -> None:
        self.frames: dict[str, pd.DataFrame] = {}
        self.spans: dict[str, DataSpan] = {}
        self.steps: dict[str, list[pd.Timestamp]] = {}
        self._told_steps: set[tuple[str, pd.Timestamp]] = set()
        self._asked: set[str] = set()
        self._given: Mapping[str, pd.DataFrame] = {}

    @contextmanager
    def given(self, frames: Mapping[str, pd.DataFrame]) -> Iterator[None]:
        """Meanwhile Freqtrade analyses these frames, which it has read itself."""
        self._given = frames
        try:
            yield
        finally:
            self._given = {}

    def update(self, strategy: IStrategy, symbol: str, frame: pd.DataFrame, symbols: Iterable[str]) -> bool:
        """Take over the candles Freqtrade is about to analyse, and those of all other symbols.

        :param frame: of `symbol`.
        :param symbols: all that the pairs file names.
        :return: whether anything was new.
        """
        # A pair trade may be open in symbols the file no longer names: they are analysed like the others.
        self._asked.add(symbol)
        if self._is_known(symbol, frame):
            return False
        frames: dict[str, pd.DataFrame] = {}
        for each in dict.fromkeys([*symbols, *sorted(self._asked)]):
            candles = frame if each == symbol else self._given.get(each)
            if candles is None:
                candles = strategy.dp.get_pair_dataframe(each)
            if not candles.empty:
                frames[each] = candles[_COLUMNS].copy()
        self.frames = frames
        # Next to another strategy (--strategy-list) Freqtrade drops the longer startup of the two.
        startup = max(strategy.startup_candle_count, strategy.dp.get_required_startup(strategy.timeframe))
        timeframe = timedelta(seconds=timeframe_to_seconds(strategy.timeframe))
        self.steps = price_steps(frames, pd.Timedelta(timeframe))
        self.spans = {
            each: data_span(
                candles, startup, timeframe, tuple(when.to_pydatetime() for when in self.steps.get(each, []))
            )
            for each, candles in frames.items()
        }
        return True

    def fresh_steps(self) -> list[str]:
        """A sentence for each price step that has not been told yet."""
        fresh = [(symbol, when) for symbol, dates in self.steps.items() for when in dates]
        fresh = [each for each in fresh if each not in self._told_steps]
        self._told_steps.update(fresh)
        return [
            f"{symbol}: the candle of {when:%Y-%m-%d %H:%M} UTC opens where no market brings it from the "
            "close before. Its pairs have no z until a selection is formed after it; stops on live books go "
            "on. Compare it with the venue"
            for symbol, when in fresh
        ]

    def late(self, strategy: IStrategy) -> set[str]:
        """Symbols of which Freqtrade holds a newer candle than was analysed."""
        late = set()
        for symbol, frame in self.frames.items():
            newest = strategy.dp.ohlcv(symbol, strategy.timeframe, copy=False)
            if not newest.empty and newest["date"].iloc[-1] > frame["date"].iloc[-1]:
                late.add(symbol)
        return late

    def mates_of(self, late: set[str], pairs_file: PairsFile) -> list[str]:
        """Symbols that share a pair with one of these and have been analysed on the newest candle."""
        mates = {
            pair.mate_of(symbol)
            for epoch in pairs_file.epochs
            for pair in epoch.pairs
            for symbol in late.intersection(pair.symbols)
        }
        return sorted(mates & (self.frames.keys() - late))

    def forget(self) -> None:
        """Take everything over anew at the next `update`."""
        self.frames = {}

    def _is_known(self, symbol: str, frame: pd.DataFrame) -> bool:
        known = self.frames.get(symbol)
        return (
            known is not None
            and len(known) == len(frame)
            and known["date"].iloc[0] == frame["date"].iloc[0]
            and known["date"].iloc[-1] == frame["date"].iloc[-1]
        )
