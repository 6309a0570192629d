"""Engle-Granger tests of every ordered pair of a universe, equal to statsmodels, a thousand times faster.

For each ordered pair (A, B): OLS of log A on a constant and log B, ``coint`` (ADF without constant on the
residual, lag by AIC, MacKinnon p for two series), ``adfuller(u, regression="c", autolag="AIC")`` on the same
residual and its AR(1) half-life. The algorithm is in ``lag_products`` and ``adf_batch``; it is exact, not an
approximation. Note what the numbers are not: ``adf_p`` treats an estimated residual as an observed series and
rejects about three times too often, ``coint_p`` is right only for homoskedastic noise, and neither counts how
many pairs were tried. ``robust`` and ``multiplicity`` turn them into a selection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pairbot_ext.stats.adf_batch import ar1_slopes, choose_lags, t_statistics
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.lag_products import LagProducts, Tile, default_max_lag
from pairbot_ext.stats.mackinnon import mackinnon_p
from pairbot_ext.stats.regression import MAX_R2, MIN_STD
from pairbot_ext.stats.reversion import half_life_interval
from pairbot_ext.stats.rolling import half_life_from_slope
from pairbot_ext.support.errors import DataError

# Below this the lag search (9 lags at T = 30) leaves hardly any degrees of freedom.
MIN_SCAN_CANDLES = 30
# A price that does not move in most candles is a halted or quantised market, whatever its variance.
MAX_UNCHANGED_SHARE = 0.5
# Cross sums of one tile: 25 lags x 256² x 8 bytes = 13 MB.
TILE_SERIES = 256
# The Gram matrices of one chunk of spreads should stay in a core's cache: 26² x 256 x 8 bytes = 1.4 MB.
CHUNK_SPREADS = 256

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
    :raises DataError: wrong shapes, duplicate names, or fewer than 30 candles.
    """
    x, labels = _validated(log_prices, names, min_candles)
    n_candles, n_series = x.shape
    starts, problems = _inspect(x, labels, min_candles)
    out = _Columns(n_series)
    done, total = 0, n_series * (n_series - 1)
    for start in sorted({int(starts[i]) for i in range(n_series) if not problems[i]}):
        members = np.array(
            [i for i in range(n_series) if not problems[i] and starts[i] <= start], dtype=np.intp
        )
        newest = starts[members] == start
        if members.size > 1:
            sample = x[start:, members]
            lag_products = LagProducts(sample, default_max_lag(n_candles - start))
            for tile in _tiles(lag_products, newest):
                done += _test_tile(tile, members, out)
                if progress is not None:
                    progress(done, total)
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


class _Columns:
    """Result arrays, one entry per ordered pair."""

    def __init__(self, n_series: int) -> None:
        self.n_series = n_series
        n_pairs = n_series * (n_series - 1)
        self.floats = {name: np.full(n_pairs, np.nan) for name in FLOAT_COLUMNS}
        self.lag = np.full(n_pairs, -1, dtype=np.int16)
        self.adf_lag = np.full(n_pairs, -1, dtype=np.int16)
        self.n = np.zeros(n_pairs, dtype=np.int32)

    def rows(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * (self.n_series - 1) + b - (b > a)


def _tiles(source: LagProducts, newest: np.ndarray) -> Iterator[Tile]:
    """Blocks that together hold every unordered pair with at least one series of ``newest`` exactly once.

    The pairs of two older series were tested on the longer sample of an earlier group.
    """
    new, old = np.flatnonzero(newest), np.flatnonzero(~newest)
    new_blocks = [new[i : i + TILE_SERIES] for i in range(0, new.size, TILE_SERIES)]
    old_blocks = [old[i : i + TILE_SERIES] for i in range(0, old.size, TILE_SERIES)]
    for number, rows in enumerate(new_blocks):
        for columns in new_blocks[number:] + old_blocks:
            yield source.tile(rows, columns)


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

    lag, adf_lag = np.empty(i.size, dtype=np.intp), np.empty(i.size, dtype=np.intp)
    slope = np.empty(i.size)
    for part in _chunks(np.arange(i.size)):
        spreads = tile.spreads(i[part], j[part], swapped[part], beta[part])
        lag[part], adf_lag[part] = choose_lags(spreads)
        slope[part] = ar1_slopes(spreads)
    out.lag[rows], out.adf_lag[rows] = lag, adf_lag
    for chosen, column, constant in ((lag, "coint_t", False), (adf_lag, "adf_t", True)):
        for k in np.unique(chosen):
            for part in _chunks(np.flatnonzero(chosen == k)):
                spreads = tile.spreads(i[part], j[part], swapped[part], beta[part])
                floats[column][rows[part]] = t_statistics(spreads, int(k), constant=constant)
    floats["half_life"][rows] = half_life_from_slope(slope)
    low, high = half_life_interval(floats["half_life"][rows], n - 1, fitted=True)
    floats["half_life_low"][rows], floats["half_life_high"][rows] = low, high
    return int(regular.size)


def _chunks(index: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, index.size, CHUNK_SPREADS):
        yield index[start : start + CHUNK_SPREADS]


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
            "leg_a": series.take(a).to_numpy(),
            "leg_b": series.take(b).to_numpy(),
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
