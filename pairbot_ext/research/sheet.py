"""A walk-forward as one PNG: what the page shows, to be kept beside a text. matplotlib, no window system."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pairbot_ext.report.figures import png_bytes
from pairbot_ext.research.drawn import (
    calendar,
    equity_and_fall,
    open_pairs,
    shares,
    strategy_counts,
    times,
)
from pairbot_ext.research.placebos import BIN_BP, NET_EDGES
from pairbot_ext.research.walkforward import WalkForward

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 80
_BINS = 30


def walkforward_sheet(result: WalkForward) -> bytes:
    """The PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 12), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 2)
    net, evidence = result.mean.mean, result.evidence.upper()
    figure.suptitle(
        f"Evidence of an edge after costs: {evidence}; out of sample, net {net:+.1f} bp per pair trade"
    )
    _placebos(axes[0, 0], result)
    _nets(axes[0, 1], result)
    _waterfall(axes[1, 0], result)
    _weeks(axes[1, 1], result)
    _equity(axes[2, 0], result)
    _exposure(axes[2, 1], result)
    return png_bytes(figure, _DPI)


def _placebos(axes: Axes, result: WalkForward) -> None:
    known = [chance.means[np.isfinite(chance.means)] for chance in result.placebos.values()]
    every = np.concatenate([*known, [result.mean.mean]])
    edges = np.linspace(float(every.min()) - 1, float(every.max()) + 1, _BINS)
    for kind, means in zip(result.placebos, known, strict=True):
        axes.hist(means, bins=list(edges), alpha=0.5, label=kind)
    axes.axvline(result.mean.mean, color="black", lw=2, label="strategy")
    axes.set(title="Place among placebos", xlabel="mean net, bp of N_A + N_B", ylabel="placebos")
    axes.legend(fontsize=8)


def _nets(axes: Axes, result: WalkForward) -> None:
    axes.stairs(shares(strategy_counts(result)), NET_EDGES, fill=True, alpha=0.4, label="strategy")
    for kind, chance in result.placebos.items():
        axes.stairs(shares(chance.counts), NET_EDGES, label=kind)
    axes.set(
        title="Pair trades over the placebos'",
        xlabel=f"net of a pair trade, bp of N_A + N_B, in bins of {BIN_BP:g}",
        ylabel="share of pair trades",
    )
    axes.legend(fontsize=8)


def _waterfall(axes: Axes, result: WalkForward) -> None:
    names, values = list(result.waterfall), np.array(list(result.waterfall.values()))
    begins = np.concatenate([[0.0], np.cumsum(values[:-1])])
    begins[-1] = 0.0
    colours = ["#4a78b5" if name in ("gross", "net") else "#c2553d" for name in names]
    axes.bar(names, values, bottom=begins, color=colours)
    axes.axhline(0, color="#888888", lw=0.8)
    for place, (begin, value) in enumerate(zip(begins, values, strict=True)):
        axes.annotate(
            f"{value:+.1f}", (place, begin + value), ha="center", va="bottom" if value > 0 else "top"
        )
    axes.set(title="From gross to net", ylabel="bp of N_A + N_B per pair trade")
    axes.margins(y=0.15)


def _weeks(axes: Axes, result: WalkForward) -> None:
    months, grid = calendar(result)
    most = float(np.nanmax(np.abs(grid))) or 1.0
    shown = axes.imshow(grid, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    axes.set_xticks(range(len(months)), months)
    axes.set_yticks(range(len(grid)), [str(number + 1) for number in range(len(grid))])
    axes.set(title="Weeks, net in bp of the wallet", ylabel="week of the month")
    for (row, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            axes.annotate(f"{value:+.0f}", (column, row), ha="center", va="center", fontsize=8)
    assert axes.figure is not None
    axes.figure.colorbar(shown, ax=axes)


def _equity(axes: Axes, result: WalkForward) -> None:
    equity, fall = equity_and_fall(result)
    when = times(result).to_pydatetime()
    axes.plot(when, equity, lw=1.2)
    axes.set(title="Equity and drawdown, backtest costs only", ylabel="quote currency")
    below = axes.twinx()
    below.fill_between(when, fall, 0, alpha=0.3, color="#c2553d", lw=0)
    below.set_ylim(3 * min(float(fall.min()), -1e-9), 0)
    axes.tick_params(axis="x", labelrotation=30)


def _exposure(axes: Axes, result: WalkForward) -> None:
    count, exposure = open_pairs(result)
    when = times(result).to_pydatetime()
    axes.step(when, count, where="post", lw=1)
    axes.set(title="Open pairs (line) and exposure over the wallet (area)", ylabel="open pairs")
    right = axes.twinx()
    right.fill_between(when, exposure, 0, alpha=0.3, step="post", lw=0)
    right.set_ylim(bottom=0)
    axes.tick_params(axis="x", labelrotation=30)
