"""The spread of one pair as a small PNG for a chat: what z means in prices, and where the pair stands.

matplotlib is imported when a picture is asked for: a plain Freqtrade installation has none, and trades.
"""

from __future__ import annotations

import io
import threading
from datetime import datetime, timedelta

import numpy as np

from pairbot_ext.control.course import Course, course_of
from pairbot_ext.model.records import PairTrade
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.support.clock import as_datetime

LEG_A, LEG_B, SPREAD, ENTRY, EXIT, STOP = "#0072B2", "#D55E00", "#333333", "#0072B2", "#009E73", "#CC3311"

_ONE_AT_A_TIME = threading.Lock()
"""matplotlib's caches are not made for several threads."""


def pair_png(book: SignalBook, pair_id: str, trade: PairTrade | None, now: datetime) -> bytes:
    """Draw z with its thresholds and both legs' prices over the last candles.

    :param trade: the open pair trade, whose own model is drawn; None draws the file's.
    :raises DataError: there are no candles of the pair.
    :raises ImportError: matplotlib is not installed.
    """
    course = course_of(book, pair_id, trade, now)
    with _ONE_AT_A_TIME:
        return _draw(pair_id, course, trade)


def _draw(pair_id: str, course: Course, trade: PairTrade | None) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    when, z, limits = course.when, course.z, course.limits
    opened = None if trade is None else as_datetime(trade.created_ms)
    figure = Figure(figsize=(8, 6), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 2]})
    upper.plot(when, z, color=SPREAD, lw=1.2)
    for name, level, color, style in (
        ("entry", limits.entry, ENTRY, "--"), ("exit", limits.exit, EXIT, ":"),
        ("stop", limits.stop, STOP, "-."),
    ):  # fmt: skip
        for sign in (1, -1):
            upper.axhline(
                sign * level, color=color, ls=style, lw=1.0, label=f"{name} {level:g}" if sign > 0 else None
            )
    known = z[np.isfinite(z)]
    size = float(np.abs(known).max()) if known.size else 0.0
    # Room above the stop for the legend; a blown-out spread is cut.
    height = max(limits.stop * 1.35, min(size * 1.2, limits.stop * 2))
    upper.set_ylim(-height, height)
    title = f"{pair_id}: z of the spread"
    if known.size:
        title += f", {known[-1]:+.2f} at {when[int(np.flatnonzero(np.isfinite(z))[-1])]:%Y-%m-%d %H:%M} UTC"
    if trade is not None and opened is not None:
        title += f"\n{trade.state}, entered at z {trade.plan.z:+.2f}"
        # Drawn to the entry's own moment, which lies inside a candle.
        upper.axvspan(opened, max(when[-1], opened + timedelta(minutes=1)), color="#F0E442", alpha=0.3, lw=0)
        upper.plot([opened], [trade.plan.z], marker="v" if trade.plan.z > 0 else "^", ms=9, color=ENTRY)
    upper.set_title(title, fontsize=11)
    upper.set_ylabel("z")
    upper.legend(loc="upper left", fontsize=8, ncols=3)
    for symbol, name, prices, color in zip(course.legs, "AB", course.log_prices, (LEG_A, LEG_B), strict=True):
        present = prices[np.isfinite(prices)]
        if present.size:
            index = 100 * np.exp(prices - present[0])
            lower.plot(when, index, color=color, lw=1.1, label=f"{symbol.split('/', 1)[0]} (leg {name})")
    lower.set_ylabel("price, first = 100")
    lower.legend(loc="upper left", fontsize=8)
    for axes in (upper, lower):
        axes.grid(alpha=0.25)
    locator = AutoDateLocator()
    lower.xaxis.set_major_locator(locator)
    lower.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    lower.set_xlabel("candle close, UTC")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=90)
    return out.getvalue()
