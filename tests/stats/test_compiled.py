"""Compiled, in numpy, in threads, in blocks of any size: the same t and the same p."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.stats import adf_batch, compiled, engine, robust, scan_pairs
from pairbot_ext.stats.multiplicity import one_row_per_pair
from pairbot_ext.stats.robust import robust_p_values, robust_test
from pairbot_ext.support.errors import DataError

needs_numba = pytest.mark.skipif(not compiled.available(), reason="the extra `fast` (numba) is not installed")


def clustered_universe(seed: int, n_candles: int, n_series: int) -> np.ndarray:
    """Log prices with storms, a shared trend, a reverting pair, a nearly collinear pair and a late start."""
    rng = np.random.default_rng(seed)
    storms = np.exp(np.cumsum(0.1 * rng.standard_normal((n_candles, n_series)), axis=0).clip(-2, 2))
    x = np.cumsum(0.01 * storms * rng.standard_t(5, (n_candles, n_series)), axis=0)
    x[:, : n_series // 2] += np.cumsum(0.01 * rng.standard_normal((n_candles, 1)), axis=0)
    noise = np.zeros(n_candles)
    for s in range(1, n_candles):
        noise[s] = 0.95 * noise[s - 1] + 0.005 * rng.standard_normal()
    x[:, 1] = 0.8 * x[:, 0] + noise
    x[:, 3] = x[:, 2] + 1e-4 * rng.standard_normal(n_candles)
    x[: n_candles // 5, 4] = np.nan
    return x


@pytest.fixture
def always_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "WORTH_SECS", 0.0)


def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, "0")


def close(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-12)


@needs_numba
@pytest.mark.parametrize(("seed", "n_candles", "n_series"), [(1, 1440, 9), (2, 300, 12), (3, 60, 8)])
def test_every_way_gives_the_same_textbook_and_robust_tests(
    monkeypatch: pytest.MonkeyPatch, always_compiled: None, seed: int, n_candles: int, n_series: int
) -> None:
    x = clustered_universe(seed, n_candles, n_series)
    names = [f"S{k}" for k in range(n_series)]
    tables, tests = [], []
    for tile, part, threads, numba in (
        (256, 64, 1, True),
        (3, 5, 3, True),
        (256, 64, 1, False),
        (2, 3, 2, False),
    ):
        monkeypatch.setenv(compiled.SWITCH, "1" if numba else "0")
        monkeypatch.setattr(engine, "MOST_TILE_SERIES", tile)
        monkeypatch.setattr(adf_batch, "CHUNK_SPREADS", part)
        monkeypatch.setattr(robust, "PART", part)
        monkeypatch.setattr(robust, "PAIRS_PER_REPORT", 4 * part)
        table = scan_pairs(x, names, min_candles=40, threads=threads)
        tables.append(table)
        pairs = one_row_per_pair(table)
        tests.append(robust_p_values(pairs, x, names, screen_p=1.0, threads=threads))
    for table, test in zip(tables[1:], tests[1:], strict=True):
        close(tables[0], table)
        close(tests[0], test)
    pairs = one_row_per_pair(tables[0]).join(tests[0])
    assert pairs["n"].nunique() == 2  # the late starter's pairs have a sample of their own
    assert pairs["robust_t"].notna().sum() > len(pairs) / 2
    # pair by pair, by the definition, on any order of the rows
    for row in pairs.sample(frac=1.0, random_state=seed).head(20).itertuples():
        sample = x[n_candles - row.n :]
        one = robust_test(sample[:, names.index(row.leg_b)], sample[:, names.index(row.leg_a)])
        if row.reason == "":
            assert row.robust_t == pytest.approx(one.t, rel=1e-9)
            assert row.robust_p == pytest.approx(one.p, rel=1e-9)


@needs_numba
def test_a_singular_weighted_regression_proves_nothing(always_compiled: None) -> None:
    u = np.tile([1.0, -1.0], 100)
    walk = np.cumsum(np.random.default_rng(5).standard_normal(200))
    x = np.column_stack((walk, walk + u))
    assert robust.weaker_t(x, np.array([0]), np.array([1])) == pytest.approx(
        [robust_test(x[:, 0], x[:, 1]).t], nan_ok=True
    )


@needs_numba
def test_kernels_are_compiled_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A read-only install and a home that cannot be written: compiled anew instead of refused."""
    code = (
        "from pairbot_ext.stats import compiled\n"
        "@compiled.kernel()\n"
        "def double(x):\n"
        "    return 2 * x\n"
        "assert double(4) == 8, double(4)\n"
    )
    script = tmp_path / "kernel.py"
    script.write_text(code, encoding="utf-8")
    # __pycache__ and the user's cache directory are files: neither can become a directory.
    (tmp_path / "__pycache__").write_text("")
    home = tmp_path / "home"
    home.write_text("")
    answer = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
        | {"PYTHONPATH": str(Path(compiled.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr


def test_the_switch_turns_numba_off(monkeypatch: pytest.MonkeyPatch) -> None:
    without_numba(monkeypatch)
    assert not compiled.worth_it(1e9)


def test_small_work_is_left_to_numpy() -> None:
    assert not compiled.worth_it(compiled.WORTH_SECS / 2)


def test_an_error_in_one_part_is_the_callers() -> None:
    def work(part: slice) -> None:
        if part.start <= 7 < part.stop:
            raise ValueError("part with row 7")

    with pytest.raises(ValueError, match="row 7"):
        compiled.in_threads(work, compiled.parts(20, 3), 2)


@pytest.mark.parametrize("block_mib", [0.0, 1e-6])
def test_memory_for_less_than_two_series_is_refused(block_mib: float) -> None:
    with pytest.raises(DataError, match="too little memory for a block"):
        scan_pairs(clustered_universe(1, 60, 6), block_mib=block_mib)


def test_little_memory_gives_the_same_table() -> None:
    x = clustered_universe(2, 120, 9)
    close(scan_pairs(x, min_candles=60), scan_pairs(x, min_candles=60, block_mib=0.01, threads=2))
