"""Engle-Granger tests of pairs with statsmodels, one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairbot_ext.errors import DataError
from pairbot_ext.stats.regression import fit_spread_model, spread
from pairbot_ext.stats.rolling import half_life_from_slope

FloatArray = NDArray[np.float64]
COLUMNS = (
    "leg_a",
    "leg_b",
    "alpha",
    "beta",
    "sigma",
    "coint_t",
    "coint_p",
    "adf_t",
    "adf_p",
    "half_life",
    "r2",
    "reason",
)


def scan_ordered_pairs(
    log_prices: FloatArray,
    names: Sequence[str],
    ordered_pairs: Sequence[tuple[int, int]],
    on_tested: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Test ``log A = alpha + beta log B + u`` for the given ordered pairs.

    :param log_prices: shape (T, N), all finite.
    :param names: N symbols.
    :param ordered_pairs: column indices (leg A, leg B).
    :param on_tested: called after each pair, for a progress bar.
    :return: one row per ordered pair with the columns `COLUMNS`; ``half_life`` in candles, ``reason`` empty
        or why the pair could not be tested.
    """
    rows = []
    for i, j in ordered_pairs:
        rows.append((names[i], names[j], *_test(log_prices[:, i], log_prices[:, j])))
        on_tested()
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _test(log_a: FloatArray, log_b: FloatArray) -> tuple[float | str, ...]:
    from statsmodels.tsa.stattools import adfuller, coint

    try:
        model = fit_spread_model(log_a, log_b)
    except DataError as error:
        return (*[float("nan")] * 9, str(error))
    coint_t, coint_p, _ = coint(log_a, log_b, trend="c", autolag="aic")
    u = spread(log_a, log_b, model)
    with warnings.catch_warnings():
        # 0.15 announces another return type; positions 0 and 1 are the same in both.
        warnings.simplefilter("ignore", FutureWarning)
        adf_t, adf_p, *_ = adfuller(u, regression="c", autolag="AIC")
    lagged = u[:-1] - u[:-1].mean()
    slope = np.array([np.diff(u) @ lagged / (lagged @ lagged)])
    half_life = float(half_life_from_slope(slope)[0])
    return (
        model.alpha,
        model.beta,
        model.sigma,
        float(coint_t),
        float(coint_p),
        float(adf_t),
        float(adf_p),
        half_life,
        model.r2,
        "",
    )
