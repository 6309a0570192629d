"""One rehearsal as a picture: both positions over time, orders and what was known of them when, and what the
person read. SVG, drawn from the result alone.

Time is not linear: a rehearsal has seconds that matter and hours that do not. Instants keep their order and
their distance up to a bound; the ticks say the time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from html import escape

from pairbot_ext.rehearse.outcome import Mark, Result

WIDTH, LEFT, RIGHT = 980, 70, 16
_LEG_HEIGHT, _GAP, _TOP = 54, 30, 26
_ORDERS_HEIGHT, _MESSAGE_HEIGHT = 58, 20
_LONGEST_SECS = 15.0
"""A stretch without an event is drawn no longer than this."""
_COLOURS = {"A": "#005a8d", "B": "#b8860b"}
_ROLES = {"e": "entry", "t": "top-up", "x": "exit", "u": "unwind", "r": "trim", "o": "by others"}


class TimeAxis:
    """Seconds to pixels: stretches in which nothing happens are cut short."""

    def __init__(self, instants: Sequence[float]) -> None:
        self._instants = sorted({0.0, *instants})
        self._places = [0.0]
        for before, after in zip(self._instants, self._instants[1:], strict=False):
            self._places.append(self._places[-1] + min(after - before, _LONGEST_SECS) + 0.35)
        self._scale = (WIDTH - LEFT - RIGHT) / max(self._places[-1], 1.0)

    def x(self, secs: float) -> float:
        """The pixel of an instant."""
        row = max(bisect_right(self._instants, secs) - 1, 0)
        place = self._places[row]
        if row + 1 < len(self._instants):
            share = (secs - self._instants[row]) / (self._instants[row + 1] - self._instants[row])
            place += share * (self._places[row + 1] - place)
        return LEFT + place * self._scale

    def cuts(self) -> list[float]:
        """Pixels at which time was cut out."""
        pairs = zip(self._instants, self._instants[1:], strict=False)
        return [self.x((before + after) / 2) for before, after in pairs if after - before > _LONGEST_SECS]

    def ticks(self) -> list[tuple[float, float]]:
        """(pixel, seconds) of instants that are far enough apart to be labelled."""
        found: list[tuple[float, float]] = []
        for secs in self._instants:
            pixel = self.x(secs)
            if not found or pixel - found[-1][0] > 70:
                found.append((pixel, secs))
        return found


def strip(result: Result) -> str:
    """The picture, as an SVG element of its own."""
    axis = TimeAxis(_instants(result))
    below = _TOP + 2 * (_LEG_HEIGHT + _GAP)
    orders_at = below + 8
    messages_at = orders_at + _ORDERS_HEIGHT + 16
    height = messages_at + 22 + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" font-family="Helvetica, Arial, Liberation Sans, sans-serif" '
        f'font-size="11"><title>{escape(result.title)}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    ]
    for pixel in axis.cuts():
        parts.append(
            f'<line x1="{pixel:.1f}" x2="{pixel:.1f}" y1="{_TOP - 6}" y2="{messages_at + 12}" '
            'stroke="#bbb" stroke-dasharray="2 4"/>'
        )
    for number, leg in enumerate("AB"):
        parts += _leg(result, leg, axis, _TOP + number * (_LEG_HEIGHT + _GAP))
    parts += _orders(result.marks, axis, orders_at)
    parts += _messages(result, axis, messages_at)
    parts += [
        f'<text x="{pixel:.1f}" y="{height - 4}" text-anchor="middle" fill="#5c5c5c">{_clock(secs)}</text>'
        for pixel, secs in axis.ticks()
    ]
    return "".join([*parts, "</svg>"])


def _instants(result: Result) -> list[float]:
    found = [secs for secs, _ in result.held] + [secs for secs, _ in result.messages] + [result.secs]
    for mark in result.marks:
        found += [secs for secs in (mark.intent, mark.sent, mark.answered, mark.settled) if secs is not None]
    return found


def _clock(secs: float) -> str:
    if secs < 120:
        return f"{secs:.0f} s"
    return f"{secs / 60:.0f} min" if secs < 7_200 else f"{secs / 3_600:.1f} h"


def _leg(result: Result, leg: str, axis: TimeAxis, top: float) -> list[str]:
    """A leg's position as steps around zero."""
    amounts = [(secs, held.get(leg, 0.0)) for secs, held in result.held] or [(0.0, 0.0)]
    most = max((abs(amount) for _, amount in amounts), default=0.0) or 1.0
    middle, half = top + _LEG_HEIGHT / 2, _LEG_HEIGHT / 2

    def y(amount: float) -> float:
        return middle - half * amount / most

    path = f"M{axis.x(amounts[0][0]):.1f},{y(amounts[0][1]):.1f}"
    for secs, amount in amounts[1:]:
        path += f" H{axis.x(secs):.1f} V{y(amount):.1f}"
    path += f" H{axis.x(result.secs):.1f}"
    colour = _COLOURS[leg]
    area = f"M{axis.x(amounts[0][0]):.1f},{middle:.1f} V{y(amounts[0][1]):.1f} {path[path.index(' ') :]}"
    area = area if len(amounts) > 1 else ""
    return [
        f'<text x="{LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end">leg {leg}</text>',
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{middle:.1f}" y2="{middle:.1f}" stroke="#ddd"/>',
        f'<path d="{area} V{middle:.1f} Z" fill="{colour}" opacity="0.12"/>' if area else "",
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>',
        *(
            f'<text x="{axis.x(secs) + 4:.1f}" y="{y(amount) + (-5 if amount >= 0 else 12):.1f}" '
            f'fill="{colour}">{amount:+g}</text>'
            for secs, amount in _labelled(amounts, axis)
        ),
    ]


def _labelled(amounts: Sequence[tuple[float, float]], axis: TimeAxis) -> list[tuple[float, float]]:
    """Positions whose figure has room."""
    found: list[tuple[float, float]] = []
    before = 0.0
    for secs, amount in amounts:
        has_room = not found or axis.x(secs) - axis.x(found[-1][0]) > 60
        if amount and amount != before and has_room:
            found.append((secs, amount))
        before = amount
    return found


def _orders(marks: Sequence[Mark], axis: TimeAxis, top: float) -> list[str]:
    """Each order from its intent to what settled it; legs on a row of their own."""
    parts = [
        f'<text x="{LEFT - 8}" y="{top + 14 + 28 * row}" text-anchor="end">orders {leg}</text>'
        for row, leg in enumerate("AB")
    ]
    free = {"A": 0.0, "B": 0.0}
    for mark in marks:
        y = top + 10 + 28 * "AB".index(mark.leg)
        colour = _COLOURS[mark.leg]
        start = axis.x(mark.intent)
        end = axis.x(mark.settled) if mark.settled is not None else start
        known = axis.x(mark.answered) if mark.answered is not None else end
        title = escape(f"{_ROLES.get(mark.role, mark.role)} {mark.side} {mark.amount:g}: {mark.status}")
        # Solid while the answer is awaited, dashed from then until its fate is known.
        parts.append(
            f"<g><title>{title}</title>"
            f'<line x1="{start:.1f}" x2="{known:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
            f'<line x1="{known:.1f}" x2="{end:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3" '
            'stroke-dasharray="3 3"/>'
            f'<circle cx="{start:.1f}" cy="{y}" r="4" fill="{colour if mark.filled else "#fff"}" '
            f'stroke="{colour}" stroke-width="1.4"/></g>'
        )
        if start >= free[mark.leg]:
            free[mark.leg] = start + 40
            name = _ROLES.get(mark.role, mark.role)
            parts.append(f'<text x="{start - 4:.1f}" y="{y + 15}" fill="#5c5c5c">{name}</text>')
    return parts


def _messages(result: Result, axis: TimeAxis, y: float) -> list[str]:
    """A number for each message; their texts stand below the picture."""
    parts = [f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">told</text>']
    last = 0.0
    for number, (secs, text) in enumerate(result.messages, start=1):
        pixel = max(axis.x(secs), last + 15)
        last = pixel
        parts.append(
            f"<g><title>{escape(text)}</title>"
            f'<circle cx="{pixel:.1f}" cy="{y}" r="7" fill="#f2f2f2" stroke="#777"/>'
            f'<text x="{pixel:.1f}" y="{y + 4}" text-anchor="middle">{number}</text></g>'
        )
    return parts
