"""Pictures of a whole report: equity and drawdown. matplotlib, no window system, no network."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pairbot_ext.report.equity import EquityPath
from pairbot_ext.report.plots import SPREAD, STOP

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 140


def equity_figure(equity: EquityPath, currency: str, note: str = "") -> Figure:
    """Net result over time above, distance from the high so far below.

    :param note: a sentence the picture must not be seen without.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 5), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    net, fall = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1.3]})
    when = date2num(equity.when.to_pydatetime())
    # Realized results stand still between two closes.
    style = "default" if equity.is_marked else "steps-post"
    net.axhline(0, color="#888888", lw=0.8)
    net.plot(when, equity.net, color=SPREAD, lw=1.2, drawstyle=style)
    net.set_ylabel(f"net, {currency}")
    fall.fill_between(
        when, equity.fall, 0, color=STOP, alpha=0.35, lw=0, step=None if equity.is_marked else "post"
    )
    fall.set_ylabel(f"drawdown, {currency}")
    for axes in (net, fall):
        axes.grid(visible=True, color="#e4e4e4", lw=0.6)
        axes.margins(x=0.01)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    if not equity.fall.min() < 0:
        fall.set_ylim(bottom=-1)
    fall.set_ylim(top=0)
    locator = AutoDateLocator()
    fall.xaxis.set_major_locator(locator)
    fall.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    figure.align_ylabels()
    if note:
        figure.suptitle(note, fontsize=9, x=0.01, ha="left")
    return figure


def png_bytes(figure: Figure, dpi: int = _DPI) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, format="png")
    return buffer.getvalue()
