"""Markets of which the truth is known, for the statistical studies: null universes and planted pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import beta as beta_distribution

from benchmarks.market_data import REAL_DATADIR
from pairbot_ext.stats import scan_pairs
from pairbot_ext.stats.multiplicity import DEFAULT_RULE, one_row_per_pair

HOURLY_VOLATILITY = 0.01
# GARCH(1,1) with standardised Student-t shocks: kurtosis and clustering of hourly altcoin returns.
GARCH_ARCH, GARCH_GARCH, SHOCK_DF = 0.10, 0.88, 5
BURN_IN = 500

Steps = Callable[[int, int, np.random.Generator], np.ndarray]


def iid_steps(n_candles: int, n_series: int, rng: np.random.Generator) -> np.ndarray:
    """Normal log returns of 1 % per candle, shape (n_candles, n_series)."""
    return HOURLY_VOLATILITY * rng.standard_normal((n_candles, n_series))


def garch_steps(n_candles: int, n_series: int, rng: np.random.Generator) -> np.ndarray:
    """Log returns with GARCH(1,1) variance and t5 shocks, 1 % per candle on average, independent series."""
    length = n_candles + BURN_IN
    shocks = rng.standard_t(SHOCK_DF, (length, n_series)) * np.sqrt((SHOCK_DF - 2) / SHOCK_DF)
    variance = np.ones(n_series)
    out = np.empty_like(shocks)
    for t in range(length):
        out[t] = np.sqrt(variance) * shocks[t]
        variance = (1.0 - GARCH_ARCH - GARCH_GARCH) + GARCH_ARCH * out[t] ** 2 + GARCH_GARCH * variance
    return HOURLY_VOLATILITY * out[BURN_IN:]


def real_returns(datadir: Path = REAL_DATADIR) -> np.ndarray | None:
    """Hourly log returns of the real symbols, shape (T - 1, N); None where the data folder is absent."""
    files = sorted((datadir / "futures").glob("*-1h-futures.feather"))
    if not files:
        return None
    closes = [pd.read_feather(file).set_index("date")["close"] for file in files]
    return np.diff(np.log(pd.concat(closes, axis=1, join="inner").to_numpy()), axis=0)


def rotated(returns: np.ndarray) -> Steps:
    """The real-data null: every symbol's returns rotated by its own random circular offset.

    Keeps each symbol's distribution, volatility clustering and serial correlation; breaks the dependence
    between symbols, so that no pair is cointegrated.
    """

    def steps(n_candles: int, n_series: int, rng: np.random.Generator) -> np.ndarray:
        columns = rng.permutation(returns.shape[1])[:n_series]
        offsets = rng.integers(0, returns.shape[0], columns.size)
        rows = (np.arange(n_candles)[:, None] + offsets) % returns.shape[0]
        return returns[rows, columns]

    return steps


def steps_named(noise: str, returns: np.ndarray | None = None) -> Steps:
    """The steps of "iid", "garch" or, of these real returns, "rotated": tasks name what they cannot carry."""
    if noise == "rotated":
        assert returns is not None
        return rotated(returns)
    return {"iid": iid_steps, "garch": garch_steps}[noise]


def planted_universe(
    steps: Steps,
    n_candles: int,
    n_series: int,
    n_pairs: int,
    half_life_candles: float,
    rng: np.random.Generator,
    spread_step: float = HOURLY_VOLATILITY,
) -> np.ndarray:
    """Log prices, shape (n_candles, n_series), in which columns (0, 1), (2, 3) … of the first pairs revert.

    Leg B is a random walk; leg A = beta B + u with beta uniform in 0.5 … 1.5 and u a stationary AR(1) of the
    given half-life. Both are driven by ``steps``; u's innovations have the volatility ``spread_step``. All
    other columns are independent random walks.
    """
    burn = int(np.ceil(10 * half_life_candles))
    innovations = steps(n_candles + burn, n_series, rng)
    x = np.cumsum(innovations, axis=0)[burn:]
    rho = 0.5 ** (1.0 / half_life_candles)
    scale = spread_step / HOURLY_VOLATILITY
    for pair in range(n_pairs):
        u = lfilter([scale], [1.0, -rho], innovations[:, 2 * pair])[burn:]
        x[:, 2 * pair] = rng.uniform(0.5, 1.5) * x[:, 2 * pair + 1] + u
    return x


def evaluated_pairs(log_prices: np.ndarray) -> pd.DataFrame:
    """Every unordered pair with textbook and robust p and the q-values, as a scan's default rule sees it."""
    names = list(range(log_prices.shape[1]))
    pairs = one_row_per_pair(scan_pairs(log_prices, names))
    return pairs.join(DEFAULT_RULE.evaluate(pairs, log_prices, names))


@dataclass(frozen=True, slots=True)
class Share:
    """k successes of n independent draws with the exact (Clopper-Pearson) 95 % interval."""

    k: int
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        low = beta_distribution.ppf(0.025, self.k, self.n - self.k + 1) if self.k else 0.0
        high = beta_distribution.ppf(0.975, self.k + 1, self.n - self.k) if self.k < self.n else 1.0
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.k / self.n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def markdown_table(header: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def write_or_print(text: str, path: Path | None) -> None:
    """Print a report and, if a path is given, write it there."""
    print(text)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
