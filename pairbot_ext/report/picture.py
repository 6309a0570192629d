"""The numbers behind a pair's picture: prices, spread, z, rolling estimates, trades. No drawing here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from pairbot_ext.pairs import Epoch, Pair, PairsFile
from pairbot_ext.report.pairing import PairTrade
from pairbot_ext.signals.grid import PriceGrid, build_grid
from pairbot_ext.signals.paths import spread_path
from pairbot_ext.stats.arrays import FloatArray
from pairbot_ext.stats.rolling import RollingModels, rolling_models
from pairbot_ext.support.errors import DataError
from pairbot_ext.support.redact import without_secrets


@dataclass(frozen=True, slots=True)
class PairSpan:
    """A pair's model and the time in which it rules; open-ended where None.

    :param epoch: the selection it is of: without it a model that moves is drawn as its formation left it.
    """

    pair: Pair
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    epoch: Epoch | None = None


@dataclass(frozen=True, slots=True)
class TradeMark:
    """Where a pair trade was opened and closed. Times UTC; ``closed`` and ``z_close`` may be unknown."""

    opened: datetime
    closed: datetime | None
    is_short_spread: bool
    z_open: float
    z_close: float
    label: str


@dataclass(frozen=True, slots=True)
class PairPicture:
    """Everything a picture shows, one value per candle, shape (n,).

    :ivar when: close time of each candle, UTC.
    :ivar index_a, index_b: prices, 100 at the first candle both legs have.
    :ivar spread_bp: log A - alpha - beta log B - mu, in basis points of leg A's notional.
    :ivar sigma_bp: its standard deviation by the model that rules then.
    :ivar beta: of the model that rules then; ``rolling_beta`` from the rolling window.
    :ivar half_life_hours: rolling estimate; NaN where the window's spread does not revert.
    :ivar pair: the newest span's pair, whose thresholds are drawn.
    :ivar valid_from: from when the first span may be traded, None if always.
    """

    pair: Pair
    timeframe: str
    candle_hours: float
    window_candles: int
    when: pd.DatetimeIndex
    index_a: FloatArray
    index_b: FloatArray
    spread_bp: FloatArray
    sigma_bp: FloatArray
    z: FloatArray
    beta: FloatArray
    rolling_beta: FloatArray
    half_life_hours: FloatArray
    valid_from: datetime | None
    marks: tuple[TradeMark, ...]


def spans_of(pairs_file: PairsFile, pair_id: str) -> list[PairSpan]:
    """The pair's models over the epochs of a pairs file, oldest first.

    :raises DataError: no epoch holds the id; the message lists those there are.
    """
    spans = [
        PairSpan(pair, epoch.valid_from, epoch.valid_to, epoch)
        for epoch in pairs_file.epochs
        for pair in epoch.pairs
        if pair.id == pair_id
    ]
    if not spans:
        raise DataError(
            "the pairs file has no such pair",
            value=pair_id,
            remedy=f"Its pairs: {', '.join(pairs_file.pair_ids()) or 'none, the list is empty'}",
        )
    return spans


def make_picture(
    frames: Mapping[str, pd.DataFrame],
    spans: Sequence[PairSpan],
    trades: Sequence[PairTrade] = (),
    *,
    timeframe: str,
    window_candles: int,
    start: datetime | None = None,
    end: datetime | None = None,
) -> PairPicture:
    """Compute one pair's picture.

    :param frames: candles (date, open, high, low, close, volume) of both legs; other symbols are ignored.
    :param spans: models in time order. Before the first span its own model is drawn (the formation period).
    :param window_candles: of the rolling estimates, and of the model of a pair without a frozen one.
    :param start, end: what to show (candle close times); statistics use earlier candles too.
    :raises DataError: a leg has no candles, or nothing lies between start and end.
    """
    from freqtrade.exchange import timeframe_to_seconds

    pair = spans[-1].pair
    for symbol in pair.symbols:
        if symbol not in frames or frames[symbol].empty:
            raise DataError(
                f"no candles of {symbol} to draw pair {pair.id}",
                remedy="Fetch them with `pairbot download`, or name another --datadir",
            )
    step_secs = timeframe_to_seconds(timeframe)
    grid = build_grid({symbol: frames[symbol] for symbol in pair.symbols}, step_secs)
    log_a, log_b = (grid.log_close[symbol] for symbol in pair.symbols)
    when = pd.date_range(grid.start + grid.step, periods=grid.size, freq=grid.step)
    rolling = rolling_models(log_a, log_b, window_candles)
    spread, sigma, beta = _model_paths(grid, when, spans, rolling)
    z = spread / sigma
    shown = np.ones(grid.size, dtype=bool)
    if start is not None:
        shown &= np.asarray(when >= pd.Timestamp(start))
    if end is not None:
        shown &= np.asarray(when <= pd.Timestamp(end))
    both = shown & np.isfinite(log_a) & np.isfinite(log_b)
    if not both.any():
        raise DataError(
            f"nothing to draw for pair {pair.id}: no candle of both legs in the chosen time",
            value=f"candles from {when[0]:%Y-%m-%d} to {when[-1]:%Y-%m-%d}",
            remedy="Choose another --timerange",
        )
    base = int(np.argmax(both))
    half_life = rolling.half_life_candles * step_secs / 3600
    return PairPicture(
        pair=pair,
        timeframe=timeframe,
        candle_hours=step_secs / 3600,
        window_candles=window_candles,
        when=when[shown],
        index_a=100 * np.exp(log_a - log_a[base])[shown],
        index_b=100 * np.exp(log_b - log_b[base])[shown],
        spread_bp=1e4 * spread[shown],
        sigma_bp=1e4 * sigma[shown],
        z=z[shown],
        beta=beta[shown],
        rolling_beta=rolling.beta[shown],
        half_life_hours=np.where(np.isfinite(half_life), half_life, np.nan)[shown],
        valid_from=spans[0].valid_from,
        marks=tuple(_mark(trade, when, z) for trade in trades if _overlaps(trade, start, end)),
    )


def _model_paths(
    grid: PriceGrid,
    when: pd.DatetimeIndex,
    spans: Sequence[PairSpan],
    rolling: RollingModels,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(spread less mu, sigma, beta) by the model that rules at each candle; NaN between spans."""
    log_a, log_b = (grid.log_close[symbol] for symbol in spans[-1].pair.symbols)
    spread, sigma, beta = (np.full(log_a.size, np.nan) for _ in range(3))
    for number, span in enumerate(spans):
        rows = np.ones(log_a.size, dtype=bool)
        if number and span.valid_from is not None:
            rows &= np.asarray(when >= pd.Timestamp(span.valid_from))
        if span.valid_to is not None:
            rows &= np.asarray(when < pd.Timestamp(span.valid_to))
        pair = span.pair
        if pair.alpha is not None and pair.sigma is not None:
            u = log_a - pair.alpha - pair.hedge_ratio * log_b - (pair.mu or 0.0)
            spread[rows], sigma[rows], beta[rows] = u[rows], pair.sigma, pair.hedge_ratio
        else:
            spread[rows] = (rolling.z * rolling.sigma)[rows]
            sigma[rows], beta[rows] = rolling.sigma[rows], rolling.beta[rows]
        if span.epoch is None or pair.model is None or pair.model.is_constant:
            continue
        # Before its formation ended a moving model is drawn as the formation's.
        path = spread_path(grid, span.epoch, pair, rolling.beta.size)
        if path is not None:
            at = np.flatnonzero(rows)
            at = at[(at >= path.first_row) & (at < path.first_row + path.z.size)]
            inner = at - path.first_row
            spread[at], sigma[at], beta[at] = path.spread[inner], path.sigma[inner], path.beta[inner]
    return spread, sigma, beta


def _overlaps(trade: PairTrade, start: datetime | None, end: datetime | None) -> bool:
    return (end is None or trade.opened <= end) and (
        start is None or trade.closed is None or trade.closed >= start
    )


def _mark(trade: PairTrade, when: pd.DatetimeIndex, z: FloatArray) -> TradeMark:
    """A trade fills at a candle's open, so the z that caused it is that of the candle closed just then."""

    def z_at(moment: datetime | None) -> float:
        row = -1 if moment is None else int(when.searchsorted(pd.Timestamp(moment), side="right")) - 1
        return float(z[row]) if row >= 0 else float("nan")

    leg_a_short = trade.legs_a[0].is_short if trade.legs_a else not trade.legs_b[0].is_short
    direction = "short" if leg_a_short else "long"
    ending = "open" if trade.closed is None else without_secrets(", ".join(trade.exit_reasons)) or "closed"
    return TradeMark(
        opened=trade.opened,
        closed=trade.closed,
        is_short_spread=leg_a_short,
        z_open=z_at(trade.opened),
        z_close=z_at(trade.closed),
        label=f"{direction} spread, {ending}, profit {trade.profit:+.2f}",
    )
