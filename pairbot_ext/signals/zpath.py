"""From the path of z to decisions: when a pair is entered, which pair gets a symbol, when it is left.

Pure functions of their arguments; the same in backtest, dry-run and live.
"""

import numpy as np

from pairbot_ext.model.thresholds import ExitReason, Thresholds
from pairbot_ext.stats.arrays import BoolArray, FloatArray, IntArray


def _last_index_where(mask: BoolArray) -> IntArray:
    """For each position the last position <= it where `mask` holds, or -1. Shape (n,)."""
    return (
        np.maximum.accumulate(np.where(mask, np.arange(mask.size), -1))
        if mask.size
        else np.empty(0, np.int64)
    )


def is_armed(z: FloatArray, thresholds: Thresholds, lookback_candles: int) -> BoolArray:
    """Whether a pair may be entered as far as its past stops are concerned. Shape (n,).

    After |z| >= stop a pair is disarmed until |z| <= exit has been seen (otherwise the spread that has just
    blown out is entered again on its way back through the stop). A time stop is not seen on the path of z:
    the desks remember it (`STOPS`). A stop further back than `lookback_candles` is forgotten, so
    that the answer at a candle depends on a bounded past only and is the same in a backtest and in a bot that
    was started yesterday. Missing z (NaN) neither stops nor arms.
    """
    size = np.abs(z)
    last_stop = _last_index_where(size >= thresholds.stop)
    last_touch = _last_index_where(size <= thresholds.exit)
    age = np.arange(z.size) - last_stop
    return (last_stop < 0) | (last_touch > last_stop) | (age >= lookback_candles)


def entry_direction(z: FloatArray, thresholds: Thresholds, armed: BoolArray) -> IntArray:
    """SHORT_SPREAD, LONG_SPREAD or 0 (no entry) at each candle. Shape (n,). NaN gives 0."""
    size = np.abs(z)
    inside = (size >= thresholds.entry) & (size < thresholds.stop) & armed
    return np.where(inside, -np.sign(z), 0).astype(np.int64)


def exit_reason(
    thresholds: Thresholds,
    direction: int,
    z: float,
    candles_held: float,
    most_candles: float,
) -> ExitReason | None:
    """What a pair trade's own model says about leaving it now.

    :param direction: SHORT_SPREAD (entered at z > 0) or LONG_SPREAD (entered at z < 0).
    :param z: of the model at entry on the last closed candle; NaN where that candle is missing on a leg,
        which decides nothing, but the time stop still works.
    :param candles_held: since the entry.
    :param most_candles: the time stop.
    """
    if abs(z) <= thresholds.exit or z * direction > 0:
        return ExitReason.REVERTED
    if abs(z) >= thresholds.stop:
        return ExitReason.STOP
    if candles_held >= most_candles:
        return ExitReason.TIME
    return None
