"""Markets of the simulated venue: generated, scripted, or replayed from recorded candles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pairbot_ext.sim.market.books import DEFAULT_SHAPE, BookShape
from pairbot_ext.support.errors import PairbotError

if TYPE_CHECKING:
    from pairbot_ext.sim.market.table import CandleMarket

SYNTHETIC = "synthetic"
DEMO = "demo"


def open_market(
    spec: str,
    *,
    compress: bool = False,
    clock: Callable[[], int],
    seed: int = 1,
    shape: BookShape = DEFAULT_SHAPE,
    ticks: bool = False,
) -> CandleMarket:
    """The market a user asked for.

    - "synthetic": generated with planted pairs; hourly candles, or 1-minute ones when compressed.
    - "demo": generated, 1-minute candles, pairs crossing their thresholds on a script.
    - a Freqtrade datadir, or DATADIR@TIME: hourly candles recorded there. Without a TIME and uncompressed,
    a clock
      that stands inside the recording sees it as it was (a virtual clock, a backtest's data); any other
      clock sees TIME as now. Without a TIME the recording is entered as soon as 2,600 candles of history
      lie behind.

    :param compress: serve hourly candles as 1-minute candles.
    :param clock: gives now in epoch ms; asked once, when the market opens.
    :param seed: of generated markets; a recording ignores it.
    :param shape: of every order book.
    :param ticks: let prices wander inside each candle instead of going straight from knot to knot. The demo
        keeps to its script.
    :raises PairbotError: neither a known name nor a directory with candles, or a TIME outside the recording.
    """
    now_ms = clock()
    if spec == SYNTHETIC:
        from pairbot_ext.sim.market.synthetic import synthetic_market

        market = synthetic_market(now_ms, seed=seed, compress=compress, shape=shape)
    elif spec == DEMO:
        from pairbot_ext.sim.market.scripted import scripted_market

        market = scripted_market(now_ms, seed=seed, shape=shape)
    else:
        market = _replay(spec, compress=compress, now_ms=now_ms, shape=shape)
    return market.ticking(seed) if ticks and not market.is_scripted else market


def _replay(spec: str, *, compress: bool, now_ms: int, shape: BookShape) -> CandleMarket:
    from pairbot_ext.sim.market.replay import load_datadir, replay_market
    from pairbot_ext.sim.market.series import HOUR_MS, MINUTE_MS
    from pairbot_ext.sim.market.synthetic import HISTORY_CANDLES
    from pairbot_ext.sim.market.times import TimeMap, compressed, shifted

    name, _, text = spec.partition("@")
    if not Path(name).is_dir():
        raise PairbotError(
            "No such market",
            value=spec,
            remedy=f"Use {SYNTHETIC}, {DEMO}, or a Freqtrade data directory such as user_data/data/binance",
        )
    recordings = load_datadir(Path(name))
    some = next(iter(recordings.values()))
    if compress and some.candle_ms != HOUR_MS:
        raise PairbotError(
            "Only hourly candles can be served as 1-minute candles",
            value=f"{some.candle_ms // MINUTE_MS}-minute candles in {name}",
            remedy="Download 1h candles, or leave --compress out",
        )
    first = min(int(recording.futures_ms[0]) for recording in recordings.values())
    end = max(int(recording.futures_ms[-1]) for recording in recordings.values()) + some.candle_ms
    if text:
        recorded_now = _stamp(text, spec)
        if not first <= recorded_now < end:
            raise PairbotError(
                "The time to start from lies outside the recorded candles",
                value=text,
                remedy=f"They run from {_text(first)} to {_text(end)}",
            )
    else:
        recorded_now = min(first + HISTORY_CANDLES * some.candle_ms, end - some.candle_ms)
    if compress:
        time_map = compressed(recorded_now, now_ms)
    elif not text and first <= now_ms < end:
        time_map = TimeMap()
    else:
        time_map = shifted(recorded_now, now_ms)
    return replay_market(recordings, time_map, shape=shape)


def _stamp(text: str, spec: str) -> int:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise PairbotError(
            "The time after @ is no ISO date or time", value=spec, remedy="For example DATADIR@2025-07-08"
        ) from None
    return round((when.replace(tzinfo=UTC) if when.tzinfo is None else when).timestamp() * 1000)


def _text(stamp_ms: int) -> str:
    return datetime.fromtimestamp(stamp_ms / 1000, tz=UTC).isoformat(timespec="minutes")
