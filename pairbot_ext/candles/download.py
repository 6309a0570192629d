"""Which candles a pairs file needs, and the `freqtrade download-data` calls that fetch them.

Freqtrade's own `download-data` reads `exchange.pair_whitelist` and not a RemotePairList, and does not know
how much history a pair needs before its first entry. With trading mode futures it fetches mark and funding
candles by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pairbot_ext.candles.files import candle_length, data_format
from pairbot_ext.pairs import PairsFile
from pairbot_ext.settings import Settings

MARGIN = 0.10
"""Extra history as a share of the longest window: a backtest's start may lie a little before `valid_from`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is on disk for a symbol: first and last candle's open time, or None without candles."""

    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """Freqtrade argument lists, to be run in order.

    :ivar start: first candle wanted, midnight UTC.
    :ivar calls: without the `freqtrade` in front.
    """

    start: datetime
    calls: tuple[tuple[str, ...], ...]


def history_candles(pairs_file: PairsFile, settings: Settings) -> int:
    """Candles needed before an epoch's first entry.

    The rolling window or the longest formation, the candles in which a stop still blocks re-entry, and
    `MARGIN`.
    """
    candle_secs = candle_length(pairs_file.timeframe).total_seconds()
    formation = math.ceil(pairs_file.longest_formation_secs / candle_secs)
    window = max(settings.rolling_window_candles, formation)
    return window + settings.rearm_lookback_candles + math.ceil(MARGIN * window)


def first_candle_needed(pairs_file: PairsFile, settings: Settings) -> datetime:
    """Midnight UTC at or before the history the earliest epoch needs. The file must have an epoch."""
    earliest = min(epoch.valid_from for epoch in pairs_file.epochs)
    start = earliest - history_candles(pairs_file, settings) * candle_length(pairs_file.timeframe)
    return start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def plan_download(
    pairs_file: PairsFile,
    settings: Settings,
    stored: dict[str, Stored],
    *,
    configs: Sequence[str] = (),
    datadir: Path | None = None,
    timerange: str | None = None,
    passed_on: Sequence[str] = (),
) -> DownloadPlan:
    """Argument lists for `freqtrade download-data`.

    Freqtrade fetches only what lies after the stored candles. Symbols whose stored candles begin too late
    are therefore asked for with `--prepend` first.

    :param stored: what is on disk, by symbol; a symbol that is absent has no candles.
    :param configs: `-c` files; where there are none the exchange's name is passed instead.
    :param timerange: overrides the derived one.
    :param passed_on: further Freqtrade arguments, appended last so that they win.
    """
    start = first_candle_needed(pairs_file, settings)
    span = timerange or f"{start:%Y%m%d}-"
    wanted_from = _range_start(span) or start
    common = [part for config in configs for part in ("-c", config)] or ["--exchange", pairs_file.exchange]
    if datadir is not None:
        common += ["--datadir", str(datadir)]
    common += ["--trading-mode", "futures", "--timeframes", pairs_file.timeframe, "--timerange", span]

    def call(symbols: Sequence[str], *options: str) -> tuple[str, ...]:
        return ("download-data", *common, "--pairs", *symbols, *options, *passed_on)

    late = [
        symbol
        for symbol in pairs_file.pairs
        if (first := stored.get(symbol, Stored(None, None)).first) is not None and first > wanted_from
    ]
    calls = [call(late, "--prepend")] if late else []
    return DownloadPlan(wanted_from, (*calls, call(pairs_file.pairs)))


def _range_start(timerange: str) -> datetime | None:
    """Start of a Freqtrade timerange. Raises Freqtrade's ConfigurationError where it is malformed."""
    from freqtrade.configuration import TimeRange

    return TimeRange.parse_timerange(timerange).startdt


def stored_candles(datadir: Path, symbols: Sequence[str], timeframe: str) -> dict[str, Stored]:
    """First and last futures candle on disk of each symbol that has any."""
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    handler = get_datahandler(datadir, data_format(datadir))
    found: dict[str, Stored] = {}
    for symbol in symbols:
        first, last, count = handler.ohlcv_data_min_max(symbol, timeframe, CandleType.FUTURES)
        if count:
            found[symbol] = Stored(first, last)
    return found


def shortfalls(pairs_file: PairsFile, plan: DownloadPlan, stored: dict[str, Stored]) -> list[str]:
    """One sentence for each symbol without candles, or whose candles begin later than was asked for."""
    if not stored:
        return [
            f"no candles at all for {len(pairs_file.pairs)} symbols: Freqtrade's last lines say why "
            "(it answers exit code 0 to some errors)"
        ]
    sentences = []
    for symbol in pairs_file.pairs:
        first = stored.get(symbol, Stored(None, None)).first
        if first is None:
            sentences.append(
                f"{symbol}: no candles. {pairs_file.exchange} may not trade it any more; its pairs stay idle"
            )
        elif first > plan.start + timedelta(days=1):
            sentences.append(
                f"{symbol}: candles begin {first:%Y-%m-%d}, wanted {plan.start:%Y-%m-%d}. If it was listed "
                "that late its pairs trade only once their window is full"
            )
    return sentences
