"""Economic filters: what statistics do not know about a pair.

Symbols are refused before any test (fewer tests, less to correct for; nothing here looks at how two prices
move together). Pairs are refused after all tests: what is tested must not depend on the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairbot_ext.scan.checks import Check
from pairbot_ext.scan.universe import FormationData
from pairbot_ext.settings.scan import Filters, Thresholds

FloatArray = NDArray[np.float64]
FUNDING_HALF_LIVES = 2.0
BP = 1e-4


@dataclass(frozen=True, slots=True)
class MarketInfo:
    """What the exchange says about a symbol; None where it says nothing."""

    listed: datetime | None = None
    delisted: datetime | None = None


def filter_symbols(
    data: FormationData, filters: Filters, markets: Mapping[str, MarketInfo] | None = None
) -> FormationData:
    """Move the symbols that fail a filter to ``rejected``, each with its reason."""
    days = data.window.candles * data.window.candle.total_seconds() / 86_400
    rejected = dict(data.rejected)
    keep = []
    for column, symbol in enumerate(data.symbols):
        info = (markets or {}).get(symbol, MarketInfo())
        volume = data.quote_volume[column] / days
        log_price = data.log_prices[:, column]
        price_range = float(np.expm1(log_price.max() - log_price.min()))
        listed = info.listed or data.first_candle[column]
        age_days = (data.window.end - listed).total_seconds() / 86_400
        if symbol.split("/", 1)[0] in filters.stable_coins:
            rejected[symbol] = "stable coin"
        elif info.delisted is not None:
            rejected[symbol] = f"delisting announced for {info.delisted:%Y-%m-%d %H:%M} UTC"
        elif volume < filters.min_quote_volume_per_day:
            rejected[symbol] = f"volume {volume:,.0f} per day, least {filters.min_quote_volume_per_day:,.0f}"
        elif age_days < filters.min_listing_days:
            rejected[symbol] = f"listed {age_days:.0f} days, least {filters.min_listing_days:g}"
        elif price_range < filters.min_price_range:
            rejected[symbol] = f"pegged: moved {price_range:.2%} in all, least {filters.min_price_range:.2%}"
        else:
            keep.append(column)
    return data.only(keep, rejected)


def half_betas(data: FormationData, table: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """OLS hedge ratio of each row in the first and the second half of the window, shape (rows,) each."""
    column = {symbol: place for place, symbol in enumerate(data.symbols)}
    a = table["leg_a"].map(column).to_numpy(dtype=np.intp)
    b = table["leg_b"].map(column).to_numpy(dtype=np.intp)
    middle = len(data.log_prices) // 2
    betas = []
    for half in (data.log_prices[:middle], data.log_prices[middle:]):
        deviation = half - half.mean(axis=0)
        cross = deviation.T @ deviation
        with np.errstate(divide="ignore", invalid="ignore"):
            betas.append(cross[a, b] / cross[b, b])
    return betas[0], betas[1]


def pair_costs(
    data: FormationData, table: pd.DataFrame, filters: Filters, thresholds: Thresholds
) -> pd.DataFrame:
    """Edge and costs of one round trip per unit of leg A notional, basis points.

    Columns ``edge_bp`` = (entry_z - exit_z) * sigma, ``trading_bp`` = (1 + beta) * (2 * fee + spread),
    ``funding_bp`` = what two half-lives of the legs' mean net funding amount to, whichever side pays.
    """
    column = {symbol: place for place, symbol in enumerate(data.symbols)}
    assumed = filters.assumed_funding_bp_per_8h * BP / 8
    rate = np.where(np.isfinite(data.mean_funding), data.mean_funding, assumed)
    rate_a = rate[table["leg_a"].map(column).to_numpy(dtype=np.intp)]
    rate_b = rate[table["leg_b"].map(column).to_numpy(dtype=np.intp)]
    beta = table["beta"].to_numpy()
    hours = table["half_life"].to_numpy() * data.window.candle.total_seconds() / 3600
    with np.errstate(invalid="ignore"):
        funding = np.abs(rate_a - beta * rate_b) * FUNDING_HALF_LIVES * hours
    return pd.DataFrame(
        {
            "edge_bp": (thresholds.entry_z - thresholds.exit_z) * table["sigma"].to_numpy() / BP,
            "trading_bp": (1 + np.abs(beta)) * (2 * filters.fee_bp + filters.spread_bp),
            "funding_bp": funding / BP,
        },
        index=table.index,
    )


_CHECKED_COLUMNS = (
    *("half_life", "beta", "reverse_beta", "beta_first_half", "beta_second_half"),
    *("edge_bp", "trading_bp", "funding_bp"),
)


def pair_checks(table: pd.DataFrame, filters: Filters, formation_candles: int) -> list[Check]:
    """The pair filters in the order they are applied.

    :param table: engine columns, ``reverse_beta``, ``beta_first_half``, ``beta_second_half`` and the columns
        of `pair_costs`.
    """
    value = {name: table[name].to_numpy(dtype=np.float64) for name in _CHECKED_COLUMNS}
    half_life, beta = value["half_life"], value["beta"]
    longest = formation_candles / filters.min_half_lives_in_formation
    with np.errstate(divide="ignore", invalid="ignore"):
        directions = np.abs(_ratio(1 / value["reverse_beta"], beta))
        halves = np.abs(_ratio(value["beta_first_half"], value["beta_second_half"]))
        cost = value["trading_bp"] + value["funding_bp"]
        edge_ok = value["edge_bp"] >= filters.min_edge_over_cost * cost
    return [
        Check(
            "half-life",
            (half_life >= filters.min_half_life_candles) & (half_life <= longest),
            lambda row: (
                f"half-life {half_life[row]:.1f} candles, allowed {filters.min_half_life_candles:g} to "
                f"{longest:.1f} (formation / {filters.min_half_lives_in_formation:g})"
            ),
        ),
        Check(
            "beta",
            (beta >= filters.min_beta) & (beta <= filters.max_beta),
            lambda row: f"hedge ratio {beta[row]:.3f}, allowed {filters.min_beta:g} to {filters.max_beta:g}",
        ),
        Check(
            "beta directions",
            directions <= filters.max_beta_gap_directions,
            lambda row: (
                f"hedge ratio {beta[row]:.3f}, from the reverse regression "
                f"{1 / value['reverse_beta'][row]:.3f}: {_apart(directions[row])}, allowed "
                f"{filters.max_beta_gap_directions:.0%}"
            ),
        ),
        Check(
            "beta halves",
            halves <= filters.max_beta_gap_halves,
            lambda row: (
                f"hedge ratio {value['beta_first_half'][row]:.3f} in the first half, "
                f"{value['beta_second_half'][row]:.3f} in the second: {_apart(halves[row])}, allowed "
                f"{filters.max_beta_gap_halves:.0%}"
            ),
        ),
        Check(
            "cost",
            edge_ok,
            lambda row: (
                f"edge {value['edge_bp'][row]:.0f} bp, needs {filters.min_edge_over_cost:g} x cost "
                f"{cost[row]:.0f} bp (trading {value['trading_bp'][row]:.0f}, funding "
                f"{value['funding_bp'][row]:.1f})"
            ),
        ),
    ]


def _ratio(x: FloatArray, y: FloatArray) -> FloatArray:
    """How far the larger of two positive numbers lies above the smaller, relative; inf for opposite signs."""
    larger, smaller = np.maximum(x, y), np.minimum(x, y)
    return np.where(smaller > 0, larger / smaller - 1, np.inf)


def _apart(ratio: float) -> str:
    return f"{ratio:.0%} apart" if np.isfinite(ratio) else "not both positive"
