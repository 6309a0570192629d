"""A walk-forward as one HTML page with interactive pictures: plotly inside, no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from pairbot_ext.report.html import STYLE
from pairbot_ext.research.costs import CostModel
from pairbot_ext.research.drawn import (
    calendar,
    equity_and_fall,
    open_pairs,
    shares,
    strategy_counts,
    times,
)
from pairbot_ext.research.placebos import BIN_BP, NET_EDGES
from pairbot_ext.research.texts import sentences
from pairbot_ext.research.verdict import RULES
from pairbot_ext.research.walkforward import WalkForward

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BINS = 40


def walkforward_page(result: WalkForward, costs: CostModel) -> str:
    """The page."""
    said = sentences(result, costs)
    pictures = [
        ("Place among placebos", placebo_figure(result)),
        ("Pair trades over the placebos'", nets_figure(result)),
        ("From gross to net", waterfall_figure(result)),
        ("Equity and drawdown", equity_figure(result)),
        ("Weeks", weeks_figure(result)),
        ("Open pairs and exposure", exposure_figure(result)),
    ]
    body = [f"<h1>Walk-forward</h1><p><strong>{escape(said[0])}</strong></p>"]
    body += [f"<p>{escape(each)}</p>" for each in said[1:]]
    for number, (title, figure) in enumerate(pictures):
        drawn = figure.to_html(full_html=False, include_plotlyjs=number == 0)
        body.append(f"<h2>{escape(title)}</h2>{drawn}")
    rules = "".join(
        f"<dt>{level.value}</dt><dd>{escape('; '.join(needed))}</dd>" for level, needed in RULES.items()
    )
    body.append(f"<h2>The rules of the verdict</h2><dl>{rules}</dl>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Walk-forward</title>\n<style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _figure(x: str, y: str) -> Figure:
    from plotly.graph_objects import Figure, Layout

    return Figure(
        layout=Layout(
            template="simple_white", height=340, margin={"t": 10}, xaxis_title=x, yaxis_title=y,
            legend={"orientation": "h"},
        )
    )  # fmt: skip


def placebo_figure(result: WalkForward) -> Figure:
    """How the placebos' mean nets are distributed, and where the strategy stands."""
    figure = _figure("mean net, bp of N_A + N_B", "placebos")
    for kind, chance in result.placebos.items():
        figure.add_histogram(x=chance.means[np.isfinite(chance.means)], name=kind, opacity=0.55, nbinsx=_BINS)
    figure.update_layout(barmode="overlay")
    figure.add_vline(x=result.mean.mean, line_width=2, annotation_text="strategy")
    return figure


def waterfall_figure(result: WalkForward) -> Figure:
    """Gross, each cost, net."""
    figure = _figure("", "bp of N_A + N_B")
    names = list(result.waterfall)
    kinds = ["total" if name == "net" else "relative" for name in names]
    figure.add_waterfall(x=names, y=[result.waterfall[name] for name in names], measure=kinds)
    return figure


def equity_figure(result: WalkForward) -> Figure:
    """The wallet of the backtest, open legs marked to market; slippage and legging are not in it."""
    equity, fall = equity_and_fall(result)
    when = times(result)
    figure = _figure("", "quote currency, backtest costs only")
    figure.add_scatter(x=when, y=equity, name="equity", mode="lines")
    figure.add_scatter(x=when, y=fall, name="drawdown", mode="lines", yaxis="y2", fill="tozeroy")
    figure.update_layout(
        yaxis2={"overlaying": "y", "side": "right", "range": [3 * min(float(fall.min()), -1e-9), 0]}
    )
    return figure


def weeks_figure(result: WalkForward) -> Figure:
    """Each week's net as a calendar: months across, weeks of the month down."""
    months, grid = calendar(result)
    figure = _figure("", "week of the month")
    figure.add_heatmap(
        x=months, y=list(range(1, len(grid) + 1)), z=grid, colorscale="RdBu", zmid=0,
        colorbar_title="bp of wallet",
    )  # fmt: skip
    return figure


def exposure_figure(result: WalkForward) -> Figure:
    """How many pairs are open, and the notional of all legs over the wallet."""
    count, exposure = open_pairs(result)
    figure = _figure("", "open pairs")
    figure.add_scatter(x=times(result), y=count, name="open pairs", line_shape="hv")
    figure.add_scatter(x=times(result), y=exposure, name="exposure / wallet", yaxis="y2")
    figure.update_layout(yaxis2={"overlaying": "y", "side": "right"})
    return figure


def nets_figure(result: WalkForward) -> Figure:
    """How the single pair trades are distributed over the placebos'."""
    figure = _figure(f"net of a pair trade, bp of N_A + N_B, in bins of {BIN_BP:g}", "share of pair trades")
    middles = (NET_EDGES[:-1] + NET_EDGES[1:]) / 2
    figure.add_bar(x=middles, y=shares(strategy_counts(result)), name="strategy", opacity=0.5)
    for kind, chance in result.placebos.items():
        figure.add_scatter(x=middles, y=shares(chance.counts), name=kind, line_shape="hvh")
    return figure
