"""Pictures of one pair: a PNG (matplotlib) and one HTML file with plotly inside. Neither needs a network."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pairbot_ext.pairs import Pair
from pairbot_ext.report.picture import PairPicture, PairSpan, make_picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pairbot_ext.report.pairing import PairTrade

# Okabe & Ito's colours, told apart by colour-blind readers too.
LEG_A, LEG_B, SPREAD, ROLLING = "#0072B2", "#D55E00", "#333333", "#009E73"
ENTRY, EXIT, STOP, OPEN = "#0072B2", "#009E73", "#CC3311", "#F0E442"


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal threshold of |z|."""

    name: str
    z: float
    color: str
    dash: str


def plot_pair(
    frames: Mapping[str, pd.DataFrame],
    pair: Pair | Sequence[PairSpan],
    trades: Sequence[PairTrade] = (),
    *,
    timeframe: str = "1h",
    window_candles: int = 1440,
    start: datetime | None = None,
    end: datetime | None = None,
    out_html: Path | None = None,
    out_png: Path | None = None,
    title_note: str = "",
) -> PairPicture:
    """Draw indexed prices, spread with thresholds, z with entries and exits, rolling beta and half-life.

    :param frames: candles of both legs by symbol, in Freqtrade's columns.
    :param pair: one pair, or its models over several epochs (`picture.spans_of`).
    :param trades: pair trades to mark (`pairing.pair_trades`); those of other pairs are left out.
    :param out_html, out_png: where to write; what is None is not written.
    :param title_note: a sentence under the title that a picture must not be seen without.
    :raises DataError: no candles to draw.
    """
    spans = [PairSpan(pair)] if isinstance(pair, Pair) else list(pair)
    own = [trade for trade in trades if trade.pair_id == spans[-1].pair.id]
    picture = make_picture(
        frames, spans, own, timeframe=timeframe, window_candles=window_candles, start=start, end=end
    )
    if out_png is not None:
        out_png.parent.mkdir(parents=True, exist_ok=True)
        figure_png(picture, title_note).savefig(out_png, dpi=110)
    if out_html is not None:
        out_html.parent.mkdir(parents=True, exist_ok=True)
        figure_html(picture, title_note).write_html(out_html, include_plotlyjs=True, full_html=True)
    return picture


def levels(pair: Pair) -> list[Level]:
    """The pair's thresholds; each is drawn at +z and -z."""
    chosen = pair.thresholds or pair.own_thresholds
    return [
        Level("entry", chosen.entry, ENTRY, "--"),
        Level("exit", chosen.exit, EXIT, ":"),
        Level("stop", chosen.stop, STOP, "-."),
    ]


def title(picture: PairPicture) -> str:
    """Pair, model and period in one line."""
    pair = picture.pair
    model = f"frozen model, beta {pair.hedge_ratio:.3f}" if pair.is_frozen else "rolling model"
    if pair.model is not None:
        model = f"model {pair.model.name}, beta {pair.hedge_ratio:.3f} at its formation"
    if pair.half_life_hours is not None:
        model += f", half-life {pair.half_life_hours:.1f} h"
    return (
        f"{pair.id}: {picture.timeframe}, {picture.when[0]:%Y-%m-%d} to {picture.when[-1]:%Y-%m-%d}, {model}"
    )


def _base(symbol: str) -> str:
    return symbol.split("/", 1)[0]


def _z_limit(picture: PairPicture) -> float:
    """Half the height of the z axis: the stop is in it, a blown-out spread is cut."""
    largest = float(np.nanmax(np.abs(picture.z))) if np.isfinite(picture.z).any() else 0.0
    return max(picture.pair.stop_z * 1.25, min(largest * 1.05, picture.pair.stop_z * 2.0))


def _half_life_limits(picture: PairPicture) -> tuple[float, float]:
    """Hours. An estimate near the length of its own window means no reversion: the axis ends there."""
    known = picture.half_life_hours[np.isfinite(picture.half_life_hours)]
    top = picture.window_candles * picture.candle_hours
    return max(0.5 * float(known.min()), 0.1 * picture.candle_hours), max(top, 2 * float(known.min()))


def figure_png(picture: PairPicture, note: str = "") -> Figure:
    """The five panels as a matplotlib figure, drawn without any window system."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 12.5), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    prices, spread, z, beta, half_life = figure.subplots(
        5, 1, sharex=True, gridspec_kw={"height_ratios": [3, 3, 3.4, 1.7, 1.7]}
    )
    pair, when = picture.pair, picture.when
    name_a, name_b = (_base(symbol) for symbol in pair.symbols)

    prices.plot(when, picture.index_a, color=LEG_A, lw=1.0, label=f"{name_a} (leg A)")
    prices.plot(when, picture.index_b, color=LEG_B, lw=1.0, label=f"{name_b} (leg B)")
    prices.set_ylabel("price, first = 100")

    spread.plot(when, picture.spread_bp, color=SPREAD, lw=0.8, label="spread")
    z.plot(when, picture.z, color=SPREAD, lw=0.8, label="z")
    for level in levels(pair):
        for sign in (1, -1):
            label = f"{level.name} {level.z:g}" if sign == 1 else None
            style: dict[str, Any] = {"color": level.color, "ls": level.dash, "lw": 1.0, "label": label}
            spread.plot(when, sign * level.z * picture.sigma_bp, **style)
            z.axhline(sign * level.z, **style)
    spread.set_ylabel("spread, bp of leg A")
    z.set_ylabel("z")
    z.set_ylim(-_z_limit(picture), _z_limit(picture))
    _limit_spread(spread, picture)
    _note_what_is_cut(z, picture)
    _draw_marks(z, picture)

    beta.plot(
        when, picture.rolling_beta, color=ROLLING, lw=1.0, label=f"rolling, {picture.window_candles} candles"
    )
    if pair.is_frozen:
        beta.plot(when, picture.beta, color=SPREAD, ls="--", lw=1.0, label="frozen")
    beta.set_ylabel("hedge ratio")
    half_life.plot(when, picture.half_life_hours, color=ROLLING, lw=1.0, label="rolling")
    if pair.half_life_hours is not None:
        half_life.axhline(pair.half_life_hours, color=SPREAD, ls="--", lw=1.0, label="pairs file")
    half_life.set_ylabel("half-life, h")
    if np.isfinite(picture.half_life_hours).any():
        half_life.set_yscale("log")
        half_life.set_ylim(*_half_life_limits(picture))
        half_life.yaxis.set_major_formatter("{x:g}")

    for axes in (prices, spread, z, beta, half_life):
        axes.grid(visible=True, color="#dddddd", lw=0.6)
        axes.margins(x=0.01)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if picture.valid_from is not None and when[0] < picture.valid_from < when[-1]:
            axes.axvspan(when[0], picture.valid_from, color="#f2f2f2", zorder=0)
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 0.99), ncols=8, fontsize=8, frameon=False, borderaxespad=0.1
        )
    if picture.valid_from is not None and when[0] < picture.valid_from < when[-1]:
        remark = "grey: before valid_from, not traded"
        prices.text(1, 1.02, remark, transform=prices.transAxes, ha="right", fontsize=8)
    locator = AutoDateLocator()
    half_life.xaxis.set_major_locator(locator)
    half_life.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    half_life.set_xlabel("candle close, UTC")
    figure.suptitle("\n".join([title(picture), *textwrap.wrap(note, 120)]), fontsize=12, x=0.01, ha="left")
    return figure


def _limit_spread(axes: Axes, picture: PairPicture) -> None:
    """As much of the spread as of z."""
    sigma = picture.sigma_bp[np.isfinite(picture.sigma_bp)]
    if sigma.size:
        half = _z_limit(picture) * float(sigma.max())
        axes.set_ylim(-half, half)


def _note_what_is_cut(axes: Axes, picture: PairPicture) -> None:
    """Say how far z went where the axis does not show it."""
    known = picture.z[np.isfinite(picture.z)]
    if known.size and np.abs(known).max() > _z_limit(picture):
        text = f"axis cut: z from {known.min():.1f} to {known.max():.1f}"
        axes.text(1, 1.02, text, transform=axes.transAxes, ha="right", fontsize=8, color=STOP)


def _draw_marks(axes: Axes, picture: PairPicture) -> None:
    from matplotlib.dates import date2num

    for mark in picture.marks:
        span = (date2num(mark.opened), date2num(mark.closed or picture.when[-1]))
        axes.axvspan(*span, color=OPEN, alpha=0.3, lw=0)
    limit = _z_limit(picture) * 0.97
    groups: list[tuple[str, str, str, list[tuple[datetime, float]]]] = [
        ("long spread", "^", LEG_A, [(m.opened, m.z_open) for m in picture.marks if not m.is_short_spread]),
        ("short spread", "v", LEG_B, [(m.opened, m.z_open) for m in picture.marks if m.is_short_spread]),
        ("close", "o", "white", [(m.closed, m.z_close) for m in picture.marks if m.closed is not None]),
    ]
    for name, marker, color, points in groups:
        if points:
            axes.scatter(
                [date2num(when) for when, _ in points],
                np.clip([z for _, z in points], -limit, limit),
                marker=marker,
                s=34,
                color=color,
                edgecolors="black",
                linewidths=0.7,
                zorder=5,
                label=name,
            )


def figure_html(picture: PairPicture, note: str = "") -> Any:
    """The same panels as a plotly figure; hovering a marker tells the trade."""
    from plotly.subplots import make_subplots

    pair = picture.pair
    name_a, name_b = (_base(symbol) for symbol in pair.symbols)
    figure = make_subplots(
        rows=5,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.025,
        row_heights=[0.24, 0.24, 0.26, 0.13, 0.13],
    )

    def line(row: int, y: Any, name: str, color: str, dash: str = "solid", **more: Any) -> None:
        style = {"color": color, "width": 1.2, "dash": dash}
        figure.add_scatter(x=picture.when, y=y, name=name, mode="lines", line=style, row=row, col=1, **more)

    line(1, picture.index_a, f"{name_a} (leg A)", LEG_A)
    line(1, picture.index_b, f"{name_b} (leg B)", LEG_B)
    line(2, picture.spread_bp, "spread, bp", SPREAD)
    line(3, picture.z, "z", SPREAD)
    dashes = {"--": "dash", ":": "dot", "-.": "dashdot"}
    for level in levels(pair):
        for sign in (1, -1):
            text = f"{level.name} {sign * level.z:g}"
            line(
                2, sign * level.z * picture.sigma_bp, text, level.color, dashes[level.dash], showlegend=False
            )
            figure.add_hline(
                y=sign * level.z,
                line={"color": level.color, "width": 1, "dash": dashes[level.dash]},
                annotation_text=text,
                annotation_position="top left",
                annotation_font_size=10,
                row=3,
                col=1,
            )
    line(4, picture.rolling_beta, f"hedge ratio, rolling {picture.window_candles}", ROLLING)
    if pair.is_frozen:
        line(4, picture.beta, "hedge ratio, frozen", SPREAD, "dash")
    line(5, picture.half_life_hours, "half-life h, rolling", ROLLING)
    _html_marks(figure, picture)
    if picture.valid_from is not None and picture.when[0] < picture.valid_from < picture.when[-1]:
        figure.add_vrect(
            x0=picture.when[0],
            x1=picture.valid_from,
            fillcolor="#888888",
            opacity=0.12,
            line_width=0,
            layer="below",
        )
    for row, text in enumerate(
        ["price, first = 100", "spread, bp of leg A", "z", "hedge ratio", "half-life, h"], 1
    ):
        figure.update_yaxes(title_text=text, row=row, col=1)
    figure.update_yaxes(range=[-_z_limit(picture), _z_limit(picture)], row=3, col=1)
    if np.isfinite(picture.half_life_hours).any():
        exponents = [math.log10(limit) for limit in _half_life_limits(picture)]
        figure.update_yaxes(type="log", range=exponents, row=5, col=1)
    figure.update_xaxes(title_text="candle close, UTC", row=5, col=1)
    heading = "<br>".join([title(picture), *(f"<sub>{part}</sub>" for part in textwrap.wrap(note, 140))])
    figure.update_layout(title=heading, height=1250, template="plotly_white", hovermode="x unified")
    return figure


def _html_marks(figure: Any, picture: PairPicture) -> None:
    for mark in picture.marks:
        figure.add_vrect(
            x0=mark.opened,
            x1=mark.closed or picture.when[-1],
            fillcolor=OPEN,
            opacity=0.25,
            line_width=0,
            layer="below",
            row=3,
            col=1,
        )
    long = [(m.opened, m.z_open, m.label) for m in picture.marks if not m.is_short_spread]
    short = [(m.opened, m.z_open, m.label) for m in picture.marks if m.is_short_spread]
    closed = [(m.closed, m.z_close, m.label) for m in picture.marks if m.closed is not None]
    for name, symbol, color, points in (
        ("open long spread", "triangle-up", LEG_A, long),
        ("open short spread", "triangle-down", LEG_B, short),
        ("close", "circle-open", "black", closed),
    ):
        if points:
            figure.add_scatter(
                x=[when for when, _, _ in points],
                y=[z for _, z, _ in points],
                text=[label for _, _, label in points],
                name=name,
                mode="markers",
                marker={"symbol": symbol, "size": 9, "color": color, "line": {"color": "black", "width": 1}},
                row=3,
                col=1,
            )
