"""A walk-forward as one HTML page with interactive pictures: plotly inside, no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pairbot_ext.report.html import STYLE
from pairbot_ext.research.costs import CostModel
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
    market, equity = result.outcome.market, result.outcome.equity
    when = pd.date_range(market.grid.start, periods=equity.size, freq=market.step)
    figure = _figure("", "quote currency, backtest costs only")
    figure.add_scatter(x=when, y=equity, name="equity", mode="lines")
    fall = equity - np.maximum.accumulate(equity)
    figure.add_scatter(x=when, y=fall, name="drawdown", mode="lines", yaxis="y2", fill="tozeroy")
    figure.update_layout(
        yaxis2={"overlaying": "y", "side": "right", "range": [3 * min(float(fall.min()), -1e-9), 0]}
    )
    return figure


def weeks_figure(result: WalkForward) -> Figure:
    """Each week's net as a calendar: months across, weeks of the month down."""
    months = [f"{when:%Y-%m}" for when in result.weekly.index]
    order = list(dict.fromkeys(months))
    grid = np.full((6, len(order)), np.nan)
    for when, value in result.weekly.items():
        grid[(when.day - 1) // 7, order.index(f"{when:%Y-%m}")] = 1e4 * value  # type: ignore[attr-defined]
    figure = _figure("", "week of the month")
    figure.add_heatmap(
        x=order, y=[1, 2, 3, 4, 5, 6], z=grid, colorscale="RdBu", zmid=0, colorbar_title="bp of wallet"
    )
    return figure


def exposure_figure(result: WalkForward) -> Figure:
    """How many pairs are open, and the notional of all legs over the wallet."""
    market = result.outcome.market
    count, notional = np.zeros(market.grid.size), np.zeros(market.grid.size)
    trades = result.trades
    for opened, closed, each in zip(
        trades["opened_row"], trades["closed_row"], trades["notional"], strict=True
    ):
        count[int(opened) : int(closed)] += 1
        notional[int(opened) : int(closed)] += float(each)
    when = pd.date_range(market.grid.start, periods=market.grid.size, freq=market.step)
    figure = _figure("", "open pairs")
    figure.add_scatter(x=when, y=count, name="open pairs", line_shape="hv")
    figure.add_scatter(x=when, y=notional / result.outcome.terms.wallet, name="exposure / wallet", yaxis="y2")
    figure.update_layout(yaxis2={"overlaying": "y", "side": "right"})
    return figure
