"""A replay as one HTML page that needs nothing but itself: no script, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from pairbot_ext.rehearse.replay.result import SIMULATED, headline, whole_trades
from pairbot_ext.rehearse.replay.session import Replayed
from pairbot_ext.rehearse.replay.show import Sheet, remarks, sheets
from pairbot_ext.support.errors import PairbotError

_MARK = "<!-- pairbot replay -->"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 28px; max-width: 1080px; background: #fff; color: #1b1b1b;
  font: 14px/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
h1 { font-size: 20px; margin: 0 0 8px; } h2 { font-size: 15px; margin: 32px 0 4px; }
.lead { padding: 10px 14px; border: 1px solid #2e7d32; } .lead.doubt { border-color: #b3261e; }
table { border-collapse: collapse; font-size: 13px; }
th { text-align: right; border-bottom: 1px solid #1b1b1b; padding: 3px 8px; }
td { text-align: right; border-bottom: 1px solid #e6e6e6; padding: 3px 8px; }
th.text, td.text { text-align: left; } .small { color: #5c5c5c; font-size: 13px; }
.scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; }
"""
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _BINS = 640, 180, 34, 26, 31


def write_page(path: Path, played: Replayed) -> None:
    """Write it. Raises PairbotError: the file is somebody else's, or cannot be written."""
    try:
        if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace")[:400]:
            raise PairbotError(
                "A file that is no page of a replay is not overwritten", value=path,
                remedy="Choose another name",
            )  # fmt: skip
        path.write_text(page(played), encoding="utf-8")
    except OSError as error:
        raise PairbotError(
            f"The page cannot be written: {error.strerror}", value=path, remedy="Choose another place"
        ) from error


def page(played: Replayed) -> str:
    """The whole page."""
    beside = played.comparison
    is_doubted = bool(played.doubts) or (beside is not None and abs(beside.unexplained) >= 0.01)
    notes = "".join(f"<li>{escape(text)}</li>" for text in remarks(played))
    body = [
        "<h1>Replay: recorded candles, live path</h1>",
        f'<p class="lead{" doubt" if is_doubted else ""}">{escape(headline(played))}</p>',
        f'<p class="small">{escape(SIMULATED)}</p><ul class="small">{notes}</ul>',
        _histogram(played),
        *(_table(sheet) for sheet in sheets(played, None)),
    ]
    return (
        f'<!doctype html>{_MARK}<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Replay</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _table(sheet: Sheet) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="text">{escape(cell)}</{tag}>' if is_text else f"<{tag}>{escape(cell)}</{tag}>"
            for cell, is_text in zip(row, sheet.is_text, strict=True)
        )

    rows = "".join(f"<tr>{cells('td', row)}</tr>" for row in sheet.rows)
    return (
        f'<h2>{escape(sheet.title)}</h2><div class="scroll"><table><thead><tr>{cells("th", sheet.heads)}'
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
