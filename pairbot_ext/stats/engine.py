"""Engle-Granger tests of every ordered pair of a universe, equal to statsmodels, a thousand times faster.

For each ordered pair (A, B): OLS of log A on a constant and log B, ``coint`` (ADF without constant on the
residual, lag by AIC, MacKinnon p for two series), ``adfuller(u, regression="c", autolag="AIC")`` on the same
residual and its AR(1) half-life. The algorithm is in ``lag_products`` and ``adf_batch``; it is exact, not an
approximation. Note what the numbers are not: ``adf_p`` treats an estimated residual as an observed series and
rejects about three times too often, ``coint_p`` is right only for homoskedastic noise, and neither counts how
many pairs were tried. ``robust`` and ``multiplicity`` turn them into a selection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairbot_ext.stats import compiled
from pairbot_ext.stats.adf_batch import SpreadTests, spread_tests
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.lag_products import IndexArray, LagProducts, Tile, default_max_lag
from pairbot_ext.stats.mackinnon import mackinnon_p
from pairbot_ext.stats.regression import MAX_R2, MIN_STD
from pairbot_ext.stats.reversion import half_life_interval
from pairbot_ext.stats.rolling import half_life_from_slope
from pairbot_ext.stats.shared_products import SharedWindow
from pairbot_ext.support.errors import DataError

# Below this the lag search (9 lags at T = 30) leaves hardly any degrees of freedom.
MIN_SCAN_CANDLES = 30
# A price that does not move in most candles is a halted or quantised market, whatever its variance.
MAX_UNCHANGED_SHARE = 0.5
# Of a directed pair at T = 1440.
NUMPY_SECS = 3e-5
# What the block of each thread may take, beside the table of results (some 200 bytes a pair).
BLOCK_MIB = 16.0
# Larger tiles make matrix products no faster, smaller ones keep more threads busy.
MOST_TILE_SERIES = 128

Tester = Callable[[Tile, IndexArray, IndexArray, NDArray[np.bool_], FloatArray], SpreadTests]

FLOAT_COLUMNS = (
    "alpha",
    "beta",
    "sigma",
    "r2",
    "coint_t",
    "adf_t",
    "half_life",
    "half_life_low",
    "half_life_high",
)


def scan_pairs(
    log_prices: ArrayLike | pd.DataFrame,
    names: Sequence[object] | None = None,
    *,
    min_candles: int | None = None,
    threads: int | None = None,
    block_mib: float = BLOCK_MIB,
    window: SharedWindow | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Test every ordered pair of the columns of ``log_prices``.

    :param log_prices: log closes on consecutive candles, shape (T, N), T >= 30, N >= 2, oldest first; or a
        DataFrame, whose column labels are the names. NaN marks a missing candle.
    :param names: N unique labels, by default the column numbers (or the DataFrame's columns).
    :param min_candles: None (default): a series with any missing candle is rejected. A number: series that
        begin late are tested with each partner over the common candles, as long as there are at least this
        many; every such group of pairs has its own sample length (column ``n``). A gap after a series' first
        candle is rejected always; nothing is ever filled in.
    :param threads: how many to use, by default one per core. The result does not depend on it.
    :param block_mib: memory of the block of pairs a thread works on. Bounds the memory, not the result.
    :param window: the same candles as a window of a market whose windows share their sums.
    :param progress: called with (pairs done, pairs in total) from time to time.
    :return: one row per ordered pair (leg A varies slowest, in the order of the columns), N(N-1) rows:

        ======================== ==========================================================================
        leg_a, leg_b             labels
        alpha, beta              OLS of log A on [1, log B]
        sigma                    residual standard deviation, n - 2 degrees of freedom, log units
        r2                       coefficient of determination
        coint_t, coint_p, lag    ``statsmodels.tsa.stattools.coint(log A, log B)``
        adf_t, adf_p, adf_lag    ``adfuller(residual, regression="c", autolag="AIC")``
        half_life                candles, AR(1); ``inf``: does not revert
        half_life_low, _high     its 90 % interval (see ``half_life``)
        n                        candles the pair was tested on
        reason                   empty, or why the pair was rejected; then all numbers are NaN, lags -1
        ======================== ==========================================================================
    :raises DataError: wrong shapes, duplicate names, fewer than 30 candles, or too little memory for a block.
    """
    x, labels = _validated(log_prices, names, min_candles)
    n_candles, n_series = x.shape
    starts, problems = _inspect(x, labels, min_candles)
    total = n_series * (n_series - 1)
    out = _Columns(n_series, _tester(total))
    count = compiled.thread_count(threads)
    report = _Report(progress, total)
    for start in sorted({int(starts[i]) for i in range(n_series) if not problems[i]}):
        members = np.array(
            [i for i in range(n_series) if not problems[i] and starts[i] <= start], dtype=np.intp
        )
        newest = starts[members] == start
        if members.size > 1:
            sample = x[start:, members]
            if window is not None and start == 0:
                source = window.source(sample, members)
            else:
                source = LagProducts(sample, default_max_lag(n_candles - start))
            blocks = _blocks(newest, _block_series(source.max_lag, block_mib))
            test = partial(_test_block, source=source, members=members, out=out, report=report)
            compiled.in_threads(test, blocks, count)
    return _frame(out, labels, problems)


def _validated(
    log_prices: ArrayLike | pd.DataFrame, names: Sequence[object] | None, min_candles: int | None
) -> tuple[FloatArray, list[object]]:
    if isinstance(log_prices, pd.DataFrame) and names is None:
        names = list(log_prices.columns)
    x = np.asarray(log_prices, dtype=np.float64)
    if x.ndim != 2:
        raise DataError("log prices must have shape (candles, series)", value=f"shape {x.shape}")
    labels: list[object] = list(range(x.shape[1])) if names is None else list(names)
    if len(labels) != x.shape[1]:
        raise DataError("every series needs one name", value=f"{len(labels)} names for {x.shape[1]} series")
    if len(set(labels)) != len(labels):
        repeated = sorted({str(label) for label in labels if labels.count(label) > 1})
        raise DataError("series names must be unique", value=", ".join(repeated))
    if x.shape[0] < MIN_SCAN_CANDLES:
        raise DataError(
            "too few candles to test for cointegration",
            value=x.shape[0],
            remedy=f"{MIN_SCAN_CANDLES} is the least the lag search allows; some hundreds are useful",
        )
    if min_candles is not None and min_candles < MIN_SCAN_CANDLES:
        raise DataError(
            "min_candles is too small", value=min_candles, remedy=f"use {MIN_SCAN_CANDLES} or more"
        )
    return x, labels


def _inspect(x: FloatArray, labels: list[object], min_candles: int | None) -> tuple[np.ndarray, list[str]]:
    """First usable candle of each series, and why it cannot be used (empty if it can)."""
    n_series = x.shape[1]
    finite = np.isfinite(x)
    starts = np.zeros(n_series, dtype=np.intp)
    problems = []
    for i in range(n_series):
        problem = ""
        if not finite[:, i].all():
            problem, starts[i] = _explain_missing(x[:, i], finite[:, i], min_candles)
        values = x[starts[i] :, i]
        if not problem:
            std, unchanged = float(values.std()), float(np.mean(values[1:] == values[:-1]))
            if std < MIN_STD:
                problem = f"constant or nearly so: standard deviation {std:.3g} of its log price"
            elif unchanged > MAX_UNCHANGED_SHARE:
                problem = (
                    f"price unchanged in {unchanged:.0%} of its candles (limit {MAX_UNCHANGED_SHARE:.0%})"
                )
        problems.append(f"{labels[i]}: {problem}" if problem else "")
    return starts, problems


def _explain_missing(values: FloatArray, finite: np.ndarray, min_candles: int | None) -> tuple[str, int]:
    n = values.size
    if not finite.any():
        return f"no usable candle among {n}", 0
    infinite = int(np.count_nonzero(np.isinf(values)))
    if infinite:
        return f"{infinite} of {n} log prices are infinite", 0
    first = int(np.argmax(finite))
    gaps = int(np.count_nonzero(~finite[first:]))
    if gaps:
        return f"{gaps} of {n - first} candles after its first are missing", 0
    if min_candles is None:
        return f"begins {first} candles after the first of {n}", 0
    if n - first < min_candles:
        return f"only {n - first} candles, {min_candles} needed", 0
    return "", first


def _tester(n_pairs: int) -> Tester:
    """What tests the spreads: compiled where that is possible and soon regained, else numpy."""
    if compiled.worth_it(n_pairs * NUMPY_SECS):
        from pairbot_ext.stats.adf_kernel import compiled_spread_tests

        return compiled_spread_tests
    return spread_tests


class _Report:
    """Tells the progress of several threads."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._lock = Lock()

    def __call__(self, pairs: int) -> None:
        if self._progress is not None:
            with self._lock:
                self._done += pairs
                self._progress(self._done, self._total)


class _Columns:
    """Result arrays, one entry per ordered pair."""

    def __init__(self, n_series: int, test_spreads: Tester) -> None:
        self.n_series = n_series
        self.test_spreads = test_spreads
        n_pairs = n_series * (n_series - 1)
        self.floats = {name: np.full(n_pairs, np.nan) for name in FLOAT_COLUMNS}
        self.lag = np.full(n_pairs, -1, dtype=np.int16)
        self.adf_lag = np.full(n_pairs, -1, dtype=np.int16)
        self.n = np.zeros(n_pairs, dtype=np.int32)

    def rows(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * (self.n_series - 1) + b - (b > a)


def _block_series(max_lag: int, block_mib: float) -> int:
    """Series on a side of a tile that fits into the memory.

    :raises DataError: not even a tile of two series does.
    """
    # The cross sums of a tile, once more while both directions are added, and the block they are cut from.
    per_pair_mib = 3 * (max_lag + 2) * 8 / 2**20
    pairs = block_mib / per_pair_mib
    if not pairs >= 4.0:  # NaN too
        raise DataError(
            "too little memory for a block of the scan",
            value=f"{block_mib:g} MiB",
            remedy=f"allow at least {4 * per_pair_mib:.1g} MiB; {BLOCK_MIB:g} are usual",
        )
    return int(min(np.sqrt(pairs), MOST_TILE_SERIES))


def _blocks(newest: np.ndarray, side: int) -> list[tuple[IndexArray, IndexArray]]:
    """Blocks that together hold every unordered pair with at least one series of ``newest`` exactly once.

    The pairs of two older series were tested on the longer sample of an earlier group.
    """
    new, old = np.flatnonzero(newest), np.flatnonzero(~newest)
    new_blocks = [new[i : i + side] for i in range(0, new.size, side)]
    old_blocks = [old[i : i + side] for i in range(0, old.size, side)]
    return [
        (rows, columns)
        for number, rows in enumerate(new_blocks)
        for columns in new_blocks[number:] + old_blocks
    ]


def _test_block(
    block: tuple[IndexArray, IndexArray],
    *,
    source: LagProducts,
    members: np.ndarray,
    out: _Columns,
    report: _Report,
) -> None:
    report(_test_tile(source.tile(*block), members, out))


def _test_tile(tile: Tile, members: np.ndarray, out: _Columns) -> int:
    """Test both directions of the tile's pairs, write the results, return their number."""
    source = tile.source
    i, j = (index.ravel() for index in np.indices(tile.covariance.shape))
    if tile.rows[0] == tile.columns[0]:
        i, j = i[i < j], j[i < j]
    i, j = np.concatenate((i, i)), np.concatenate((j, j))
    if not i.size:
        return 0
    swapped = np.arange(i.size) >= i.size // 2
    a = np.where(swapped, tile.columns[j], tile.rows[i])
    b = np.where(swapped, tile.rows[i], tile.columns[j])
    rows = out.rows(members[a], members[b])
    covariance = tile.covariance[i, j]
    beta = covariance / source.sum_squares[b]
    rss = source.sum_squares[a] - beta * covariance
    r2 = 1.0 - rss / source.sum_squares[a]
    n = source.n_candles
    floats = out.floats
    floats["r2"][rows] = r2
    out.n[rows] = n
    regular = r2 < MAX_R2
    i, j, swapped, a, b, beta, rows = (values[regular] for values in (i, j, swapped, a, b, beta, rows))
    floats["beta"][rows] = beta
    floats["alpha"][rows] = source.means[a] - beta * source.means[b]
    floats["sigma"][rows] = np.sqrt(rss[regular] / (n - 2))

    tests = out.test_spreads(tile, i, j, swapped, beta)
    out.lag[rows], out.adf_lag[rows] = tests.lag, tests.adf_lag
    floats["coint_t"][rows], floats["adf_t"][rows] = tests.coint_t, tests.adf_t
    floats["half_life"][rows] = half_life_from_slope(tests.slope)
    low, high = half_life_interval(floats["half_life"][rows], n - 1, fitted=True)
    floats["half_life_low"][rows], floats["half_life_high"][rows] = low, high
    return int(regular.size)


def _frame(out: _Columns, labels: list[object], problems: list[str]) -> pd.DataFrame:
    n = out.n_series
    a = np.repeat(np.arange(n), n - 1)
    b = np.tile(np.arange(n), (n, 1))[~np.eye(n, dtype=bool)]
    series = pd.Series(labels)
    reason = np.full(a.size, "", dtype=object)
    floats = out.floats
    tested = ~np.isnan(floats["r2"])
    for row in np.flatnonzero(tested & (floats["r2"] >= MAX_R2)):
        reason[row] = f"almost collinear: R² {floats['r2'][row]:.9f}, limit {MAX_R2:.9f}"
    singular = tested & (floats["r2"] < MAX_R2) & (np.isnan(floats["coint_t"]) | np.isnan(floats["adf_t"]))
    reason[singular] = "the regression of its spread is numerically singular"
    for leg in (b, a):
        for i, problem in enumerate(problems):
            if problem:
                reason[leg == i] = problem
    rejected = reason != ""
    for values in floats.values():
        values[rejected] = np.nan
    out.lag[rejected] = out.adf_lag[rejected] = -1
    return pd.DataFrame(
        {
            "leg_a": series.take(a).array,
            "leg_b": series.take(b).array,
            "alpha": floats["alpha"],
            "beta": floats["beta"],
            "sigma": floats["sigma"],
            "r2": floats["r2"],
            "coint_t": floats["coint_t"],
            "coint_p": mackinnon_p(floats["coint_t"], n_series=2),
            "lag": out.lag,
            "adf_t": floats["adf_t"],
            "adf_p": mackinnon_p(floats["adf_t"], n_series=1),
            "adf_lag": out.adf_lag,
            "half_life": floats["half_life"],
            "half_life_low": floats["half_life_low"],
            "half_life_high": floats["half_life_high"],
            "n": out.n,
            "reason": reason,
        }
    )
