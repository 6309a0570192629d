"""Windows that share their sums give what each gives alone."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.stats import engine, scan_pairs, shared_products
from pairbot_ext.stats.shared_products import SharedProducts, SharedWindow

CANDLES, STEP, WINDOWS, SERIES, ORIGIN = 240, 31, 6, 7, 4_321


@pytest.fixture
def market() -> np.ndarray:
    """Log prices of which one series is missing for a while, shape (T, SERIES)."""
    rng = np.random.default_rng(4)
    x = 5.0 + np.cumsum(0.01 * rng.standard_t(4, (CANDLES + STEP * (WINDOWS - 1), SERIES)), axis=0)
    x[:40, 3] = np.nan
    return x


def usable(x: np.ndarray, first: int) -> np.ndarray:
    return np.flatnonzero(np.isfinite(x[first : first + CANDLES]).all(axis=0))


@pytest.mark.parametrize("memory_mib", [256.0, 0.05, 0.0], ids=["all kept", "some kept", "none kept"])
@pytest.mark.parametrize("tile", [128, 3])
def test_shared_and_fresh_are_equal(
    market: np.ndarray, monkeypatch: pytest.MonkeyPatch, memory_mib: float, tile: int
) -> None:
    monkeypatch.setattr(engine, "MOST_TILE_SERIES", tile)
    monkeypatch.setattr(shared_products, "STRETCH_CANDLES", 32)
    firsts = [number * STEP for number in range(WINDOWS)]
    products = SharedProducts(market, ORIGIN, CANDLES, memory_mib)
    # Any order, and over a copy sent to another process: nothing depends on what was asked for before.
    copy = pickle.loads(pickle.dumps(products))
    counts = set()
    for first in [firsts[3], *firsts]:
        columns = usable(market, first)
        x = market[first : first + CANDLES, columns]
        fresh = scan_pairs(x)
        shared = scan_pairs(x, window=SharedWindow(products, first, columns), threads=2)
        pd.testing.assert_frame_equal(fresh, shared, rtol=1e-9, atol=1e-11)
        pd.testing.assert_frame_equal(
            shared, scan_pairs(x, window=SharedWindow(copy, first, columns)), check_exact=True
        )
        counts.add(columns.size)
    assert counts == {SERIES - 1, SERIES}


def test_some_series_of_a_window(market: np.ndarray) -> None:
    products = SharedProducts(market, ORIGIN, CANDLES)
    window = SharedWindow(products, STEP, np.array([0, 1, 2, 4, 5, 6])).only([1, 3])
    x = market[STEP : STEP + CANDLES, [1, 4]]
    pd.testing.assert_frame_equal(scan_pairs(x), scan_pairs(x, window=window), rtol=1e-9, atol=1e-11)


def test_later_and_earlier_candles_change_no_bit(market: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_products, "STRETCH_CANDLES", 32)
    first, columns = 2 * STEP, np.arange(SERIES)
    x = market[first : first + CANDLES]
    whole = SharedProducts(market, ORIGIN, CANDLES)
    cut = SharedProducts(market[first - 5 : first + CANDLES], ORIGIN + first - 5, CANDLES)
    scan_pairs(market[STEP * 3 :][:CANDLES], window=SharedWindow(whole, STEP * 3, columns))
    pd.testing.assert_frame_equal(
        scan_pairs(x, window=SharedWindow(whole, first, columns)),
        scan_pairs(x, window=SharedWindow(cut, 5, columns)),
        check_exact=True,
    )
