"""From the path of z to decisions: when a pair is entered, which pair gets a symbol, when it is left.

Pure functions of their arguments; the same in backtest, dry-run and live.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SHORT_SPREAD = -1
"""Short leg A, long leg B: entered where z > 0."""
LONG_SPREAD = 1
"""Long leg A, short leg B: entered where z < 0."""


class ExitReason(StrEnum):
    """Why a pair trade is closed. The value is the exit reason both Freqtrade trades carry."""

    REVERTED = "pair_reverted"
    STOP = "pair_stop"
    TIME = "pair_time_stop"
    MATE_GONE = "pair_mate_gone"
    OPERATOR = "pair_operator"
    DATA_END = "pair_data_end"
    STOP_LIVE = "pair_stop_live"
    BREAK = "pair_break_stop"
    LOSS = "pair_loss_limit"
    LIQUIDATION = "pair_liquidation_near"
    NAKED = "pair_naked"
    HALTED = "pair_halted"


STOPS = frozenset(
    {
        ExitReason.STOP,
        ExitReason.TIME,
        ExitReason.STOP_LIVE,
        ExitReason.BREAK,
        ExitReason.LOSS,
        ExitReason.LIQUIDATION,
    }
)
"""Left although the spread had not come back. After these a pair is entered again only when |z| <= exit has
been seen, else the same signal would open it at once."""


@dataclass(frozen=True)
class Thresholds:
    """Levels of |z| and the time stop.

    :param entry: enter at entry <= |z| < stop.
    :param exit: leave at |z| <= exit, or when z has changed sign.
    :param stop: leave at |z| >= stop.
    :param max_half_lives: leave after this many half-lives.
    """

    entry: float
    exit: float
    stop: float
    max_half_lives: float

    def __post_init__(self) -> None:
        if not 0 <= self.exit < self.entry < self.stop:
            raise ValueError(
                "thresholds must satisfy 0 <= exit < entry < stop, "
                f"got {self.exit} / {self.entry} / {self.stop}"
            )
        if not self.max_half_lives > 0:
            raise ValueError(f"max_half_lives must be positive, got {self.max_half_lives}")


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


@dataclass(frozen=True)
class Candidate:
    """One pair's wish to be entered, over all candles. All arrays have shape (n,).

    :param legs: (leg A, leg B).
    :param direction: SHORT_SPREAD, LONG_SPREAD or 0.
    :param edge: expected net profit per unit of leg A notional, see `expected_edge`.
    """

    legs: tuple[str, str]
    direction: IntArray
    edge: FloatArray


def expected_edge(
    z: FloatArray, sigma: FloatArray, beta: FloatArray, thresholds: Thresholds, fee: float, spread: float
) -> FloatArray:
    """(|z| - exit)*sigma - (1 + beta)*(2*fee + spread) per unit of leg A notional. Shape (n,).

    :param fee: one fill's fee as a ratio (0.0005 = 5 bp); each leg is filled twice.
    :param spread: bid-ask spread as a ratio, paid once per leg and round trip.
    """
    return (np.abs(z) - thresholds.exit) * sigma - (1.0 + beta) * (2.0 * fee + spread)


def arbitrate(candidates: Sequence[Candidate]) -> list[BoolArray]:
    """Which candidates win their symbols at each candle.

    Where several pairs want one symbol on one candle, the pair with the largest edge gets both its legs,
    then the next that still finds both free, and so on; equal edges go by the order of `candidates`.

    :return: one boolean array of shape (n,) per candidate.
    """
    wins = [candidate.direction != 0 for candidate in candidates]
    if not candidates:
        return wins
    wishes: dict[str, IntArray] = {}
    for candidate, wish in zip(candidates, wins, strict=True):
        for symbol in candidate.legs:
            wishes[symbol] = wishes.get(symbol, np.zeros(wish.size, np.int64)) + wish
    contested = np.zeros(wins[0].size, np.bool_)
    for count in wishes.values():
        contested |= count > 1
    for row in np.flatnonzero(contested):
        wanting = [number for number, wish in enumerate(wins) if wish[row]]
        wanting.sort(key=lambda number: -candidates[number].edge[row])
        taken: set[str] = set()
        for number in wanting:
            free = taken.isdisjoint(candidates[number].legs)
            wins[number][row] = free
            if free:
                taken.update(candidates[number].legs)
    return wins


def exit_reason(
    thresholds: Thresholds,
    direction: int,
    z: float,
    candles_held: float,
    half_life_candles: float,
) -> ExitReason | None:
    """What a pair trade's own model says about leaving it now.

    :param direction: SHORT_SPREAD (entered at z > 0) or LONG_SPREAD (entered at z < 0).
    :param z: of the model at entry on the last closed candle; NaN where that candle is missing on a leg,
        which decides nothing, but the time stop still works.
    :param candles_held: since the entry.
    :param half_life_candles: of the model at entry; not finite means no time stop can be named.
    """
    if abs(z) <= thresholds.exit or z * direction > 0:
        return ExitReason.REVERTED
    if abs(z) >= thresholds.stop:
        return ExitReason.STOP
    if np.isfinite(half_life_candles) and candles_held >= thresholds.max_half_lives * half_life_candles:
        return ExitReason.TIME
    return None


def most_pairs_at_once(pairs: Sequence[tuple[str, str]], search_limit: int = 20_000) -> int:
    """How many pairs can be open together when a symbol is in at most one: a maximum matching.

    Exact unless the search needs more than `search_limit` steps; then the upper bound symbols // 2.
    """
    steps = 0

    def search(edges: tuple[tuple[str, str], ...]) -> int:
        nonlocal steps
        steps += 1
        if not edges or steps > search_limit:
            return 0
        degree: dict[str, int] = {}
        for edge in edges:
            for symbol in edge:
                degree[symbol] = degree.get(symbol, 0) + 1
        # A symbol with one pair can always be matched in some maximum matching: no need to branch there.
        pivot = min(degree, key=lambda symbol: (degree[symbol], symbol))
        taking = [edge for edge in edges if pivot in edge]
        best = 0
        for edge in taking:
            best = max(best, 1 + search(tuple(e for e in edges if not set(e) & set(edge))))
        if degree[pivot] > 1:
            best = max(best, search(tuple(e for e in edges if pivot not in e)))
        return best

    most = search(tuple(dict.fromkeys(pairs)))
    if steps > search_limit:
        return len({symbol for pair in pairs for symbol in pair}) // 2
    return most
