"""Candles handed to a bot as frames: what a replay already holds need not become JSON and a frame again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from freqtrade.exchange import Exchange, timeframe_to_msecs, timeframe_to_prev_date
from pandas import DataFrame

from pairbot_ext.host import private

Key = tuple[str, str, Any]
"""Symbol, timeframe, candle type, as Freqtrade keeps its candles."""


def give_candles(
    exchange: Exchange,
    timeframe: str,
    candles_of: Callable[[str, datetime], DataFrame | None],
    asked: Callable[[int], None],
) -> None:
    """Let this exchange object take the candles of `timeframe` from `candles_of` from now on.

    Which symbols are due is Freqtrade's own decision, and so is what it does with the candles. Everything
    else (other timeframes, one-off questions) goes to the venue as before.

    :param candles_of: a symbol's finished candles at the opening of the running one; Freqtrade's columns,
        whole, in order. None where there are none.
    :param asked: told how many symbols were due, before they are read: what the requests would have cost.
    """
    # Releases that keep no such times ask again in every loop until the candle has come.
    poll_times: dict[Key, int] = getattr(exchange, private.POLL_TIMES, {})
    original = exchange.refresh_latest_ohlcv

    def refresh(pair_list: list[Key], *, cache: bool = True, **more: Any) -> dict[Key, DataFrame]:
        ours = [key for key in pair_list if cache and key[1] == timeframe]
        found: dict[Key, DataFrame] = {}
        others = [key for key in pair_list if key not in ours]
        if others:
            found |= original(others, cache=cache, **more)
        due = [key for key in dict.fromkeys(ours) if exchange._now_is_time_to_refresh(*key)]
        if due:
            asked(len(due))
        begun_ms = round(datetime.now(UTC).timestamp() * 1000)
        opened = timeframe_to_prev_date(timeframe)
        for key in due:
            frame = candles_of(key[0], opened)
            poll_times[key] = begun_ms
            if frame is not None and len(frame):
                exchange._klines[key] = frame
                newest = round(frame["date"].iloc[-1].timestamp() * 1000)
                exchange._pairs_last_refresh_time[key] = newest
            else:
                exchange._pairs_last_refresh_time[key] = begun_ms - timeframe_to_msecs(timeframe)
        return found | {key: exchange.klines(key, copy=False) for key in ours}

    exchange.refresh_latest_ohlcv = refresh
