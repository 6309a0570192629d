"""Which pair gets a symbol that several want: the largest expected edge after costs, then file order.

Pure functions of their arguments; the same in backtest, dry-run and live.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairbot_ext.model.thresholds import Thresholds
from pairbot_ext.stats.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Candidate:
    """One pair's wish to be entered, over all candles. All arrays have shape (n,).

    :param legs: (leg A, leg B).
    :param direction: SHORT_SPREAD, LONG_SPREAD or 0.
    :param edge: expected net profit per unit of leg A notional, see `expected_edge`.
    :param is_out: where the pair could not be entered anyway (open, or waiting for its spread to come back):
        it takes a symbol only where nobody else wants it. None: nowhere.
    """

    legs: tuple[str, str]
    direction: IntArray
    edge: FloatArray
    is_out: BoolArray | None = None


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
    then the next that still finds both free, and so on; equal edges go by the order of `candidates`. Who
    could not be entered anyway comes last.

    :return: one boolean array of shape (n,) per candidate.
    """
    wins = [candidate.direction != 0 for candidate in candidates]
    if not candidates:
        return wins
    contested = contested_rows(candidates)
    wishes: dict[int, list[int]] = {}
    for number, wish in enumerate(wins):
        for row in np.flatnonzero(wish & contested).tolist():
            wishes.setdefault(row, []).append(number)
    for row, wanting in wishes.items():
        wanting.sort(key=lambda number: (_is_out(candidates[number], row), -candidates[number].edge[row]))
        taken: set[str] = set()
        for number in wanting:
            free = taken.isdisjoint(candidates[number].legs)
            wins[number][row] = free
            if free:
                taken.update(candidates[number].legs)
    return wins


def contested_rows(candidates: Sequence[Candidate]) -> BoolArray:
    """Where more than one candidate wants the same symbol. Shape (n,)."""
    size = candidates[0].direction.size
    contested = np.zeros(size, np.bool_)
    wanted: dict[str, BoolArray] = {}
    for candidate in candidates:
        wish = candidate.direction != 0
        for symbol in candidate.legs:
            before = wanted.setdefault(symbol, np.zeros(size, np.bool_))
            contested |= before & wish
            before |= wish
    return contested


def _is_out(candidate: Candidate, row: int) -> bool:
    return candidate.is_out is not None and bool(candidate.is_out[row])


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
