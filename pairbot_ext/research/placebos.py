"""What chance alone makes of the same rules: the strategy's place among placebos says more than its mean.

Signs: every pair trade as it was, its direction drawn anew. Random pairs: in every epoch other pairs of the
same symbols with half-lives like the selected ones, models fitted on the same formation. Phases: every
symbol's weeks in an order of its own, which keeps its moves and its volatility and breaks every relation
between coins; then the same scan and the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

import numpy as np
import pandas as pd

from pairbot_ext.pairs import Epoch, Pair, PairsFile, symbols_of
from pairbot_ext.research.account import Terms
from pairbot_ext.research.contracts import Contract
from pairbot_ext.research.costs import CostModel, net_bp
from pairbot_ext.research.evidence import clustered_t
from pairbot_ext.research.market import Funding, Market, market_of
from pairbot_ext.research.simulator import Simulation, book_of
from pairbot_ext.research.weeks import week_numbers
from pairbot_ext.scan.epochs import scan_all
from pairbot_ext.scan.filters import filter_symbols
from pairbot_ext.scan.pipeline import ScanOptions, epoch_of, pair_id, pairs_table
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.universe import Window, cut_window
from pairbot_ext.settings import Settings
from pairbot_ext.stats import compiled
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.candles import Columns
from pairbot_ext.stats.shifted import shifted_null
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks.work import Rows

NEAREST = 20
"""A random pair is one of so many whose half-lives are nearest to the selected one's."""
LEAST_BETA = 0.1
BLOCK = timedelta(weeks=1)


BIN_BP = 50.0
NET_EDGES = np.arange(-1_000.0, 1_000.0 + BIN_BP, BIN_BP)
"""Bins of single pair trades' nets; the outer ones hold what lies beyond them too."""


class Placebo(StrEnum):
    """Kinds of placebo."""

    SIGNS = "sign-flipped"
    PAIRS = "random pairs"
    PHASES = "phase-shuffled"


@dataclass(frozen=True)
class Chance:
    """Placebos of one kind. Shapes (placebos,).

    :param means: mean net, bp of N_A + N_B; NaN without a pair trade.
    :param ts: `evidence.clustered_t` of the nets, by which the strategy's place is found.
    :param pair_trades: that each made.
    :param counts: of all their pair trades in each bin of `NET_EDGES`. Shape (bins,).
    """

    means: FloatArray
    ts: FloatArray
    pair_trades: FloatArray
    counts: FloatArray


def count_nets(nets: FloatArray) -> FloatArray:
    """How many nets, in bp, are in each bin of `NET_EDGES`. Shape (bins,)."""
    inside = np.clip(nets, NET_EDGES[0], NET_EDGES[-1])
    return np.histogram(inside, NET_EDGES)[0].astype(np.float64)


def flipped(trades: pd.DataFrame, costs: CostModel, count: int, seed: int) -> Chance:
    """The same pair trades with directions drawn anew.

    Gross and funding change their sign with the direction, costs do not. Entries and exits are the model's
    and stay, so this is what the simulator would make of flipped signals where money does not bind.
    """
    parts = costs.waterfall(trades)
    moved = (parts["gross"] + parts["funding"]).to_numpy(np.float64)
    paid = (parts["net"] - parts["gross"] - parts["funding"]).to_numpy(np.float64)
    nets = np.random.default_rng(seed).choice([-1.0, 1.0], size=(count, moved.size)) * moved + paid
    return Chance(
        nets.mean(axis=1),
        clustered_t(nets, week_numbers(trades)),
        np.full(count, float(moved.size)),
        count_nets(nets.ravel()),
    )


@dataclass(frozen=True)
class Pool:
    """Every pair of one epoch's symbols that its formation could model. Arrays have shape (n,).

    :param alpha, beta, sigma: of the regression of log A on log B.
    """

    legs: tuple[tuple[str, str], ...]
    alpha: FloatArray
    beta: FloatArray
    sigma: FloatArray
    half_life_hours: FloatArray


def candidates(market: Market, epochs: Sequence[Epoch]) -> list[Pool]:
    """What random pairs are drawn from, of each epoch; empty where fewer than two symbols are usable."""
    columns = {symbol: Columns.of(frame) for symbol, frame in market.frames.items()}
    found = []
    hours = market.step.total_seconds() / 3600
    for epoch in epochs:
        length = round((epoch.formation_end - epoch.formation_start) / market.step)
        try:
            data = cut_window(columns, Window(market.timeframe, length, epoch.formation_end), {})
        except DataError:
            found.append(Pool((), *(np.empty(0) for _ in range(4))))
            continue
        with compiled.one_of(len(epochs)):
            table = pairs_table(data, None)
        half_life = table["half_life"].to_numpy(np.float64) * hours
        alpha, beta, sigma = (table[name].to_numpy(np.float64) for name in ("alpha", "beta", "sigma"))
        is_usable = (beta >= LEAST_BETA) & np.isfinite(half_life) & (half_life > 0) & (sigma > 0)
        legs = zip(table["leg_a"][is_usable], table["leg_b"][is_usable], strict=True)
        found.append(Pool(tuple(legs), *(each[is_usable] for each in (alpha, beta, sigma, half_life))))
    return found


def with_nulls(
    options: ScanOptions | None, market: Market, windows: Sequence[tuple[int, datetime]]
) -> ScanOptions | None:
    """The same options, with what the rule "calibrated" compares with: made once of every epoch's own
    candles, for a universe shuffled out of them has the same null. Other rules need none.

    :param windows: (candles, end) of every epoch's formation.
    """
    if options is None or options.rule is not Rule.CALIBRATED:
        return options
    columns = {symbol: Columns.of(frame) for symbol, frame in market.frames.items()}
    nulls = {}
    for candles, end in windows:
        data = cut_window(columns, Window(market.timeframe, candles, end), {})
        data = filter_symbols(data, options.knobs.filters, options.markets)
        if len(data.symbols) > 1:
            nulls[end] = shifted_null(data.log_prices)
    return replace(options, nulls=nulls)


def random_pairs(pairs_file: PairsFile, pools: Sequence[Pool], seed: int) -> PairsFile:
    """The same epochs and thresholds with other pairs of like half-lives."""
    rng = np.random.default_rng([seed, 11])
    epochs = []
    for epoch, pool in zip(pairs_file.epochs, pools, strict=True):
        chosen: dict[frozenset[str], Pair] = {}
        own = {frozenset(pair.symbols) for pair in epoch.pairs}
        logs = np.log(pool.half_life_hours)
        middle = float(np.median(logs)) if logs.size else 0.0
        for pair in epoch.pairs:
            wanted = np.log(pair.half_life_hours) if pair.half_life_hours else middle
            free = (
                row
                for row in np.argsort(np.abs(logs - wanted), kind="stable").tolist()
                if (both := frozenset(pool.legs[row])) not in own and both not in chosen
            )
            near = list(islice(free, NEAREST))
            if near:
                row = near[int(rng.integers(len(near)))]
                leg_a, leg_b = pool.legs[row]
                chosen[frozenset(pool.legs[row])] = pair.model_copy(
                    update={
                        "id": pair_id(leg_a, leg_b),
                        "leg_a": leg_a,
                        "leg_b": leg_b,
                        "hedge_ratio": float(pool.beta[row]),
                        "alpha": float(pool.alpha[row]),
                        "mu": 0.0,
                        "sigma": float(pool.sigma[row]),
                        "half_life_hours": float(pool.half_life_hours[row]),
                    }
                )
        epochs.append(epoch.model_copy(update={"pairs": tuple(chosen.values())}))
    return pairs_file.model_copy(update={"epochs": tuple(epochs), "pairs": symbols_of(epochs)})


def shuffled(market: Market, seed: int, startup_candles: int, settings: Settings) -> Market:
    """Every symbol's candles, each as a step from the close before, in another order of weeks.

    A rotation alone will not do: of two coins whose offsets differ by a few hours, one follows the other, and
    their spread does come back. Some pairs in every universe of 28 coins are so close.
    """
    rng = np.random.default_rng([seed, 13])
    week = max(round(BLOCK / market.step), 1)
    frames: dict[str, pd.DataFrame] = {}
    for symbol, frame in market.frames.items():
        size = len(frame)
        turned = np.roll(np.arange(size), int(rng.integers(size)))
        blocks = np.array_split(turned, max(size // week, 1))
        order = np.concatenate([blocks[each] for each in rng.permutation(len(blocks))])
        open_, high, low, close = (
            frame[name].to_numpy(np.float64) for name in ("open", "high", "low", "close")
        )
        before = np.concatenate([[open_[0]], close[:-1]])
        parts = [np.log(each / before)[order] for each in (open_, high, low, close)]
        level = np.log(before[0]) + np.concatenate([[0.0], np.cumsum(parts[3])[:-1]])
        prices = {
            n: np.exp(level + part) for n, part in zip(("open", "high", "low", "close"), parts, strict=True)
        }
        volume = frame["volume"].to_numpy(np.float64)[order]
        frames[symbol] = pd.DataFrame({"date": frame["date"], **prices, "volume": volume})
    funding = {symbol: _rescaled(market, frames, symbol) for symbol in frames}
    return market_of(
        frames, funding, market.timeframe, startup_candles, settings.volatility_gate, market.rates
    )


def _rescaled(market: Market, frames: Mapping[str, pd.DataFrame], symbol: str) -> Funding:
    """The same rates at the same stamps on the new prices."""
    known = market.funding[symbol]
    dates = frames[symbol]["date"].dt.as_unit("s").astype("int64").to_numpy()
    rows = np.clip(np.searchsorted(dates, known.stamps, "right") - 1, 0, len(dates) - 1)
    ratio = frames[symbol]["open"].to_numpy()[rows] / market.frames[symbol]["open"].to_numpy()[rows]
    return Funding.of(known.stamps, np.diff(known.paid) * ratio)


def one_placebo(
    kind: str,
    seed: int,
    *,
    market: Market,
    pairs_file: PairsFile,
    pools: Sequence[Pool],
    windows: Sequence[tuple[int, datetime]],
    options: ScanOptions | None,
    settings: Settings,
    terms: Terms,
    contracts: Mapping[str, Contract],
    startup: int,
    costs: CostModel,
    count: int,
) -> Rows:
    """One of `count` placebos: its mean net in bp, its t and its number of pair trades, as a row."""
    if kind == Placebo.PAIRS:
        file = random_pairs(pairs_file, pools, seed)
    else:
        assert options is not None  # phases need the rule that selected
        market = shuffled(market, seed, startup, settings)
        scans = [Window(market.timeframe, candles, end) for candles, end in windows]
        columns = {symbol: Columns.of(frame) for symbol, frame in market.frames.items()}
        with compiled.one_of(count * len(scans)):
            epochs = [
                epoch_of(each, options.knobs.thresholds, old.valid_from, old.valid_to)
                for each, old in zip(scan_all(columns, scans, options), pairs_file.epochs, strict=True)
            ]
        file = pairs_file.model_copy(update={"epochs": tuple(epochs), "pairs": symbols_of(epochs)})
    if not file.pairs:
        return [row_of(np.empty(0), 0.0)]
    book = book_of(market, file, settings)
    terms = replace(terms, whitelist=file.pairs)
    trades = Simulation(market, book, settings, terms, contracts, startup).run().pair_trades
    nets = net_bp(trades, costs)
    return [row_of(nets, float(clustered_t(nets, week_numbers(trades))[0]) if nets.size else 0.0)]


def row_of(nets: FloatArray, t: float) -> dict[str, object]:
    """One placebo as a row: mean net in bp, t, number of pair trades, and how many nets are in each bin."""
    mean = float(nets.mean()) if nets.size else float("nan")
    return {"mean_bp": mean, "t": t, "pair_trades": nets.size, "counts": count_nets(nets)}
