"""A replay as one HTML page that needs nothing but itself: no script, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from pairbot_ext.rehearse.paper import sheet, write
from pairbot_ext.rehearse.replay.result import SIMULATED, headline, whole_trades
from pairbot_ext.rehearse.replay.session import Replayed
from pairbot_ext.rehearse.replay.show import Sheet, remarks, sheets

_STYLE = ".lead.doubt { border-color: #b3261e; }"
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _BINS = 640, 180, 34, 26, 31


def write_page(path: Path, played: Replayed) -> None:
    """Write it. Raises PairbotError: the file is somebody else's, or cannot be written."""
    write(path, "replay", _body(played), _STYLE)


def page(played: Replayed) -> str:
    """The whole page."""
    return sheet("replay", _body(played), _STYLE)


def _body(played: Replayed) -> list[str]:
    beside = played.comparison
    is_doubted = bool(played.doubts) or (beside is not None and abs(beside.unexplained) >= 0.01)
    notes = "".join(f"<li>{escape(text)}</li>" for text in remarks(played))
    return [
        "<h1>Replay: recorded candles, live path</h1>",
        f'<p class="lead{" doubt" if is_doubted else ""}">{escape(headline(played))}</p>',
        f'<p class="small">{escape(SIMULATED)}</p><ul class="small">{notes}</ul>',
        _histogram(played),
        *(_table(each) for each in sheets(played, None)),
    ]


def _table(rows_of: Sheet) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="text">{escape(cell)}</{tag}>' if is_text else f"<{tag}>{escape(cell)}</{tag}>"
            for cell, is_text in zip(row, rows_of.is_text, strict=True)
        )

    rows = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows_of.rows)
    return (
        f'<h2>{escape(rows_of.title)}</h2><div class="scroll"><table><thead><tr>{cells("th", rows_of.heads)}'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _histogram(played: Replayed) -> str:
    """All fills against the candles' openings, per pair trade."""
    values = [each.legging.shortfall_bp for each in whole_trades(played) if each.legging is not None]
    if len(values) < 2:
        return ""
    counts, edges = np.histogram(values, bins=_BINS)
    most, step = int(counts.max()), (_WIDTH - _LEFT) / _BINS
    bars = "".join(
        f'<rect x="{_LEFT + number * step:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}" width="{step - 1:.1f}" '
        f'height="{height:.1f}" fill="#005a8d"/>'
        for number, count in enumerate(counts)
        if (height := (_HEIGHT - _BOTTOM - 12) * count / most)
    )
    labels = "".join(
        f'<text x="{x:.0f}" y="{_HEIGHT - 8}" font-size="12" text-anchor="{anchor}">{edge:.1f} bp</text>'
        for x, anchor, edge in ((_LEFT, "start", edges[0]), (_WIDTH, "end", edges[-1]))
    )
    title = f"Fills against the candles' openings, {len(values)} pair trades (positive costs)"
    return (
        f'<h2>{escape(title)}</h2><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f'<text x="0" y="14" font-size="12">{most}</text>{bars}{labels}</svg>'
    )
